"""A request's way through all services as one trace of OpenTelemetry.

The ids of a trace follow from the correlation id, which every request and event carries anyway: processes that know
nothing of each other speak of the same trace, and nothing more goes over the wire or into a log.
"""

import hashlib
import os
import threading
import time
from collections.abc import Iterable, Mapping

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Decision, Sampler, TraceIdRatioBased
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags
from opentelemetry.util.types import AnyValue

from borsa import __version__

CORRELATION = "borsa.correlation_id"

FLUSH_SECONDS_MAX = 2
"""How long an end waits for the last spans to be taken."""


class Tracer:
    """Makes spans of what is over. They leave in batches, on a thread of the SDK; where more wait than its bound, some
    are lost, and nobody is kept. Where to, and how much of it, is said by the SDK's own variables."""

    def __init__(self) -> None:
        self._sending = BatchSpanProcessor(OTLPSpanExporter())
        self._sampler = _sampler()
        self._ids = RandomIdGenerator()
        self._resources: dict[str, Resource] = {}

    def requested(self, route: str, correlation: str, status: int, nanoseconds: int) -> None:
        """A request over HTTP has just been answered, after so long: the root of its trace."""
        now = time.time_ns()
        said: dict[str, str | int] = {"http.route": route, "http.response.status_code": status}
        root = _root_of(correlation)
        self._send("gateway", route, root, None, SpanKind.SERVER, (now - nanoseconds, now), said, correlation)

    def handled(self, service: str, since: int, parts: Iterable[tuple[str, str]]) -> None:
        """A service has just committed what it began at `since`, in microseconds. `parts` are what it did, as
        (correlation, name): one span for each correlation, with all of its names."""
        names: dict[str, dict[str, None]] = {}
        for correlation, name in parts:
            names.setdefault(correlation, {})[name] = None
        spent = since * 1_000, time.time_ns()
        for correlation, own_names in names.items():
            root = _root_of(correlation)
            span_id = self._ids.generate_span_id()
            own = SpanContext(root.trace_id, span_id, is_remote=False, trace_flags=root.trace_flags)
            self._send(service, ", ".join(own_names), own, root, SpanKind.INTERNAL, spent, {}, correlation)

    def _send(
        self,
        service: str,
        name: str,
        own: SpanContext,
        parent: SpanContext | None,
        kind: SpanKind,
        spent: tuple[int, int],
        said: Mapping[str, str | int],
        correlation: str,
    ) -> None:
        if self._sampler.should_sample(None, own.trace_id, name).decision is Decision.DROP:
            return
        resource = self._resources.get(service)
        if resource is None:
            about: dict[str, AnyValue] = {
                "service.name": f"borsa-{service}",
                "service.version": __version__,
                "process.pid": os.getpid(),
            }
            resource = self._resources[service] = Resource.create(about)
        span = ReadableSpan(
            name,
            own,
            parent,
            resource,
            {**said, CORRELATION: correlation},
            kind=kind,
            start_time=spent[0],
            end_time=spent[1],
        )
        self._sending.on_end(span)

    def flush(self) -> None:
        """Send what waits. A receiver that is away is tried for longer than an end may wait."""
        sending = threading.Thread(target=self._sending.force_flush, name="borsa-traces", daemon=True)
        sending.start()
        sending.join(FLUSH_SECONDS_MAX)


def _sampler() -> Sampler:
    """As OTEL_TRACES_SAMPLER says, of those that look at nothing but the trace's id: all processes agree."""
    if os.environ.get("OTEL_TRACES_SAMPLER", "").endswith("traceidratio"):
        return TraceIdRatioBased(float(os.environ.get("OTEL_TRACES_SAMPLER_ARG", "1")))
    return ALWAYS_ON


def _root_of(correlation: str) -> SpanContext:
    digest = hashlib.blake2b(correlation.encode(), digest_size=24).digest()
    trace_id, span_id = int.from_bytes(digest[:16]), int.from_bytes(digest[16:])
    return SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
