"""One order, one trace: its spans come from every process that had a part in it."""

import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from structlog.testing import capture_logs

from borsa.runtime.observability import telemetry
from tests.support.process import Process
from tests.support.running import until

EVERYBODY = {"gateway", "orders", "wallets", "trades", "portfolios", "notifications"}


class Span(NamedTuple):
    service: str
    pid: int
    name: str
    trace: bytes
    own: bytes
    parent: bytes
    correlation: str
    began: int
    ended: int


class Receiver:
    """What takes traces over OTLP: the protocol's own server side, on the loopback."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.take(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def take(self, request: Any) -> None:
        for group in request.resource_spans:
            of = {each.key: each.value for each in group.resource.attributes}
            service = of["service.name"].string_value.removeprefix("borsa-")
            for span in (span for scope in group.scope_spans for span in scope.spans):
                said = {each.key: each.value.string_value for each in span.attributes}
                ids = span.trace_id, span.span_id, span.parent_span_id, said["borsa.correlation_id"]
                times = span.start_time_unix_nano, span.end_time_unix_nano
                self.spans.append(Span(service, of["process.pid"].int_value, span.name, *ids, *times))

    def __enter__(self) -> "Receiver":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def test_an_order_is_one_trace_through_all_processes(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    with Process(tmp_path / "data", processes="3") as process:
        seller, buyer = process.person(BTC="1"), process.person(USD="100000")
        seller.order("sell", "1", "50000")
        order = {"symbol": "BTC-USD", "type": "buy", "quantity": "1", "price": "50000"}
        buyer.post("/api/orders", order, headers={"x-request-id": "the-one"})
        until(lambda: "filled" in str(buyer.get("/api/notifications")), "the notification")
        until(lambda: buyer.get("/api/portfolios")["data"][0]["holdings"], "the portfolio")
        # what waits leaves with the end
        assert process.stop() == 0
    found = [span for span in receiver.spans if span.correlation == "the-one"]
    assert {span.service for span in found} == EVERYBODY
    assert len({span.pid for span in found}) == 3
    assert len({span.trace for span in found}) == 1
    roots = [span for span in found if not span.parent]
    assert [(span.service, span.name) for span in roots] == [("gateway", "POST /api/orders")]
    assert {span.parent for span in found if span.parent} == {roots[0].own}
    assert len({span.own for span in found}) == len(found)
    assert all(span.began <= span.ended for span in found)
    names = {service: [span.name for span in found if span.service == service] for service in EVERYBODY}
    assert "PlaceOrder" in names["orders"][0]
    assert any("TradeExecuted" in name for name in names["orders"])
    others = {span.trace for span in receiver.spans if span.correlation != "the-one"}
    assert others
    assert found[0].trace not in others


def test_nobody_is_traced_unless_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in telemetry.TRACES_TO:
        monkeypatch.delenv(name, raising=False)
    assert telemetry.tracer.__wrapped__() is None


def test_a_package_that_is_missing_is_named_and_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(telemetry.TRACES_TO[0], "http://127.0.0.1:1")
    monkeypatch.delitem(sys.modules, "borsa.runtime.observability.tracing", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with capture_logs() as logs:
        assert telemetry.tracer.__wrapped__() is None
    assert "borsa[telemetry]" in logs[0]["why"]


def test_an_exchange_whose_receiver_is_away_trades_and_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    with Process(tmp_path / "data", processes="1") as process:
        seller, buyer = process.person(BTC="1"), process.person(USD="100000")
        seller.order("sell", "1", "50000")
        assert buyer.order("buy", "1", "50000")["status"] == "filled"
        assert process.stop() == 0
