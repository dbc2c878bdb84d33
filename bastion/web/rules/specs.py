"""A stored rule as the engine takes it, for pages that try it out."""

from dataclasses import replace

from bastion.engine import RuleSpec
from bastion.models import Rule
from bastion.services.rules.stored_rules import readable


def spec_of(rule: Rule) -> RuleSpec:
    """The rule with its id and version; a word that there is not, which another program wrote, is replaced."""
    return replace(readable(rule), id=rule.id, version=rule.version)
