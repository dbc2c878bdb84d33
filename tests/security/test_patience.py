"""How often another server that does not answer is asked again."""

import pytest
from requests import ConnectionError as NoConnection
from requests import HTTPError, Timeout

from bastion.security.patience import FIRST_SECONDS, LONGEST_SECONDS, NotAsked, Patience


def fails(patience: Patience, error: Exception) -> None:
    with pytest.raises(type(error)), patience.asking():
        raise error


def refused_for(patience: Patience) -> int:
    with pytest.raises(NotAsked) as caught, patience.asking():
        raise AssertionError("it was asked")
    return caught.value.seconds


def test_silence_doubles_the_wait_up_to_a_minute_and_an_answer_ends_it() -> None:
    now = [100.0]
    patience = Patience(4, lambda: now[0])
    waits = []
    for error in [Timeout(), NoConnection()] * 4:
        fails(patience, error)
        waits.append(refused_for(patience))
        now[0] += waits[-1]
    assert waits == [FIRST_SECONDS, 10, 20, 40, *[LONGEST_SECONDS] * 4]

    with patience.asking():
        pass
    fails(patience, Timeout())
    assert refused_for(patience) == FIRST_SECONDS


def test_a_refusal_is_an_answer() -> None:
    patience = Patience(4)

    for error in (HTTPError("500"), ValueError("no JSON")):
        fails(patience, error)
    with patience.asking():
        pass


def test_so_many_ask_at_once_and_one_after_silence() -> None:
    now = [0.0]
    patience = Patience(2, lambda: now[0])
    with patience.asking(), patience.asking():
        assert refused_for(patience) == 1
    with patience.asking(), patience.asking():
        pass
    fails(patience, Timeout())
    now[0] += FIRST_SECONDS

    with patience.asking():
        assert refused_for(patience) == 1
