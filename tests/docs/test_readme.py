"""The README is short, and what it tells a newcomer to paste works."""

import json
import re
import shutil
import subprocess
from typing import Any

import pytest

from tests.house.source import ROOT
from tests.support.running import PASSWORD, Person, Running, until

README = (ROOT / "README.md").read_text()
ADDRESS = "http://127.0.0.1:8000"
LINES_MAX = 150


def test_it_is_read_in_one_sitting() -> None:
    assert len(README.splitlines()) <= LINES_MAX


@pytest.mark.skipif(shutil.which("curl") is None, reason="the session uses curl")
def test_the_session_makes_a_trade(exchange: Running) -> None:
    (session,) = re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
    assert ADDRESS in session
    ran = pasted(session.replace(ADDRESS, exchange.url))
    assert ran.stderr == ""
    answers: list[Any] = [json.loads(line) for line in ran.stdout.splitlines()]
    assert not [answer for answer in answers if "code" in answer]
    _, _, _, _, bid, book, sold, trades, alices, bobs, portfolios = answers
    assert (bid["status"], sold["status"]) == ("open", "filled")
    assert book["bids"] == [["50000.00", "0.01"]]
    (trade,) = trades["data"]
    assert (trade["quantity"], trade["price"], trade["role"]) == ("0.01", "50000.00", "maker")
    assert alices["balance"] == {"USD": "500.00", "BTC": "0.01"}
    assert bobs["balance"] == {"BTC": "0.99", "USD": "500.00"}
    assert portfolios["data"]
    (holding,) = holdings_of("alice", exchange)
    assert (holding["product"], holding["quantity"], holding["averageCost"]) == ("BTC", "0.01", "50000.00")


def holdings_of(name: str, exchange: Running) -> Any:
    """What a user's portfolio says once it has followed the wallets."""
    person = Person(exchange, name, PASSWORD).signed_in()
    return until(lambda: person.get("/api/portfolios")["data"][0]["holdings"], "the portfolio")


def pasted(lines: str) -> subprocess.CompletedProcess[str]:
    """What bash makes of lines that it gets one after the other, as from a terminal."""
    return subprocess.run(["bash"], input=lines, capture_output=True, text=True, timeout=60, check=True)


def test_every_link_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", README)
    assert links
    assert not [link for link in links if not (ROOT / link).exists()]


def test_every_command_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    verbs = set(re.findall(r"\bmake (run|test|bench|docs|check|fix)\b", README))
    assert verbs
    assert not [verb for verb in verbs if f"\n{verb}:" not in makefile]
