"""Where PostgreSQL is, and how Borsa connects to it: every wait is bounded, and the password is in no message."""

import time
from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import psycopg
import structlog
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.numeric import Int8Dumper

from borsa.errors import CantStart
from borsa.runtime.databases.lease import LEASE_SECONDS, Keeper

_log = structlog.get_logger("borsa")

CONNECT_SECONDS_MAX = 5
"""How long a connection may take to be there."""

LOCK_SECONDS_MAX = 10
"""How long a statement waits for a lock: there is one writer, so only a former one could have it."""

AGAIN_SECONDS = 0.25
"""How long a server that could not be reached is left alone."""

UNHEARD_MS_MAX = 10_000
"""How long data may be on its way to the server, or a silent connection go unanswered, until it counts as lost."""

KEEPALIVE: Mapping[str, int] = {"idle": 5, "interval": 2, "count": 3}
"""When a connection over which nothing comes is asked whether anybody is there, how often then, in seconds, and how
many questions may go unanswered. Either end asks: a server would keep the locks of who was cut off for hours."""

PREPARED_MAX = 1_000
"""Statements that a connection keeps prepared."""


class Bounded(psycopg.Connection[Any]):
    """A connection to a server that may stand still: who waits for it longer than that is told so, and the connection
    ends with it. None is no bound."""

    answer_seconds_max: float | None = None

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """As psycopg does, which calls it whenever it waits for the server."""
        try:
            return super().wait(gen, interval, self.answer_seconds_max if timeout is None else timeout)
        except psycopg.errors._WaitTimeout:
            if timeout is not None:
                raise
            # an answer that comes later would be taken for that of the next question
            self.pgconn.finish()
            raise psycopg.OperationalError(f"no answer within {self.answer_seconds_max} s") from None


class Server:
    """Where the schemas are. `place` names it without the password."""

    def __init__(self, url: str) -> None:
        try:
            self._given: Mapping[str, Any] = conninfo_to_dict(url)
        except psycopg.Error:
            # what libpq says of it may have the password in it
            raise CantStart("BORSA_DATABASE_URL is no connection URI that PostgreSQL understands") from None
        parts = urlsplit(url)
        self.place = f"{parts.hostname or 'the local socket'}{parts.path}"
        self.keeper = Keeper(partial(self.connect, "public", "leases", LEASE_SECONDS, synchronous_commit="off"))

    def connect(
        self, schema: str, what: str, answer_seconds_max: float | None = None, **settings: str | int
    ) -> "psycopg.Connection[Any]":
        """A connection that sees only this schema, in autocommit; psycopg.OperationalError when there is none.

        `what` it is for is seen in pg_stat_activity; `settings` are of its session. With `answer_seconds_max`, a
        server that does not answer for so long counts as gone.
        """
        session: dict[str, str | int] = {
            "search_path": schema,
            "lock_timeout": LOCK_SECONDS_MAX * 1000,
            "client_encoding": "UTF8",
        }
        session |= {f"tcp_keepalives_{name}": value for name, value in KEEPALIVE.items()}
        session |= {"tcp_user_timeout": UNHEARD_MS_MAX} | settings
        options = [str(self._given.get("options") or ""), *(f"-c {name}={value}" for name, value in session.items())]
        connection = Bounded.connect(
            **dict(self._given)
            | {f"keepalives_{name}": value for name, value in KEEPALIVE.items()}
            | {
                "options": " ".join(options).strip(),
                "application_name": f"borsa {schema} {what}",
                "connect_timeout": CONNECT_SECONDS_MAX,
                "tcp_user_timeout": UNHEARD_MS_MAX,
            },
            autocommit=True,
            prepare_threshold=0,
        )
        connection.answer_seconds_max = answer_seconds_max
        connection.prepared_max = PREPARED_MAX
        # whatever its size, so that one statement is prepared once
        connection.adapters.register_dumper(int, Int8Dumper)
        return connection

    def awaited(self, schema: str, what: str, **settings: Any) -> "psycopg.Connection[Any]":
        """As connect, however long it takes until there is one; the log says what is in the way."""
        told = ""
        while True:
            try:
                return self.connect(schema, what, **settings)
            except psycopg.OperationalError as error:
                why = f"the database {self.place} can't be reached: {str(error).strip()}"
                if why != told:
                    _log.warning("waiting", why=why)
                    told = why
                time.sleep(AGAIN_SECONDS)

    def reached(self, schema: str, what: str) -> "psycopg.Connection[Any]":
        """As connect; CantStart when there is none."""
        try:
            return self.connect(schema, what)
        except psycopg.Error as error:
            raise CantStart(f"the database {self.place} can't be reached: {str(error).strip()}") from error
