"""Routes that every process has: health, metrics, the API's documents, and the events of its services."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from operator import itemgetter
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from borsa import __version__
from borsa.errors import Refused
from borsa.money import UNITS_MAX
from borsa.runtime.codec import UserId, encode
from borsa.runtime.http.asyncapi import asyncapi_document
from borsa.runtime.http.call import Call
from borsa.runtime.http.openapi import openapi_document, readable_page
from borsa.runtime.http.page import PAGE_ROWS_MAX, PageQuery, after_cursor, next_cursor
from borsa.runtime.http.route import Answered, Route
from borsa.runtime.log import CloudEvent, cloud_event, last_before, read_after
from borsa.runtime.observability import telemetry
from borsa.runtime.observability.vitals import Vitals
from borsa.runtime.service import Service, streamed
from borsa.runtime.writing.actions import ActionReply, action_reply, actions_before

Look = Callable[[], Awaitable[Mapping[str, Vitals | None]]]
"""The vitals of each process by its name; None for one that does not answer."""


class Health:
    """Is this exchange ready: recovered, not draining, nothing halted? `look` asks every process how it is."""

    def __init__(self, look: Look) -> None:
        self.ready = False
        self._look = look

    async def halted(self) -> list[str]:
        """Streams that stopped at an event that could not be handled, as "consumer from source"; services that have
        no room to write; processes that do not answer."""
        found = []
        for name, vitals in (await self._look()).items():
            if vitals is None:
                found.append(f"{name} does not answer")
            else:
                found += _halted(vitals)
        return found

    async def measure(self) -> bytes:
        """The metrics of every process, up to date."""
        seen = [vitals for vitals in (await self._look()).values() if vitals is not None]
        writers = [vital for vitals in seen for vital in vitals.writers]
        newest = {vital.name: vital.last_sequence for vital in writers}
        for vital in writers:
            telemetry.gauge(vital)
            for stream in vital.follows:
                # the processes were not asked at the same moment
                lag = max(0, newest.get(stream.source, 0) - stream.cursor)
                telemetry.gauge_lag(vital.name, stream.source, lag)
        return telemetry.exposition([vitals.metrics for vitals in seen if vitals.metrics])


def _halted(vitals: Vitals) -> list[str]:
    streams = [
        f"{vital.name} from {stream.source}" for vital in vitals.writers for stream in vital.follows if stream.halted
    ]
    return streams + [f"{vital.name} has no room on its disk" for vital in vitals.writers if vital.is_full]


class Alive(msgspec.Struct, frozen=True):
    """The process answers. `facts` say what it runs, for example which matching kernel."""

    status: str
    version: str
    facts: dict[str, str]


class Ready(msgspec.Struct, frozen=True):
    """Whether requests are welcome, and which streams are halted."""

    ready: bool
    halted: list[str]


class EventPage(msgspec.Struct, frozen=True, rename="camel"):
    """Events of one service in their sequence; `after` of the next page is the last one's sequence."""

    data: list[CloudEvent]
    next_after: int | None


class EventQuery(msgspec.Struct, frozen=True):
    """Which service's events, and from where; `after` is exclusive, `since` a time (RFC 3339) that is included."""

    source: str
    since: Annotated[datetime, Meta(tz=True)] | None = None
    after: Annotated[int, Meta(ge=0, le=2**62)] = 0
    limit: Annotated[int, Meta(ge=1, le=PAGE_ROWS_MAX)] = 100


class ActionQuery(PageQuery, frozen=True):
    """Whose actions, and in which service; all of them when nothing is said."""

    service: str | None = None
    author: UserId | None = None


class ActionPage(msgspec.Struct, frozen=True, rename="camel"):
    """What admins did, newest first."""

    data: list[ActionReply]
    next_cursor: str | None


async def alive(call: Call) -> Alive:
    """GET /healthz"""
    return Alive("ok", __version__, dict(call.means.facts))


async def ready(call: Call) -> Answered:
    """GET /readyz"""
    health = call.means.health
    halted = await health.halted()
    fine = health.ready and not halted
    return Answered(Ready(fine, halted), 200 if fine else 503)


async def metrics(call: Call) -> Answered:
    """GET /metrics"""
    return Answered(
        await call.means.health.measure(), 200, {"content-type": "text/plain; version=0.0.4; charset=utf-8"}
    )


async def read_events(call: Call) -> EventPage:
    """GET /api/events"""
    query: EventQuery = call.query
    source = query.source.removeprefix("borsa/")
    _check_service(call, source, "source")
    after = query.after
    if query.since is not None:
        after = max(after, await call.read_of(source, last_before, _microseconds(query.since)))
    found = await call.read_of(source, read_after, source, after, query.limit)
    more = len(found) == query.limit
    return EventPage([cloud_event(each) for each in found], found[-1].sequence if more else None)


def _microseconds(time: datetime) -> int:
    return (time - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)


def _check_service(call: Call, name: str, field: str) -> None:
    if name not in call.means.edge.services:
        raise Refused("invalid_request", "must be the name of a service", field=field)


FIRST_ACTION = (UNITS_MAX, "~", UNITS_MAX)
"""Where the list of actions begins: later than every time, behind every service's name."""


async def list_actions(call: Call) -> ActionPage:
    """GET /api/actions"""
    query: ActionQuery = call.query
    if query.service is not None:
        _check_service(call, query.service, "service")
    services = sorted(call.means.edge.services) if query.service is None else [query.service]
    after = after_cursor(query.cursor, FIRST_ACTION)
    found = [each for service in services for each in await _actions_after(call, service, after)]
    found = sorted(found, key=itemgetter(0), reverse=True)[: query.limit]
    return ActionPage([reply for _, reply in found], next_cursor(found, query.limit, itemgetter(0)))


async def _actions_after(
    call: Call, service: str, after: tuple[int, str, int]
) -> list[tuple[tuple[int, str, int], ActionReply]]:
    """A service's part of a page, each with its place in the list of all services: by time, then by name."""
    time, name, sequence = after
    bounds = {-1: (time, UNITS_MAX), 0: (time, sequence), 1: (time - 1, UNITS_MAX)}
    bound = bounds[(service > name) - (service < name)]
    query: ActionQuery = call.query
    found = await call.read_of(service, actions_before, query.author, *bound, query.limit)
    return [((each.time, service, each.sequence), action_reply(service, each)) for each in found]


def standard_routes(services: Sequence[Service[Any]]) -> list[Route]:
    """The rows; the documents describe the routes of all services and these."""

    @cache
    def openapi() -> bytes:
        return encode(openapi_document([*(r for service in services for r in service.routes), *rows]))

    @cache
    def asyncapi() -> bytes:
        return encode(asyncapi_document(streamed(services)))

    async def openapi_json(_: Call) -> Answered:
        return Answered(openapi(), 200)

    async def asyncapi_json(_: Call) -> Answered:
        return Answered(asyncapi(), 200)

    async def docs(_: Call) -> Answered:
        page = readable_page(msgspec.json.decode(openapi()))
        return Answered(page.encode(), 200, {"content-type": "text/html; charset=utf-8"})

    def public(path: str, handle: Any, summary: str, **more: Any) -> Route:
        return Route("GET", path, handle, "public", summary, **more)

    rows = [
        public("/healthz", alive, "Is the process alive?", reply=Alive),
        public("/readyz", ready, "Is it ready: recovered, and not draining?", reply=Ready, also=(503,)),
        public("/metrics", metrics, "Metrics for Prometheus", media="text/plain"),
        public("/openapi.json", openapi_json, "This API, as OpenAPI 3.1", media="application/json"),
        public("/asyncapi.json", asyncapi_json, "Every event, as AsyncAPI 3.0", media="application/json"),
        public("/docs", docs, "This API, to read", media="text/html"),
        Route(
            "GET",
            "/api/events",
            read_events,
            "admin",
            "Replay the events of a service",
            query=EventQuery,
            reply=EventPage,
        ),
        Route(
            "GET",
            "/api/actions",
            list_actions,
            "admin",
            "What admins did, in all services, newest first",
            query=ActionQuery,
            reply=ActionPage,
        ),
    ]
    return rows
