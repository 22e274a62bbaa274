"""borsa verify: nothing to say about an exchange that did everything; a breach named for each way to damage one."""

import random
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from borsa import app
from borsa.commands import verify
from borsa.commands.audit.moment import SERVICES
from borsa.requests import HoldFunds
from borsa.services.wallets import WALLETS
from borsa.settings import Settings
from tests.commands.audited import copied, damage, text_in_log
from tests.support.running import Person, Running
from tests.support.stepped import Stepped, amend, cancel, fees, limit

ONE = 10**8


@pytest.fixture(autouse=True)
def _no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("borsa.commands.audit.moment.QUIET_TRIES_MAX", 3)


def test_a_running_exchange_is_right(audited: tuple[Path, int, int]) -> None:
    assert audited[1] == 0


def test_a_stopped_exchange_is_right(audited: tuple[Path, int, int]) -> None:
    assert audited[2] == 0


ONE_TRADE = "(SELECT min(trade_id) FROM trades)"
ONE_USER = "(SELECT wallet_id FROM balances WHERE wallet_id NOT IN ('world', 'fees') AND available > 1000000 LIMIT 1)"
FILLED = "(SELECT min(order_id) FROM orders WHERE status = 'filled')"
OPEN = "(SELECT min(order_id) FROM orders WHERE status = 'open')"
OPEN_HOLD = "(SELECT min(hold_id) FROM holds WHERE status = 'open')"
CLOSED_HOLD = "(SELECT min(hold_id) FROM holds WHERE status = 'closed' AND released > 0)"
TRADE_ENTRY = "(SELECT min(entry_id) FROM entries WHERE kind = 'trade')"
EXECUTED = "(SELECT min(sequence) FROM log WHERE type = 'TradeExecuted')"


DAMAGES = {
    "a candle is too high": ("I-37", "trades", "UPDATE candles SET high = high + 1 WHERE interval = 60"),
    "a candle is lost": ("I-37", "trades", "DELETE FROM candles WHERE interval = 86400"),
    "a candle of nothing": ("I-37", "trades", "INSERT INTO candles VALUES ('BTC-USD', 60, 0, 1, 1, 1, 1, 1, 1, 1)"),
    "a balance grows": (
        "I-01",
        "wallets",
        f"UPDATE balances SET available = available + 1 WHERE wallet_id = {ONE_USER}",
    ),
    "money moves unseen": (
        "I-06",
        "wallets",
        f"UPDATE balances SET available = available - 7 WHERE wallet_id = {ONE_USER} AND asset = 'USD'",
        "UPDATE balances SET available = available + 7 WHERE wallet_id = 'fees' AND asset = 'USD'",
    ),
    "a balance falls below zero": (
        "I-02",
        "wallets",
        f"UPDATE balances SET available = -1 WHERE wallet_id = {ONE_USER} AND asset = 'USD'",
    ),
    "held changes": ("I-03", "wallets", "UPDATE balances SET held = held + 5 WHERE held > 0"),
    "a balance's version": ("I-06", "wallets", f"UPDATE balances SET version = 1 WHERE wallet_id = {ONE_USER}"),
    "a posting is lost": ("I-05", "wallets", "DELETE FROM postings WHERE entry_id = 3 AND line = 0"),
    "a posting changes": ("I-05", "wallets", "UPDATE postings SET amount = amount + 1 WHERE entry_id = 9 AND line = 0"),
    "an entry is lost": ("I-05", "wallets", f"DELETE FROM entries WHERE entry_id = {TRADE_ENTRY}"),
    "money from nowhere": (
        "I-07",
        "wallets",
        f"UPDATE balances SET available = available + 9000000000000000 WHERE wallet_id = {ONE_USER} AND asset = 'USD'",
    ),
    "a trade across the border": ("I-07", "wallets", "UPDATE entries SET kind = 'trade' WHERE kind = 'adjustment'"),
    "a hold is too small": (
        "I-03",
        "wallets",
        f"UPDATE holds SET released = released + 1 WHERE hold_id = {OPEN_HOLD}",
    ),
    "a hold is lost": ("I-03", "wallets", f"DELETE FROM holds WHERE hold_id = {OPEN_HOLD}"),
    "a closed hold remains": (
        "I-08",
        "wallets",
        f"UPDATE holds SET placed = placed + 3, status = 'open' WHERE hold_id = {CLOSED_HOLD}",
    ),
    "a hold spent too much": ("I-04", "wallets", f"UPDATE holds SET spent = placed + 1 WHERE hold_id = {CLOSED_HOLD}"),
    "a hold unlike the ledger": (
        "I-04",
        "wallets",
        "UPDATE entries SET reference = '4' WHERE kind = 'release' AND reference != '4'",
    ),
    "a voided hold of an order": ("I-09", "wallets", f"UPDATE holds SET status = 'void' WHERE hold_id = {CLOSED_HOLD}"),
    "a hold for nothing": (
        "I-09",
        "wallets",
        f"UPDATE holds SET hold_id = '999', order_id = 999, placed_at = 1 WHERE hold_id = {OPEN_HOLD}",
    ),
    "an order filled more": ("I-10", "orders", f"UPDATE orders SET filled = filled + 1 WHERE order_id = {OPEN}"),
    "an order spent more": ("I-10", "orders", f"UPDATE orders SET spent = spent + 1 WHERE order_id = {FILLED}"),
    "a status goes back": ("I-11", "orders", f"UPDATE orders SET status = 'open' WHERE order_id = {FILLED}"),
    "an order leaves its end": (
        "I-11",
        "orders",
        text_in_log(
            "(SELECT max(sequence) FROM log WHERE CAST(data AS TEXT) LIKE '%\"filled\"%')",
            '"status":"filled"',
            '"status":"pending"',
        ),
    ),
    "an order is lost": ("I-11", "orders", f"DELETE FROM orders WHERE order_id = {OPEN}"),
    "an order's price changes": ("I-33", "orders", f"UPDATE orders SET price = price + 1 WHERE order_id = {OPEN}"),
    "a last price changes": ("I-33", "orders", "UPDATE last_prices SET price = price + 1"),
    "a trade changes sides": (
        "I-12",
        "trades",
        f"UPDATE trades SET buy_order_id = sell_order_id WHERE trade_id = {ONE_TRADE}",
    ),
    "a trade of somebody else": ("I-12", "trades", f"UPDATE trades SET buyer_id = 'x' WHERE trade_id = {ONE_TRADE}"),
    "a trade before its order": (
        "I-12",
        "trades",
        f"UPDATE trades SET trade_id = 5000000 WHERE trade_id = {ONE_TRADE}",
    ),
    "a settlement is forged": ("I-12", "wallets", "UPDATE entries SET reference = '77' WHERE kind = 'trade'"),
    "a settlement twice": (
        "I-12",
        "wallets",
        "INSERT INTO postings SELECT (SELECT max(entry_id) + 1 FROM entries), line, wallet_id, asset, bucket, amount"
        f" FROM postings WHERE entry_id = {TRADE_ENTRY}",
        "INSERT INTO entries SELECT (SELECT max(entry_id) + 1 FROM entries), time, kind, reference, reason, author"
        f" FROM entries WHERE entry_id = {TRADE_ENTRY}",
    ),
    "a settlement to another": (
        "I-12",
        "wallets",
        "UPDATE postings SET wallet_id = (SELECT max(wallet_id) FROM wallets)"
        f" WHERE entry_id = {TRADE_ENTRY} AND line = 3",
    ),
    "a bust is forgotten": ("I-12", "trades", "UPDATE trades SET status = 'executed' WHERE status = 'busted'"),
    "a bust is forged": ("I-12", "trades", "UPDATE trades SET status = 'busted' WHERE block = 1"),
    "a reversal is lost": ("I-12", "wallets", "DELETE FROM reversals"),
    "a price was told wrong": ("I-13", "trades", text_in_log(EXECUTED, '"price":"100.00"', '"price":"106.00"')),
    "a worst price was passed": (
        "I-13",
        "orders",
        text_in_log(
            "(SELECT max(sequence) FROM log WHERE type = 'OrderCreated' AND CAST(data AS TEXT) LIKE '%\"180.50\"%')",
            "180.50",
            "90.00",
        ),
    ),
    "a band without a reason": (
        "I-24",
        "trades",
        text_in_log(
            '(SELECT max(sequence) FROM log WHERE CAST(data AS TEXT) LIKE \'%"reason":"expired_ioc"%\')',
            "expired_ioc",
            "price_band",
        ),
    ),
    "a fee was told wrong": ("I-14", "trades", text_in_log(EXECUTED, '"sellerFee":"0.05"', '"sellerFee":"0.06"')),
    "the fees are spent": (
        "I-14",
        "wallets",
        "UPDATE balances SET available = available - 1 WHERE wallet_id = 'fees' AND asset = 'USD'",
    ),
    "a trade for nothing": ("I-15", "trades", f"UPDATE trades SET notional = 0 WHERE trade_id = {ONE_TRADE}"),
    "a trade price changes": (
        "I-15",
        "trades",
        f"UPDATE trades SET price = price + 1000000 WHERE trade_id = {ONE_TRADE}",
    ),
    "a trade with oneself": (
        "I-16",
        "trades",
        f"UPDATE trades SET buyer_id = seller_id WHERE trade_id = {ONE_TRADE}",
    ),
    "a crossed book": (
        "I-20",
        "orders",
        'UPDATE log SET data = CAST(replace(CAST(data AS TEXT), \'"price":"50.00"\', \'"price":"500.00"\') AS BLOB)'
        " WHERE type = 'OrderCreated'",
    ),
    "an order jumps the queue": (
        "I-21",
        "orders",
        'UPDATE log SET data = CAST(replace(CAST(data AS TEXT), \'"price":"101.00"\', \'"price":"99.00"\') AS BLOB)'
        " WHERE type = 'OrderCreated'",
    ),
    "a word of the engine changes": ("I-22", "trades", text_in_log("2", '"userId":"', '"userId":"x')),
    "a word of the engine is lost": (
        "I-22",
        "trades",
        "DELETE FROM log WHERE sequence = (SELECT max(sequence) FROM log WHERE type = 'OrderOpened')",
    ),
    "a snapshot is damaged": ("I-22", "trades", "UPDATE snapshot_pieces SET body = zeroblob(length(body))"),
    "a piece of a snapshot is lost": ("I-22", "trades", "DELETE FROM snapshot_pieces WHERE number = 1"),
    "a snapshot says another time": ("I-22", "trades", "UPDATE snapshots SET taken_at = taken_at + 1"),
    "an ioc order rests": (
        "I-24",
        "orders",
        "UPDATE log SET data = CAST(replace(CAST(data AS TEXT), '\"gtc\"', '\"ioc\"') AS BLOB)"
        " WHERE type = 'OrderCreated'",
    ),
    "an order that nobody closes": (
        "I-23",
        "trades",
        "DELETE FROM log WHERE sequence = (SELECT min(sequence) FROM log WHERE type = 'OrderClosed')",
    ),
    "a row of a log is lost": ("I-30", "orders", "DELETE FROM log WHERE sequence = 7"),
    "a row of a log is unreadable": ("I-30", "wallets", "UPDATE log SET data = x'7b' WHERE sequence = 4"),
    "a row of a log about another": ("I-30", "users", "UPDATE log SET subject = 'x' WHERE sequence = 2"),
    "a cursor runs ahead": ("I-30", "portfolios", "UPDATE cursors SET sequence = sequence + 1"),
    "an event was set aside": ("I-30", "portfolios", "INSERT INTO dead_letters VALUES ('wallets', 1, 'broken', 1)"),
    "a cursor falls back": ("I-12", "wallets", "UPDATE cursors SET sequence = 3 WHERE source = 'trades'"),
    "a trade is lost": ("I-31", "trades", f"DELETE FROM trades WHERE trade_id = {ONE_TRADE}"),
    "a trade was never told": (
        "I-31",
        "trades",
        "INSERT INTO trades SELECT trade_id + 50, symbol, buy_order_id, sell_order_id, buyer_id, seller_id, taker_side,"
        " price, quantity, notional, buyer_fee, seller_fee, sequence, block, status, note, tags, bust_reason,"
        f" executed_at, bust_attempts FROM trades WHERE trade_id = {ONE_TRADE}",
    ),
    "a wallet was told wrong": ("I-31", "wallets", text_in_log("5", '"held":"', '"held":"1')),
    "a user without an event": ("I-31", "users", "UPDATE users SET user_id = 'x' WHERE name = 'admin'"),
    "a version repeats": (
        "I-34",
        "portfolios",
        "UPDATE log SET data = CAST(replace(CAST(data AS TEXT), '\"version\":', '\"version\":-') AS BLOB)",
    ),
    "an effect before its cause": ("I-35", "trades", "UPDATE log SET causation = 'orders/1' WHERE sequence = 5"),
    "a cancel that nobody heard": (
        "I-43",
        "trades",
        "DELETE FROM log WHERE sequence = (SELECT max(sequence) FROM log WHERE type = 'OrderClosed'"
        " AND CAST(data AS TEXT) LIKE '%\"cancelled\"%')",
    ),
    "an amendment that nobody heard": ("I-43", "trades", "DELETE FROM log WHERE type = 'OrderAmended'"),
    "a block trade that nobody heard": (
        "I-43",
        "trades",
        "DELETE FROM log WHERE causation ="
        " (SELECT causation FROM log WHERE CAST(data AS TEXT) LIKE '%\"block\":true%')",
    ),
    "more was prevented than was asked for": (
        "I-10",
        "orders",
        f"UPDATE orders SET prevented = quantity + 1 WHERE order_id = {OPEN}",
    ),
    "two entries change places": (
        "I-02",
        "wallets",
        "UPDATE postings SET entry_id = CASE entry_id WHEN 1 THEN -28 ELSE -1 END WHERE entry_id IN (1, 28)",
        "UPDATE postings SET entry_id = -entry_id WHERE entry_id < 0",
    ),
    "a holding grows": ("I-33", "portfolios", "UPDATE holdings SET quantity = quantity + 1"),
    "a portfolio is lost": ("I-33", "portfolios", "DELETE FROM holdings"),
    "a price of portfolios": ("I-33", "portfolios", "UPDATE prices SET price = price + 1"),
    "a notification twice": (
        "I-36",
        "notifications",
        "INSERT INTO notifications SELECT 'again' || notification_id, user_id, kind, data, origin, created_at,"
        " -sequence FROM notifications WHERE origin IS NOT NULL",
    ),
    "an act is changed": ("F10", "wallets", "UPDATE actions SET author = 'x' WHERE sequence = 2"),
    "what an act said is changed": (
        "F10",
        "wallets",
        "UPDATE actions SET details = CAST(replace(CAST(details AS TEXT), '-5', '-6') AS BLOB)",
    ),
    "an act is lost": ("F10", "orders", "DELETE FROM actions WHERE sequence = 1"),
    "an act is put in": (
        "F10",
        "trades",
        "INSERT INTO actions SELECT sequence + 1, time, author, action, target, correlation, details, digest"
        " FROM actions WHERE sequence = (SELECT max(sequence) FROM actions)",
    ),
    "acts change places": (
        "F10",
        "wallets",
        "UPDATE actions SET sequence = 100 WHERE sequence = 1",
        "UPDATE actions SET sequence = 1 WHERE sequence = 2",
        "UPDATE actions SET sequence = 2 WHERE sequence = 100",
    ),
    "a digest is damaged": ("F10", "trades", "UPDATE actions SET digest = zeroblob(32) WHERE sequence = 1"),
    "the newest act is cut off": (
        "I-31",
        "wallets",
        "DELETE FROM actions WHERE sequence = (SELECT max(sequence) FROM actions)",
    ),
    "an adjustment by another": ("I-31", "wallets", "UPDATE entries SET author = 'x' WHERE kind = 'adjustment'"),
    "a notification of another price": (
        "I-36",
        "notifications",
        'UPDATE notifications SET data = CAST(replace(CAST(data AS TEXT), \'"price":"100.00"\', \'"price":"1.00"\')'
        " AS BLOB) WHERE kind = 'fill'",
    ),
    "a notification of another event": (
        "I-33",
        "notifications",
        "UPDATE notifications SET origin = 'wallets/1' WHERE kind = 'order_closed'",
    ),
    "a notification of no event": ("I-33", "notifications", "UPDATE notifications SET origin = 'x' || origin"),
    "a notification of what is nearly an event": (
        "I-33",
        "notifications",
        "UPDATE notifications SET origin = origin || 'x'",
    ),
    "a notification for another": (
        "I-33",
        "notifications",
        "UPDATE notifications SET user_id = 'x' WHERE kind = 'wallet_changed'",
    ),
    "a message to another": (
        "I-31",
        "notifications",
        "UPDATE notifications SET user_id = 'x' WHERE kind = 'message'",
    ),
    "a message that nobody sent": (
        "I-31",
        "notifications",
        "INSERT INTO notifications SELECT 'z' || notification_id, user_id, kind, data, origin, created_at,"
        " -sequence FROM notifications WHERE kind = 'message'",
    ),
    "a message is lost": ("I-31", "notifications", "DELETE FROM notifications WHERE kind = 'message'"),
    "a reading of nothing": ("I-36", "notifications", "UPDATE readings SET notification_id = 'x'"),
    "preferences are lost": ("I-33", "notifications", "DELETE FROM preferences WHERE state = 'open'"),
    "messages are turned off": ("I-33", "notifications", "UPDATE preferences SET kinds = 0 WHERE state = 'open'"),
    "an address of who left": (
        "I-33",
        "notifications",
        "UPDATE preferences SET email_address = 'x' WHERE state = 'gone'",
    ),
    "a name changes": ("I-33", "users", "UPDATE users SET name = 'Eve-Of-Now' WHERE name = 'Eve-Of-Old'"),
    "a name is found as another": (
        "I-33",
        "users",
        "UPDATE users SET name_key = 'eve-of-now' WHERE name = 'Eve-Of-Old'",
    ),
    "who left is back": ("I-33", "users", "UPDATE users SET status = 'active' WHERE status = 'deleted'"),
    "who is there left": ("I-33", "users", "UPDATE users SET status = 'deleted' WHERE name = 'Eve-Of-Old'"),
    "sessions that ended live again": (
        "I-33",
        "users",
        "UPDATE users SET token_version = 0 WHERE name = 'Eve-Of-Old'",
    ),
    "a role was taken": (
        "I-31",
        "users",
        "UPDATE users SET role = 'user' WHERE name = 'Eve-Of-Old'",
    ),
    "a role was not given": (
        "I-31",
        "users",
        "UPDATE users SET role = 'admin', created_at = created_at + 86400000000 WHERE status = 'deleted'",
    ),
    "an event of a user without a row": ("I-31", "users", "DELETE FROM users WHERE name = 'Eve-Of-Old'"),
    "a password is lost": (
        "F10",
        "users",
        "DELETE FROM passwords WHERE user_id = (SELECT user_id FROM users WHERE name = 'Eve-Of-Old')",
    ),
    "a password of who left": (
        "F10",
        "users",
        "INSERT INTO passwords SELECT user_id, '$argon2id$' FROM users WHERE status = 'deleted'",
    ),
    "a session of nobody": ("F10", "users", "UPDATE sign_ins SET user_id = 'x'"),
    "a session of the future": ("F10", "users", "UPDATE sign_ins SET token_version = 99"),
    "an API key of who left": (
        "F10",
        "users",
        "INSERT INTO api_keys SELECT 'k', user_id, 'bot', 'read', '', 'bearer', zeroblob(32), 1"
        " FROM users WHERE status = 'deleted'",
    ),
    "a notification too early": ("I-36", "notifications", "UPDATE cursors SET sequence = 1"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_named(
    name: str, audited: tuple[Path, int, int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    invariant, service, *statements = DAMAGES[name]
    folder = copied(audited[0], tmp_path / "data")
    damage(folder, service, *statements)
    capsys.readouterr()
    assert verify.run(Settings(data=str(folder))) == 1
    said = capsys.readouterr().out.splitlines()
    wrong = {each for line in said if "WRONG" in line for each in line.partition("  ")[0].split()}
    assert invariant in wrong, said
    assert not said[-1].endswith(", 0 breaches")


def test_a_damaged_file_is_named(
    audited: tuple[Path, int, int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copied(audited[0], tmp_path / "data")
    path = folder / "wallets.db"
    content = bytearray(path.read_bytes())
    for at in range(8 * 4096, len(content), 4096):
        content[at : at + 64] = bytes(64)
    path.write_bytes(content)
    assert verify.run(Settings(data=str(folder))) == 1
    assert "F10" in capsys.readouterr().out


def test_there_is_nothing_to_audit_in_an_empty_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify.run(Settings(data=str(tmp_path / "none"))) == 2
    assert "nothing to audit" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("schema", "says"), [("0002", "has the schema 0002: `borsa migrate`"), ("9999", "has the schema 9999, and this")]
)
def test_a_schema_of_another_version_is_not_audited(
    schema: str, says: str, audited: tuple[Path, int, int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copied(audited[0], tmp_path / "data")
    damage(folder, "wallets", f"UPDATE alembic_version SET version_num = '{schema}'")
    assert verify.run(Settings(data=str(folder))) == 2
    assert f"borsa: nothing to audit: wallets.db {says}" in capsys.readouterr().err


def test_a_file_that_is_no_database_is_wrong(tmp_path: Path) -> None:
    for service in SERVICES:
        (tmp_path / f"{service}.db").write_bytes(b"not a database" * 100)
    assert verify.run(Settings(data=str(tmp_path))) == 1


def test_the_auditor_changes_nothing(audited: tuple[Path, int, int], tmp_path: Path) -> None:
    folder = copied(audited[0], tmp_path / "data")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert verify.run(Settings(data=str(folder))) == 0
    assert {name: (folder / name).read_bytes() for name in before} == before


def test_every_check_says_something_of_its_own() -> None:
    assert len({(check.id, check.says) for check in verify.CHECKS}) == len(verify.CHECKS)


def random_orders(exchange: Stepped, dice: random.Random, users: list[str], rounds: int) -> None:
    """Orders of every kind that meet, amendments and cancels, without waiting for anybody."""
    placed: list[tuple[int, str]] = []
    waiting: dict[int, str] = {}
    for _ in range(rounds):
        for _ in range(dice.randint(1, 5)):
            choice = dice.random()
            if choice < 0.65 or not placed:
                user = dice.choice(users)
                waiting[exchange.put(random_order(dice, user))] = user
            elif choice < 0.85:
                total, price = (
                    dice.choice([None, str(dice.randint(1, 12))]),
                    dice.choice([None, str(dice.randint(94, 106))]),
                )
                exchange.put(amend(*dice.choice(placed[-40:]), quantity=total, price=price))
            else:
                exchange.put(cancel(*dice.choice(placed[-40:])))
        for _ in range(dice.randint(0, 12)):
            dice.choice(app.turn(exchange.writers))()
        for token in [token for token in waiting if token in exchange.outcomes.of]:
            outcome, user = exchange.outcomes.of.pop(token), waiting.pop(token)
            if not isinstance(outcome, Exception):
                placed.append((outcome.order.order_id, user))


def random_order(dice: random.Random, user: str) -> Any:
    kind = dice.choice(["limit"] * 6 + ["market", "stop", "stop_limit"])
    limited, stop, side = kind in ("limit", "stop_limit"), kind.startswith("stop"), dice.choice(["buy", "sell"])
    time = dice.choice(["gtc"] * 5 + ["ioc", "fok"])
    by_budget = not limited and side == "buy" and dice.random() < 0.5
    return limit(
        user,
        side,
        None if by_budget else f"{dice.randint(0, 9)}.{dice.randint(1, 999):03d}",
        f"{dice.randint(95, 105)}.{dice.randint(0, 9)}" if limited else None,
        order_type=kind,
        time_in_force=time,
        post_only=limited and time == "gtc" and dice.random() < 0.1,
        stop_price=str(dice.randint(95, 105)) if stop else None,
        quote_quantity=str(dice.randint(10, 2000)) if by_budget else None,
        self_trade_prevention=dice.choice(["cancel_newest", "cancel_oldest", "cancel_both", "decrement", "none"]),
    )


def reasons(folder: Path) -> set[str]:
    """Why orders ended."""
    with closing(sqlite3.connect(folder / "orders.db")) as connection:
        return {reason for (reason,) in connection.execute("SELECT DISTINCT reason FROM orders")}


@pytest.mark.parametrize(("seed", "band_ppm"), [(seed, seed % 2 * 10_000) for seed in (0, 1, 2, 3, 4, 7)])
def test_whatever_is_ordered_the_books_are_right(seed: int, band_ppm: int, tmp_path: Path) -> None:
    """At any instant, caught up or not, and after a crash."""
    dice = random.Random(seed)
    with Stepped(tmp_path, price_band_ppm=band_ppm, snapshot_events=100) as exchange:
        exchange.ask(fees("BTC-USD", 1000, 2500))
        funds = [{"USD": 10_000 * ONE, "BTC": 100 * ONE}, {"USD": 300 * ONE, "BTC": 3 * ONE}]
        users = [exchange.user(f"u{at}", **funds[at % 2]) for at in range(5)]
        random_orders(exchange, dice, users, 60)
        assert verify.run(exchange.settings) == 0
        settings = exchange.settings
        halted = [stream for writer in exchange.writers.values() for stream in writer.streams if stream.halted]
        assert not halted
    # what was not committed is gone: that was a crash
    with Stepped(
        tmp_path, **{name: getattr(settings, name) for name in ("price_band_ppm", "snapshot_events")}
    ) as again:
        random_orders(again, dice, users, 60)
        assert verify.run(again.settings) == 0
        again.settle()
        assert verify.run(again.settings) == 0
    assert ("price_band" in reasons(tmp_path)) == bool(band_ppm), "or this proves less than it says"


def test_a_hold_that_was_let_go_of_without_an_order_is_right(tmp_path: Path) -> None:
    """As a crash between the hold and its order leaves it: nobody but wallets has a word on its release."""
    with Stepped(tmp_path, unconfirmed_hold_seconds=1) as exchange:
        ann = exchange.user("ann", USD=100 * ONE)
        exchange.ask(
            HoldFunds(hold_id="99", order_id=99, user_id=ann, wallet_id=None, asset="USD", amount=ONE, at_most=False)
        )
        assert verify.run(exchange.settings) == 0
        exchange.writers["wallets"].memory.unconfirmed.set("99", 0)
        exchange.writers["wallets"]._due = [(0, sweep) for sweep in WALLETS.sweeps]
        exchange.settle()
        assert verify.run(exchange.settings) == 0
    with closing(sqlite3.connect(tmp_path / "wallets.db")) as connection:
        assert connection.execute("SELECT status FROM holds").fetchall() == [("void",)]


def test_settings_name_the_folder(audited: tuple[Path, int, int], capsys: pytest.CaptureFixture[str]) -> None:
    assert verify.run(msgspec.structs.replace(Settings(), data=str(audited[0]))) == 0
    assert str(audited[0]) in capsys.readouterr().out


def test_a_busy_exchange_is_right(tmp_path: Path) -> None:
    """Audited while orders come in: what is on its way between services is nobody's breach."""
    with Running(tmp_path, price_band_ppm=0) as running:
        people = [running.person(USD="100000", BTC="100") for _ in range(2)]
        stopping = threading.Event()

        def trade(person: Person) -> None:
            dice = random.Random(person.name)
            while not stopping.is_set():
                body = {"symbol": "BTC-USD", "quantity": "0.1", "price": str(dice.randint(95, 105))}
                placed = person.post("/api/orders", body | {"type": dice.choice(["buy", "sell"])})
                if dice.random() < 0.2:
                    person.call("DELETE", f"/api/orders/{placed['orderId']}")

        with ThreadPoolExecutor(2) as pool:
            trading = [pool.submit(trade, person) for person in people]
            said = [verify.run(running.settings) for _ in range(6)]
            stopping.set()
        for each in trading:
            each.result()
        assert said == [0] * 6
