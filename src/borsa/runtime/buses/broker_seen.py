"""The broker, as somebody sees it who looks at it once and changes nothing."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from urllib.parse import urlsplit

import msgspec
import nats.errors
import uvloop
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.errors import Error as JetStreamError
from nats.js.errors import NotFoundError

from borsa.errors import CantStart
from borsa.runtime.buses.relay import EVENTS_STREAM, LOG, LOG_STREAM, stored, worth

SECONDS_MAX = 3
"""How long it may take to be there, and to answer."""


class SeenStream(msgspec.Struct, frozen=True):
    """A stream that is there."""

    name: str
    messages: int
    bytes: int
    replicas: int


class SeenBroker(msgspec.Struct, frozen=True):
    """`acknowledgement` says what its word is worth that it has a message, and is empty where it stores nothing, as
    `missing` says why. `lasts` are the sequences that its copies of the logs go to, by service."""

    version: str
    places: Sequence[str]
    acknowledgement: str
    missing: str
    streams: Sequence[SeenStream]
    lasts: Mapping[str, int]


def seen(urls: str, services: Sequence[str]) -> SeenBroker:
    """Look at the broker; CantStart where there is none."""
    return uvloop.run(_seen([url.strip() for url in urls.split(",")], services))


async def _seen(urls: Sequence[str], services: Sequence[str]) -> SeenBroker:
    client = Client()
    places = ", ".join(f"{parts.hostname}:{parts.port or 4222}" for parts in map(urlsplit, urls))
    try:
        async with asyncio.timeout(SECONDS_MAX):
            await client.connect(servers=list(urls), name="borsa doctor", error_cb=_pass_over, allow_reconnect=False)
    except (nats.errors.Error, OSError, ValueError, TimeoutError) as error:
        raise CantStart(f"the broker {places} can't be reached: {type(error).__name__}") from None
    try:
        return await _looked_at(client, services)
    finally:
        await client.close()


async def _pass_over(_: Exception) -> None:
    """It is raised, too."""


async def _looked_at(client: Client, services: Sequence[str]) -> SeenBroker:
    stream = client.jetstream(timeout=SECONDS_MAX)
    found, missing, lasts = list[SeenStream](), "", dict[str, int]()
    try:
        await stream.account_info()
        found = [each async for each in _streams(stream)]
        if any(each.name == LOG_STREAM for each in found):
            lasts = {service: await stored(stream, LOG + service) for service in services}
    except (TimeoutError, JetStreamError, nats.errors.Error) as error:
        missing = f"JetStream does not answer: {type(error).__name__}"
    version = client.connected_server_version
    return SeenBroker(
        version=f"{version.major}.{version.minor}.{version.patch}",
        places=[f"{each.hostname}:{each.port}" for each in client.servers],
        acknowledgement=worth(min(each.replicas for each in found)) if found else "",
        missing=missing,
        streams=found,
        lasts=lasts,
    )


async def _streams(stream: JetStreamContext) -> AsyncIterator[SeenStream]:
    """Those of Borsa's that are there."""
    for name in (LOG_STREAM, EVENTS_STREAM):
        try:
            info = await stream.stream_info(name)
        except NotFoundError:
            continue
        yield SeenStream(name, info.state.messages, info.state.bytes, info.config.num_replicas or 1)
