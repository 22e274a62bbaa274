"""Who calls."""

from typing import Annotated

import msgspec
from msgspec import Meta

YEAR_10000 = 253_402_300_800
"""The first second that no time text can say; a token that claims to live so long is none of ours."""

NEVER = 2**62
"""When an API key expires."""

SCOPES = ("read", "trade")


class Identity(msgspec.Struct, frozen=True):
    """Who calls, as proven by a token or an API key."""

    user_id: str
    user_name: str
    role: str
    session_id: str
    scopes: tuple[str, ...]
    expires_at: Annotated[int, Meta(ge=0, lt=YEAR_10000)]
    token_version: int

    @property
    def by_api_key(self) -> bool:
        """Is this a program with an API key, and not a session?"""
        return self.expires_at == NEVER

    @property
    def is_admin(self) -> bool:
        """May this caller do what only admins may?"""
        return self.role == "admin"

    def may_see(self, *owners: str) -> bool:
        """May this caller see what belongs to these users? Admins see everything."""
        return self.is_admin or self.user_id in owners
