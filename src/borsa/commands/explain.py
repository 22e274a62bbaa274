"""borsa explain balance: every posting that a balance is the sum of, each with its cause, from the raw tables."""

from collections import deque
from collections.abc import Iterator
from itertools import chain
from typing import Any

import apsw
import msgspec
import typer

from borsa import app
from borsa.commands.audit.copied import moment_of
from borsa.commands.audit.moment import Moment, NothingToAudit
from borsa.commands.causes import Causes, Line
from borsa.commands.verify import follows
from borsa.markets import amount_text
from borsa.runtime.clock import time_text
from borsa.runtime.store import StorageBroken
from borsa.services.users.model import name_key
from borsa.settings import Settings

REACHED, DIFFERS, NOTHING = 0, 1, 2
"""Exit statuses."""

_USER = "SELECT user_id, name FROM users.users WHERE user_id = ? OR name_key = ? ORDER BY user_id != ? LIMIT 1"
_WALLETS = "SELECT wallet_id, name FROM wallets.wallets WHERE user_id = ? ORDER BY is_default DESC, wallet_id"
_BALANCE = "SELECT available, held, version FROM wallets.balances WHERE wallet_id = ? AND asset = ?"
_LINES = """
    SELECT p.entry_id, p.line, p.bucket, p.amount, e.time, e.kind, e.reference, e.reason, e.author
    FROM wallets.postings p LEFT JOIN wallets.entries e ON e.entry_id = p.entry_id
    WHERE p.wallet_id = ? AND p.asset = ? ORDER BY p.entry_id, p.line
"""
_ROW = "{:>10}  {:<27}  {:<9}  {:>20}  {:>20}  {:>20}  {:>20}  {}"


class Sums(msgspec.Struct):
    """What postings came to so far, in units; `version` is the last entry."""

    available: int = 0
    held: int = 0
    version: int = 0

    def add(self, line: Line) -> None:
        """One posting more."""
        if line.bucket == "available":
            self.available += line.amount
        else:
            self.held += line.amount
        self.version = line.entry_id

    def texts(self, asset: str) -> tuple[str, str, str]:
        """Available, held and total as they stand on the wire."""
        return tuple(amount_text(asset, each) for each in (self.available, self.held, self.available + self.held))  # type: ignore[return-value]


def run(settings: Settings, user: str, asset: str, last: int) -> int:
    """Print how every balance of a user in an asset came about, and return the exit status.

    `last`: only so many postings of each wallet are printed, and what was before as one sum; 0 is all.
    """
    try:
        with moment_of(settings, follows(settings)) as moment:
            moment.fix()
            return Explanation(moment, asset, last).of(user)
    except NothingToAudit as error:
        typer.echo(f"borsa: nothing to explain: {error}", err=True)
        return NOTHING
    except (apsw.Error, StorageBroken) as error:
        typer.echo(
            f"borsa: a database of {app.place(settings)} can't be read: {error}; borsa verify says more", err=True
        )
        return DIFFERS


class Explanation:
    """Of the balances in one asset."""

    def __init__(self, moment: Moment, asset: str, last: int) -> None:
        self._moment = moment
        self._asset = asset
        self._last = last
        self._causes = Causes(moment, asset)

    def of(self, user: str) -> int:
        """All wallets of a user, by name or id, that ever had the asset."""
        found = self._moment.one(_USER, user, name_key(user), user)
        if found is None:
            typer.echo(f"borsa: nothing to explain: there is no user {user}", err=True)
            return NOTHING
        user_id, name = found
        said = [
            self._wallet(f"{name}, wallet {wallet_id} ({wallet_name})", wallet_id)
            for wallet_id, wallet_name in list(self._moment.rows(_WALLETS, user_id))
        ]
        statuses = [status for status in said if status is not None]
        if not statuses:
            typer.echo(f"borsa: nothing to explain: {name} never had {self._asset}", err=True)
        return max(statuses, default=NOTHING)

    def _wallet(self, title: str, wallet_id: str) -> int | None:
        """The history of one wallet, and whether it comes to its balance; None when there is neither."""
        lines = (Line(*row) for row in self._moment.rows(_LINES, wallet_id, self._asset))
        first, kept = next(lines, None), self._moment.one(_BALANCE, wallet_id, self._asset)
        if first is None and kept is None:
            return None
        typer.echo(f"{title}, {self._asset}")
        typer.echo(_ROW.format("entry", "time", "moves", "amount", "available", "held", "total", "because"))
        sums = Sums()
        for line in self._shown(chain([first] if first else [], lines), sums):
            sums.add(line)
            self._print(wallet_id, line, sums)
        return self._conclude(sums, kept)

    def _shown(self, lines: Iterator[Line], sums: Sums) -> Iterator[Line]:
        """The lines to print; the sums get those before them, and say so."""
        if not self._last:
            yield from lines
            return
        shown: deque[Line] = deque()
        carried = 0
        for line in lines:
            shown.append(line)
            if len(shown) > self._last:
                sums.add(shown.popleft())
                carried += 1
        if carried:
            texts = sums.texts(self._asset)
            typer.echo(_ROW.format(f"to {sums.version}", "", "", "", *texts, f"{carried} postings carried over"))
        yield from shown

    def _print(self, wallet_id: str, line: Line, sums: Sums) -> None:
        time = time_text(line.time) if line.time is not None else ""
        amount = ("+" if line.amount > 0 else "") + amount_text(self._asset, line.amount)
        because = self._causes.of(wallet_id, line)
        typer.echo(_ROW.format(line.entry_id, time, line.bucket, amount, *sums.texts(self._asset), because))

    def _conclude(self, sums: Sums, kept: Any) -> int:
        """Say what the balance is, and what of it the postings do not come to."""
        if kept is None:
            typer.echo("the postings come to this, and there is no balance")
            return DIFFERS
        balance = Sums(*kept)
        texts = balance.texts(self._asset)
        typer.echo(_ROW.format(f"at {balance.version}", "", "balance", "", *texts, ""))
        if balance == sums:
            typer.echo("the balance is exactly the sum of its postings")
            return REACHED
        for name in ("available", "held"):
            due, found = getattr(sums, name), getattr(balance, name)
            if due != found:
                more = amount_text(self._asset, found - due)
                typer.echo(f"{name} is {amount_text(self._asset, found)}, {more} beyond what its postings come to")
        if sums.version != balance.version:
            typer.echo(f"the balance is of entry {balance.version}, the last posting is of entry {sums.version}")
        return DIFFERS
