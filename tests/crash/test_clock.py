"""A clock that jumps or stands: no trade notices, the logs stay in order, and whoever signs in is in."""

from pathlib import Path

import pytest

from tests.crash.test_processes import rows
from tests.support.injected import needed
from tests.support.process import Process, borsa

HOUR = 3600


class Clock:
    """The wall clock of a process, which the test moves."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.show("+0")

    def show(self, offset_or_time: str) -> None:
        """From now on: an offset in seconds, or a time at which it stands still."""
        self._file.write_text(offset_or_time)

    @property
    def environment(self) -> dict[str, str]:
        """What makes a process look at it."""
        (library,) = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
        return {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    needed("faketime")
    return Clock(tmp_path / "clock")


def under(clock: Clock) -> list[str]:
    return ["env", *(f"{name}={value}" for name, value in clock.environment.items())]


JUMPS = {
    "forwards": f"+{HOUR}",
    "backwards": f"-{HOUR}",
    "and stands": "2031-05-06 07:08:09",
    "far back": "2001-02-03 04:05:06",
}


@pytest.mark.parametrize("jump", list(JUMPS))
def test_a_jump_of_the_clock_costs_nobody_anything(jump: str, clock: Clock, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with Process(folder, under(clock), processes="1") as process:
        seller, buyer = process.person(BTC="2"), process.person(USD="200000")
        seller.order("sell", "2", "50000")
        assert buyer.order("buy", "0.5", "50000")["status"] == "filled"
        clock.show(JUMPS[jump])
        for person in (seller, buyer):
            person.signed_in()
            assert person.tokens["expiresIn"] > 0
            refreshed = process.http.post(
                "/api/users/refresh_token", json={"refreshToken": person.tokens["refreshToken"]}
            )
            assert refreshed.status_code == 200, refreshed.text
            person.headers = {"authorization": f"Bearer {refreshed.json()['accessToken']}"}
        assert buyer.order("buy", "0.5", "50000")["status"] == "filled"
        clock.show("+0")
        assert buyer.signed_in().order("buy", "0.5", "50000")["status"] == "filled"
        assert process.stop() == 0
    for source in ("users", "orders", "trades", "wallets"):
        times = [time for (time,) in rows(folder, source, "SELECT time FROM log ORDER BY sequence")]
        assert times == sorted(times), source
    audit = borsa("verify", process.environment)
    assert audit.returncode == 0, audit.stdout


def test_a_token_lives_on_when_the_clock_moves_within_the_leeway(clock: Clock, tmp_path: Path) -> None:
    with Process(tmp_path / "data", under(clock), processes="1") as process:
        person = process.person(USD="1000")
        for seconds in (-30, 30):
            clock.show(f"{seconds:+d}")
            assert person.call("GET", "/api/users/profile").status_code == 200
        assert process.stop() == 0
