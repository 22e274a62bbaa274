"""borsa explain balance: every posting with its cause, in order, until the figure of the balance is reached."""

import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from borsa.cli import cli
from borsa.commands.audit.moment import Moment
from borsa.services.wallets.model import Adjust, Deposit, OpenWallet
from tests.commands.audited import everything_happens
from tests.support.running import Running
from tests.support.stepped import Stepped, amend, cancel, fees, limit

ONE = 10**8

ANNS_USD = [
    "1 available +1000.00 1000.00 0.00 1000.00 faucet by ann",
    # two orders in one commit are one entry
    "4 available -90.00 910.00 0.00 910.00 held for order 1 (limit buy BTC-USD)",
    "4 held +90.00 910.00 90.00 1000.00 held for order 1 (limit buy BTC-USD)",
    "4 available -85.00 825.00 90.00 915.00 held for order 2 (limit buy BTC-USD)",
    "4 held +85.00 825.00 175.00 1000.00 held for order 2 (limit buy BTC-USD)",
    "5 held -85.00 825.00 90.00 915.00 released by order 2 (limit buy BTC-USD)",
    "5 available +85.00 910.00 90.00 1000.00 released by order 2 (limit buy BTC-USD)",
    "7 available -220.00 690.00 90.00 780.00 held for order 4 (limit buy BTC-USD)",
    "7 held +220.00 690.00 310.00 1000.00 held for order 4 (limit buy BTC-USD)",
    "8 held -220.00 690.00 90.00 780.00 trade T1: order 4 bought 2 BTC at 100.00",
    "8 available +20.00 710.00 90.00 800.00 trade T1: order 4 bought 2 BTC at 100.00, price improvement",
    "9 held -30.00 710.00 60.00 770.00 released by order 1 (limit buy BTC-USD)",
    "9 available +30.00 740.00 60.00 800.00 released by order 1 (limit buy BTC-USD)",
    "10 available -5.00 735.00 60.00 795.00 adjustment by admin: a slip",
    "at 10 balance 735.00 60.00 795.00",
    "the balance is exactly the sum of its postings",
]
BOBS_USD = [
    "8 available +199.80 199.80 0.00 199.80 trade T1: order 3 sold 2 BTC at 100.00, fee 0.20 USD",
    "at 8 balance 199.80 0.00 199.80",
    "the balance is exactly the sum of its postings",
]
ANNS_BTC = [
    "3 available +9 9 0 9 faucet by ann",
    "8 available +1.996 10.996 0 10.996 trade T1: order 4 bought 2 BTC at 100.00, fee 0.004 BTC",
    "at 8 balance 10.996 0 10.996",
    "the balance is exactly the sum of its postings",
]


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ann's history, number by number: deposits, holds, a cancel, a trade at a better price, an amendment, a slip."""
    folder = tmp_path_factory.mktemp("explain")
    with Stepped(folder, price_band_ppm=0) as exchange:
        exchange.ask(fees("BTC-USD", 1000, 2000))
        ann = exchange.user("ann", USD=1000 * ONE)
        bob = exchange.user("bob", BTC=5 * ONE)
        exchange.give(ann, "BTC", 9 * ONE)
        bids = [exchange.put(limit(ann, "buy", "1", price)) for price in ("90", "85")]
        exchange.settle()
        kept, gone = (exchange.outcomes.of[bid].order.order_id for bid in bids)
        exchange.ask(cancel(gone, ann))
        exchange.ask(limit(bob, "sell", "2", "100"))
        exchange.ask(limit(ann, "buy", "2", "110"))
        exchange.ask(amend(kept, ann, price="60"))
        slip = Adjust(
            wallet_id=exchange.wallet_id(ann), asset="USD", delta=-5 * ONE, reason="a slip", author=admin_of(exchange)
        )
        exchange.ask(slip)
        exchange.ask(OpenWallet(user_id=bob, name="savings"))
    return folder


@pytest.fixture
def folder(traded: Path, tmp_path: Path) -> Path:
    """A copy to be damaged."""
    return shutil.copytree(traded, tmp_path / "data")


def admin_of(exchange: Stepped) -> str:
    return str(exchange.writers["users"].memory.user_named("admin").user_id)


def damage(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / "wallets.db")) as database, database:
        assert database.execute(statement).rowcount, statement


def explain(folder: Path, *given: str) -> Result:
    return CliRunner().invoke(cli, ["explain", "balance", *given, "--data", str(folder)])


def lines_of(said: Result) -> list[str]:
    """The lines below the head, without times, each blank once, trades numbered as they come."""
    text = re.sub(r"\d{4}-\d\d-\d\dT\S+Z", "", said.output)
    for at, trade in enumerate(dict.fromkeys(re.findall(r"trade (\d+):", text)), 1):
        text = text.replace(f"trade {trade}:", f"trade T{at}:")
    title, head, *lines = (" ".join(line.split()) for line in text.splitlines())
    assert ", wallet " in title
    assert head == "entry time moves amount available held total because"
    return lines


@pytest.mark.parametrize(
    ("user", "asset", "due"),
    [("ann", "USD", ANNS_USD), ("ann", "BTC", ANNS_BTC), ("bob", "USD", BOBS_USD)],
    ids=["dollars", "a fee in the base asset", "a fee in the quote asset"],
)
def test_every_posting_has_its_cause(user: str, asset: str, due: list[str], traded: Path) -> None:
    said = explain(traded, user, asset)
    assert lines_of(said) == due
    assert said.exit_code == 0


def test_a_user_is_found_by_id_and_by_name_however_it_is_written(traded: Path) -> None:
    by_name = explain(traded, "ann", "USD").output
    assert explain(traded, "user-ann", "USD").output == by_name
    assert explain(traded, "ANN", "USD").output == by_name


def test_the_times_are_those_of_the_entries(traded: Path) -> None:
    said = explain(traded, "ann", "USD").output
    assert len(re.findall(r" \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z ", said)) == len(ANNS_USD) - 2


@pytest.mark.parametrize("last", [1, 5, 13])
def test_a_long_history_starts_with_its_sum(last: int, traded: Path) -> None:
    lines = lines_of(explain(traded, "ann", "USD", "--last", str(last)))
    postings = ANNS_USD[:-2]
    before = postings[-last - 1].split(" ")
    assert lines[0] == f"to {before[0]} {' '.join(before[3:6])} {len(postings) - last} postings carried over"
    assert lines[1:] == ANNS_USD[-last - 2 :]


def test_nothing_is_carried_over_of_a_short_history(traded: Path) -> None:
    assert lines_of(explain(traded, "ann", "USD", "--last", "14")) == ANNS_USD


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        (
            "UPDATE balances SET available = available + 7 WHERE wallet_id = {ann} AND asset = 'USD'",
            ["available is 735.00000007, 0.00000007 beyond what its postings come to"],
        ),
        (
            "UPDATE balances SET held = 0 WHERE wallet_id = {ann} AND asset = 'USD'",
            ["held is 0.00, -60.00 beyond what its postings come to"],
        ),
        (
            "DELETE FROM postings WHERE entry_id = 10 AND wallet_id = {ann}",
            [
                "available is 735.00, -5.00 beyond what its postings come to",
                "the balance is of entry 10, the last posting is of entry 9",
            ],
        ),
        (
            "DELETE FROM balances WHERE wallet_id = {ann} AND asset = 'USD'",
            ["the postings come to this, and there is no balance"],
        ),
    ],
    ids=["available", "held", "a posting is missing", "no balance"],
)
def test_what_differs_is_said(statement: str, says: list[str], folder: Path) -> None:
    damage(folder, statement.format(ann="(SELECT wallet_id FROM wallets WHERE user_id = 'user-ann')"))
    said = explain(folder, "ann", "USD")
    assert said.exit_code == 1
    assert lines_of(said)[-len(says) :] == says


def test_a_posting_of_no_entry_is_named(folder: Path) -> None:
    damage(folder, "DELETE FROM entries WHERE entry_id = 10")
    assert "10 available -5.00 735.00 60.00 795.00 entry 10, which does not exist" in lines_of(
        explain(folder, "ann", "USD")
    )


def test_each_wallet_has_a_history_of_its_own(folder: Path) -> None:
    with Stepped(folder, price_band_ppm=0) as exchange:
        ann = "user-ann"
        second = exchange.ask(OpenWallet(user_id=ann, name="savings"))
        gift = Deposit(wallet_id=second.wallet_id, user_id=ann, asset="USD", amount=3 * ONE)
        exchange.ask(gift)
    said = explain(folder, "ann", "USD")
    assert said.exit_code == 0
    titles = [line for line in said.output.splitlines() if line.startswith("ann, wallet ")]
    assert [re.findall(r"\((.*)\), USD$", title) for title in titles] == [["default"], ["savings"]]
    assert " ".join(said.output.split()).endswith(
        "+3.00 3.00 0.00 3.00 faucet by ann at 11 balance 3.00 0.00 3.00 the balance is exactly the sum of its postings"
    )


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (("nobody", "USD"), "there is no user nobody"),
        (("ann", "EUR"), "ann never had EUR"),
    ],
    ids=["user", "asset"],
)
def test_there_is_nothing_to_explain(given: tuple[str, ...], says: str, traded: Path) -> None:
    said = explain(traded, *given)
    assert (said.exit_code, said.stderr) == (2, f"borsa: nothing to explain: {says}\n")


def test_there_is_nothing_to_explain_in_an_empty_folder(tmp_path: Path) -> None:
    said = explain(tmp_path / "none", "ann", "USD")
    assert said.exit_code == 2
    assert "has no databases" in said.stderr
    assert not (tmp_path / "none").exists()


def test_every_balance_of_a_running_exchange_is_explained(tmp_path: Path) -> None:
    with Running(tmp_path / "data", price_band_ppm=900_000) as running:
        everything_happens(running)
        folder = running.settings.folder
        with Moment(folder, ()) as moment:
            owned = list(moment.rows(OWNED))
        assert len(owned) == 6
        for name, asset in owned:
            said = explain(folder, name, asset)
            assert said.exit_code == 0, said.output
            assert "does not exist" not in said.output
            assert "never came to be" not in said.output
            assert "neither side" not in said.output


OWNED = """
    SELECT u.name, b.asset FROM wallets.balances b
    JOIN wallets.wallets w USING (wallet_id) JOIN users.users u USING (user_id)
"""
