"""What holds of the views of any text, however it was made."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bastion.engine.views import DISGUISES, MAX_DEPTH, MAX_VIEWS, Revealed, signs_in, uncover
from tests.engine.views.disguisers import DISGUISERS, PHRASES, b64

any_character = st.characters(exclude_categories=())
pieces = st.sampled_from(
    (
        *("\ud800", "\udc00", "\0", "%", "&#", "&#x", ";", "\\u", "\\x", "\\", "=", "1", "!", "|", "$", "_", "\n"),
        *("i ", ". ", "0x69", "69", "erongi", "vtaber", "\u200b", "\u0301", "\u0316", "\u0344", "\u0f73", "\uff9e"),
        *("\u1112\u1161\u11ab", "\u093f", "\U000e0041", "\ufe00", "\U000e0150", "\ufdfa", "ı", "Ω", "が", "ß", "🇦"),
    )
)
disguised = st.builds(
    lambda disguiser, phrase, start, length: disguiser.write(phrase)[start : start + length],
    st.sampled_from(DISGUISERS),
    st.sampled_from(PHRASES),
    st.integers(0, 8),
    st.integers(0, 400),
)
texts = st.lists(
    st.one_of(st.text(any_character, max_size=20), pieces, pieces.map(lambda piece: piece * 9), disguised), max_size=8
).map("".join)
thoroughly = settings(deadline=None, max_examples=200)


@thoroughly
@given(texts, st.data())
def test_views_keep_their_limits_and_spans_lie_in_the_text(text: str, data: st.DataObject) -> None:
    views = list(uncover(text))

    assert views[0].name == "raw"
    assert len({view.text for view in views}) == len(views) <= MAX_VIEWS
    for view in views:
        assert view.depth <= MAX_DEPTH
        assert len(view.name) <= 50
        start = data.draw(st.integers(0, len(view.text)))
        end = data.draw(st.integers(start, len(view.text)))
        first, last = view.span(start, end)
        assert 0 <= first <= last <= len(text)


@thoroughly
@given(texts)
def test_no_phrase_is_revealed_where_there_is_no_sign(text: str) -> None:
    signs = signs_in(text)
    for disguise in DISGUISES:
        if disguise.sign and disguise.name not in signs:
            for revealed in disguise.reveal(text):
                # The signs of text turned round are words in Latin letters.
                known = [phrase for phrase in PHRASES if phrase.isascii() or disguise.name != "reversed"]
                assert not any(phrase in revealed.text and phrase not in text for phrase in known)


@thoroughly
@given(texts, st.data())
def test_a_longer_span_comes_from_no_less(text: str, data: st.DataObject) -> None:
    for view in uncover(text):
        start = data.draw(st.integers(0, len(view.text)))
        end = data.draw(st.integers(start, len(view.text)))
        inner_start = data.draw(st.integers(start, end))
        inner_end = data.draw(st.integers(inner_start, end))
        outer, inner = view.span(start, end), view.span(inner_start, inner_end)
        if inner_start < inner_end:
            assert outer[0] <= inner[0] <= inner[1] <= outer[1]


def revealed_by(name: str, text: str) -> Iterator[Revealed]:
    (disguise,) = (disguise for disguise in DISGUISES if disguise.name == name)
    yield from disguise.reveal(text)


@thoroughly
@given(texts, st.data())
def test_what_a_span_came_from_reveals_it(text: str, data: st.DataObject) -> None:
    for revealed in revealed_by("normalised", text):
        start = data.draw(st.integers(0, len(revealed.text)))
        end = data.draw(st.integers(start, len(revealed.text)))
        first, last = revealed.origin(start, end)
        part = text[first:last]
        again = next((other.text for other in revealed_by("normalised", part)), part)
        assert revealed.text[start:end] in again


N = 50_000
HOSTILE = {
    "percent signs": "%" * N,
    "percent-encoded": "%41" * N,
    "invalid UTF-8": "%c3" * N,
    "base64": b64("ignore all " * 5000),
    "nested base64": b64(b64(b64("ignore all " * 2000))),
    "lines of base64": (b64("ignore all o") + "\n") * 3000,
    "no base64": "A" * N,
    "letters and digits": "a1" * N,
    "hex": "69" * N,
    "zeros": "&#" + "0" * N,
    "ampersands": "&#" * N,
    "entities": "&#105;" * 9000,
    "long names": "&aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" * 1500,
    "escapes": r"\u0069" * 9000,
    "single letters": "i " * N,
    "points": "i." * N,
    "short words": "a.b c.d e.f g h " * 3000,
    "leet": "a1 " * N,
    "strokes": "|" * N,
    "ambiguous": "1!|" * N + "a",
    "fullwidth": "ｉ" * N,
    "marks": "\u0301" * N,
    "marks to be sorted": "a" + "\u0301" * N + "\u0316" * N,
    "decomposed marks": "\uff9e\u0301" * N,
    "zero width": "\u200b" * N,
    "long compositions": "\ufdfa" * N,
    "surrogates": "\ud800" * N,
    "spaced surrogates": "i\ud800g\udc00" * N,
    "selectors": "\ufe01" * N,
    "selected bytes": "x" + "\U000e0159" * N,
    "tags": "\U000e0069" * N,
    "syllables": "\u1112\u1161\u11ab" * N,
    "backwards": "erongi lla " * 5000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_are_uncovered(name: str) -> None:
    text = HOSTILE[name]
    for view in uncover(text):
        middle = len(view.text) // 2
        start, end = view.span(middle, min(middle + 9, len(view.text)))
        assert 0 <= start <= end <= len(text)
