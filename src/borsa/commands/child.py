"""Processes that a command starts, and takes with it when it ends."""

import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

STOP_SECONDS_MAX = 60
"""How long a process may take to finish what it accepted."""


@contextmanager
def child(command: Sequence[str], **options: Any) -> Iterator["subprocess.Popen[str]"]:
    """A running process, stopped afterwards; the options are those of Popen."""
    process = None
    try:
        with _stop_delayed():
            # a list of arguments, ours, and no shell
            process = subprocess.Popen(command, text=True, **options)  # noqa: S603  # nosec B603
        yield process
    finally:
        if process is not None:
            with process:  # closes its pipes
                _stop(process)


def _stop(process: "subprocess.Popen[str]") -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        process.kill()


@contextmanager
def _stop_delayed() -> Iterator[None]:
    """Let SIGTERM wait: a process that begins is known only when its start has returned, and nobody else can end it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    told: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: told.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        if told:
            signal.raise_signal(told[0])


@contextmanager
def stopping_tidily() -> Iterator[None]:
    """Let SIGTERM unwind as Ctrl-C does, so that neither a process nor a folder is left behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    told: list[int] = []

    def stop(number: int, _: FrameType | None) -> None:
        told.append(number)
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except BaseException:
        # raised inside a callback of the event loop it only breaks a connection, and something else comes out here
        if told:
            raise SystemExit(128 + told[0]) from None
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
