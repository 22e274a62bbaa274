"""Where the writers of a process stand: what health and metrics are made of, also across processes."""

from collections.abc import Sequence
from typing import ClassVar

import msgspec

from borsa.requests import Request


class Following(msgspec.Struct, frozen=True):
    """How far a consumer has applied a source; `halted` at an event that it could not handle."""

    source: str
    cursor: int
    halted: bool


class Vital(msgspec.Struct, frozen=True):
    """One writer: the newest event of its log, the requests that wait, what it follows, and whether it has no room to
    write."""

    name: str
    last_sequence: int
    waiting: int
    follows: Sequence[Following]
    is_full: bool = False


class Vitals(msgspec.Struct, frozen=True):
    """All writers of a process, and its own metrics in Prometheus' text format."""

    writers: Sequence[Vital]
    metrics: str


class DescribeProcess(Request[Vitals], frozen=True, kw_only=True):
    """Asked of a process, not of a service."""

    answered_by: ClassVar[str] = "process"
