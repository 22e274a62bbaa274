"""What must always be true: each invariant with its number, and what proves it where no data can."""

import msgspec


class Invariant(msgspec.Struct, frozen=True):
    """`in_data`: the databases show whether it is kept, so `borsa verify` has a check of it. `tests` prove what they
    don't show, and `beyond` says what that is."""

    id: str
    says: str
    in_data: bool
    tests: tuple[str, ...] = ()
    beyond: str = ""


def _shown(number: str, says: str, *tests: str, beyond: str = "") -> Invariant:
    return Invariant(number, says, True, tests, beyond)


def _tested(number: str, says: str, *tests: str, beyond: str) -> Invariant:
    return Invariant(number, says, False, tests, beyond)


INVARIANTS: tuple[Invariant, ...] = (
    _shown("I-01", "each asset sums to zero over users, fees and the outside world"),
    _shown("I-02", "nothing that a user has is ever below zero"),
    _shown("I-03", "held = sum of the open holds = sum of what the open orders need"),
    _shown("I-04", "each hold: placed = spent + released + remaining, never below zero, and it ends once"),
    _shown("I-05", "each entry balances for each asset, has two postings or more, and never changes"),
    _shown("I-06", "each balance is the fold of its postings"),
    _shown("I-07", "users own no more of an asset than came in"),
    _shown("I-08", "a closed order holds nothing, an open one exactly what it needs"),
    _shown(
        "I-09",
        "a hold that was refused or voided never succeeds later",
        "tests/services/wallets/test_holds.py",
        beyond="a request that comes late",
    ),
    _shown("I-10", "filled = sum of its trades, quantity = filled + prevented + remaining"),
    _shown("I-11", "an order's status only goes forward, and nowhere from its end"),
    _shown("I-12", "each trade has two legs of different orders that were there before it, and one settlement"),
    _shown("I-13", "each price is the maker's and within both limits; a buyer never pays more"),
    _shown("I-14", "fees are those of the rates, never above the proceeds, and all of them arrive"),
    _shown("I-15", "no trade is for nothing"),
    _shown("I-16", "nobody trades with themselves, unless the order said so"),
    _shown("I-20", "at rest the best bid is below the best ask"),
    _shown("I-21", "price-time priority: nobody in front was passed over"),
    _shown(
        "I-22",
        "the books are the fold of the orders log, and the same log gives the same books",
        "tests/matching/test_equality.py",
        "tests/matching/test_snapshot.py",
        beyond="both kernels, any hash seed, any snapshot",
    ),
    _shown(
        "I-23",
        "a level is the sum of its orders, and none of them is empty",
        "tests/matching/test_streams.py",
        beyond="levels: no database has them",
    ),
    _shown("I-24", "market, ioc and fok never rest, fok is all or nothing, post-only never takes"),
    _shown(
        "I-30",
        "each event is applied once by each consumer, in its sequence",
        "tests/runtime/test_streams.py",
        beyond="events that come twice, late or not at all",
    ),
    _shown(
        "I-31",
        "each change has its event in the same transaction, and each event its change",
        "tests/runtime/test_writer.py",
        beyond="that it is the same transaction",
    ),
    _shown("I-32", "the same id has the same content, also when it is made again"),
    _shown(
        "I-33",
        "what is read is the fold of the logs",
        "tests/services/portfolios/test_properties.py",
        beyond="cost and realized P&L: a deposit is worth the price that portfolios saw at that moment",
    ),
    _shown("I-34", "versions only grow"),
    _shown("I-35", "nothing happens before its cause; money moves for orders on the engine's word only"),
    _shown("I-36", "one notification for each event, user and kind; one delivery for each channel"),
    _shown("I-37", "the candles are the fold of the trades on the tape"),
    _tested(
        "I-40",
        "whoever was answered sees it at the next read",
        "tests/api/test_reads.py",
        beyond="what was read, and when",
    ),
    _tested(
        "I-41",
        "a call that is repeated under its key has the same answer",
        "tests/api/test_requests.py",
        "tests/api/test_races.py",
        beyond="what was answered the second time",
    ),
    _tested(
        "I-42",
        "what happens to one account at once is as if it had happened in some order",
        "tests/api/test_races.py",
        "tests/services/wallets/test_ledger.py",
        beyond="when requests came and were answered (races are tried, no whole history is judged yet)",
    ),
    _shown(
        "I-43",
        "once nothing comes in, nobody waits for ever",
        "tests/crash/test_kill.py",
        beyond="that it converges in time after a fault",
    ),
    _tested(
        "I-50",
        "no answer has anything of somebody else",
        "tests/security/test_authorization.py",
        beyond="what was answered to whom",
    ),
    _shown(
        "I-51",
        "no password, token or key is in a database, an event or a log in plain",
        "tests/security/test_passwords.py",
        beyond="passwords, which look like any text, and the log on standard error",
    ),
    _shown("F10", "a file that was damaged is named"),
)
"""By their numbers: ledger (from 01), orders and trades (10), books (20), events (30), API (40), secrets (50)."""
