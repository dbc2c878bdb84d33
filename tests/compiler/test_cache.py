"""Compilations on disk: each is there as it was written or not at all, and what is wrong with the disk is said."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bastion.compiler import cache as module
from bastion.compiler.cache import KEPT_FILES, CompilationCache
from bastion.engine.compilation import Compilation, compile_expressions
from bastion.engine.prefilters import prefilter
from tests.conftest import ROOT


def compiled(*sources: str) -> Compilation:
    loop = prefilter("loop")
    assert loop is not None
    return compile_expressions(sources, loop)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "instance" / "cache"


@pytest.fixture
def cache(folder: Path) -> CompilationCache:
    made = CompilationCache(folder)
    with made.alone():
        pass
    return made


def test_what_is_put_is_got(cache: CompilationCache) -> None:
    assert cache.get("one") is None

    cache.put("one", compiled("a", "b("))
    cache.put("two", compiled("привет"))

    assert cache.get("one") == compiled("a", "b(")
    assert cache.get("two") == compiled("привет")
    cache.put("one", compiled("c"))
    assert cache.get("one") == compiled("c")


def test_what_is_dropped_is_gone(cache: CompilationCache) -> None:
    cache.put("one", compiled("a"))

    cache.drop("one")
    cache.drop("never there")

    assert cache.get("one") is None


def test_the_folder_is_made_for_its_owner_alone(cache: CompilationCache, folder: Path) -> None:
    cache.put("one", compiled("a"))

    assert folder.stat().st_mode & 0o777 == 0o700
    assert all(file.stat().st_mode & 0o007 == 0 for file in folder.glob("*.rules"))


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "garbage"])
def test_a_damaged_file_is_said_deleted_and_as_if_never_there(
    cache: CompilationCache, folder: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    cache.put("one", compiled("a"))
    (file,) = folder.glob("*.rules")
    whole = file.read_bytes()
    file.write_bytes(
        {"flipped": whole[:50] + b"?" + whole[51:], "cut": whole[:-1], "empty": b"", "garbage": b"x" * 99}[damage]
    )

    assert cache.get("one") is None

    assert "damaged" in caplog.text
    assert str(file) in caplog.text
    assert not file.exists()


def test_a_write_that_fails_leaves_what_was_there_and_is_said(
    cache: CompilationCache, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cache.put("one", compiled("a"))

    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    cache.put("one", compiled("b"))
    cache.put("two", compiled("b"))

    assert cache.get("one") == compiled("a")
    assert cache.get("two") is None
    assert caplog.record_tuples[-1] == (
        module.__name__,
        logging.WARNING,
        f"the compiled rules cannot be kept in {folder}: No space left on device",
    )
    assert [file.name for file in folder.iterdir() if file.name not in {"one.rules", "compiling"}] == []


def test_only_the_newest_files_stay(cache: CompilationCache, folder: Path) -> None:
    for number in range(KEPT_FILES):
        cache.put(f"f{number:02}", compiled("a"))
        os.utime(folder / f"f{number:02}.rules", (1000 + number, 1000 + number))
    # What is used is as good as new.
    assert cache.get("f00") is not None

    cache.put("f97", compiled("a"))
    cache.put("f98", compiled("a"))

    assert len(list(folder.glob("*.rules"))) == KEPT_FILES
    assert [cache.get(name) is not None for name in ("f00", "f01", "f02", "f03", "f97", "f98")] == [
        *(True, False, False, True, True, True)
    ]
    assert (folder / "compiling").exists()


def test_a_file_that_can_be_read_but_not_touched_is_used(
    cache: CompilationCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.put("one", compiled("a"))

    def refuse(*given: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "utime", refuse)

    assert cache.get("one") == compiled("a")


def test_a_folder_that_cannot_be_made_keeps_nobody_from_compiling(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = CompilationCache(tmp_path / "file" / "cache")

    with cache.alone():
        assert cache.get("one") is None
        cache.put("one", compiled("a"))
        assert cache.get("one") is None

    assert "cannot be kept in" in caplog.text


def test_a_folder_that_is_removed_is_made_again(cache: CompilationCache, folder: Path) -> None:
    (folder / "compiling").unlink()
    folder.rmdir()

    cache.put("lost", compiled("a"))
    with cache.alone():
        cache.put("kept", compiled("a"))

    assert (cache.get("lost"), cache.get("kept")) == (None, compiled("a"))


def test_an_error_while_it_is_alone_lets_the_next_in(cache: CompilationCache, tmp_path: Path) -> None:
    for alone in (cache, CompilationCache(tmp_path / "no" / "such"), CompilationCache(Path("/proc/1/nowhere"))):
        with pytest.raises(ZeroDivisionError), alone.alone():
            raise ZeroDivisionError
        with alone.alone():
            pass


PROGRAM = """
import sys, time
from pathlib import Path
from bastion.compiler.caching import CachingCompiler
from bastion.engine.compilation import compile_expressions

class Slow:
    def compile(self, sources, prefilter, known):
        print("compiles", flush=True)
        time.sleep(0.5)
        return compile_expressions(sources, prefilter)

(layer,) = CachingCompiler(Path(sys.argv[1]), Slow())(["first", "second"])
assert len(layer.expressions) == 2
print(layer.prefilter)
"""


def test_two_processes_compile_once(folder: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(folder)]
    both = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]

    said = [process.communicate(timeout=60)[0].split() for process in both]

    assert sorted(said) == [["compiles", "hyperscan"], ["hyperscan"]]
    assert len(list(folder.glob("*.rules"))) == 1
