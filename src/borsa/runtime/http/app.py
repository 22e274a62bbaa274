"""All routes as one ASGI application, with health, metrics and the documents that describe it."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route as Path

from borsa.errors import Refused
from borsa.runtime.http.call import Means
from borsa.runtime.http.endpoint import Endpoint, Receive, Scope, Send, respond
from borsa.runtime.http.problem import MEDIA_TYPE, document, headers_of
from borsa.runtime.http.route import Route

_CODES = {404: "not_found", 405: "method_not_allowed"}


class Resource:
    """The routes of one path, by method."""

    def __init__(self, endpoints: dict[str, Endpoint]) -> None:
        self._endpoints = endpoints
        allowed = set(endpoints) | ({"HEAD"} if "GET" in endpoints else set())
        self._allow = ", ".join(sorted(allowed))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        endpoint = self._endpoints.get(method)
        if endpoint is None:
            await _refuse(send, Refused("method_not_allowed"), {"allow": self._allow})
        else:
            await endpoint(scope, receive, send)


def application(routes: Iterable[Route], means: Means) -> Starlette:
    """The ASGI application of a table of routes; the first rows are found fastest."""
    paths: dict[str, dict[str, Endpoint]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method] = Endpoint(route, means)
    app = Starlette(
        routes=[Path(path, Resource(endpoints)) for path, endpoints in paths.items()],
        exception_handlers={HTTPException: _not_routed},  # type: ignore[dict-item]
    )
    app.router.redirect_slashes = False
    return app


def _not_routed(_: object, error: HTTPException) -> Callable[[Scope, Receive, Send], Any]:
    refused = Refused(_CODES.get(error.status_code, "malformed_request"))

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await _refuse(send, refused, {})

    return answer


async def _refuse(send: Send, refused: Refused, extra: dict[str, str]) -> None:
    headers = {"content-type": MEDIA_TYPE} | headers_of(refused) | extra
    await respond(send, refused.status, document(refused), "-", headers)


def order_of(routes: Sequence[Route]) -> list[Route]:
    """Routes with the fixed paths first: `/api/orders/batch` before `/api/orders/{id}`."""
    return sorted(routes, key=lambda route: route.path.count("{"))
