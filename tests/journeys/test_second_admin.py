"""An adjustment above the cap of a day: one admin asks, a second one approves, and it is posted once."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from borsa.commands import verify
from borsa.errors import Refused
from borsa.services.wallets import WALLETS, border
from borsa.services.wallets.model import Adjust, Decide, custody_of
from borsa.settings import BadSetting, load
from tests.api.stage import fields, keyed, problem
from tests.support.running import Person, Running
from tests.support.stepped import Stepped

CAP = "100000000"
APPROVALS = "/api/wallets/approvals"


class Office:
    """Two admins, and a user whose wallet they work on."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.ann = running.admin()
        self.bob = running.person()
        self.ann.call("PUT", f"/api/users/{self.bob.user_id}", {"role": "admin"})
        self.bob.signed_in()
        self.user = running.person()

    def propose(
        self, delta: str = "+100000001", asset: str = "USD", key: dict[str, str] | None = None
    ) -> httpx.Response:
        """Ann asks for an adjustment."""
        body = {"asset": asset, "delta": delta, "reason": "a large deposit"}
        return self.ann.call("PUT", f"/api/wallets/{self.user.wallet_id}", body, key or keyed())

    def proposed(self, delta: str = "+100000001", asset: str = "USD") -> str:
        """The id of what Ann asked for."""
        approval: str = self.propose(delta, asset).json()["approvalId"]
        return approval

    def said(self, who: Person, approval_id: str, word: str, reason: str = "seen the papers") -> httpx.Response:
        """Somebody's word on it."""
        return who.call("POST", f"{APPROVALS}/{approval_id}/{word}", {"reason": reason})

    def one(self, approval_id: str) -> dict[str, Any]:
        """An approval as it is listed."""
        (found,) = [each for each in self.bob.get(APPROVALS)["data"] if each["approvalId"] == approval_id]
        return dict(found)

    def balance(self, asset: str = "USD") -> str | None:
        """What the user has."""
        has: dict[str, str] = self.user.wallet()["balance"]
        return has.get(asset)

    def acts(self) -> list[str]:
        """What is in the audit of wallets, newest first."""
        return [each["action"] for each in self.ann.get("/api/actions?service=wallets&limit=1000")["data"]]


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("second") / "data") as running:
        yield running
        assert verify.run(running.settings) == 0


@pytest.fixture
def office(exchange: Running) -> Office:
    return Office(exchange)


def test_one_asks_and_another_approves(office: Office) -> None:
    asked = office.propose()
    assert asked.status_code == 202
    approval = asked.json()
    assert (approval["status"], approval["delta"], approval["author"]) == (
        "pending",
        "100000001.00",
        office.ann.user_id,
    )
    assert (approval["reason"], approval["decidedBy"], approval["entryId"]) == ("a large deposit", None, None)
    assert office.balance() is None
    given = office.said(office.bob, approval["approvalId"], "approve")
    assert given.status_code == 200, given.text
    assert (given.json()["status"], given.json()["decidedBy"]) == ("approved", office.bob.user_id)
    assert given.json()["verdict"] == "seen the papers"
    assert office.balance() == "100000001.00"
    (entry,) = office.user.get(f"/api/wallets/{office.user.wallet_id}/entries")["data"]
    assert (entry["entryId"], entry["kind"]) == (given.json()["entryId"], "adjustment")
    assert (entry["reference"], entry["reason"]) == (approval["approvalId"], "a large deposit")
    assert office.one(approval["approvalId"]) == given.json()


def test_nobody_approves_what_they_asked_for(office: Office) -> None:
    approval = office.proposed()
    assert problem(office.said(office.ann, approval, "approve"), 403)["code"] == "own_approval"
    assert office.one(approval)["status"] == "pending"
    assert office.balance() is None


def test_a_key_does_not_approve(office: Office) -> None:
    approval = office.proposed()
    made = office.bob.post("/api/users/api-keys", {"label": "bot", "scopes": ["read", "trade"]})
    headers = {"authorization": f"Bearer {made['secret']}"}
    answer = office.running.http.post(f"{APPROVALS}/{approval}/approve", json={"reason": "I am a bot"}, headers=headers)
    assert problem(answer, 403)["code"] == "forbidden"
    assert office.one(approval)["status"] == "pending"


def test_what_is_rejected_is_never_posted(office: Office) -> None:
    approval = office.proposed()
    assert office.said(office.bob, approval, "reject", "a slip").json()["status"] == "rejected"
    for who in (office.ann, office.bob):
        assert problem(office.said(who, approval, "approve"), 409)["code"] == "approval_closed"
    assert problem(office.said(office.ann, approval, "reject"), 409)["code"] == "approval_closed"
    assert office.said(office.bob, approval, "reject").json()["verdict"] == "a slip"
    assert office.balance() is None


def test_who_asked_may_take_it_back(office: Office) -> None:
    assert office.said(office.ann, office.proposed(), "reject").json()["status"] == "rejected"


def test_it_is_posted_once_however_often_it_is_approved(office: Office) -> None:
    approval = office.proposed("+100000002")
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: office.said(office.bob, approval, "approve"), range(30)))
    assert {each.status_code for each in answers} == {200}
    assert len({each.text for each in answers}) == 1
    assert problem(office.said(office.bob, approval, "reject"), 409)["code"] == "approval_closed"
    assert office.balance() == "100000002.00"


def test_a_repeat_with_its_key_is_the_same_approval(office: Office) -> None:
    key = keyed()
    first = office.propose(key=key)
    again = office.propose(key=key)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json()
    office.said(office.bob, first.json()["approvalId"], "approve")
    assert office.propose(key=key).json() == first.json()
    assert office.balance() == "100000001.00"


def test_what_can_not_be_posted_is_refused_at_once(office: Office) -> None:
    assert problem(office.propose("-100000001"), 422)["code"] == "insufficient_funds"
    assert fields(office.propose("+100000001", "NOPE")) == ["asset"]


def test_what_was_possible_once_is_looked_at_again_when_it_is_approved(office: Office) -> None:
    office.said(office.bob, office.proposed("+100000005"), "approve")
    taken = office.proposed("-100000005")
    assert office.propose("-1").status_code == 200
    refused = office.said(office.bob, taken, "approve")
    assert problem(refused, 422)["code"] == "insufficient_funds"
    assert office.one(taken)["status"] == "pending"
    assert office.balance() == "100000004.00"


def test_what_two_admins_posted_leaves_the_cap_to_one(tmp_path: Path) -> None:
    with Running(tmp_path / "data") as running:
        office = Office(running)
        office.said(office.bob, office.proposed("+500000000"), "approve")
        assert office.propose(f"+{CAP}").status_code == 200
        assert office.propose("+0.01").status_code == 202
        assert verify.run(running.settings) == 0


def test_every_step_is_in_the_audit(tmp_path: Path) -> None:
    with Running(tmp_path / "data") as running:
        office = Office(running)
        first, second = office.proposed(), office.proposed()
        office.said(office.bob, first, "approve")
        office.said(office.bob, second, "reject")
        found = office.ann.get("/api/actions?service=wallets")["data"]
        assert [(each["action"], each["target"], each["author"]) for each in found] == [
            ("adjustment.rejected", second, office.bob.user_id),
            ("adjustment.approved", first, office.bob.user_id),
            ("adjustment.proposed", second, office.ann.user_id),
            ("adjustment.proposed", first, office.ann.user_id),
        ]
        details = found[1]["details"]
        assert details["proposedBy"] == office.ann.user_id
        assert (details["delta"], details["asset"], details["verdict"]) == ("100000001.00", "USD", "seen the papers")


def test_lists_of_approvals(office: Office) -> None:
    one, two, three = (office.proposed() for _ in range(3))
    office.said(office.bob, two, "reject")
    pending = [each["approvalId"] for each in office.bob.get(f"{APPROVALS}?status=pending&limit=1000")["data"]]
    assert pending[:2] == [three, one]
    assert two not in pending
    page = office.bob.get(f"{APPROVALS}?limit=2")
    assert [each["approvalId"] for each in page["data"]] == [three, two]
    rest = office.bob.get(f"{APPROVALS}?limit=1&cursor={page['nextCursor']}")
    assert [each["approvalId"] for each in rest["data"]] == [one]
    assert fields(office.bob.call("GET", f"{APPROVALS}?status=lost")) == ["status"]


def test_a_word_on_nothing_is_about_nothing(office: Office) -> None:
    for word in ("approve", "reject"):
        assert (
            problem(office.said(office.bob, "01a2049e-031e-7055-9378-422f8977b1f1", word), 404)["code"] == "not_found"
        )
        assert fields(office.bob.call("POST", f"{APPROVALS}/x/{word}", {})) == ["reason"]


def test_a_wallet_that_closed_meanwhile_gets_nothing(office: Office) -> None:
    wallet = office.user.post("/api/wallets", {"name": "further"})["walletId"]
    body = {"asset": "USD", "delta": "+100000001", "reason": "late"}
    approval = office.ann.call("PUT", f"/api/wallets/{wallet}", body, keyed()).json()["approvalId"]
    assert office.user.call("DELETE", f"/api/wallets/{wallet}").status_code == 204
    assert problem(office.said(office.bob, approval, "approve"), 404)["code"] == "not_found"


def test_an_approval_survives_a_start(tmp_path: Path) -> None:
    with Running(tmp_path / "data") as running:
        office = Office(running)
        approval = office.proposed()
        name = office.bob.name
    with Running(tmp_path / "data") as running:
        bob = Person(running, name, office.bob.password).signed_in()
        assert office.user.wallet_id
        assert bob.post(f"{APPROVALS}/{approval}/approve", {"reason": "still so"}, 200)["status"] == "approved"


# time --------------------------------------------------------------------------------------------------------------


def ask_for(exchange: Stepped, delta: int = 2 * 10**16) -> str:
    """An adjustment that needs a second admin."""
    wallet = exchange.wallet_id(exchange.user("ann"))
    asked = exchange.ask(Adjust(wallet_id=wallet, asset="USD", delta=delta, reason="large", author="admin-1"))
    return str(asked.approval.approval_id)


def approve(approval_id: str) -> Decide:
    return Decide(approval_id=approval_id, admin="admin-2", approve=True, verdict="late")


def test_what_nobody_approves_in_time_expires(tmp_path: Path) -> None:
    with Stepped(tmp_path / "data") as exchange:
        approval_id = ask_for(exchange)
        writer = exchange.writers["wallets"]
        border.expire_approvals(writer._tx, writer.memory)
        assert writer.memory.approvals.get(approval_id).status == "pending"
        writer._tx.now += 24 * border.HOUR
        with pytest.raises(Refused, match="approval_closed"):
            exchange.ask(approve(approval_id))
        border.expire_approvals(writer._tx, writer.memory)
        writer._commit()
        assert writer.memory.approvals.get(approval_id).status == "expired"
        with pytest.raises(Refused, match="approval_closed"):
            exchange.ask(approve(approval_id))
    with closing(sqlite3.connect(tmp_path / "data" / "wallets.db")) as database:
        rows = database.execute("SELECT author, action, target FROM actions ORDER BY sequence").fetchall()
    assert rows[-1] == ("borsa", "adjustment.expired", approval_id)


def test_the_cap_counts_what_is_posted_in_one_commit(tmp_path: Path) -> None:
    """What is on its way to the disk can't be read there yet; many at once must not pass the cap together."""
    with Stepped(tmp_path / "data") as exchange:
        wallet = exchange.wallet_id(exchange.user("ann"))
        most = 10**8 * 10**8

        def asked(delta: int) -> int:
            return exchange.put(Adjust(wallet_id=wallet, asset="USD", delta=delta, reason="one", author="admin-1"))

        def waits(token: int) -> bool:
            return exchange.outcomes.of[token].approval is not None

        approval_id = exchange.ask(
            Adjust(wallet_id=wallet, asset="USD", delta=3 * most, reason="two", author="admin-1")
        ).approval.approval_id
        # what two approved in the same commit leaves the cap as it is, neither smaller nor larger
        exchange.put(approve(approval_id))
        tokens = [asked(most // 10) for _ in range(20)]
        exchange.settle()
        assert [waits(token) for token in tokens] == [False] * 10 + [True] * 10
        more = [asked(1) for _ in range(3)]
        exchange.settle()
        assert [waits(token) for token in more] == [True] * 3


def test_the_sweep_is_in_the_manifest() -> None:
    assert border.expire_approvals in [sweep.deed for sweep in WALLETS.sweeps]


# custody -----------------------------------------------------------------------------------------------------------


def test_users_are_never_owed_more_than_is_in_custody(tmp_path: Path) -> None:
    """Bithumb, 2026: 620,000 BTC were credited where some 46,000 were held."""
    with Running(tmp_path / "data", custody="BTC=100,USD=200000000.5") as running:
        office = Office(running)
        other = running.person()
        assert office.propose("+60", "BTC").status_code == 200
        refused = problem(office.propose("+40.00000001", "BTC"), 422)
        assert (refused["code"], "100 BTC" in refused["detail"]) == ("above_custody", True)
        draw = other.call("POST", f"/api/wallets/{other.wallet_id}/faucet", {"asset": "BTC", "amount": "41"})
        assert problem(draw, 422)["code"] == "above_custody"
        assert office.propose("+40", "BTC").status_code == 200
        assert office.propose("-10", "BTC").status_code == 200
        other.post(f"/api/wallets/{other.wallet_id}/faucet", {"asset": "BTC", "amount": "10"}, 200)
        # no bound was declared for it
        assert office.propose("+1000000", "ETH").status_code == 200
        # what is approved is looked at when it is posted
        first, second = office.proposed("+150000000"), office.proposed("+150000000")
        assert office.said(office.bob, first, "approve").status_code == 200
        assert problem(office.said(office.bob, second, "approve"), 422)["code"] == "above_custody"
        assert verify.run(running.settings) == 0


@pytest.mark.parametrize(
    "text", ["BTC", "BTC=", "BTC=1;", "btc=1", "BTC=1,", "BTC=-1", "BTC=1e3", "BTC=1,,USD=2", "=1"]
)
def test_a_custody_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(BadSetting, match="BORSA_CUSTODY"):
        load({"BORSA_CUSTODY": text})


def test_a_custody_is_read() -> None:
    assert custody_of(load({"BORSA_CUSTODY": "BTC=1000,USD=0.5"}).custody) == {"BTC": 1000 * 10**8, "USD": 5 * 10**7}
    assert custody_of(load({}).custody) == {}
