"""Expressions made ready to be found by the thousand: the slow part of building an engine, and its stored form."""

import hashlib
import json
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Final

import regex

from bastion.engine.dialect import read_expression
from bastion.engine.patterns import PatternError
from bastion.engine.prefilters import Prefilter, Refused
from bastion.engine.translation import LOOSER, translate
from bastion.engine.witness import witness

FORMAT: Final = 4
"""Raised with every change to how expressions are translated or stored."""

MAX_TOGETHER: Final = 2000
"""Expressions in one automaton: what compiling takes grows faster than their number, and what a pass takes slower."""


class Unsound(ValueError):
    """A compilation that cannot be trusted: damaged, made elsewhere, or blind to what it must find."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """One expression: ``translation`` is over projected bytes, ``exact`` says that it widens nothing, ``beyond_ascii``
    that no ASCII text matches.

    ``witness`` is a text that matches, if one could be made. Without a translation every text is a candidate.
    """

    source: str
    translation: str | None
    exact: bool
    beyond_ascii: bool
    witness: str | None


@dataclass(frozen=True, slots=True)
class Part:
    """Expressions in one automaton, or without one. Those that no ASCII text matches have parts of their own."""

    expressions: tuple[Compiled, ...]
    database: bytes
    beyond_ascii: bool


@dataclass(frozen=True, slots=True)
class Compilation:
    """Expressions compiled for one prefilter."""

    prefilter: str
    parts: tuple[Part, ...]
    refused: Mapping[str, str] = field(default_factory=dict)
    """Why what is not an expression of the dialect is not one, by its source."""

    @property
    def expressions(self) -> tuple[Compiled, ...]:
        return tuple(one for part in self.parts for one in part.expressions)

    def dump(self) -> bytes:
        """The compilation to be stored, with a checksum."""
        content = {
            "prefilter": self.prefilter,
            "parts": [
                {
                    "expressions": [asdict(one) for one in part.expressions],
                    "bytes": len(part.database),
                    "beyond_ascii": part.beyond_ascii,
                }
                for part in self.parts
            ],
            "refused": dict(self.refused),
        }
        # Escaped, two lone surrogates in a row would come back as one character.
        head = json.dumps(content, ensure_ascii=False).encode("utf-8", "surrogatepass")
        body = b"\n".join([head, b"".join(part.database for part in self.parts)])
        return hashlib.sha256(body).digest() + body

    @classmethod
    def load(cls, stored: bytes) -> "Compilation":
        """Raises ``Unsound`` for bytes that are not just what ``dump`` wrote."""
        checksum, body = stored[:32], stored[32:]
        if hashlib.sha256(body).digest() != checksum:
            raise Unsound("damaged: the checksum is another")
        head, _, databases = body.partition(b"\n")
        try:
            content = json.loads(head.decode("utf-8", "surrogatepass"))
            parts, at = [], 0
            for part in content["parts"]:
                expressions = tuple(Compiled(**one) for one in part["expressions"])
                parts.append(Part(expressions, databases[at : at + part["bytes"]], part["beyond_ascii"]))
                at += part["bytes"]
            return cls(content["prefilter"], tuple(parts), content["refused"])
        except (ValueError, TypeError, KeyError) as error:
            raise Unsound(f"of another version: {error}") from None


def fingerprint(sources: Iterable[str], prefilter: Prefilter) -> str:
    """What a compilation of these expressions is stored under: another library or machine has another."""
    versions = f"{FORMAT} {prefilter.name} {prefilter.version} {regex.__version__} {platform.python_version()}"
    sha = hashlib.sha256(versions.encode())
    for source in sorted(set(sources)):
        sha.update(b"\0" + source.encode("utf-8", "surrogatepass"))
    return sha.hexdigest()


def translate_one(source: str) -> Compiled:
    """One expression as the closest translation has it, which a prefilter may refuse.

    Raises:
        PatternError: for what is not an expression of the dialect.
    """
    expression = read_expression(source)
    translation = translate(expression)
    return Compiled(source, translation.expression, translation.exact, translation.beyond_ascii, witness(expression))


def loosened(one: Compiled, prefilter: Prefilter) -> Compiled:
    """The closest translation that the prefilter takes. It can take minutes and gigabytes to find out."""
    if one.translation is None or prefilter.accepts(one.translation):
        return one
    expression = read_expression(one.source)
    for looseness in LOOSER[1:]:
        translation = translate(expression, looseness)
        if prefilter.accepts(translation.expression):
            return replace(one, translation=translation.expression, exact=translation.exact)
    return replace(one, translation=None, exact=False)


def assemble(compiled: Sequence[Compiled], refused: Mapping[str, str], prefilter: Prefilter) -> Compilation:
    """Translated expressions, compiled together; raises ``Refused`` when the prefilter does not take one of them."""
    parts = []
    for beyond_ascii in (False, True):
        alike = [one for one in compiled if one.beyond_ascii == beyond_ascii]
        for together in _together([one for one in alike if one.translation is not None]):
            database = prefilter.compile([one.translation for one in together if one.translation is not None])
            parts.append(Part(together, database, beyond_ascii))
        if untranslated := tuple(one for one in alike if one.translation is None):
            parts.append(Part(untranslated, b"", beyond_ascii))
    return Compilation(prefilter.name, tuple(parts), refused)


def _together(expressions: Sequence[Compiled]) -> Iterator[tuple[Compiled, ...]]:
    """As few parts of the same size as there can be."""
    count = -(-len(expressions) // MAX_TOGETHER)
    for part in range(count):
        yield tuple(expressions[part * len(expressions) // count : (part + 1) * len(expressions) // count])


def compile_expressions(sources: Iterable[str], prefilter: Prefilter) -> Compilation:
    """All the expressions, compiled together, without limits: some milliseconds for each that is well-behaved."""
    compiled: list[Compiled] = []
    refused: dict[str, str] = {}
    for source in dict.fromkeys(sources):
        try:
            compiled.append(translate_one(source))
        except PatternError as fault:
            refused[source] = f"column {fault.column}: {fault.reason}"
    try:
        return assemble(compiled, refused, prefilter)
    except Refused:
        return assemble([loosened(one, prefilter) for one in compiled], refused, prefilter)
