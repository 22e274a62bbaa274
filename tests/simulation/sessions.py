"""People sign in, refresh, sign out and change their passwords, and hold the exchange to what becomes of a session.

Whoever copies a refresh token is played, too: older tokens are shown again, within the grace and long after it.
"""

import random
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from borsa.errors import Refused
from borsa.requests import Request
from borsa.services.users.model import SECOND, ChangeUser, CloseSession, OpenSession, RefreshSession, SignIn, Tokens
from tests.simulation.access import WatchedUsers
from tests.simulation.coverage import Coverage
from tests.simulation.invariants import check

FAMILIES_MAX = 4


class Family(msgspec.Struct):
    """A session as its user knows it: every refresh token of it that was told, the newest last."""

    session_id: str
    user_id: str
    tokens: list[str]


class Sessions:
    """Everybody's sessions. `asks` puts a question, `somebody` says who acts next; a repeated refresh gets the same
    successor for `grace_seconds`."""

    def __init__(
        self,
        chance: random.Random,
        coverage: Coverage,
        users: WatchedUsers,
        asks: Callable[[Request[Any]], None],
        somebody: Callable[[], str],
    ) -> None:
        self._chance = chance
        self.grace_seconds = 0
        self._coverage = coverage
        self._users = users
        self._asks = asks
        self._somebody = somebody
        self._families: deque[Family] = deque(maxlen=FAMILIES_MAX)
        self._told: dict[tuple[str, int], str] = {}
        self._hopeless: dict[int, Request[Any]] = {}
        self._passwords = 0

    # asking --------------------------------------------------------------------------------------------------------

    def sign_in(self) -> None:
        """Sometimes with a password that was changed between the look at its hash and the sign-in."""
        user_id = self._somebody()
        *outdated, current = self._users.passwords[user_id]
        late = bool(outdated) and self._chance.random() < 0.3
        verified = self._chance.choice(outdated) if late else current
        self._put(OpenSession(user_id=user_id, verified_hash=verified, new_hash=None), hopeless=late)

    def refresh(self) -> None:
        """Mostly with the newest token, at times in parallel, at times with an older one."""
        if not self._families:
            return
        family = self._chance.choice(self._families)
        token = family.tokens[-1] if self._chance.random() < 0.7 else self._chance.choice(family.tokens)
        kept, (_, generation) = self._users.sign_ins.get(family.session_id), _lineage(token)
        over = kept is None or kept.revoked_at is not None or self._is_too_old(generation, kept)
        for _ in range(self._chance.choice((1, 1, 1, 2))):
            self._put(RefreshSession(refresh_token=token), hopeless=over)

    def _is_too_old(self, generation: int, kept: SignIn) -> bool:
        out_of_grace = self._users.newest_time > kept.rotated_at + self.grace_seconds * SECOND
        return generation < kept.generation - (0 if out_of_grace else 1)

    def sign_out(self) -> None:
        """End a session, also one that has ended."""
        if self._families:
            self._asks(CloseSession(session_id=self._chance.choice(self._families).session_id))

    def change_password(self) -> None:
        """Which ends the other sessions, or all."""
        user_id = self._somebody()
        self._passwords += 1
        mine = [family.session_id for family in self._families if family.user_id == user_id]
        request = ChangeUser(
            user_id=user_id,
            password_hash=f"{self._users.passwords[user_id][0]}{self._passwords}",
            verified_hash=self._users.passwords[user_id][-1],
            kept_session_id=self._chance.choice([*mine, None]),
        )
        self._asks(request)

    def change_role(self) -> None:
        """Which ends all sessions."""
        self._asks(ChangeUser(user_id=self._somebody(), role=self._chance.choice(("user", "admin"))))

    def _put(self, request: Request[Any], *, hopeless: bool) -> None:
        """`hopeless`: what is on disk by now forbids it for ever."""
        if hopeless:
            self._hopeless[id(request)] = request
        self._asks(request)

    # being answered ------------------------------------------------------------------------------------------------

    def took(self, request: Request[Any], outcome: Any) -> None:
        """What was granted, whatever it was."""
        match request:
            case OpenSession() | RefreshSession():
                self._took_tokens(request, outcome)
            case CloseSession():
                self._took_sign_out(request)
            case ChangeUser():
                self._took_change(request)

    def gave_up(self, request: Request[Any]) -> None:
        """Nobody will know what came of it."""
        self._hopeless.pop(id(request), None)

    def _took_tokens(self, request: OpenSession | RefreshSession, tokens: Tokens) -> None:
        """A sign-in, or the next tokens of one."""
        check(self._hopeless.pop(id(request), None) is None, "P0", "a session that had ended went on", request)
        session_id, generation = _lineage(tokens.refresh_token)
        kept = self._users.sign_ins.get(session_id)
        there = kept is None or kept.generation >= generation
        check(there and session_id in self._users.sessions, "P1", "a session was told, and is not on disk", request)
        if isinstance(request, OpenSession):
            self._families.append(Family(session_id, request.user_id, [tokens.refresh_token]))
            self._coverage.branches["signed in"] += 1
            return
        shown = _lineage(request.refresh_token)
        check(shown == (session_id, generation - 1), "P0", "a token was answered by one that does not follow", request)
        self._coverage.branches["refresh repeated in its grace"] += (session_id, generation) in self._told
        known = self._told.setdefault((session_id, generation), tokens.refresh_token)
        check(known == tokens.refresh_token, "P0", "one generation has two tokens", request)
        for family in self._families:
            if family.session_id == session_id and known not in family.tokens:
                family.tokens.append(known)

    def refused(self, request: Request[Any], refused: Refused) -> None:
        """A genuine token is refused only when its session is over, or is so from now on."""
        hopeless = self._hopeless.pop(id(request), None) is not None
        if isinstance(request, OpenSession):
            self._coverage.branches["signed in with an outdated password"] += hopeless
        if not isinstance(request, RefreshSession) or refused.code != "invalid_refresh_token":
            return
        session_id, generation = _lineage(request.refresh_token)
        kept = self._users.sign_ins.get(session_id)
        if kept is not None:
            check(self._users.is_over(kept), "P0", "a token of a session that goes on was refused", request, kept)
            self._coverage.branches["refresh token shown by two"] += generation < kept.generation

    def _took_sign_out(self, request: CloseSession) -> None:
        """From now on nothing comes of the session."""
        kept = self._users.sign_ins.get(request.session_id)
        check(kept is None or kept.revoked_at is not None, "P1", "somebody signed out, and is signed in", kept)
        self._coverage.branches["signed out"] += 1

    def _took_change(self, request: ChangeUser) -> None:
        """A new name, password or role."""
        if request.password_hash is not None:
            known = self._users.passwords[request.user_id]
            gone = self._users.status[request.user_id] == "deleted"
            check(gone or request.password_hash in known, "P1", "a password was answered, and is not on disk", request)
            self._coverage.branches["password changed"] += 1
        self._coverage.branches["role changed"] += request.role is not None


def _lineage(token: str) -> tuple[str, int]:
    session_id, generation, _ = token.split(".")
    return session_id, int(generation)
