"""Who may enter: users, what they prove it with, and what they are signed in with, judged from the rows on disk."""

from typing import Any

import msgspec

from borsa.events import AccessRevoked
from borsa.services.users.model import SignIn
from tests.simulation.invariants import Rows, Watch, check

TOLD_MICROSECONDS = 900 * 1_000_000
"""How long after its last refresh the end of a session must be told: so long an access token of it can live."""

_DECODE_REVOKED = msgspec.json.Decoder(AccessRevoked).decode


class WatchedUsers(Watch):
    """Users: who is here, and who left; their passwords, the newest last; and what they are signed in with."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.status: dict[str, str] = {}
        self.passwords: dict[str, list[str]] = {}
        self.sign_ins: dict[str, SignIn] = {}
        self.sessions: set[str] = set()
        self._versions: dict[str, int] = {}
        self._wavered: set[str] = set()
        self._revoked: set[str] = set()
        self._told: set[str] = set()
        self.looks |= {
            "insert users": self._listed,
            "insert passwords": self._locked,
            "insert sign_ins": self._signed_in,
            "delete sign_ins": self._forgotten,
        }

    def _listed(self, rows: Rows) -> None:
        for row in rows:
            user_id, status = row[0], row[5]
            gone = self.status.get(user_id) == "deleted" and status != "deleted"
            check(not gone, "I-11", f"user {user_id} came back")
            self._coverage.branches["user deleted"] += status == "deleted"
            self.status[user_id] = status
            self._versions[user_id] = row[6]
            if status != "active":
                self._wavered.add(user_id)

    def _locked(self, rows: Rows) -> None:
        for user_id, text in rows:
            self.passwords.setdefault(user_id, []).append(text)

    def _signed_in(self, rows: Rows) -> None:
        for row in rows:
            after, before = SignIn(*row), self.sign_ins.get(row[0])
            self.sign_ins[after.session_id] = after
            self.sessions.add(after.session_id)
            if before is None:
                continue
            steps = after.generation - before.generation
            check(0 <= steps <= 1, "I-11", "a session went back, or too far", before, after)
            check(
                before.revoked_at is None or after == before, "I-11", "a session that had ended changed", before, after
            )
            if after.revoked_at is not None and after.revoked_at - before.rotated_at < TOLD_MICROSECONDS:
                self._revoked.add(after.session_id)

    def _forgotten(self, rows: Rows) -> None:
        for (session_id,) in rows:
            check(self.is_over(self.sign_ins.pop(session_id)), "I-11", f"session {session_id} was forgotten")

    def is_over(self, sign_in: SignIn) -> bool:
        """Can nothing come of a session any more, as far as it can be known from what is on disk?"""
        user_id = sign_in.user_id
        raised = self._versions[user_id] > sign_in.token_version
        return sign_in.revoked_at is not None or raised or user_id in self._wavered

    def logged(self, kind: str, subject: str, data: bytes) -> None:
        if kind == "AccessRevoked":
            session_id = _DECODE_REVOKED(data).session_id
            if session_id is not None:
                self._told.add(session_id)

    def settle(self) -> None:
        untold = self._revoked - self._told
        check(not untold, "I-31", "sessions ended, and nobody was told", *untold)
        for session_id in self._told:
            kept = self.sign_ins.get(session_id)
            check(
                kept is None or kept.revoked_at is not None,
                "I-31",
                f"session {session_id} was told to have ended, and goes on",
            )
        self._revoked.clear()
        self._told.clear()
