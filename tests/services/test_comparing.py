"""Contents of rules side by side, and put together."""

import time

from bastion.services.rules.comparing import Pair, as_text, differences, merge

FIELDS = ("name", "tags", "enabled")


def shown(pair: Pair) -> tuple[str | None, str | None]:
    def side(line: object) -> str | None:
        if line is None:
            return None
        return "".join(f"[{piece.text}]" if piece.changed else piece.text for piece in line.pieces)  # type: ignore[attr-defined]

    return side(pair.old), side(pair.new)


def test_only_fields_that_differ_are_shown() -> None:
    old = {"name": "a", "tags": ["x"], "enabled": True}

    found = differences(old, {**old, "enabled": False}, FIELDS)

    assert [(one.field, [shown(pair) for pair in one.pairs]) for one in found] == [("enabled", [("[yes]", "[no]")])]


def test_words_are_compared_inside_changed_lines() -> None:
    (found,) = differences({"p": "same\nignore all\ngone"}, {"p": "same\nignore the lot"}, ["p"])

    assert [shown(pair) for pair in found.pairs] == [
        ("same", "same"),
        ("ignore [all]", "ignore [the lot]"),
        ("[gone]", None),
    ]


def test_long_runs_of_equal_lines_are_counted() -> None:
    old = [f"line {number}" for number in range(20)]
    new = [*old[:10], "new", *old[10:]]

    (found,) = differences({"p": "\n".join(old)}, {"p": "\n".join(new)}, ["p"])

    assert [pair.alike for pair in found.pairs] == [7, 0, 0, 0, 0, 0, 0, 0, 7]
    assert shown(found.pairs[4]) == (None, "[new]")
    assert [pair.old.number for pair in found.pairs[1:4] if pair.old] == [8, 9, 10]


def test_texts_that_take_forever_to_compare_are_shown_whole() -> None:
    many = {"p": "\n".join(f"a{n} b{n}" for n in range(2500))}
    words = {"p": " ".join(f"w{n}" for n in range(4000))}
    began = time.process_time()

    (lines,) = differences(many, {"p": many["p"].replace("b", "c")}, ["p"])
    (line,) = differences(words, {"p": words["p"].replace("7 ", "8 ")}, ["p"])

    # Word by word the two would take minutes.
    assert time.process_time() - began < 20
    assert len(lines.pairs) == 2500
    assert shown(line.pairs[0])[0] == f"[{words['p']}]"


def test_values_read_as_people_write_them() -> None:
    assert [as_text(value) for value in (None, True, False, ("a", "b"), [], "x", 3)] == [
        *("", "yes", "no", "a\nb", "", "x", "3")
    ]


def test_what_one_side_changed_is_merged_and_what_both_changed_collides() -> None:
    base = {"name": "base", "tags": ["a"], "enabled": True, "views": "all"}
    theirs = {"name": "theirs", "tags": ["a", "b"], "enabled": True, "views": "raw"}
    mine = {"name": "mine", "tags": ["a"], "enabled": False, "views": "raw"}

    found = {one.field: (one.collides, one.merged) for one in merge(base, theirs, mine, [*FIELDS, "views"])}

    assert found == {"name": (True, "mine"), "tags": (False, ["a", "b"]), "enabled": (False, False)}


def test_without_a_base_every_difference_collides() -> None:
    found = merge(None, {"name": "theirs", "tags": []}, {"name": "mine", "tags": []}, ["name", "tags"])

    assert [(one.field, one.base, one.collides) for one in found] == [("name", None, True)]
