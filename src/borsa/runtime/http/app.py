"""All routes as one ASGI application, with health, metrics and the documents that describe it."""

from collections.abc import Awaitable, Callable, Iterable, Mapping

from starlette.routing import Route as Path
from starlette.routing import Router

from borsa.errors import Refused
from borsa.runtime.http.call import Means, address_of
from borsa.runtime.http.channels import Channels
from borsa.runtime.http.endpoint import Endpoint, Receive, Scope, Send, request_id_of, respond
from borsa.runtime.http.limits import network_of
from borsa.runtime.http.problem import MEDIA_TYPE, document, headers_of
from borsa.runtime.http.route import Route
from borsa.runtime.http.sse import PATH, EventStreams
from borsa.runtime.http.streams import Streams

Served = Callable[[Scope, Receive, Send], Awaitable[None]]


class Resource:
    """The routes of one path, by method."""

    def __init__(self, endpoints: dict[str, Endpoint], means: Means) -> None:
        self._endpoints = endpoints
        self._means = means
        allowed = set(endpoints) | ({"HEAD"} if "GET" in endpoints else set())
        self._allow = ", ".join(sorted(allowed))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        endpoint = self._endpoints.get(method)
        if endpoint is None:
            await refuse(self._means, scope, send, Refused("method_not_allowed"), {"allow": self._allow})
        else:
            await endpoint(scope, receive, send)


class Application:
    """All resources by their paths: those without parameters are looked up, the others are tried one after the other.

    Every endpoint answers for its own faults, so Starlette's layers of middleware for them would only cost time.
    """

    def __init__(self, resources: Mapping[str, Served], means: Means, channels: Channels) -> None:
        async def nowhere(scope: Scope, _receive: Receive, send: Send) -> None:
            await refuse(means, scope, send, Refused("not_found"), {})

        self._streams = Streams(means, channels)
        self._fixed: dict[str, Served] = {path: resource for path, resource in resources.items() if "{" not in path}
        self._fixed[PATH] = EventStreams(means, channels)
        others = [Path(path, resource) for path, resource in resources.items() if "{" in path]
        self._router = Router(others, redirect_slashes=False, default=nowhere)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._streams.socket(scope, receive, send)
            return
        resource = self._fixed.get(scope["path"], self._router)
        await resource(scope, receive, send)


def application(
    routes: Iterable[Route], means: Means, channels: Channels, files: Mapping[str, Served] | None = None
) -> Application:
    """The ASGI application of a table of routes, of channels to follow, and of files by their paths."""
    paths: dict[str, dict[str, Endpoint]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method] = Endpoint(route, means)
    resources: dict[str, Served] = {path: Resource(endpoints, means) for path, endpoints in paths.items()}
    return Application({**resources, **(files or {})}, means, channels)


async def refuse(means: Means, scope: Scope, send: Send, refused: Refused, extra: dict[str, str]) -> None:
    """Refuse a request that has no route; it counts as one of its address."""
    try:
        means.limits.requests_of_address.take(network_of(address_of(scope)))
    except Refused as limited:
        refused = limited
    request_id = request_id_of(dict(scope["headers"]), means)
    headers = {"content-type": MEDIA_TYPE} | headers_of(refused) | extra
    await respond(send, refused.status, document(refused), request_id, headers)
