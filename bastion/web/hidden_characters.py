"""Characters that cannot be seen, or that change how others are seen: which they are, and what to call them."""

import re
import unicodedata
from collections import Counter
from typing import Final

_KINDS: Final = {
    # All but tab and line feed, and the carriage return of a line's end.
    "control": r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f",
    "bidi": r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069",
    "zero-width": r"\xad\u034f\u180e\u200b-\u200d\u2060-\u2064\ufeff",
    "tag": r"\U000e0000-\U000e007f",
    "variation selector": r"\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef",
    "blank letter": r"\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0",
    "line separator": r"\u2028\u2029",
    "replaced NUL": r"\u2400",
    "other invisible": r"\u2065\u206a-\u206f\ufff9-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    r"\U000e0080-\U000e00ff\U000e01f0-\U000e0fff",
}
HIDDEN: Final = re.compile(f"[{''.join(_KINDS.values())}]|\r(?!\n)")
RUN: Final = re.compile(f"(?P<spelt>[\U000e0020-\U000e007e]{{2,}})|(?P<one>{HIDDEN.pattern})(?P=one)*")
"""One and the same over and over, or tag characters, which spell ASCII."""

_KIND_OF: Final = tuple((kind, re.compile(f"[{characters}]")) for kind, characters in _KINDS.items())


def kind_of(character: str) -> str:
    """Which kind of hidden character it is."""
    return next((kind for kind, characters in _KIND_OF if characters.match(character)), "control")


def counted(text: str) -> dict[str, int]:
    """How many hidden characters a text has of each kind, the most frequent first."""
    counts: Counter[str] = Counter()
    for character, count in Counter(HIDDEN.findall(text)).items():
        counts[kind_of(character)] += count
    return dict(counts.most_common())


def token_of(run: re.Match[str]) -> tuple[str, int]:
    """What to call the characters of a run, and how often to say it."""
    if run["spelt"]:
        spelling = "".join(chr(ord(tag) - 0xE0000) for tag in run[0])
        return f"tag characters that spell “{spelling}”", 1
    return f"U+{ord(run['one']):04X} {unicodedata.name(run['one'], 'control')}", len(run[0])


def visible(text: str) -> str:
    """A short text for a table's cell: what cannot be seen is named in angle brackets."""
    return RUN.sub(_in_brackets, text)


def _in_brackets(run: re.Match[str]) -> str:
    if run["spelt"]:
        return f"⟨{token_of(run)[0]}⟩"
    return f"⟨U+{ord(run['one']):04X}{f'×{len(run[0])}' if len(run[0]) > 1 else ''}⟩"
