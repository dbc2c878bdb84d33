"""Rule files: what is read from them, and where each fault is."""

import json
from uuid import UUID

import pytest

from bastion.engine import Action, RuleSpec, Severity, Views
from bastion.rulefile import MAX_FILE_BYTES, RuleFiles, SourceFile, read_rule_files

GOOD = """\
name: Ignore previous
details: Asks to forget the system prompt.
uuid: 00000000-0000-4000-8000-000000000001
detection:
  pattern: ignore previous
"""

FULL = r"""
# A comment first.
name: Ignore previous
details: |
  Asks to forget the system prompt.
  Says so in two lines.
uuid: 00000000-0000-4000-8000-000000000001
category: injection
severity: High
response: BLOCK
cwe_id: CWE-94
author: Анна
tags: [LLM01:2025, AML.T0051.000]
references:
  - https://example.org/a
falsepositives: Lessons about injection
something_else: {is: ignored}
detection:
  language: llm-regex-pattern
  views: Raw
  pattern:
    - '(?i)ignore\s+previous'
    - "forget\\b"
    - 123
"""


def read(*contents: str | bytes, category: str | None = None) -> RuleFiles:
    """Reads files of these contents, named f1.yml and so on."""
    return read_rule_files(
        SourceFile(f"f{number}.yml", content.encode() if isinstance(content, str) else content, category)
        for number, content in enumerate(contents, start=1)
    )


def rule_of(content: str | bytes, category: str | None = None) -> RuleSpec:
    files = read(content, category=category)
    assert files.faults == ()
    (rule,) = files.rules
    return rule.spec


def faults_of(content: str | bytes) -> list[str]:
    return [str(fault) for fault in read(content).faults]


def with_line(line: str, content: str = GOOD) -> str:
    """The content with one more line as the fourth."""
    lines = content.splitlines()
    return "\n".join([*lines[:3], line, *lines[3:]])


def detecting(detection: str) -> str:
    """A good file but for its pattern, in line 5 or after."""
    return GOOD.replace("pattern: ignore previous", detection)


def test_a_file_gives_every_field() -> None:
    assert rule_of(FULL) == RuleSpec(
        uuid="00000000-0000-4000-8000-000000000001",
        name="Ignore previous",
        details="Asks to forget the system prompt.\nSays so in two lines.",
        language="llm-regex-pattern",
        views=Views.RAW,
        pattern="(?i)ignore\\s+previous\nforget\\b\n123",
        action=Action.BLOCK,
        severity=Severity.HIGH,
        category="injection",
        cwe_id="CWE-94",
        author="Анна",
        tags=("LLM01:2025", "AML.T0051.000"),
        references=("https://example.org/a",),
        false_positives=("Lessons about injection",),
    )
    (note,) = read(FULL).notes
    assert "has the key 'something_else', which means nothing here" in str(note)


@pytest.mark.parametrize("extra", ["", "response:", "response: ~", "response: notify", "severity: null\ntags:"])
def test_a_rule_that_names_no_response_notifies(extra: str) -> None:
    rule = rule_of(with_line(extra) if extra else GOOD)

    assert (rule.action, rule.severity, rule.tags, rule.enabled) == (Action.NOTIFY, None, (), True)


@pytest.mark.parametrize(
    ("line", "views"),
    [("x: 1", Views.ALL), ("views:", Views.ALL), ("views: all", Views.ALL), ("views: raw", Views.RAW)],
)
def test_a_rule_is_looked_for_in_all_views_unless_it_says_raw(line: str, views: Views) -> None:
    assert rule_of(detecting(f"{line}\n  pattern: a")).views is views
    assert rule_of(detecting(f"pattern: a\n  {line}")).views is views
    assert rule_of(GOOD).views is Views.ALL


@pytest.mark.parametrize(
    ("own", "folder", "category"),
    [("category: own", "folder", "own"), ("category:", "folder", "folder"), ("x: y", "folder", "folder")],
)
def test_a_rule_without_a_category_has_its_folders(own: str, folder: str, category: str) -> None:
    assert rule_of(with_line(own), folder).category == category
    assert rule_of(GOOD).category is None


def test_a_file_may_hold_several_documents() -> None:
    second = GOOD.replace("0001", "0002").replace("Ignore", "Forget")

    files = read(f"---\n{GOOD}---\n---\n# nothing here\n---\n{second}...\n")

    assert [(rule.spec.name, str(rule.place)) for rule in files.rules] == [
        ("Ignore previous", "f1.yml:2"),
        ("Forget previous", "f1.yml:11"),
    ]
    assert files.faults == files.notes == ()


@pytest.mark.parametrize(
    "content",
    [b"\xef\xbb\xbf" + GOOD.encode(), GOOD.replace("\n", "\r\n"), GOOD.rstrip("\n"), f"\n\n{GOOD}\n\n"],
)
def test_a_byte_order_mark_and_other_line_ends_make_no_difference(content: str | bytes) -> None:
    assert rule_of(content) == rule_of(GOOD)


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        ("", 1, "holds no rule"),
        ("# only a comment\n---\n", 1, "holds no rule"),
        ("- a\n- b\n", 1, "a rule wants keys and values"),
        ("just words", 1, "a rule wants keys and values"),
        ("{}", 1, "lacks name, details, uuid, detection"),
        (with_line("status: enforce\nresponse: notify"), 4, "status enforce does not go with response notify"),
        (with_line("samples: [a]"), 4, "samples wants keys and values"),
        (with_line("samples:\n  must_match: a"), 5, "must_match wants a list of texts"),
        (with_line("samples:\n  must_match:\n    - [a]"), 6, "each of must_match wants a text"),
        (with_line("samples:\n  must_match: ['']"), 5, "'Ignore previous': samples.must_match: number 1 is empty"),
        (with_line("exceptions:\n  - {kind: text}"), 5, "exceptions: is not an exception"),
        (with_line("history: [1]"), 4, "history wants a list of versions, each with its number"),
        (with_line("history: [{version: 0}]"), 4, "history has the number of a version that there cannot be"),
        (with_line('history: [{version: 1, by: "\\0"}]'), 4, "history has a character that cannot be stored"),
        ("\n\nname: x\nuuid: y", 3, "lacks details, detection"),
        (GOOD.replace("uuid", "id"), 1, "lacks uuid"),
        (GOOD.replace("name: Ignore previous", "name:"), 1, "name wants a text"),
        (GOOD.replace("0000-4000", "~").replace("uuid: 0", "uuid: [0]  # "), 3, "uuid wants a text"),
        (with_line("name: again"), 4, "name is given twice"),
        (detecting("pattern: a\n  pattern: b"), 6, "pattern is given twice"),
        (with_line("? [a]\n: b"), 4, "a key wants a text"),
        (with_line("response: deny"), 4, "response wants one of notify, block, not 'deny'"),
        (with_line("response: [block]"), 4, "response wants a text"),
        (with_line("severity: 9"), 4, "severity wants one of informational, low, medium, high, critical, not '9'"),
        (with_line("tags: {a: b}"), 4, "tags wants a list of texts"),
        (with_line("tags:\n  - a\n  - [b]"), 6, "each of tags wants a text"),
        (with_line("references: ['']"), 4, "'Ignore previous': references: wants one entry a line, none of them empty"),
        (with_line("falsepositives: ['']"), 4, "'Ignore previous': false_positives: wants one entry a line, none"),
        (with_line("category: {a: b}"), 4, "category wants a text"),
        (with_line(f"author: {'a' * 256}"), 4, "'Ignore previous': author: has 256 characters"),
        (with_line('cwe_id: "a\\0b"'), 4, "'Ignore previous': cwe_id: has a character that cannot be stored (U+0000)"),
        (GOOD.replace("detection:\n  pattern:", "detection:"), 4, "detection wants keys and values"),
        (detecting("language: sigma"), 5, "detection lacks pattern"),
        (detecting("language: sigma\n  pattern: a"), 5, "'Ignore previous': language: is not one that runs here"),
        (detecting("language: a\n  pattern: {a: b}"), 6, "pattern wants a list of regular expressions"),
        (detecting("pattern: 'a(b'"), 5, "'Ignore previous': pattern: line 1, column 4: missing )"),
        (detecting("x: 1\n  pattern: a*"), 6, "'Ignore previous': pattern: line 1, column 1: matches the empty"),
        (detecting("pattern: a\n  views: decoded"), 6, "views wants one of all, raw, not 'decoded'"),
        (detecting("views: [raw]\n  pattern: a"), 5, "views wants a text"),
        (detecting("views: all\n  views: raw\n  pattern: a"), 6, "views is given twice"),
        (detecting("pattern: []"), 5, "'Ignore previous': pattern: must not be empty"),
        (detecting("pattern:"), 5, "'Ignore previous': pattern: must not be empty"),
        (detecting("pattern: ~"), 5, ""),
        (detecting("pattern: [a, null]"), 5, ""),
        (detecting("pattern: |\n    a\n    b"), 5, "a regular expression must be a single line"),
        (detecting('pattern:\n  - a\n  - "b\\nc"'), 7, "a regular expression must be a single line"),
        # A key of the same name at the top is nobody's pattern.
        (with_line("pattern: a", detecting("pattern: 'a(b'")), 6, "'Ignore previous': pattern: line 1, column 4"),
        (with_line("x: &a 1\ny: *a"), 5, "is not YAML: aliases are not allowed"),
        (with_line("x: &a\n  - *a"), 5, "is not YAML: aliases are not allowed"),
        ("name: [a\n\n", 3, "is not YAML: "),
        ("name: a: b", 1, "is not YAML: mapping values are not allowed here"),
        ("name: a\n\tb: c", 2, "is not YAML: found character '\\t' that cannot start any token"),
        ("name: 'a\n\n" + "b\n" * 3, 6, "is not YAML: "),
        (GOOD + "x: \x07", 6, "is not YAML: it has the character U+0007"),
        (GOOD + "x: \0", 6, "is not YAML: it has the character U+0000"),
        (GOOD.encode() + b"x: caf\xe9", 6, "is not UTF-8 (byte 153)"),
        (GOOD.encode("utf-16"), 1, "is not UTF-8 (byte 1)"),
        ("[" * 50_000, 1, "is nested too deeply"),
        ("- " * 50_000, 1, "is nested too deeply"),
        ("#" * (MAX_FILE_BYTES + 1), 1, f"has more than {MAX_FILE_BYTES} bytes"),
    ],
)
def test_a_fault_names_its_line(content: str | bytes, line: int, message: str) -> None:
    files = read(content)

    (fault,) = files.faults
    assert str(fault).startswith(f"f1.yml:{line}: {message}")
    assert files.rules == ()


def test_a_fault_in_a_list_of_expressions_names_which() -> None:
    (fault,) = faults_of(detecting("pattern:\n  - good\n  - 'a(b'"))

    assert fault == "f1.yml:7: 'Ignore previous': pattern: line 2, column 4: missing )"


def test_an_anchor_alone_is_harmless() -> None:
    assert rule_of(with_line("x: &a 1")) == rule_of(GOOD)


def test_a_python_object_is_never_made() -> None:
    assert rule_of(with_line("x: !!python/object/apply:os.abort []")) == rule_of(GOOD)


def test_every_fault_of_every_file_is_told_and_the_good_rules_are_read() -> None:
    wrong = with_line("author: ''\ntags: ['']", detecting("pattern: 'a('"))
    files = read(f"{GOOD}---\nname: x\n---\n{wrong}", "name: [", GOOD.replace("0001", "0002"))

    assert [str(fault.place) for fault in files.faults] == ["f1.yml:7", "f1.yml:13", "f1.yml:15", "f2.yml:1"]
    assert [str(rule.place) for rule in files.rules] == ["f1.yml:1", "f3.yml:1"]


def test_two_faults_in_the_shape_of_one_rule_are_both_told() -> None:
    faults = faults_of(with_line("response: deny\nseverity: awful"))

    assert [fault.split(" ")[:2] for fault in faults] == [["f1.yml:4:", "response"], ["f1.yml:5:", "severity"]]


def test_a_pattern_beyond_ascii_is_kept_and_noted() -> None:
    files = read(GOOD, GOOD.replace("0001", "0002").replace("pattern: ignore", "pattern: іgnоre"))

    assert [rule.spec.pattern for rule in files.rules] == ["ignore previous", "іgnоre previous"]
    (note,) = files.notes
    assert str(note).startswith("f2.yml:1: 'Ignore previous' has non-ASCII characters in its pattern")


def test_the_same_rule_twice_is_left_out_with_a_note() -> None:
    files = read(f"{GOOD}---\n{GOOD}", with_line("category: elsewhere"))

    assert [str(rule.place) for rule in files.rules] == ["f1.yml:1"]
    assert [str(note) for note in files.notes] == [
        "f1.yml:7: 'Ignore previous' is the same as at f1.yml:1 and is left out",
        "f2.yml:1: 'Ignore previous' is the same as at f1.yml:1 and is left out",
    ]


@pytest.mark.parametrize("uuid", ["00000000-0000-4000-8000-000000000001", "not-a-uuid"])
def test_another_rule_under_a_taken_uuid_gets_one_of_its_own_every_time(uuid: str) -> None:
    first = GOOD.replace("00000000-0000-4000-8000-000000000001", uuid)
    others = [first.replace("name: Ignore", f"name: {name}") for name in ("Forget", "Skip")]

    files = read(first, *others)

    own = [rule.spec.uuid for rule in files.rules]
    assert own[0] == uuid
    assert len({*own}) == 3
    assert [str(UUID(derived)) for derived in own[1:]] == own[1:]
    assert str(files.notes[0]) == (
        f"f2.yml:1: 'Forget previous' has the uuid {uuid} of 'Ignore previous' at f1.yml:1: it is imported as {own[1]}"
    )
    assert read(first, *reversed(others)).rules[2].spec.uuid == own[1]


def test_no_rule_is_lost_when_several_share_uuid_and_name() -> None:
    contents = [GOOD.replace("pattern: ignore", f"pattern: {word}") for word in ("one", "two", "three", "two")]

    files = read(*contents)

    assert [rule.spec.pattern for rule in files.rules] == ["one previous", "two previous", "three previous"]
    assert len({rule.spec.uuid for rule in files.rules}) == 3


def test_every_fault_of_a_rule_is_told_at_once_in_the_order_of_its_lines() -> None:
    content = """name: x
response: deny
severity: awful
uuid: u
detection:
  views: some
  pattern:
    - 'a('
    - fine
    - 'b*'
"""

    assert faults_of(content) == [
        "f1.yml:1: lacks details",
        "f1.yml:2: response wants one of notify, block, not 'deny'",
        "f1.yml:3: severity wants one of informational, low, medium, high, critical, not 'awful'",
        "f1.yml:6: views wants one of all, raw, not 'some'",
        "f1.yml:8: 'x': pattern: line 1, column 3: missing )",
        "f1.yml:10: 'x': pattern: line 3, column 1: matches the empty text, so it would match every prompt",
    ]


@pytest.mark.parametrize(
    ("content", "key"),
    [
        (with_line("respons: block"), "respons"),
        (with_line("views: raw"), "views"),
        (detecting("veiws: raw\n  pattern: a"), "detection.veiws"),
    ],
)
def test_a_key_that_means_nothing_is_named(content: str, key: str) -> None:
    (note,) = read(content).notes

    assert f"has the key {key!r}, which means nothing here and is left out" in str(note)


def test_rules_that_differ_in_their_views_are_two() -> None:
    files = read(GOOD, detecting("views: raw\n  pattern: ignore previous"))

    assert [rule.spec.views for rule in files.rules] == [Views.ALL, Views.RAW]
    assert len({rule.spec.uuid for rule in files.rules}) == 2


def lines_of(*rows: object) -> RuleFiles:
    text = "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows)
    return read_rule_files([SourceFile("f1.jsonl", text.encode())])


ROW = {"name": "a", "details": "d", "uuid": "u", "detection": {"pattern": ["a", "b\u2028c"]}}


def test_json_lines_have_the_same_keys() -> None:
    files = lines_of(ROW, "", ROW | {"uuid": "v", "tags": ["t"], "severity": None, "samples": {"must_match": [" a\n"]}})

    assert files.faults == ()
    assert [(str(rule.place), rule.spec.pattern) for rule in files.rules] == [
        ("f1.jsonl:1", "a\nb\u2028c"),
        ("f1.jsonl:3", "a\nb\u2028c"),
    ]
    assert (files.rules[1].spec.tags, files.rules[1].spec.must_match) == (("t",), (" a\n",))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{", "is not JSON: "),
        ("[" * 100_000, "is nested too deeply"),
        ('{"a": ' * 100_000, "is nested too deeply"),
        ('{"name": 1' + "0" * 5_000 + "}", "has a number that cannot be read"),
        ("[]", "a rule wants keys and values"),
        ('{"name": "a", "name": "b"}', "name is given twice"),
        (ROW | {"response": "deny"}, "response wants one of notify, block, not 'deny'"),
        (ROW | {"detection": {"pattern": ["a("]}}, "'a': pattern: line 1, column 3: missing )"),
    ],
)
def test_a_fault_in_json_lines_names_its_line(row: object, message: str) -> None:
    files = lines_of(ROW, row)

    (fault,) = files.faults
    assert str(fault).startswith(f"f1.jsonl:2: {message}")
    assert len(files.rules) == 1


@pytest.mark.parametrize(
    ("lines", "action", "enabled", "tags"),
    [
        ("status: draft\nresponse: block", Action.BLOCK, False, ()),
        ("status: draft", Action.NOTIFY, False, ()),
        ("status: Enforce", Action.BLOCK, True, ()),
        ("status: monitor", Action.NOTIFY, True, ()),
        ("status: experimental\ntags: [a]", Action.NOTIFY, True, ("a", "status.experimental")),
        ("related:\n  - {id: x-1, type: derived}", Action.NOTIFY, True, ("related.derived.x-1",)),
        ("status: test\ntags: [status.test]", Action.NOTIFY, True, ("status.test",)),
    ],
)
def test_a_status_is_ours_or_sigmas(lines: str, action: Action, enabled: bool, tags: tuple[str, ...]) -> None:
    (filed,) = read(with_line(lines)).rules

    assert (filed.spec.action, filed.spec.enabled, filed.spec.tags) == (action, enabled, tags)
    assert ("enabled" in filed.unsaid) == (not lines.startswith(("status: draft", "status: Enf", "status: mon")))


def test_sigmas_level_is_the_severity_of_a_rule_that_names_none() -> None:
    assert rule_of(with_line("level: high")).severity is Severity.HIGH
    assert rule_of(with_line("level: high\nseverity: low")).severity is Severity.LOW
    assert rule_of(with_line("level: awful\nstatus: none")).severity is None
    notes = [str(note) for note in read(with_line("level: awful\nstatus: odd\nrelated: [1]")).notes]
    assert [note.split("'")[3] for note in notes] == ["level", "status", "related"]


def test_double_quotes_keep_the_blanks_around_a_text() -> None:
    assert rule_of(GOOD.replace("Ignore previous", '" x "')).name == " x "
    assert rule_of(GOOD.replace("Ignore previous", "' x '")).name == "x"


def test_a_file_says_nothing_of_what_it_does_not_name() -> None:
    everything = {"enabled", "category", "exceptions", "must_match", "must_not_match"}
    named = "status: draft\ncategory:\nexceptions: []\nsamples: {must_match: []}"

    assert read(GOOD).rules[0].unsaid == everything
    assert read(with_line(named)).rules[0].unsaid == {"must_not_match"}
