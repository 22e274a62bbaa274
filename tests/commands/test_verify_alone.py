"""borsa verify: damage that only one check can see, and is seen by exactly this one."""

import sqlite3
import uuid
from contextlib import closing
from pathlib import Path

import pytest

from borsa.commands import verify
from borsa.settings import Settings
from tests.commands.audited import copied, damage
from tests.support.running import Running

RELEASE = "type = 'WalletUpdated' AND CAST(data AS TEXT) LIKE '%\"kind\":\"release\"%'"
NEXT = "(SELECT max(sequence) + 1 FROM log), (SELECT max(time) FROM log)"

DAMAGES = {
    "a market changes": (
        "every market is as it was last told",
        "orders",
        "UPDATE markets SET min_notional = min_notional + 1 WHERE symbol = 'BTC-USD'",
    ),
    "a fee rate changes": (
        "every market is as it was last told",
        "orders",
        "UPDATE markets SET taker_fee = 0 WHERE symbol = 'BTC-USD'",
    ),
    "a portfolio is another": (
        "every portfolio and holding is as it was last told",
        "portfolios",
        "UPDATE portfolios SET version = version + 1",
    ),
    "a portfolio of somebody else": (
        "every portfolio and holding is as it was last told",
        "portfolios",
        "INSERT INTO portfolios VALUES ('new', 'somebody', 'mine', 0, 1, 1)",
    ),
    "no default wallet": (
        "each user has one default wallet and portfolio",
        "wallets",
        "UPDATE wallets SET is_default = 0 WHERE user_id = (SELECT min(user_id) FROM wallets)",
    ),
    "no default portfolio": (
        "each user has one default wallet and portfolio",
        "portfolios",
        "UPDATE portfolios SET is_default = 0 WHERE user_id = (SELECT min(user_id) FROM portfolios)",
    ),
    "a cancel is never answered": (
        "whatever was asked of the engine was answered",
        "orders",
        "UPDATE orders SET cancel_requested = 1 WHERE status = 'open'",
    ),
    "an amendment is never answered": (
        "whatever was asked of the engine was answered",
        "orders",
        "UPDATE orders SET amending = 1 WHERE order_id IN (SELECT order_id FROM amendments)"
        " AND status IN ('open', 'partially_filled')",
    ),
    "a user is created twice": (
        "what can happen once was told once",
        "users",
        f"INSERT INTO log SELECT {NEXT}, type, subject, correlation, causation, data FROM log"
        " WHERE sequence = (SELECT min(sequence) FROM log WHERE type = 'UserCreated')",
    ),
    "a release without a word": (
        "money moves for a trade or a release on the engine's word only",
        "wallets",
        f"UPDATE log SET causation = NULL WHERE sequence = (SELECT min(sequence) FROM log WHERE {RELEASE})",
    ),
    "a release on a word about another": (
        "money moves for a trade or a release on the engine's word only",
        "wallets",
        f"UPDATE log SET causation = 'trades/1' WHERE sequence = (SELECT max(sequence) FROM log WHERE {RELEASE})",
    ),
    "a delivery of nothing": (
        "what is sent is a notification of who gets it",
        "notifications",
        "INSERT INTO deliveries VALUES ('n', 'webhook', 'u', 0, 1, 'sent', NULL)",
    ),
    "a delivery to somebody else": (
        "what is sent is a notification of who gets it",
        "notifications",
        "INSERT INTO deliveries SELECT notification_id, 'webhook', 'u', 0, 1, 'sent', NULL FROM notifications LIMIT 1",
    ),
    "a password in plain": (
        "no secret is kept in plain",
        "users",
        "UPDATE passwords SET hash = 'quiet-harbour-lantern-42' WHERE user_id = (SELECT min(user_id) FROM passwords)",
    ),
    "a password in another table": (
        "no secret is kept in plain",
        "users",
        "UPDATE users SET email = (SELECT hash FROM passwords LIMIT 1) WHERE name = 'admin'",
    ),
    "an API key's secret in plain": (
        "no secret is kept in plain",
        "users",
        "INSERT INTO api_keys SELECT 'k', user_id, 'mine', 'read', '', 'bearer', x'706c61696e', 1"
        " FROM users WHERE name = 'admin'",
    ),
}


@pytest.fixture(autouse=True)
def _no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("borsa.commands.audit.moment.QUIET_TRIES_MAX", 3)


def wrong(folder: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What the checks say that found something wrong."""
    capsys.readouterr()
    status = verify.run(Settings(data=str(folder)))
    lines = [line for line in capsys.readouterr().out.splitlines() if "WRONG" in line]
    assert status == bool(lines)
    return [line.partition("  ")[2].rpartition(": ")[0] for line in lines]


@pytest.mark.parametrize("name", DAMAGES)
def test_one_check_sees_it(
    name: str, audited: tuple[Path, int, int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    says, service, *statements = DAMAGES[name]
    folder = copied(audited[0], tmp_path / "data")
    damage(folder, service, *statements)
    assert wrong(folder, capsys) == [says]


# secrets -----------------------------------------------------------------------------------------------------------


KINDS = ("an access token", "a refresh token", "an API key", "a webhook secret", "a private key", "a password hash")

PLACES = {
    "an answer of users": ("users", "INSERT INTO answers VALUES ('o', 'k', x'00', NULL, CAST(? AS BLOB), 1)"),
    "an answer of orders": ("orders", "INSERT INTO answers VALUES ('o', 'k', x'00', NULL, CAST(? AS BLOB), 1)"),
    "a column of text": ("users", "UPDATE users SET email = ? WHERE name = 'admin'"),
    "an event": ("users", "UPDATE log SET correlation = ? WHERE sequence = 1"),
    "what a user was told": (
        "notifications",
        "INSERT INTO deliveries SELECT notification_id, 'webhook', user_id, 1, 1, 'sent', ? FROM notifications LIMIT 1",
    ),
}
"""Where a secret might be left, with something before and after it."""


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A folder, and one of each secret that was handed out from it."""
    folder = tmp_path_factory.mktemp("secrets") / "data"
    with Running(folder) as running:
        ann = running.person(BTC="1")
        wanted = {"label": "mine", "scopes": ["read"]}
        key = ann.post("/api/users/api-keys", wanted, headers={"idempotency-key": str(uuid.uuid4())})
        ann.post("/api/users/api-keys", wanted | {"label": "signing", "type": "hmac"})
        wish = {"channels": {"webhook": {"url": "https://8.8.8.8/hook", "kinds": ["fill"]}}}
        kept = ann.call("PUT", "/api/notifications/preferences", wish, {"idempotency-key": str(uuid.uuid4())})
    with closing(sqlite3.connect(folder / "users.db")) as database:
        (password_hash,) = database.execute("SELECT hash FROM passwords").fetchone()
    return folder, {
        "an access token": ann.tokens["accessToken"],
        "a refresh token": ann.tokens["refreshToken"],
        "an API key": key["secret"],
        "a webhook secret": kept.json()["channels"]["webhook"]["secret"],
        "a private key": (folder / "token-key.pem").read_text(),
        "a password hash": password_hash,
    }


def test_nothing_that_is_handed_out_is_kept(
    secrets: tuple[Path, dict[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, found = secrets
    assert tuple(found) == KINDS
    assert wrong(folder, capsys) == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", PLACES)
def test_a_secret_is_recognised_wherever_it_is_left(
    kind: str, place: str, secrets: tuple[Path, dict[str, str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copied(secrets[0], tmp_path / "data")
    service, statement = PLACES[place]
    with closing(sqlite3.connect(folder / f"{service}.db")) as database, database:
        assert database.execute(statement, (f'{{"kept":"{secrets[1][kind]}"}}',)).rowcount == 1
    assert wrong(folder, capsys) == ["no secret is kept in plain"]


def test_what_only_begins_like_a_secret_is_none(
    secrets: tuple[Path, dict[str, str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copied(secrets[0], tmp_path / "data")
    text = "eyJ is how tokens begin, whsec_ and borsa_ are prefixes; a PRIVATE KEY stays private, version 1.2.3 too"
    with closing(sqlite3.connect(folder / "users.db")) as database, database:
        database.execute("UPDATE users SET email = ? WHERE name = 'admin'", (text,))
    assert wrong(folder, capsys) == []
