"""The report of a hostile day: a table for a person, and the figures."""

import os
from collections.abc import Mapping, Sequence

import msgspec
import typer

from borsa.commands.hostile.attackers import Answers
from borsa.commands.hostile.attacks import Size
from borsa.commands.hostile.honest import Felt, percentile_ms
from borsa.commands.hostile.resident import Resident

TIMES_QUIET_MAX = 3
"""The p99 of the honest is to stay within so many times that of the quiet day."""

GROWTH_MB_MAX = 512
"""How much memory a process may get more in an attack, at its largest."""


class Phase(msgspec.Struct, frozen=True):
    """What was seen in a quiet day or an attack."""

    name: str
    felt: Felt
    delays_ns: list[int]
    answers: Answers
    lag_seconds: float
    before: Resident
    after: Resident


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of a phase. Times of the honest in milliseconds; `webhooks` reached the honest user's target;
    memory in megabytes of door, services and followers."""

    name: str
    honest_orders: dict[str, int]
    honest_cancels: dict[str, int]
    cancels_refused: int
    order_p50_ms: float
    order_p99_ms: float
    cancel_p99_ms: float
    times_quiet: float
    webhooks: int
    webhook_p99_ms: float
    attackers: dict[str, int]
    attackers_orders: int
    attackers_orders_refused: int
    without_retry_after: int
    connections_closed: int
    unheard: int
    lag_seconds: float
    memory_before_mb: list[int]
    memory_most_mb: list[int]
    memory_after_mb: list[int]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The last line. `within` says whether the p99 of honest orders and cancels stayed within three times the quiet
    one in every attack; `right` whether everything else is as it should be."""

    seconds: float
    rows: list[Row]
    within: bool
    healthy: bool
    verified: bool
    right: bool


def outcome_of(size: Size, phases: Sequence[Phase], *, healthy: bool, verified: bool) -> Outcome:
    """All figures."""
    rows = [_row(phases[0], phase) for phase in phases]
    return Outcome(
        seconds=size.seconds,
        rows=rows,
        within=all(row.times_quiet <= TIMES_QUIET_MAX for row in rows),
        healthy=healthy,
        verified=verified,
        right=healthy and verified and all(_is_right(row) for row in rows),
    )


def _is_right(row: Row) -> bool:
    growth = max(most - before for most, before in zip(row.memory_most_mb, row.memory_before_mb, strict=True))
    failed = sum(count for status, count in row.attackers.items() if int(status) >= 500 and status != "503")
    orders_failed = sum(count for status, count in row.honest_orders.items() if status != "201")
    wrong = row.cancels_refused + row.without_retry_after + row.unheard + failed + orders_failed
    return wrong == 0 and growth <= GROWTH_MB_MAX


def _row(quiet: Phase, phase: Phase) -> Row:
    felt, answers = phase.felt, phase.answers
    return Row(
        name=phase.name,
        honest_orders=_texts(felt.orders),
        honest_cancels=_texts(felt.cancels),
        cancels_refused=felt.cancels_refused,
        order_p50_ms=percentile_ms(felt.orders_ns, 0.5),
        order_p99_ms=percentile_ms(felt.orders_ns, 0.99),
        cancel_p99_ms=percentile_ms(felt.cancels_ns, 0.99),
        times_quiet=_times(quiet.felt, felt),
        webhooks=len(phase.delays_ns),
        webhook_p99_ms=percentile_ms(phase.delays_ns, 0.99),
        attackers=_texts(answers.statuses),
        attackers_orders=answers.orders,
        attackers_orders_refused=answers.orders_refused,
        without_retry_after=answers.mute,
        connections_closed=answers.lost,
        unheard=answers.unheard,
        lag_seconds=round(phase.lag_seconds, 2),
        memory_before_mb=phase.before.now_mb,
        memory_most_mb=phase.after.most_mb,
        memory_after_mb=phase.after.now_mb,
    )


def _texts(statuses: Mapping[int, int]) -> dict[str, int]:
    return {str(status): count for status, count in sorted(statuses.items())}


def _times(quiet: Felt, felt: Felt) -> float:
    """How many times the quiet p99, of orders or of cancels, whichever is more."""
    pairs = ((quiet.orders_ns, felt.orders_ns), (quiet.cancels_ns, felt.cancels_ns))
    found = [percentile_ms(now, 0.99) / (percentile_ms(before, 0.99) or 1.0) for before, now in pairs]
    return round(max(found), 1)


# for a person ------------------------------------------------------------------------------------------------------


def say(size: Size, honest: int, settings: Mapping[str, object]) -> None:
    """What will be done."""
    typer.echo(f"Honest       {honest} users, each 10 orders and 10 cancels a second; times count from when one is due")
    typer.echo(
        f"Attackers    {size.seconds:g} s an attack, from a process that stands back (nice 10) on the same machine"
    )
    typer.echo(f"Settings     {', '.join(f'{name}={value}' for name, value in settings.items())}")
    typer.echo(f"Machine      {os.cpu_count()} cores. Memory in MB: door/services/followers")


def tell(quiet: Phase, phase: Phase) -> None:
    """A few lines on a phase."""
    row = _row(quiet, phase)
    typer.echo(
        f"{row.name:<16} order p50 {row.order_p50_ms} p99 {row.order_p99_ms} ms, cancel p99 {row.cancel_p99_ms} ms: "
        f"{row.times_quiet} times the quiet day"
    )
    typer.echo(f"{'':<16} orders {_said(row.honest_orders)}; cancels {_said(row.honest_cancels)}")
    typer.echo(f"{'':<16} webhooks {row.webhooks}, p99 {row.webhook_p99_ms} ms; settled after {row.lag_seconds} s")
    typer.echo(
        f"{'':<16} attackers {_said(row.attackers)}; {row.attackers_orders} orders placed, "
        f"{row.attackers_orders_refused} refused in batches; {row.without_retry_after} without Retry-After, "
        f"{row.connections_closed} closed, {row.unheard} unheard"
    )
    memory = (row.memory_before_mb, row.memory_most_mb, row.memory_after_mb)
    before, most, after = ("/".join(map(str, each)) for each in memory)
    typer.echo(f"{'':<16} memory {before} before, {most} at most, {after} after")


def _said(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} of {status}" for status, count in counts.items()) or "none"
