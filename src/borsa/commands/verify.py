"""borsa verify: audit the books of a stopped or a running exchange, from its raw tables and logs."""

from collections.abc import Iterator, Sequence
from itertools import islice

import apsw
import msgspec
import typer

from borsa import app
from borsa.commands.audit import (
    actions,
    books,
    candles,
    followers,
    holds,
    ledger,
    lists,
    logs,
    notifications,
    orders,
    seals,
    secrets,
    trades,
    users,
)
from borsa.commands.audit.check import Check, Look
from borsa.commands.audit.copied import moment_of
from borsa.commands.audit.following import follow
from borsa.commands.audit.moment import Moment, NothingToAudit
from borsa.commands.audit.witness import Witness
from borsa.runtime.store import StorageBroken
from borsa.settings import Settings

CHECKS: tuple[Check, ...] = (
    *ledger.CHECKS,
    *seals.CHECKS,
    *holds.CHECKS,
    *orders.CHECKS,
    *trades.CHECKS,
    *candles.CHECKS,
    *books.CHECKS,
    *logs.CHECKS,
    *followers.CHECKS,
    *notifications.CHECKS,
    *users.CHECKS,
    *lists.CHECKS,
    *actions.CHECKS,
    *secrets.CHECKS,
)

RIGHT, WRONG, NOTHING = 0, 1, 2
"""Exit statuses."""

SHOWN_MAX = 5
"""Breaches of one check that are printed; the others are counted."""

LOOKS_MAX = 3
"""How often a running exchange is looked at again, when something seems wrong: a real breach stays."""


class Finding(msgspec.Struct, frozen=True):
    """What came of a check."""

    check: Check
    rows: int
    breaches: int
    shown: list[str]


def run(settings: Settings, digest: bytes | None = None) -> int:
    """Audit the data folder, say what came of each check, and return the exit status.

    `digest` is one that was noted earlier: it must still be in the chain of seals.
    """
    checks = CHECKS if digest is None else (*CHECKS, seals.is_in_the_chain(digest))
    try:
        with moment_of(settings, follows(settings)) as moment:
            findings = _audit_until_sure(moment, checks)
            _report(moment, findings)
    except NothingToAudit as error:
        typer.echo(f"borsa: nothing to audit: {error}", err=True)
        return NOTHING
    except (apsw.Error, StorageBroken) as error:
        typer.echo(f"F10  a database of {app.place(settings)} can't be read: {error}")
        return WRONG
    return WRONG if any(finding.breaches for finding in findings) else RIGHT


def follows(settings: Settings) -> list[tuple[str, str]]:
    """Who follows whom."""
    return [(service.name, source) for service in app.services(settings) for source in service.consumes]


def _audit_until_sure(moment: Moment, checks: Sequence[Check]) -> list[Finding]:
    moment.fix()
    findings = _audit(moment, checks)
    for _ in range(LOOKS_MAX - 1):
        before = moment.state()
        if not any(finding.breaches for finding in findings):
            break
        moment.fix()
        if moment.state() == before:
            break
        findings = _audit(moment, checks)
    return findings


def _audit(moment: Moment, checks: Sequence[Check]) -> list[Finding]:
    try:
        witness = follow(moment)
    except (apsw.Error, LookupError, ValueError, msgspec.MsgspecError) as error:
        witness = Witness()
        witness.note("I-35", f"the logs can't be followed: {error!r}")
    return [_find(check, moment, witness) for check in checks]


def _find(check: Check, moment: Moment, witness: Witness) -> Finding:
    look = Look(moment, witness)
    breaches = _complete(check.breaches(look))
    shown = list(islice(breaches, SHOWN_MAX))
    return Finding(check, look.rows_seen, len(shown) + sum(1 for _ in breaches), shown)


def _complete(breaches: Iterator[str]) -> Iterator[str]:
    """The breaches; one more when what should be checked can't even be read."""
    try:
        yield from breaches
    except (apsw.Error, LookupError, ValueError, TypeError, msgspec.MsgspecError) as error:
        yield f"could not be checked to its end: {error!r}"


def _report(moment: Moment, findings: list[Finding]) -> None:
    typer.echo(f"{moment.where}, at {', '.join(f'{name}/{last}' for name, last in sorted(moment.last.items()))}")
    for finding in findings:
        verdict = f"WRONG, {finding.breaches} breaches" if finding.breaches else "ok"
        typer.echo(f"{' '.join(finding.check.proves)}  {finding.check.says}: {finding.rows} rows, {verdict}")
        for breach in finding.shown:
            typer.echo(f"      {breach}")
        if finding.breaches > len(finding.shown):
            typer.echo(f"      and {finding.breaches - len(finding.shown)} more")
    for behind in moment.lagging():
        typer.echo(f"note: {behind}; what it has not applied was not held against it")
    typer.echo(seals.newest(moment))
    rows, breaches = (sum(getattr(finding, name) for finding in findings) for name in ("rows", "breaches"))
    typer.echo(f"{len(findings)} checks, {rows} rows, {breaches} breaches")
