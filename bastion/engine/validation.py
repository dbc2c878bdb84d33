"""What a rule must be to be saved, whichever way it comes: page, API or file."""

import re
from collections.abc import Iterator
from typing import Final

from bastion.engine.detectors import BY_LANGUAGE
from bastion.engine.rules import RuleSpec
from bastion.errors import FieldFault, InvalidRule

MAX_LENGTH: Final = {"uuid": 255, "name": 255, "language": 100, "category": 100, "cwe_id": 50, "author": 255}
MAX_TEXT: Final = 20_000
"""Code points in a rule's details, pattern, tags, references or false positives."""

UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")
"""What PostgreSQL's text and UTF-8 cannot hold: NUL and lone surrogates."""

_FIELDS: Final = ("uuid", "name", "details", "language", "pattern", "category", "cwe_id", "author")
_LISTS: Final = ("tags", "references", "false_positives")


def check_rule(rule: RuleSpec) -> None:
    """Accepts a rule that can be saved.

    Raises:
        InvalidRule: with every fault of every field.
    """
    if faults := rule_faults(rule):
        raise InvalidRule(faults)


def rule_faults(rule: RuleSpec) -> list[FieldFault]:
    """Everything that must be mended before the rule can be saved."""
    faults = field_faults(rule)
    if not {"language", "pattern"} & {fault.field for fault in faults}:
        faults += _pattern_faults(rule)
    return faults


def field_faults(rule: RuleSpec) -> list[FieldFault]:
    """The same without a look at what the pattern says, which can take a second."""
    return [*_text_faults(rule), *_list_faults(rule)]


def _text_faults(rule: RuleSpec) -> Iterator[FieldFault]:
    for field in _FIELDS:
        value: str | None = getattr(rule, field)
        if value is None:
            continue
        limit = MAX_LENGTH.get(field, MAX_TEXT)
        if not value.strip():
            yield FieldFault(field, "must not be empty")
        elif len(value) > limit:
            yield FieldFault(field, f"has {len(value)} characters, at most {limit} are kept")
        elif found := UNSTORABLE.search(value):
            yield FieldFault(field, f"has a character that cannot be stored (U+{ord(found[0]):04X})")
        elif field in MAX_LENGTH and not value.isprintable():
            yield FieldFault(field, "must be printable characters in a single line")


def _list_faults(rule: RuleSpec) -> Iterator[FieldFault]:
    for field in _LISTS:
        items: tuple[str, ...] = getattr(rule, field)
        if sum(map(len, items)) > MAX_TEXT:
            yield FieldFault(field, f"has more than {MAX_TEXT} characters in all")
        elif any("\n" in item or not item.strip() for item in items):
            yield FieldFault(field, "wants one entry a line, none of them empty")
        elif any(UNSTORABLE.search(item) for item in items):
            yield FieldFault(field, "has a character that cannot be stored (NUL or a lone surrogate)")


def _pattern_faults(rule: RuleSpec) -> Iterator[FieldFault]:
    pipeline = BY_LANGUAGE.get(rule.language)
    if pipeline is None:
        yield FieldFault("language", f"is not one that runs here: {', '.join(BY_LANGUAGE)}")
        return
    for fault in pipeline.faults(rule.pattern):
        yield FieldFault("pattern", str(fault), fault.line)
