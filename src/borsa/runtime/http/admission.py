"""Who may open a stream, and how many: the same over a WebSocket and by Server-Sent Events."""

from collections.abc import Callable, Mapping

from borsa.errors import Refused
from borsa.runtime.access.identity import Identity
from borsa.runtime.http.call import Means, address_of
from borsa.runtime.http.endpoint import Scope
from borsa.runtime.http.limits import Limits, network_of


async def admit(
    means: Means, scope: Scope, headers: Mapping[bytes, bytes], check: Callable[[], None]
) -> Identity | None:
    """Who opens a stream, None where they don't say. `check` refuses what is no request for one. Refused:
    too_many_requests, overloaded, unauthorized."""
    address = address_of(scope)
    means.limits.requests_of_address.take(network_of(address))
    check()
    if not means.health.ready:
        raise Refused("overloaded", "The server is about to stop")
    credential = headers.get(b"authorization")
    return None if credential is None else await means.authenticator.identify(credential, address)


class Seat:
    """The places of one stream: its address's, and its user's from when it is known who that is."""

    def __init__(self, limits: Limits, scope: Scope) -> None:
        self._of_address, self._of_user = limits.streams_of_address, limits.streams_of_user
        self._network = network_of(address_of(scope))
        self._user_id: str | None = None
        self._is_taken = False

    def take(self) -> None:
        """Take the place of the address. Refused: too_many_requests."""
        if not self._of_address.take(self._network):
            raise Refused("too_many_requests", "Too many streams of this address")
        self._is_taken = True

    def belong_to(self, identity: Identity | None) -> None:
        """Take the place of the user, once; nobody has one. Refused: too_many_requests."""
        if identity is None or self._user_id is not None:
            return
        if not self._of_user.take(identity.user_id):
            raise Refused("too_many_requests", "Too many streams of this user")
        self._user_id = identity.user_id

    def leave(self) -> None:
        """Give back what was taken."""
        if self._is_taken:
            self._of_address.leave(self._network)
            self._is_taken = False
        if self._user_id is not None:
            self._of_user.leave(self._user_id)
            self._user_id = None
