"""Texts that each shipped rule must and must not match, by its uuid."""

from bastion.services.rules.transfer import RULEPACK, read_rules

Samples = dict[str, dict[str, list[str]]]


def shipped_samples() -> Samples:
    specs = [filed.spec for filed in read_rules(RULEPACK).rules]
    return {spec.uuid: {"match": [*spec.must_match], "no_match": [*spec.must_not_match]} for spec in specs}
