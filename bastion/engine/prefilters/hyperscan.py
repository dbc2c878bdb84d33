"""Intel's Hyperscan, or Vectorscan, as the system's own library ``libhs``: all expressions in one automaton.

Debian has it as libhyperscan5 (amd64) and libvectorscan5. The binding is ours: those on PyPI bring a Vectorscan of
their own that overlooks matches, or cannot store what they compiled.
"""

import ctypes
import platform
import weakref
from collections.abc import Callable, Sequence
from typing import Any, Final

from bastion.engine.prefilters import Matcher, Nothing, Prefilter, Refused, overlooks

_NAMES: Final = ("libhs.so.5", "libhs.5.dylib")
_MODE_BLOCK: Final = 1
_ONCE_AND_ALSO_EMPTY: Final = 8 | 16
"""HS_FLAG_SINGLEMATCH and HS_FLAG_ALLOWEMPTY."""

SHORT_TEXT: Final = 8192
"""Bytes. A shorter text is scanned with Python's lock held, since giving it up and waiting for it takes longer."""

_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_uint, ctypes.c_ulonglong, ctypes.c_ulonglong, ctypes.c_uint, ctypes.c_void_p
)


class _CompileError(ctypes.Structure):
    _fields_ = (("message", ctypes.c_char_p), ("expression", ctypes.c_int))


def _library() -> tuple[ctypes.CDLL, ctypes.PyDLL]:
    """The library, and the same to be called with Python's lock held.

    Raises ``ImportError`` where there is none, or none for this processor.
    """
    for name in _NAMES:
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        if library.hs_valid_platform() == 0:
            library.hs_version.restype = ctypes.c_char_p
            for freeing in (library.hs_free_database, library.hs_free_scratch):
                freeing.argtypes = (ctypes.c_void_p,)
            return library, ctypes.PyDLL(name)
    raise ImportError("there is no libhs")


_hs, _hs_with_lock = _library()
_libc: Final = ctypes.CDLL(None)


def _free_with(owner: object, free: Callable[[int | None], int], handle: ctypes.c_void_p) -> None:
    # Not when the interpreter ends: a thread may be scanning still, and the system takes the memory back.
    weakref.finalize(owner, free, handle.value).atexit = False


class _Database:
    """Expressions, compiled; freed with the last scan that may use it."""

    def __init__(self, handle: ctypes.c_void_p) -> None:
        self.handle = handle
        _free_with(self, _hs.hs_free_database, handle)


class _Scratch:
    """The working memory of one scan at a time, and what it has found."""

    def __init__(self, database: _Database) -> None:
        self.handle = ctypes.c_void_p()
        if _hs.hs_alloc_scratch(database.handle, ctypes.byref(self.handle)):
            raise MemoryError("there is no room for the working memory of a scan")
        _free_with(self, _hs.hs_free_scratch, self.handle)
        self.found: list[int] = []
        note = self.found.append

        def matched(number: int, _start: int, _end: int, _flags: int, _context: Any) -> int:
            note(number)
            return 0

        self.callback = _Callback(matched)


class _DatabaseMatcher:
    def __init__(self, database: _Database) -> None:
        self._database = database
        # Last in, first out: what was used a moment ago is still in the processor's cache.
        self._idle: list[_Scratch] = []

    def found(self, projected: bytes) -> list[int]:
        try:
            scratch = self._idle.pop()
        except IndexError:
            scratch = _Scratch(self._database)
        length = len(projected)
        scan = (_hs_with_lock if length < SHORT_TEXT else _hs).hs_scan
        if wrong := scan(self._database.handle, projected, length, 0, scratch.handle, scratch.callback, None):
            raise RuntimeError(f"libhs cannot scan (error {wrong})")
        found = scratch.found.copy()
        scratch.found.clear()
        self._idle.append(scratch)
        return found


class _Hyperscan:
    finds = True
    name = "hyperscan"
    version = f"{_hs.hs_version().decode()} {platform.machine()}"

    def accepts(self, translation: str) -> bool:
        try:
            _compile([translation])
        except Refused:
            return False
        return True

    def compile(self, translations: Sequence[str]) -> bytes:
        return _stored(_compile(translations)) if translations else b""

    def load(self, compiled: bytes, translations: Sequence[str]) -> Matcher:
        if not translations:
            return Nothing()
        handle = ctypes.c_void_p()
        if wrong := _hs.hs_deserialize_database(compiled, ctypes.c_size_t(len(compiled)), ctypes.byref(handle)):
            raise Refused(f"error {wrong}")
        return _DatabaseMatcher(_Database(handle))


def _compile(translations: Sequence[str]) -> _Database:
    count = len(translations)
    handle, error = ctypes.c_void_p(), ctypes.POINTER(_CompileError)()
    failed = _hs.hs_compile_multi(
        (ctypes.c_char_p * count)(*(translation.encode("ascii") for translation in translations)),
        (ctypes.c_uint * count)(*[_ONCE_AND_ALSO_EMPTY] * count),
        (ctypes.c_uint * count)(*range(count)),
        count,
        _MODE_BLOCK,
        None,
        ctypes.byref(handle),
        ctypes.byref(error),
    )
    if failed:
        message = (error.contents.message or b"").decode("utf-8", "replace")
        _hs.hs_free_compile_error(error)
        raise Refused(message)
    return _Database(handle)


def _stored(database: _Database) -> bytes:
    place, length = ctypes.c_void_p(), ctypes.c_size_t()
    if _hs.hs_serialize_database(database.handle, ctypes.byref(place), ctypes.byref(length)):
        raise MemoryError("there is no room for the compiled expressions")
    try:
        return ctypes.string_at(place, length.value)
    finally:
        _libc.free(place)


PREFILTER: Final[Prefilter] = _Hyperscan()

if overlooks(PREFILTER):
    raise ImportError("this libhs overlooks matches")
