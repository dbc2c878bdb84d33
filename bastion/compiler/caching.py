"""The compiler of a process that serves: nothing is compiled twice, and a small change is not a large one."""

import logging
import threading
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

from bastion.compiler.cache import CompilationCache
from bastion.compiler.process import UNCOMPILED, CompilerFailed, CompilerProcess
from bastion.engine.compilation import Compilation, Compiled, Unsound, compile_expressions, fingerprint
from bastion.engine.layers import SIGNS, Layer, load
from bastion.engine.prefilters import PREFILTERS, Prefilter, prefilter

log = logging.getLogger(__name__)

MAX_CHANGED: Final = 200
"""Expressions in the layer of changes; with more, everything is compiled together."""


class CachingCompiler:
    """Layers from memory, else from disk, else from a process that compiles; threads take turns."""

    def __init__(self, folder: Path, process: CompilerProcess, background: CompilerProcess | None = None) -> None:
        self._cache = CompilationCache(folder)
        self._process = process
        self._background = background or process
        self._lock = threading.Lock()
        self._signs: Layer | None = None
        self._base: Layer | None = None
        self._changes: Layer | None = None

    def __call__(self, sources: Collection[str]) -> Sequence[Layer]:
        """Layers that hold all those expressions: those that are held already, and one of what has changed since."""
        with self._lock:
            wanted = self._without_signs(sources)
            missing = wanted - (self._base.sources if self._base else set())
            if self._base is None or len(missing) > MAX_CHANGED:
                self._base, self._changes = self._made(wanted, self._process), None
            elif not missing:
                self._changes = None
            elif self._changes is None or not missing <= self._changes.sources:
                self._changes = self._made(missing, self._process)
            return self._layers()

    @property
    def scattered(self) -> bool:
        """Whether the rules are in two layers, each of which costs a pass over every text."""
        return self._changes is not None

    def settled(self, sources: Collection[str]) -> Sequence[Layer]:
        """The rules in one layer, which holds nothing else. Who asks for others meanwhile does not wait for it."""
        layer = self._made(set(sources) - SIGNS, self._background)
        with self._lock:
            self._base, self._changes = layer, None
            return self._layers()

    def _without_signs(self, sources: Collection[str]) -> set[str]:
        """The expressions of the rules, once the signs of disguises have their layer if they are asked for."""
        wanted = set(sources)
        if not wanted >= SIGNS:
            return wanted
        self._compile_signs()
        return wanted - SIGNS

    def signs(self) -> Layer:
        """The signs of disguises, which any engine may share."""
        with self._lock:
            return self._compile_signs()

    def _compile_signs(self) -> Layer:
        if self._signs is None:
            self._signs = self._made(SIGNS, self._process)
        return self._signs

    def _layers(self) -> tuple[Layer, ...]:
        return tuple(layer for layer in (self._signs, self._base, self._changes) if layer)

    def _made(self, sources: Collection[str], process: CompilerProcess) -> Layer:
        """The layer of the fastest prefilter that takes the expressions."""
        for name in PREFILTERS:
            if chosen := prefilter(name):
                try:
                    layer = self._layer(sorted(sources), chosen, process)
                    for source in layer.blind:
                        log.error("%s overlooks %r, which is searched for in every text", name, source)
                    return layer
                except (CompilerFailed, Unsound) as error:
                    log.error("%s cannot run these rules, a slower prefilter does: %s", name, error)
        raise AssertionError("the loop takes every expression")

    def _layer(self, sources: Sequence[str], chosen: Prefilter, process: CompilerProcess) -> Layer:
        if chosen.name == "loop":
            return load(compile_expressions(sources, chosen), chosen)
        key = fingerprint(sources, chosen)
        with self._cache.alone(many=len(sources) > MAX_CHANGED):
            if kept := self._cache.get(key):
                try:
                    _check(kept, sources, chosen)
                    return load(kept, chosen)
                except Unsound as error:
                    log.error("the compiled rules that were kept are compiled again: %s", error)
                    self._cache.drop(key)
            known: dict[str, Compiled] = {one.source: one for layer in self._layers() for one in layer.expressions}
            compilation = process.compile(sources, chosen, known)
            layer = load(compilation, chosen)
            # What the dialect refuses it refuses always; what did not compile this time may another time.
            if not any(UNCOMPILED in reason for reason in compilation.refused.values()):
                self._cache.put(key, compilation)
            return layer


def _check(kept: Compilation, sources: Sequence[str], chosen: Prefilter) -> None:
    held = {one.source for one in kept.expressions} | kept.refused.keys()
    if held != set(sources) or kept.prefilter != chosen.name:
        raise Unsound("they are of other expressions")
