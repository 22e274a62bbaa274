"""A disk that fills up, and one that fails: what was acknowledged is there, nothing else is half done."""

import itertools
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.injected import fault_in
from tests.support.process import Process, borsa
from tests.support.running import Person, until

FAILED = 70

every_number_of_processes = pytest.mark.parametrize("processes", ["1", "3"])


class Placing:
    """Somebody who places orders until one is not acknowledged."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.acknowledged: dict[str, str] = {}

    def place(self) -> httpx.Response:
        name = uuid.uuid4().hex
        body = {"symbol": "BTC-USD", "type": "buy", "quantity": "0.001", "price": "50000", "clientOrderId": name}
        answer = self.person.call("POST", "/api/orders", body)
        if answer.status_code == 201:
            self.acknowledged[name] = answer.json()["orderId"]
        return answer

    def until_it_fails(self) -> httpx.Response:
        for _ in itertools.count():
            answer = self.place()
            if answer.status_code != 201:
                return answer
        raise AssertionError

    def has_all(self) -> bool:
        """Is each acknowledged order there once, and no other?"""
        orders, cursor = {}, ""
        while True:
            page = self.person.get(f"/api/orders?limit=1000{cursor}")
            orders |= {order["clientOrderId"]: order["orderId"] for order in page["data"]}
            if page["nextCursor"] is None:
                return orders == self.acknowledged
            cursor = f"&cursor={page['nextCursor']}"


def is_right(process: Process) -> None:
    audit = borsa("verify", process.environment)
    assert audit.returncode == 0, audit.stdout + audit.stderr


# full --------------------------------------------------------------------------------------------------------------


class SmallDisk:
    """A file system of its own, in memory, that fills up and gets room."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        """Leave no room."""
        with self._ballast.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                return

    def free(self) -> None:
        """Give the room back."""
        self._ballast.unlink()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "none", str(tmp_path)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no small disk, it takes root and the right to mount: {mounted.stderr.strip()}")
    try:
        yield SmallDisk(tmp_path)
    finally:
        subprocess.run(["umount", "-l", str(tmp_path)], check=True)


@every_number_of_processes
def test_a_full_disk_refuses_what_writes_and_serves_what_reads_until_there_is_room(
    processes: str, small_disk: SmallDisk
) -> None:
    with Process(small_disk.data, processes=processes) as process:
        placing = Placing(process.person(USD="1000000"))
        for _ in range(20):
            assert placing.place().status_code == 201
        small_disk.fill()
        refused = placing.until_it_fails()
        assert (refused.status_code, refused.json()["code"]) == (503, "storage_full")
        assert "retry-after" in refused.headers
        assert placing.has_all()
        until(lambda: "has no room on its disk" in str(process.http.get("/readyz").json()["halted"]), "readiness")
        small_disk.free()
        until(lambda: placing.place().status_code == 201, "room")
        until(lambda: process.http.get("/readyz").status_code == 200, "readiness")
        assert placing.has_all()
        until(lambda: not placing.person.get("/api/orders?status=pending")["data"], "the engine")
        assert process.stop() == 0
    is_right(process)


def test_a_full_disk_and_a_kill_lose_nothing(small_disk: SmallDisk) -> None:
    with Process(small_disk.data, processes="1") as process:
        placing = Placing(process.person(USD="1000000"))
        small_disk.fill()
        placing.until_it_fails()
        process.kill()
    small_disk.free()
    with Process(small_disk.data, processes="1") as again:
        placing.person.running = again
        assert placing.place().status_code == 201
        assert placing.has_all()
        assert again.stop() == 0
    is_right(again)


def test_a_start_on_a_full_disk_says_so(small_disk: SmallDisk) -> None:
    small_disk.data.mkdir()
    small_disk.fill()
    refused = borsa("up", Process(small_disk.data, processes="1").environment)
    assert refused.returncode == 1
    assert "No space left on device" in refused.stderr
    assert "Traceback" not in refused.stderr


# failing -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["fdatasync", "pwrite64"])
@pytest.mark.parametrize("nth", [1, 4])
def test_an_error_of_the_disk_ends_the_process_and_nothing_was_acknowledged_that_is_not_there(
    call: str, nth: int, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    with Process(folder, processes="1") as process:
        placing = Placing(process.person(USD="1000000"))
        for _ in range(5):
            assert placing.place().status_code == 201
        with fault_in(process.pid, call, f"error=EIO:when={nth}+"):
            with pytest.raises(httpx.HTTPError):
                placing.until_it_fails()
            assert process.ended() == FAILED
    assert "StorageBroken('disk I/O error')" in "".join(process.output)
    with Process(folder, processes="1") as again:
        placing.person.running = again
        acknowledged = set(placing.acknowledged.items())
        found = {(each["clientOrderId"], each["orderId"]) for each in placing.person.get("/api/orders")["data"]}
        assert acknowledged <= found
        assert len(found - acknowledged) <= 1, "the one that was not answered may be there"
        assert again.stop() == 0
    is_right(again)
