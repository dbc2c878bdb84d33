"""How far a long work is: a bar or the seconds on a terminal, nothing in a pipe."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import click

TICK_SECONDS: Final = 1.0


@contextmanager
def progress(length: int, label: str) -> Iterator[Callable[[int], None]]:
    """Gives what is called with the number of steps that are done; without a known length there is no bar."""
    hidden = not length or not sys.stderr.isatty()
    with click.progressbar(length=length, label=label, file=sys.stderr, hidden=hidden) as bar:
        yield bar.update


@contextmanager
def waiting(label: str) -> Iterator[None]:
    """Shows how long a work that has no steps has taken already."""
    if not sys.stderr.isatty():
        yield
        return
    ended = threading.Event()

    def tell() -> None:
        began = time.monotonic()
        while not ended.wait(TICK_SECONDS):
            click.echo(f"\r{label}: {time.monotonic() - began:.0f} s", nl=False, err=True)

    telling = threading.Thread(target=tell, daemon=True)
    telling.start()
    try:
        yield
    finally:
        ended.set()
        telling.join()
        click.echo(err=True)
