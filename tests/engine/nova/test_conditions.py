"""A condition is what its truth table says."""

from itertools import chain, combinations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bastion.engine import Engine
from bastion.engine.nova.conditions import decide, needs_models, negated, shown_by
from bastion.engine.nova.grammar import read_condition
from bastion.engine.nova.pattern import nova_faults, read_conditional, read_pattern
from bastion.engine.nova.sections import read_sections
from tests.engine.nova.conditions_by_chance import NAMES, WORDS, Drawn, conditions, pattern_of, with_models
from tests.factories import rule_spec

SUBSETS = [set(subset) for subset in chain.from_iterable(combinations(NAMES, size) for size in range(len(NAMES) + 1))]


def condition_of(drawn: Drawn):  # type: ignore[no-untyped-def]
    sections = read_sections(pattern_of(drawn).split("\n"))
    assert sections.faults == []
    return read_condition(sections.condition, sections.names, sections.end)


@settings(deadline=None)
@given(conditions())
def test_every_row_of_the_truth_table(drawn: Drawn) -> None:
    condition = condition_of(drawn)

    for there in SUBSETS:
        assert decide(condition, there) is drawn.truth(there), there
        assert decide(negated(condition), there) is not drawn.truth(there), there


@settings(deadline=None)
@given(conditions(), st.lists(st.booleans(), min_size=1, max_size=3))
def test_what_a_model_would_say_makes_no_difference(drawn: Drawn, places: list[bool]) -> None:
    asking = with_models(drawn, places)
    condition = condition_of(asking)
    models = [set(said) for size in range(len(places) + 1) for said in combinations(asking.asked, size)]

    for there in SUBSETS:
        assert decide(condition, there) is all(asking.truth(there | said) for said in models), there
    if needs_models(condition):
        assert not any(decide(condition, there) for there in SUBSETS)


@settings(deadline=None)
@given(conditions(), st.sets(st.sampled_from(NAMES)))
def test_what_is_not_known_is_only_decided_if_it_makes_no_difference(drawn: Drawn, unknown: set[str]) -> None:
    condition = condition_of(drawn)

    for there in [subset for subset in SUBSETS if not subset & unknown]:
        decided = decide(condition, there, unknown)
        if decided is not None:
            ways = [set(way) for size in range(len(unknown) + 1) for way in combinations(sorted(unknown), size)]
            assert {drawn.truth(there | way) for way in ways} == {decided}


@settings(deadline=None)
@given(conditions())
def test_what_is_shown_is_reason_enough(drawn: Drawn) -> None:
    condition = condition_of(drawn)

    for there in SUBSETS:
        shown = shown_by(condition, there)
        assert shown <= there
        if drawn.truth(there):
            # What else is there may go without making it false, for nothing that was there is lacking then.
            assert drawn.truth(shown)
            assert shown or drawn.truth(())
        else:
            assert shown == set()


@settings(max_examples=25, deadline=None)
@given(conditions())
def test_the_engine_matches_the_texts_of_the_truth_table(drawn: Drawn) -> None:
    pattern = pattern_of(drawn)
    if drawn.truth(()):
        assert [fault.reason.partition(":")[0] for fault in nova_faults(pattern)] == ["condition"]
        return
    rule = rule_spec(pattern=pattern, language="nova")
    beside = rule_spec(pattern="(?i)cherry|nothing")
    engine = Engine([rule, beside])
    assert engine.rejected == ()

    for there in SUBSETS:
        text = "We have " + " and ".join(word.upper() for name, word in zip(NAMES, WORDS, strict=True) if name in there)
        matched = {match.rule.uuid: match for match in engine.scan(text).matches}
        assert (rule.uuid in matched) is drawn.truth(there), text
        assert (beside.uuid in matched) is ("CHERRY" in text)
        if rule.uuid in matched:
            found = {text[start:end].lower() for start, end in matched[rule.uuid].spans}
            shown = shown_by(read_pattern(pattern).condition, there)
            assert found == {word for name, word in zip(NAMES, WORDS, strict=True) if name in shown}
            assert engine.every_span(rule, text) == matched[rule.uuid].spans
        else:
            assert engine.every_span(rule, text) == ()


NAMED = (
    'keywords:\n  $a = "a"\n  $b1 = "b"\n  $b2 = "bb"\nllm:\n  $m = "M?"\n  $same = "B?"\nsemantics:\n  $same = "B"\n'
)


@pytest.mark.parametrize(
    ("condition", "same_as"),
    [
        ("keywords.*", "any of keywords.*"),
        ("$b*", "$b1 or $b2"),
        ("not $b*", "not $b1 and not $b2"),
        ("ANY of KEYWORDS.*", "$a or $b1 or $b2"),
        ("all of keywords", "$a and $b1 and $b2"),
        ("2 of keywords", "($a and $b1) or ($a and $b2) or ($b1 and $b2)"),
        ("3 of keywords.*", "all of keywords.*"),
        ("1 of keywords.$b*", "any of ($b1, $b2)"),
        ("2 of ($b1, $b*)", "all of keywords.$b*"),
        ("$a or $b1 and $b2", "$a or ($b1 and $b2)"),
        ("not $a and $b1", "(not $a) and $b1"),
        ("not not $a", "$a"),
        ("$a // and $b1\n  and $b2 # or $b1", "$a and $b2"),
        ("all of them", "$a and all of $b* and $m and llm.$same and semantics.$same"),
    ],
)
def test_ways_to_write_the_same(condition: str, same_as: str) -> None:
    def read(text: str):  # type: ignore[no-untyped-def]
        sections = read_sections(f"{NAMED}condition:\n  {text}".split("\n"))
        return read_condition(sections.condition, sections.names, sections.end)

    for there in product([True, False], repeat=3):
        found = {name for name, is_there in zip(("a", "b1", "b2"), there, strict=True) if is_there}
        assert decide(read(condition), found) is decide(read(same_as), found), found


@pytest.mark.parametrize(
    ("condition", "column", "reason"),
    [
        ("$a and", 9, "wants a name such as keywords.$name, any, all or a number of them, not or (, not the end"),
        ("", 1, "wants a name such as keywords.$name, any, all or a number of them, not or (, not the end"),
        ("($a or $b1", 13, "wants and, or, or ), not the end"),
        ("$a $b1", 6, "wants and, or, or the end, not '$b1'"),
        ("$a and )", 10, "wants a name such as keywords.$name, any, all or a number of them, not or (, not ')'"),
        ("any $a", 7, "wants of after any, not '$a'"),
        ("any of", 9, "wants keywords.*, keywords.$name*, or names in parentheses, not the end"),
        ("any of all of keywords", 10, "wants keywords.*, keywords.$name*, or names in parentheses, not 'all'"),
        ("4 of keywords.*", 3, "wants 4 of 3: there must be at least one, and so many"),
        ("0 of keywords.*", 3, "wants 0 of 3: there must be at least one, and so many"),
        ("999999999999 of $b*", 3, "wants 999999999999 of 2: there must be at least one, and so many"),
        ("keyword.$a", 3, "has the section keyword: there are keywords, semantics, llm"),
        ("keywords.$z", 3, "keywords has no $z"),
        ("$z or $a", 3, "there is no $z"),
        ("any of keywords.$z*", 10, "names nothing: keywords has no $z*"),
        ("$same", 3, "is several things: write semantics.$same or llm.$same"),
        ("keywords", 3, "wants a name such as keywords.$name, any, all or a number of them, not or (, not 'keywords'"),
        ("$a & $b1", 6, "has '&', which no condition has"),
        ("$", 3, "wants a name after $"),
        ("(" * 60 + "$a" + ")" * 60, 53, "is nested more than 50 deep"),
        ("not " * 60 + "$a", 203, "is nested more than 50 deep"),
        ("$a or " * 1200 + "$a", 3, "has 2,401 words, at most 2,000 are read"),
    ],
)
def test_what_is_wrong_with_a_condition_has_its_place(condition: str, column: int, reason: str) -> None:
    pattern = f"{NAMED}condition:\n  {condition}"

    (fault,) = nova_faults(pattern)

    assert (fault.line, fault.column) == (11, column)
    assert fault.reason.startswith(f"condition: {reason}")


@pytest.mark.parametrize(
    "condition", ["not $a", "not any of keywords.*", "$a or not $b1", "not $a or $m", "not all of $b*"]
)
def test_what_nearly_every_text_would_match_is_refused(condition: str) -> None:
    (fault,) = nova_faults(f"{NAMED}condition:\n  {condition}")

    assert fault.reason.endswith("it would match nearly every prompt")
    assert (fault.line, fault.column) == (11, 3)


@pytest.mark.parametrize(
    ("condition", "unrunnable"),
    [
        ("$a or $m", False),
        ("$a and $m", True),
        ("$a and not $m", True),
        ("$m", True),
        ("not $a and $m", True),
        ("2 of ($a, $b1, $m)", False),
        ("2 of ($a, $m, llm.$same)", True),
        ("any of keywords.* and any of llm.*", True),
        ("any of them", False),
    ],
)
def test_whether_the_keywords_alone_can_make_it_true(condition: str, unrunnable: bool) -> None:
    made, faults = read_conditional(read_sections(f"{NAMED}condition:\n  {condition}".split("\n")))

    assert faults == []
    assert made is not None
    assert (made.unrunnable is not None) is unrunnable
