"""Structured logs, Prometheus metrics, and traces where they are asked for."""

import logging
import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from functools import cache
from typing import TYPE_CHECKING

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from borsa.runtime.observability.vitals import Vital

if TYPE_CHECKING:
    from borsa.runtime.observability.tracing import Tracer

_log = structlog.get_logger("borsa")

REGISTRY = CollectorRegistry()

_COMMITS = Histogram(
    "borsa_commit_seconds",
    "Time of a group commit, until it is on disk",
    ["service"],
    registry=REGISTRY,
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5),
)
_REQUESTS = Histogram(
    "borsa_http_seconds",
    "Time of an HTTP request",
    ["route", "status"],
    registry=REGISTRY,
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1, 5),
)
_EVENTS = Gauge("borsa_log_sequence", "Newest event of a service's log", ["service"], registry=REGISTRY)
_LAG = Gauge("borsa_lag_events", "Events that a consumer has not applied", ["service", "source"], registry=REGISTRY)
_WAITING = Gauge("borsa_inbox_items", "Requests that wait for a service", ["service"], registry=REGISTRY)
_SET_ASIDE = Counter("borsa_dead_letters_total", "Events that a follower gave up on", ["service"], registry=REGISTRY)


def commit_seconds(service: str) -> AbstractContextManager[object]:
    """Measures the time of a commit."""
    return _COMMITS.labels(service).time()


def set_aside(service: str) -> None:
    """Counts an event that a follower gave up on."""
    _SET_ASIDE.labels(service).inc()


class RequestTimes:
    """Measures the requests of one route, with a child metric for each status made once."""

    def __init__(self, route: str) -> None:
        self._route = route
        self._children: dict[int, Histogram] = {}

    def observe(self, status: int, nanoseconds: int) -> None:
        """One request took so long."""
        child = self._children.get(status)
        if child is None:
            child = self._children[status] = _REQUESTS.labels(self._route, str(status))
        child.observe(nanoseconds / 1e9)


def gauge(vital: Vital) -> None:
    """Where a service's log and inbox stand."""
    _EVENTS.labels(vital.name).set(vital.last_sequence)
    _WAITING.labels(vital.name).set(vital.waiting)


def gauge_lag(service: str, source: str, events: int) -> None:
    """How far a consumer is behind a producer."""
    _LAG.labels(service, source).set(events)


TRACES_TO = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
"""OpenTelemetry's own variables: where spans go. Without either there are none."""


@cache
def tracer() -> "Tracer | None":
    """What makes spans in this process; None where nobody wants any. It starts a thread: not before a fork."""
    wanted = [name for name in TRACES_TO if os.environ.get(name)]
    if not wanted:
        return None
    try:
        # only where it is used: it takes packages that a laptop need not have
        from borsa.runtime.observability.tracing import Tracer
    except ImportError as error:
        _log.warning("no_traces", why=f"{wanted[0]} needs more packages ({error}): install borsa[telemetry]")
        return None
    return Tracer()


def flush_traces() -> None:
    """Send the spans that wait: the process is about to end."""
    if (found := tracer()) is not None:
        found.flush()


def own_metrics() -> str:
    """The metrics of this process, in Prometheus' text format."""
    return generate_latest(REGISTRY).decode()


class _Merged(Collector):
    """The metrics of several processes, each family once."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._families: dict[str, Metric] = {}
        for text in texts:
            for family in text_string_to_metric_families(text):
                self._families.setdefault(family.name, family)
                if self._families[family.name] is not family:
                    self._families[family.name].samples += family.samples

    def collect(self) -> Iterable[Metric]:
        return self._families.values()


def exposition(elsewhere: Sequence[str]) -> bytes:
    """The metrics of this process and of others, in Prometheus' text format."""
    if not elsewhere:
        return generate_latest(REGISTRY)
    together = CollectorRegistry(auto_describe=False)
    together.register(_Merged([own_metrics(), *elsewhere]))
    return generate_latest(together)


class _OfLibraries(logging.Handler):
    """What libraries log in Python's own way, as lines like ours."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger("borsa")
        said = {"logger": record.name, "message": record.getMessage()}
        log.log(record.levelno, "library", **said, exc_info=record.exc_info or None)


def start_logging(level: str) -> None:
    """JSON lines on standard error, one event a line; control characters in values are escaped."""
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_OfLibraries()], level=max(number, logging.WARNING), force=True)
