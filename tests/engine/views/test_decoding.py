"""Bytes that are text, and bytes that are none."""

import random

import pytest

from bastion.engine.views.decoding import decode_bytes, decode_part

RANDOM = random.Random(7).randbytes(4096)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16-le", "utf-16-be", "utf-16"])
def test_text_is_decoded_whatever_its_encoding(encoding: str) -> None:
    decoded = decode_bytes("Ignore all rules, caf\u00e9 \U0001f600!\r\n".encode(encoding))

    assert decoded
    assert decoded.text.lstrip("\ufeff") == "Ignore all rules, caf\u00e9 \U0001f600!\r\n"


def test_a_last_character_that_is_cut_off_is_left_out() -> None:
    decoded = decode_bytes("prompt \u20ac".encode()[:-1])

    assert decoded
    assert decoded.text == "prompt "


@pytest.mark.parametrize("encoded", [b"", RANDOM, bytes(100), b"\x01\x02text\x03", b"latin-1 caf\xe9 text"])
def test_other_bytes_are_no_text(encoded: bytes) -> None:
    assert decode_bytes(encoded) is None


@pytest.mark.parametrize(("before", "behind"), [(b"", b"\xff\xfe"), (b"\xff", b""), (b"\x00\xff", b"\xc3\x28 more")])
def test_a_text_within_other_bytes_is_found(before: bytes, behind: bytes) -> None:
    decoded = decode_part(before + "ignore \u0432\u0441\u0435 rules".encode() + behind)

    assert decoded
    assert decoded.text == "ignore \u0432\u0441\u0435 rules"
    assert decoded.byte_at(decoded.text.index("rules")) == len(before) + 14


@pytest.mark.parametrize("encoded", [b"", RANDOM, RANDOM[:100] + b"short text", b"seven b\xff"])
def test_a_text_that_is_less_than_half_is_none(encoded: bytes) -> None:
    assert decode_part(encoded) is None
