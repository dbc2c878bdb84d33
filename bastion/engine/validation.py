"""What a rule must be to be saved, whichever way it comes: page, API or file."""

import re
from collections.abc import Iterator
from typing import Final

from bastion.engine.detectors import LANGUAGES
from bastion.engine.dialect import read_expression
from bastion.engine.exceptions import (
    MAX_EXCEPTIONS,
    MAX_NAME,
    MAX_REASON,
    MAX_VALUE,
    SHA256,
    ExceptionKind,
    RuleException,
)
from bastion.engine.patterns import PatternError
from bastion.engine.rules import RuleSpec
from bastion.errors import FieldFault, InvalidRule

MAX_LENGTH: Final = {"uuid": 255, "name": 255, "language": 100, "category": 100, "cwe_id": 50, "author": 255}
MAX_TEXT: Final = 20_000
"""Code points in a rule's details, pattern, tags, references or false positives."""

MAX_SAMPLES: Final = 50
"""Sample texts of a rule, of both kinds together."""

MAX_SAMPLE_CHARACTERS: Final = 50_000
"""Code points of all of them."""

UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")
"""What PostgreSQL's text and UTF-8 cannot hold: NUL and lone surrogates."""

_HASH: Final = re.compile(re.escape(SHA256) + "[0-9a-f]{64}")
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
    return [*_text_faults(rule), *_list_faults(rule), *_exception_faults(rule), *_sample_faults(rule)]


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


def exception_faults(one: RuleException) -> Iterator[FieldFault]:
    """What must be mended of one exception before it can be kept."""
    if not one.reason.strip():
        yield FieldFault("reason", "must say why")
    elif len(one.reason) > MAX_REASON:
        yield FieldFault("reason", f"has {len(one.reason):,} characters, at most {MAX_REASON} are kept")
    if one.until is not None and one.until <= one.created_at:
        yield FieldFault("until", "must be later than now")
    if wrong := _wrong_value(one):
        yield FieldFault("value", wrong)


def _wrong_value(one: RuleException) -> str | None:
    named = one.kind in (ExceptionKind.SOURCE, ExceptionKind.FLOW)
    most = MAX_NAME if named else MAX_VALUE
    if not one.value.strip():
        return "must not be empty"
    if len(one.value) > most:
        return f"has {len(one.value):,} characters, at most {most:,} are kept"
    if named and not one.value.isprintable():
        return "must be printable characters in a single line"
    if one.kind is ExceptionKind.TEXT and one.value.startswith(SHA256) and not _HASH.fullmatch(one.value):
        return f"wants 64 hexadecimal digits in lower case after {SHA256}"
    return _wrong_expression(one.value) if one.kind is ExceptionKind.REGEX else None


def _wrong_expression(expression: str) -> str | None:
    if "\n" in expression:
        return "must be one expression in a single line: write \\n for a line feed"
    try:
        read_expression(expression)
    except PatternError as fault:
        return f"column {fault.column}: {fault.reason}"
    return None


def _exception_faults(rule: RuleSpec) -> Iterator[FieldFault]:
    if len(rule.exceptions) > MAX_EXCEPTIONS:
        yield FieldFault("exceptions", f"are {len(rule.exceptions)}, at most {MAX_EXCEPTIONS} are kept")
    elif sum(len(one.value) + len(one.reason) for one in rule.exceptions) > MAX_TEXT:
        yield FieldFault("exceptions", f"have more than {MAX_TEXT:,} characters in all")
    if len({one.id for one in rule.exceptions}) < len(rule.exceptions):
        yield FieldFault("exceptions", "want an id of its own each")
    for number, one in enumerate(rule.exceptions, start=1):
        for fault in exception_faults(one):
            yield FieldFault("exceptions", f"number {number}: {fault}")
        if any(UNSTORABLE.search(text) for text in (one.id, one.value, one.reason, one.author or "")):
            yield FieldFault("exceptions", f"number {number}: has a character that cannot be stored")


def _sample_faults(rule: RuleSpec) -> Iterator[FieldFault]:
    """Their fields are named as files and the API name them."""
    samples = (*rule.must_match, *rule.must_not_match)
    if len(samples) > MAX_SAMPLES:
        yield FieldFault("samples", f"are {len(samples)}, at most {MAX_SAMPLES} are kept")
    elif (found := sum(map(len, samples))) > MAX_SAMPLE_CHARACTERS:
        yield FieldFault("samples", f"have {found:,} characters in all, at most {MAX_SAMPLE_CHARACTERS:,} are kept")
    for field, texts in (("must_match", rule.must_match), ("must_not_match", rule.must_not_match)):
        for number, text in enumerate(texts, start=1):
            if not text.strip():
                yield FieldFault(f"samples.{field}", f"number {number} is empty")
            elif bad := UNSTORABLE.search(text):
                what = f"has a character that cannot be stored (U+{ord(bad[0]):04X})"
                yield FieldFault(f"samples.{field}", f"number {number} {what}")


def _pattern_faults(rule: RuleSpec) -> Iterator[FieldFault]:
    language = LANGUAGES.get(rule.language)
    if language is None:
        yield FieldFault("language", f"is not one that runs here: {', '.join(LANGUAGES)}")
        return
    for fault in language.faults(rule.pattern):
        yield FieldFault("pattern", str(fault), fault.line)
