"""The compiler of a process that serves: nothing is compiled twice, a change alone, and never nothing."""

import logging
import sys
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from bastion.compiler.caching import MAX_CHANGED, CachingCompiler
from bastion.compiler.process import CompilerFailed, CompilerProcess
from bastion.engine.compilation import Compilation, Compiled, compile_expressions, translate_one
from bastion.engine.layers import Layer
from bastion.engine.prefilters import Prefilter
from bastion.engine.projection import Projected
from tests.engine.libraries import LIBRARIES

RULES = ["key", "(?i)привет", r"\bid\b", "a("]


class Here:
    """Compiles in this process, and notes what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[str]]] = []
        self.known: Mapping[str, Compiled] = {}
        self.fails_for: set[str] = set()
        self.blind_for: set[str] = set()

    def compile(self, sources: Collection[str], prefilter: Prefilter, known: Mapping[str, Compiled]) -> Compilation:
        self.asked.append((prefilter.name, list(sources)))
        self.known = known
        if prefilter.name in self.fails_for:
            raise CompilerFailed("it does not want to")
        compilation = compile_expressions(sources, prefilter)
        if prefilter.name in self.blind_for:
            (wrong, *others) = compilation.parts
            blind = tuple(replace(one, witness="something else") for one in wrong.expressions)
            return replace(compilation, parts=(replace(wrong, expressions=blind), *others))
        return compilation


@pytest.fixture
def here() -> Here:
    return Here()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def compiler(folder: Path, here: Here) -> CachingCompiler:
    return compiler_in(folder, here)


@pytest.fixture
def process() -> Iterator[CompilerProcess]:
    made = CompilerProcess(expression_seconds=30)
    yield made
    made.stop()


def compiler_in(folder: Path, process: Here | CompilerProcess) -> CachingCompiler:
    return CachingCompiler(folder, process)  # type: ignore[arg-type]


def found(layers: Sequence[Layer], text: str) -> list[str]:
    return sorted(layer.expressions[place].source for layer in layers for place in layer.candidates(Projected(text)))


def held(layers: Sequence[Layer]) -> list[set[str]]:
    return [layer.sources for layer in layers]


def test_all_go_into_one_layer_which_is_kept(compiler: CachingCompiler, here: Here) -> None:
    layers = compiler(RULES)

    assert held(layers) == [set(RULES)]
    assert set(layers[0].refused) == {"a("}
    assert found(layers, "a key, привет") == ["(?i)привет", "key"]
    assert not compiler.scattered
    assert compiler(reversed(RULES))[0] is layers[0]
    assert here.asked == [("hyperscan", sorted(RULES))]


def test_no_rules_are_a_layer_too(compiler: CachingCompiler) -> None:
    layers = compiler([])

    assert held(layers) == [set()]
    assert found(layers, "anything") == []


def test_a_change_is_compiled_alone_and_the_rest_kept(compiler: CachingCompiler, here: Here) -> None:
    (base,) = compiler(RULES)

    layers = compiler([*RULES, "new"])

    assert layers[0] is base
    assert held(layers) == [set(RULES), {"new"}]
    assert compiler.scattered
    assert here.asked[1:] == [("hyperscan", ["new"])]
    assert found(layers, "a new key") == ["key", "new"]
    # Asked again, nothing is to be done.
    assert compiler([*RULES, "new"]) == layers
    assert len(here.asked) == 2


def test_a_change_of_a_change_replaces_it(compiler: CachingCompiler, here: Here) -> None:
    base = compiler(RULES)[0]
    compiler([*RULES, "new"])

    layers = compiler([*RULES[1:], "newer"])
    assert layers[0] is base
    assert held(layers) == [set(RULES), {"newer"}]

    layers = compiler([*RULES, "newer", "newest"])
    assert held(layers) == [set(RULES), {"newer", "newest"}]
    assert "newer" in here.known
    # One of the two is taken away again: the layer has it, and does no harm.
    assert compiler([*RULES, "newest"]) == layers
    assert len(here.asked) == 4


def test_to_remove_rules_compiles_nothing(compiler: CachingCompiler, here: Here) -> None:
    base = compiler(RULES)
    compiler([*RULES, "new"])

    assert compiler(RULES[:2]) == base
    assert not compiler.scattered
    assert compiler([]) == base
    assert len(here.asked) == 2


def test_what_is_refused_is_not_tried_again(compiler: CachingCompiler, here: Here) -> None:
    compiler(RULES)
    layers = compiler([*RULES, "b("])

    assert compiler([*RULES, "b("]) == layers
    assert [set(layer.refused) for layer in layers] == [{"a("}, {"b("}]
    assert len(here.asked) == 2


def test_settled_there_is_one_layer_of_just_what_is_asked_for(compiler: CachingCompiler, here: Here) -> None:
    compiler(RULES)
    compiler([*RULES, "new"])

    layers = compiler.settled([*RULES[1:], "new"])

    assert held(layers) == [{*RULES[1:], "new"}]
    assert not compiler.scattered
    assert compiler([*RULES[1:], "new"]) == layers
    # All of them were translated before.
    assert {*RULES[1:3], "new"} <= here.known.keys()


@pytest.mark.parametrize(("added", "layers"), [(MAX_CHANGED, 2), (MAX_CHANGED + 1, 1)])
def test_many_changes_are_compiled_with_the_rest(
    compiler: CachingCompiler, monkeypatch: pytest.MonkeyPatch, added: int, layers: int
) -> None:
    compiler(RULES)

    assert len(compiler([*RULES, *(f"w{number}" for number in range(added))])) == layers
    assert compiler.scattered is (layers == 2)


@pytest.mark.parametrize("kind", ["fails_for", "blind_for"])
@pytest.mark.parametrize(
    ("broken", "takes_over"), [({"hyperscan"}, "re2"), ({"hyperscan", "re2"}, "loop"), ({"re2"}, "hyperscan")]
)
def test_when_a_prefilter_cannot_the_next_does(
    compiler: CachingCompiler,
    here: Here,
    kind: str,
    broken: set[str],
    takes_over: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    setattr(here, kind, broken)

    layers = compiler(RULES)

    assert [layer.prefilter for layer in layers] == [takes_over]
    assert set(RULES) == layers[0].sources
    assert set(found(layers, "a key, привет")) >= {"(?i)привет", "key"}
    said = [record.levelno for record in caplog.records if "a slower prefilter does" in record.message]
    assert said == [logging.ERROR] * list(LIBRARIES).index(takes_over)


def test_a_prefilter_that_can_again_takes_its_place(compiler: CachingCompiler, here: Here) -> None:
    here.fails_for = {"hyperscan"}
    compiler(RULES)
    here.fails_for = set()

    assert [layer.prefilter for layer in compiler([*RULES, "new"])] == ["re2", "hyperscan"]
    assert [layer.prefilter for layer in compiler.settled([*RULES, "new"])] == ["hyperscan"]


def test_what_is_blind_is_not_kept(compiler: CachingCompiler, here: Here, folder: Path) -> None:
    here.blind_for = {"hyperscan", "re2"}

    compiler(RULES)

    assert list(folder.glob("*.rules")) == []


def test_a_damaged_file_is_compiled_again(
    compiler: CachingCompiler, here: Here, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    compiler(RULES)
    (file,) = folder.glob("*.rules")
    sound = file.read_bytes()
    file.write_bytes(sound[:-100] + b"?" * 100)

    layers = compiler_in(folder, here)(RULES)

    assert held(layers) == [set(RULES)]
    assert "damaged" in caplog.text
    assert len(here.asked) == 2
    assert file.read_bytes() == sound


def test_a_file_that_finds_nothing_is_compiled_again(
    compiler: CachingCompiler, here: Here, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its checksum is right; it was made of other expressions, or elsewhere."""
    compiler(["first", "second"])
    (file,) = folder.glob("*.rules")
    stored = Compilation.load(file.read_bytes())
    third = translate_one("third")
    (part,) = stored.parts
    changed = replace(part, expressions=(part.expressions[0], third))
    file.write_bytes(replace(stored, parts=(changed,)).dump())

    layers = compiler_in(folder, here)(["first", "second"])

    assert held(layers) == [{"first", "second"}]
    assert "they are of other expressions" in caplog.text
    assert len(here.asked) == 2
    assert Compilation.load(file.read_bytes()) == stored


def test_without_a_folder_it_compiles_all_the_same(tmp_path: Path, here: Here) -> None:
    (tmp_path / "file").write_text("in the way")
    compiler = compiler_in(tmp_path / "file" / "cache", here)

    assert held(compiler(RULES)) == [set(RULES)]
    assert held(compiler([*RULES, "new"])) == [set(RULES), {"new"}]


def test_threads_compile_once(compiler: CachingCompiler, here: Here) -> None:
    start = threading.Barrier(8)

    def of_thread(_number: int) -> Sequence[Layer]:
        start.wait()
        return compiler(RULES)

    with ThreadPoolExecutor(8) as pool:
        layers = list(pool.map(of_thread, range(8)))

    assert len(here.asked) == 1
    assert all(one == layers[0] for one in layers)


def test_after_a_restart_the_child_is_not_even_started(process: CompilerProcess, folder: Path) -> None:
    first = compiler_in(folder, process)
    before = [*first(RULES), *first([*RULES, "new"])]
    assert process._process is not None
    process.stop()

    again = compiler_in(folder, process)
    after = [*again(RULES), *again([*RULES, "new"])]

    assert held(after) == held(before)
    assert found(after[1:], "a new key") == ["key", "new"]
    assert process._process is None


def test_a_child_that_cannot_be_started_leaves_the_loop(
    process: CompilerProcess, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    compiler = compiler_in(folder, process)
    with monkeypatch.context() as broken:
        broken.setattr(sys, "executable", "/nonexistent/python")
        layers = compiler(RULES)

    assert [layer.prefilter for layer in layers] == ["loop"]
    assert set(layers[0].refused) == {"a("}
    assert "cannot be started" in caplog.text
    assert list(folder.glob("*.rules")) == []
    # With the child back, the next change is as fast as ever.
    assert [layer.prefilter for layer in compiler([*RULES, "new"])] == ["loop", "hyperscan"]
