"""What a regular expression cannot say of what it matched: check digits, and whether a key is random.

A rule may name one of these. A match of its expressions then counts only if the text of the match is accepted.
"""

import base64
import binascii
import hashlib
import ipaddress
import itertools
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final

MAX_CHARACTERS: Final = 4096
"""Of a match that is looked at; a longer one is refused."""

MIN_ENTROPY: Final = 2.8
"""Bits a character, over the characters of a key. 20 random ones of base64 have 3.6 or more in 99 of 100 cases, 16 of
hexadecimal 2.8; ``xxxx``, dates and counted-up examples have less.
"""

_PLACEHOLDER: Final = re.compile(r"(?i)example|placeholder|dummy|sample|your|change.?me|redacted|secret.?key|x{4}")
_CLASSES: Final = tuple(map(re.compile, ("[a-z]", "[A-Z]", "[0-9]", "[+/_=-]")))


class Validator(StrEnum):
    """The checks that a rule may ask for."""

    LUHN = "luhn"
    IBAN = "iban"
    ENTROPY = "entropy"
    JWT = "jwt"
    PUBLIC_IPV4 = "public_ipv4"
    BASE58CHECK = "base58check"
    VERHOEFF = "verhoeff"
    NHS = "nhs"
    DNI = "dni"


def accepts(validator: Validator, text: str) -> bool:
    """Whether the text of a match passes the check. Never raises, whatever the text."""
    return len(text) <= MAX_CHARACTERS and VALIDATORS[validator](text)


def _digits(text: str) -> list[int]:
    """The decimal digits of any script; what stands between them is left out."""
    return [int(character) for character in text if character.isdecimal()]


def luhn(text: str) -> bool:
    """Payment cards, IMEI: ISO/IEC 7812-1, annex B. The same digit over and over passes it and is none."""
    digits = _digits(text)
    doubled = [digit if place % 2 == 0 else sum(divmod(digit * 2, 10)) for place, digit in enumerate(reversed(digits))]
    return len(digits) >= 8 and len(set(digits)) > 1 and sum(doubled) % 10 == 0


_IBAN_LENGTHS: Final = {
    "AD": 24,
    "AE": 23,
    "AL": 28,
    "AT": 20,
    "AZ": 28,
    "BA": 20,
    "BE": 16,
    "BG": 22,
    "BH": 22,
    "BR": 29,
    "BY": 28,
    "CH": 21,
    "CR": 22,
    "CY": 28,
    "CZ": 24,
    "DE": 22,
    "DK": 18,
    "DO": 28,
    "EE": 20,
    "EG": 29,
    "ES": 24,
    "FI": 18,
    "FO": 18,
    "FR": 27,
    "GB": 22,
    "GE": 22,
    "GI": 23,
    "GL": 18,
    "GR": 27,
    "GT": 28,
    "HR": 21,
    "HU": 28,
    "IE": 22,
    "IL": 23,
    "IQ": 23,
    "IS": 26,
    "IT": 27,
    "JO": 30,
    "KW": 30,
    "KZ": 20,
    "LB": 28,
    "LI": 21,
    "LT": 20,
    "LU": 20,
    "LV": 21,
    "LY": 25,
    "MC": 27,
    "MD": 24,
    "ME": 22,
    "MK": 19,
    "MR": 27,
    "MT": 31,
    "MU": 30,
    "NL": 18,
    "NO": 15,
    "PK": 24,
    "PL": 28,
    "PS": 29,
    "PT": 25,
    "QA": 29,
    "RO": 24,
    "RS": 22,
    "SA": 24,
    "SC": 31,
    "SE": 24,
    "SI": 19,
    "SK": 24,
    "SM": 27,
    "ST": 25,
    "SV": 28,
    "TL": 23,
    "TN": 24,
    "TR": 26,
    "UA": 29,
    "VA": 22,
    "VG": 24,
    "XK": 20,
}
"""Characters of an account number by country, from the IBAN registry of SWIFT."""


def iban(text: str) -> bool:
    """ISO 13616: the length of its country, and 1 as the rest by 97."""
    plain = re.sub(r"[\s-]", "", text).upper()
    if not re.fullmatch(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{10,30}", plain) or len(plain) != _IBAN_LENGTHS.get(plain[:2]):
        return False
    turned = plain[4:] + plain[:4]
    return int("".join(str(int(character, 36)) for character in turned)) % 97 == 1


def entropy(text: str) -> bool:
    """A key drawn at random, as opposed to a word, a placeholder or a row of the same characters.

    Judged is the longest run of characters that keys are made of, without the short words that name its kind (``sk-``).
    """
    run = max(re.findall(r"[A-Za-z0-9+/_=-]+", text), key=len, default="")
    key = re.sub(r"^(?:[a-z]{2,10}[-_])+", "", run)
    # Keys in capitals and digits alone (base32) have no digit in one of 28 cases.
    alike = sum(bool(kind.search(key)) for kind in _CLASSES) < 2 and not (key.isupper() and len(key) >= 16)
    if len(key) < 8 or alike or _PLACEHOLDER.search(key):
        return False
    bits = -sum(count / len(key) * math.log2(count / len(key)) for count in Counter(key).values())
    counted_up = sum(abs(ord(after) - ord(before)) <= 1 for before, after in itertools.pairwise(key))
    return bits >= min(MIN_ENTROPY, math.log2(len(key)) - 0.5) and counted_up < len(key) / 2


def jwt(text: str) -> bool:
    """A JSON Web Token whose header says by which algorithm it is signed: RFC 7515."""
    header = text.split(".", 1)[0]
    try:
        found = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and isinstance(found.get("alg"), str)


def public_ipv4(text: str) -> bool:
    """An IPv4 address of the open internet: not private, reserved, of a loop or of documentation."""
    try:
        return ipaddress.IPv4Address(text).is_global
    except ValueError:
        return False


_BASE58: Final = {
    sign: value for value, sign in enumerate("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz")
}


def base58check(text: str) -> bool:
    """Addresses and keys of Bitcoin's older kind: 25 or more bytes, the last four a checksum of the others."""
    if not 25 <= len(text) <= 60 or any(sign not in _BASE58 for sign in text):
        return False
    number = 0
    for sign in text:
        number = number * 58 + _BASE58[sign]
    zeros = len(text) - len(text.lstrip("1"))
    decoded = b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8, "big")
    body, checksum = decoded[:-4], decoded[-4:]
    return len(decoded) >= 25 and hashlib.sha256(hashlib.sha256(body).digest()).digest()[:4] == checksum


def _dihedral(left: int, right: int) -> int:
    """The product of the group of the pentagon's symmetries, D5."""
    if left < 5:
        return (left + right) % 5 if right < 5 else 5 + (left + right) % 5
    return 5 + (left - right) % 5 if right < 5 else (left - right) % 5


def verhoeff(text: str) -> bool:
    """Aadhaar numbers: J. Verhoeff, Error detecting decimal codes, 1969."""
    digits = _digits(text)
    once = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)
    check = 0
    for place, digit in enumerate(reversed(digits)):
        for _ in range(place % 8):
            digit = once[digit]  # noqa: PLW2901
        check = _dihedral(check, digit)
    return len(digits) > 1 and len(set(digits)) > 1 and check == 0


def nhs(text: str) -> bool:
    """Numbers of patients in England and Wales: ten digits, the last a check digit by 11."""
    digits = _digits(text)
    if len(digits) != 10 or len(set(digits)) == 1:
        return False
    rest = sum(digit * weight for digit, weight in zip(digits, range(10, 0, -1), strict=True)) % 11
    return rest == 0


def dni(text: str) -> bool:
    """Spain's DNI and NIE: the letter is the number's rest by 23."""
    plain = re.sub(r"[\s.-]", "", text).upper()
    if not re.fullmatch(r"[XYZ0-9][0-9]{7}[A-Z]", plain):
        return False
    number = plain[:-1].translate(str.maketrans("XYZ", "012"))
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23] == plain[-1]


VALIDATORS: Final[Mapping[Validator, Callable[[str], bool]]] = {
    Validator.LUHN: luhn,
    Validator.IBAN: iban,
    Validator.ENTROPY: entropy,
    Validator.JWT: jwt,
    Validator.PUBLIC_IPV4: public_ipv4,
    Validator.BASE58CHECK: base58check,
    Validator.VERHOEFF: verhoeff,
    Validator.NHS: nhs,
    Validator.DNI: dni,
}
