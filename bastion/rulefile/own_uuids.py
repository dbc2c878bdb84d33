"""Different rules under one uuid, as AIDR Bastion's own files have them: each gets one of its own."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from uuid import NAMESPACE_URL, UUID, uuid5

from bastion.engine.rules import RuleSpec
from bastion.rulefile.places import FiledRule, Remark


def with_own_uuids(rules: Iterable[FiledRule], notes: list[Remark]) -> Iterator[FiledRule]:
    """The rules with a uuid each: a second rule under a uuid gets one made from the uuid and its name."""
    taken: dict[str, FiledRule] = {}
    for rule in rules:
        first = taken.get(rule.spec.uuid)
        if first is None:
            taken[rule.spec.uuid] = rule
            yield rule
            continue
        if replace(rule.spec, category=first.spec.category) == first.spec:
            notes.append(_same_note(rule, first))
            continue
        fresh = next(derived for derived in _derived_uuids(rule.spec) if not _is_taken(derived, rule, taken))
        own = replace(rule, spec=replace(rule.spec, uuid=fresh))
        if fresh in taken:
            notes.append(
                Remark(rule.place, f"{rule.spec.name!r} is the same as at {taken[fresh].place} and is left out")
            )
            continue
        taken[fresh] = own
        notes.append(
            Remark(
                rule.place,
                f"{rule.spec.name!r} has the uuid {rule.spec.uuid} of {first.spec.name!r} at {first.place}: "
                f"it is imported as {fresh}",
            )
        )
        yield own


def _same_note(rule: FiledRule, first: FiledRule) -> Remark:
    return Remark(rule.place, f"{rule.spec.name!r} is the same as at {first.place} and is left out")


def _is_taken(uuid: str, rule: FiledRule, taken: dict[str, FiledRule]) -> bool:
    """Whether another rule has the uuid; the same rule under it is no other."""
    other = taken.get(uuid)
    return other is not None and other.spec != replace(rule.spec, uuid=uuid)


def _derived_uuids(spec: RuleSpec) -> Iterator[str]:
    """Made from what the rule says, so that importing a folder again changes nothing."""
    try:
        namespace = UUID(spec.uuid)
    except ValueError:
        namespace = uuid5(NAMESPACE_URL, spec.uuid)
    yield from (str(uuid5(namespace, text)) for text in (spec.name, f"{spec.name}\n{spec.pattern}", repr(spec)))
