"""borsa replay: recorded order flow, through the API of a running exchange, and the fills compared with the record."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import typer
import uvloop

from borsa.commands.client import Client, Participant, Unusable
from borsa.commands.progress import Progress
from borsa.commands.recording import BadRecording, Execution, Row, read_executions, read_market, read_rows
from borsa.commands.windows import AMEND, SIDES, Cast, Command, Window, funds_needed, windows_of
from borsa.commands.wire import Pool, request_bytes
from borsa.markets import Market
from borsa.settings import Settings

CONNECTIONS = 32
"""Requests that are under way at the same time."""

ORDERS_MAX = 500
"""Orders of one batch."""

HEADROOM_PERCENT = 10
"""Funds beyond what the recorded executions need: recorded orders that cross trade as well."""

TRIES_MAX = 500
RETRY_SECONDS = 0.02
"""An amendment waits for the engine's word on its order, everything for an exchange that has too much to do."""

_LATER = (429, 503)


class Outcome(msgspec.Struct, frozen=True):
    """The last line: commands are rows that were played, trades those of the market, matched and recorded rows of
    recorded executions."""

    symbol: str
    commands: int
    trades: int
    matched: int
    recorded: int
    seconds: float


def run(settings: Settings, file: Path, limit: int, speed: float, users: int) -> int:
    """Play a recording; returns the exit status: 0 when the fills are the recorded ones, 1 when not, 2 when it could
    not be played."""
    try:
        rows, executions = read_rows(file, limit), read_executions(file)
        takers = {row.row_id for row in rows if row.kind == "ioc"}
        if limit:
            executions = [each for each in executions if each.taker_id in takers]
        with Client(settings) as client:
            client.sign_in_admin()
            outcome, agrees = _play(client, read_market(file), rows, executions, takers, speed, users)
    except (Unusable, BadRecording, ConnectionError) as error:
        typer.echo(f"borsa: {error}", err=True)
        return 2
    typer.echo(msgspec.json.encode(outcome).decode())
    return 0 if agrees else 1


def _play(
    client: Client,
    wanted: Market,
    rows: list[Row],
    executions: list[Execution],
    takers: set[int],
    speed: float,
    users: int,
) -> tuple[Outcome, bool]:
    windows = list(windows_of(rows, paced=speed > 0))
    cast = Cast(users)
    funds = funds_needed(windows, cast, wanted, executions)
    market = client.open_market(wanted)
    typer.echo(f"{market.symbol}: {len(rows)} commands of {cast.size} users", err=True)
    players = [_ready(client, market, user, units, cast) for user, units in enumerate(funds)]
    stage = _Stage(client, market, players, cast)
    began = time.monotonic()
    uvloop.run(stage.play(windows, _start_of(rows), speed, len(rows)))
    seconds = time.monotonic() - began
    client.wait_until_settled()
    trades = list(client.trades(market.symbol))
    made = _fills(market, trades, stage.row_of_order, takers)
    matched, agrees = compare(made, executions)
    return Outcome(market.symbol, len(rows), len(trades), matched, len(executions), round(seconds, 3)), agrees


def _ready(client: Client, market: Market, user: int, units: int, cast: Cast) -> Participant:
    player = client.make_participant()
    client.fund(player, market.base if cast.sells(user) else market.quote, units * (100 + HEADROOM_PERCENT) // 100)
    return player


def _start_of(rows: Sequence[Row]) -> int:
    return next((row.time for row in rows if row.kind != "seed"), rows[0].time)


# playing -----------------------------------------------------------------------------------------------------------


class _Stage:
    """Plays windows one after the other: every answer of one is there before the next begins."""

    def __init__(self, client: Client, market: Market, players: Sequence[Participant], cast: Cast) -> None:
        self.row_of_order: dict[int, int] = {}
        self._market = market
        self._players = players
        self._cast = cast
        self._host, self._port = client.host_and_port
        self._orders: dict[int, tuple[str, str]] = {}

    async def play(self, windows: Sequence[Window], start: int, speed: float, rows: int) -> None:
        """Play them at `speed` times the recorded pace (0: as fast as it goes); `start` in recorded microseconds."""
        self._pool = Pool(self._host, self._port, CONNECTIONS)
        began, done = time.monotonic(), 0
        with Progress(rows, "commands") as progress:
            try:
                for window in windows:
                    if speed:
                        due = began + (window.time - start) / 1e6 / speed
                        await asyncio.sleep(max(0.0, due - time.monotonic()))
                    await self._window(window)
                    done += window.rows
                    progress.tell(done)
            finally:
                self._pool.close()

    async def _window(self, window: Window) -> None:
        doing = [self._place(window, side) for side in SIDES if window.placed[side]]
        doing += [self._change(command) for command in window.changed]
        if len(doing) == 1:
            await doing[0]
        elif doing:
            await asyncio.gather(*doing)

    async def _place(self, window: Window, side: str) -> None:
        key = self._players[self._cast.of(window, side)].key
        commands = window.placed[side]
        for first in range(0, len(commands), ORDERS_MAX):
            part = commands[first : first + ORDERS_MAX]
            body = msgspec.json.encode({"orders": [self._order(command) for command in part]})
            status, answer = await self._ask("POST", "/api/orders/batch", key, body)
            said = msgspec.json.decode(answer)
            results = said["results"] if status == 200 else [said]
            for command, result in zip(part, results, strict=False):
                if "orderId" not in result:
                    raise Unusable(f"The order of row id {command.row_id} was refused: {result.get('detail')}")
                self._orders[command.row_id] = (result["orderId"], key)
                self.row_of_order[int(result["orderId"])] = command.row_id

    def _order(self, command: Command) -> dict[str, str]:
        return {
            "symbol": self._market.symbol,
            "type": command.side,
            "quantity": self._market.quantity_text(command.quantity),
            "price": self._market.price_text(command.price),
            "timeInForce": "ioc" if command.immediate else "gtc",
        }

    async def _change(self, command: Command) -> None:
        """Cancel or amend. An order that has been filled meanwhile is left in peace: the refusal is harmless."""
        order_id, key = self._orders[command.row_id]
        if command.kind == AMEND:
            body = msgspec.json.encode({"quantity": self._market.quantity_text(command.quantity)})
            status, answer = await self._ask("PUT", f"/api/orders/{order_id}", key, body)
        else:
            status, answer = await self._ask("DELETE", f"/api/orders/{order_id}", key)
        if status not in (200, 404, 409):
            detail = "the engine has not answered" if status == 202 else msgspec.json.decode(answer).get("detail")
            raise Unusable(f"The {command.kind} of row id {command.row_id} failed: {detail}")

    async def _ask(self, method: str, path: str, key: str, body: bytes | None = None) -> tuple[int, bytes]:
        request = request_bytes(method, path, f"{self._host}:{self._port}", key, body, prefer="wait=10")
        for _ in range(TRIES_MAX):
            status, answer = await self._pool.ask(request)
            if status not in _LATER and not (status == 409 and b"order_not_ready" in answer):
                return status, answer
            await asyncio.sleep(RETRY_SECONDS)
        raise Unusable(f"{method} {path} was put off {TRIES_MAX} times: {answer.decode(errors='replace')}")


# comparing ---------------------------------------------------------------------------------------------------------

Fill = tuple[int, int, int]
"""(taker, maker, price in ticks): rows of the recording."""


def _fills(
    market: Market, trades: Iterable[dict[str, Any]], row_of_order: dict[int, int], takers: set[int]
) -> Counter[Fill]:
    """Lots that each recorded taker got of each maker at each price."""
    made: Counter[Fill] = Counter()
    for trade in trades:
        orders = int(trade["buyOrderId"]), int(trade["sellOrderId"])
        buyer, seller = (row_of_order[order] for order in orders)
        taker, maker = (buyer, seller) if trade["takerSide"] == "buy" else (seller, buyer)
        if taker in takers:
            made[taker, maker, market.ticks(trade["price"])] += market.lots(trade["quantity"])
    return made


def compare(made: Counter[Fill], executions: Sequence[Execution]) -> tuple[int, bool]:
    """How many of the recorded executions were made again, and whether that is all of them and nothing more.

    Where the makers of a taker are not recorded, its fills at a price count together.
    """
    unknown = {each.taker_id for each in executions if each.maker_id == 0}
    recorded: Counter[Fill] = Counter()
    for each in executions:
        recorded[_key(each.taker_id, each.maker_id, each.price, unknown)] += each.quantity
    found: Counter[Fill] = Counter()
    for (taker, maker, price), quantity in made.items():
        found[_key(taker, maker, price, unknown)] += quantity
    keys = (_key(each.taker_id, each.maker_id, each.price, unknown) for each in executions)
    matched = sum(1 for key in keys if found[key] == recorded[key])
    return matched, found == recorded


def _key(taker: int, maker: int, price: int, unknown: set[int]) -> Fill:
    return taker, 0 if taker in unknown else maker, price
