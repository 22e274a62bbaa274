"""All routes as one ASGI application, with health, metrics and the documents that describe it."""

from collections.abc import Iterable, Sequence

from starlette.routing import Route as Path
from starlette.routing import Router

from borsa.errors import Refused
from borsa.runtime.http.call import Means
from borsa.runtime.http.endpoint import Endpoint, Receive, Scope, Send, request_id_of, respond
from borsa.runtime.http.problem import MEDIA_TYPE, document, headers_of
from borsa.runtime.http.route import Route


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
            await _refuse(self._means, scope, send, Refused("method_not_allowed"), {"allow": self._allow})
        else:
            await endpoint(scope, receive, send)


def application(routes: Iterable[Route], means: Means) -> Router:
    """The ASGI application of a table of routes; the first rows are found fastest.

    It is a router alone: every endpoint answers for its own faults, so Starlette's layers of middleware for them would
    only cost time.
    """
    paths: dict[str, dict[str, Endpoint]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method] = Endpoint(route, means)

    async def nowhere(scope: Scope, _receive: Receive, send: Send) -> None:
        await _refuse(means, scope, send, Refused("not_found"), {})

    resources = [Path(path, Resource(endpoints, means)) for path, endpoints in paths.items()]
    return Router(resources, redirect_slashes=False, default=nowhere)


async def _refuse(means: Means, scope: Scope, send: Send, refused: Refused, extra: dict[str, str]) -> None:
    request_id = request_id_of(dict(scope["headers"]), means)
    headers = {"content-type": MEDIA_TYPE} | headers_of(refused) | extra
    await respond(send, refused.status, document(refused), request_id, headers)


def fixed_paths_first(routes: Sequence[Route]) -> list[Route]:
    """Routes with the fixed paths first: `/api/orders/batch` before `/api/orders/{id}`."""
    return sorted(routes, key=lambda route: route.path.count("{"))
