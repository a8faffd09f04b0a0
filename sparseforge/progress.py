"""Progress on stderr for what takes over two seconds; stdout stays the answer's alone."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

PATIENCE = 2.0      # seconds before the first word
EVERY = 10.0        # seconds between lines where stderr is no terminal
T = TypeVar("T")


def steps(items: Iterable[T], total: int, what: str) -> Iterator[T]:
    """The items, with a bar that shows how many are done."""
    if sys.stderr.isatty():
        yield from _bar(items, total, what)
        return
    said = time.monotonic() + PATIENCE - EVERY
    for done, item in enumerate(items):
        if time.monotonic() - said >= EVERY:
            said = time.monotonic()
            print(f"{what}: {done} of {total}", file=sys.stderr, flush=True)
        yield item


def _bar(items: Iterable[T], total: int, what: str) -> Iterator[T]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeElapsedColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    task = bar.add_task(what, total=total)
    started = time.monotonic()
    try:
        for item in items:
            if not bar.live.is_started and time.monotonic() - started > PATIENCE:
                bar.start()
            yield item
            bar.advance(task)
    finally:
        bar.stop()


@contextmanager
def working(what: str) -> Iterator[None]:
    """Says `what` once it lasts, and goes on saying so while it does."""
    over = threading.Event()

    def speak() -> None:
        started = time.monotonic()
        if over.wait(PATIENCE):
            return
        while True:
            spent = time.monotonic() - started
            if sys.stderr.isatty():
                print(f"\r{what} … {spent:.0f} s", end="", file=sys.stderr, flush=True)
                if over.wait(1):
                    print(f"\r{' ' * (len(what) + 16)}\r", end="", file=sys.stderr, flush=True)
                    return
            else:
                print(f"{what} … {spent:.0f} s", file=sys.stderr, flush=True)
                if over.wait(EVERY):
                    return

    speaker = threading.Thread(target=speak, daemon=True)
    speaker.start()
    try:
        yield
    finally:
        over.set()
        speaker.join()
