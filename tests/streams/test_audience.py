"""The audience of `borsa bench streams`: it hears everything, sees what is missing, and its last word is short."""

import json
import os
import select
from pathlib import Path
from typing import Any

import msgspec

from borsa.commands.audience import Asked, Audience, Listener, heard_by
from tests.support.running import Running


def asked_of(running: Running, readers: int) -> Asked:
    host, port = running.url.removeprefix("http://").split(":")
    return Asked(host, int(port), "BTC-USD", readers)


def frame(text: str) -> bytes:
    return b"\x81\x7e" + len(text).to_bytes(2, "big") + text.encode()


def change(first: int, last: int) -> bytes:
    told: dict[str, Any] = {"type": "change", "channel": "book:BTC-USD", "first": first, "sequence": last}
    return frame(json.dumps(told | {"bids": [["1", "2"]], "asks": []}, separators=(",", ":")))


def test_the_audience_hears_every_change_and_sees_a_missing_one(tmp_path: Path) -> None:
    with Running(tmp_path, price_band_ppm=0) as running:
        ann, bob = (running.person(USD="10000", BTC="10") for _ in range(2))
        audience = Audience(asked_of(running, 3))
        audience.wait_until_there()
        beginning = audience.listeners[0].sequence
        for price in ("10", "11", "12"):
            ann.order("sell", "1", price)
        bob.order("buy", "3", "12")
        there = running.http.get("/api/markets/BTC-USD/book").json()["sequence"]
        while any(each.sequence != there for each in audience.listeners) or not audience.listeners[0].latencies_ms:
            audience._listen()
        heard = heard_by(audience.listeners)
        assert (beginning, heard.lost, heard.trades_looked_at) == (0, 0, 3)
        assert heard.messages >= 3 * 2
        looking, other, missing = audience.listeners
        other.take(change(there + 1, there + 4)[:20], 0)
        other.take(change(there + 1, there + 4)[20:] + change(there + 5, there + 5), 0)
        missing.take(change(there + 2, there + 2), 0)
        assert [each.lost for each in (looking, other, missing)] == [False, False, True]
        read, write = os.pipe()
        os.close(write)
        audience.listen_until_the_end_of(read)
        os.close(read)
        for each in audience.listeners:
            each.socket.close()


def test_what_the_audience_says_is_taken_in_one_piece() -> None:
    listener = Listener.__new__(Listener)
    listener.bytes = listener.messages = 10**15
    listener.lost = False
    listener.latencies_ms = [1 / (1 + each) for each in range(50_000)]
    said = msgspec.json.encode(heard_by([listener]))
    assert len(said) < select.PIPE_BUF
    assert msgspec.json.decode(said)["p50_ms"] == 0.0
