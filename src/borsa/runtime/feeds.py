"""What can be followed: the seam between the services, which know what there is, and the streams, which carry it.

A channel is told in messages from a position to a position. Who reads fast gets every message, who reads slowly gets
one for several of them: it is asked for what changed since the position where the reader is.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from borsa.errors import Refused
from borsa.runtime.log import Recorded, newest
from borsa.runtime.store import Reader


class Channel(Protocol):
    """One thing that many may follow, such as the book of a market. Lives on the door's event loop.

    `name` is what it is followed by. `is_paced`: four messages a second are enough. `may_begin_again`: a snapshot says
    all that there is to know, also to who missed something.
    """

    name: str
    is_paced: bool
    may_begin_again: bool

    @property
    def position(self) -> int:
        """How far it is; it only grows."""

    def snapshot(self) -> Any:
        """All of it at the position: a struct with `channel` and `type`."""

    def since(self, after: int) -> Sequence[Any] | None:
        """What changed from a position to the present one, as messages; None when that is not known any more."""


class Feed(Protocol):
    """Channels of one kind, for everybody."""

    async def open(self, words: Sequence[str]) -> Channel:
        """The channel of a name, which is the feed's and these words; the same channel each time. Refused:
        invalid_request, unknown_symbol."""


Row = tuple[int, str, str]
"""Something that concerns a user: its sequence, the user, and what it is about."""


class Own(msgspec.Struct, frozen=True, kw_only=True):
    """What of a service concerns users, each for themselves. `data` gives what REST gives of a subject to one of them,
    None where it is gone.

    Of a log: `kinds` are the types of events that do, by name, and `owners` says whose an event is. Of a service that
    has nothing in its log: `since` makes what reads on after a sequence, and `newest` is the last sequence.
    """

    data: Callable[[Reader, str, str], Any]
    kinds: frozenset[str] = frozenset()
    owners: Callable[[Recorded], Sequence[str]] = lambda _: ()
    since: Callable[[int], Callable[[Reader, int], list[Row]]] | None = None
    newest: Callable[[Reader], int] = lambda reader: newest(reader)[0]


class OwnSnapshot(msgspec.Struct, frozen=True, tag_field="type", tag="snapshot"):
    """Where a channel begins: what is read by REST from now on is not older."""

    channel: str
    sequence: int


class OwnChanged(msgspec.Struct, frozen=True, tag_field="type", tag="change"):
    """Something of the user changed: `data` is what REST gives of it now, null where it is gone."""

    channel: str
    sequence: int
    id: str
    data: Any


OWN = (OwnSnapshot, OwnChanged)
"""The messages of an own channel."""


Messages = Mapping[str, tuple[type[msgspec.Struct], ...]]
"""The messages of channels, by their names."""


class Feeds(msgspec.Struct, frozen=True):
    """The feeds of a service, by the first word of their channels' names: for everybody, and for each user."""

    public: Mapping[str, Feed] = {}
    own: Mapping[str, Own] = {}


def no_such_channel(name: str) -> Refused:
    """What is said of a channel that there is not."""
    return Refused("invalid_request", f"There is no channel {name[:60]}")


class _Owned(msgspec.Struct):
    user_id: str = msgspec.field(name="userId")


_owned = msgspec.json.Decoder(_Owned).decode


def owner(recorded: Recorded) -> Sequence[str]:
    """The user whom an event names; no more of it is decoded than that."""
    return (_owned(recorded.data).user_id,)
