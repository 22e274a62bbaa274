"""What comes to the door of users, and what leaves it: the HTTP structs."""

import base64
from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType, field

from borsa.runtime.clock import time_text
from borsa.runtime.codec import EMAIL_CHARACTERS_MAX, EMAIL_PATTERN, Body, Reply
from borsa.services.users import model, passwords
from borsa.services.users.model import ApiKey, Tokens, User

UserName = Annotated[
    str,
    Meta(
        description="3 to 40 letters (A-Z), digits, '.', '_' or '-'; compared without case",
        examples=["ada"],
        extra_json_schema={"pattern": model.NAME_PATTERN},
    ),
]
Email = Annotated[
    str,
    Meta(
        examples=["ada@example.org"],
        extra_json_schema={"pattern": EMAIL_PATTERN, "maxLength": EMAIL_CHARACTERS_MAX},
    ),
]
NewPassword = Annotated[
    str,
    Meta(
        description="Any Unicode, normalised to NFC; refused when it is common or contains the user's name",
        examples=["copper-meadow-thistle-19"],
        extra_json_schema={"minLength": passwords.LENGTH_MIN, "maxLength": passwords.LENGTH_MAX},
    ),
]


KeyType = Annotated[
    Literal["bearer", "hmac", "ed25519"],
    Meta(description="What a program does with the key: send its secret, sign with it, or sign with its private key"),
]
PublicKey = Annotated[
    str,
    Meta(
        description="Of a key of type ed25519: the 32 bytes of the public key in hexadecimal",
        extra_json_schema={"pattern": model.PUBLIC_KEY_PATTERN},
    ),
]


class Registration(Body, frozen=True):
    """Somebody who signs up."""

    user_name: UserName
    password: NewPassword
    email: Email | None = None


ByCookie = Annotated[
    bool, Meta(description="The refresh token comes and goes in a cookie that no script can read, for browsers")
]


class Credentials(Body, frozen=True):
    """A sign-in."""

    user_name: str
    password: str
    cookie: ByCookie = False


class RefreshToken(Body, frozen=True):
    """The refresh token that is exchanged; with `cookie` it is the cookie's."""

    refresh_token: str | UnsetType = UNSET
    cookie: ByCookie = False


class AccessToken(Body, frozen=True):
    """The access token that is asked about."""

    token: str


class ProfileChange(Body, frozen=True):
    """What somebody changes of their own; a new password needs the current one."""

    user_name: UserName | UnsetType = UNSET
    email: Email | UnsetType | None = UNSET
    password: NewPassword | UnsetType = UNSET
    current_password: str | UnsetType = UNSET


class UserChange(Body, frozen=True):
    """What an admin changes of somebody."""

    user_name: UserName | UnsetType = UNSET
    email: Email | UnsetType | None = UNSET
    role: Literal["user", "admin"] | UnsetType = UNSET
    password: NewPassword | UnsetType = UNSET


class KeyWanted(Body, frozen=True):
    """An API key to be made; it may read and not trade, and be used from anywhere, where nothing else is said."""

    label: Annotated[str, Meta(extra_json_schema={"minLength": 1, "maxLength": model.LABEL_CHARACTERS_MAX})]
    scopes: Annotated[list[Literal["read", "trade"]], Meta(min_length=1, max_length=2)] = field(
        default_factory=lambda: ["read"]
    )
    ip_allow_list: Annotated[list[str], Meta(examples=[["192.0.2.0/24"]])] = field(default_factory=list)
    type: KeyType = "bearer"
    public_key: PublicKey | UnsetType = UNSET


class UserReply(Reply, frozen=True):
    """A user."""

    user_id: str
    user_name: str
    email: str | None
    role: str
    created_at: str


class UserPage(Reply, frozen=True):
    """Users, newest first."""

    data: list[UserReply]
    next_cursor: str | None


class TokensReply(Reply, frozen=True):
    """What a sign-in gives; `expiresIn` is the access token's life in seconds. No `refreshToken` where it is in the
    cookie."""

    access_token: str
    refresh_token: str | UnsetType
    token_type: Literal["Bearer"]
    expires_in: int


class Validity(Reply, frozen=True):
    """Whether an access token is valid now; of a valid one also whose it is, and until when."""

    valid: bool
    user_id: str | UnsetType = UNSET
    user_name: str | UnsetType = UNSET
    role: str | UnsetType = UNSET
    expires_at: str | UnsetType = UNSET


class KeyReply(Reply, frozen=True):
    """An API key. `secret` is there only when it was just made: of type bearer it is the whole credential (a Bearer
    token), of type hmac what requests are signed with."""

    key_id: str
    type: KeyType
    label: str
    scopes: list[str]
    ip_allow_list: list[str]
    created_at: str
    public_key: PublicKey | UnsetType = UNSET
    secret: str | UnsetType = UNSET


class KeyPage(Reply, frozen=True):
    """API keys, newest first."""

    data: list[KeyReply]
    next_cursor: str | None


class Jwk(Reply, frozen=True):
    """A public key, as RFC 8037 writes it."""

    kty: str
    crv: str
    x: str
    kid: str
    use: str
    alg: str


class Jwks(Reply, frozen=True):
    """The public keys that access tokens can be verified with."""

    keys: list[Jwk]


def user_reply(user: User) -> UserReply:
    """A user as they are answered."""
    return UserReply(
        user_id=user.user_id,
        user_name=user.name,
        email=user.email,
        role=user.role,
        created_at=time_text(user.created_at),
    )


def tokens_reply(tokens: Tokens, *, by_cookie: bool) -> TokensReply:
    """What a sign-in gave, as it is answered."""
    return TokensReply(
        access_token=tokens.access_token,
        refresh_token=UNSET if by_cookie else tokens.refresh_token,
        token_type="Bearer",  # noqa: S106
        expires_in=tokens.expires_in,
    )


def key_reply(key: ApiKey, secret: str | UnsetType = UNSET) -> KeyReply:
    """An API key as it is answered; with its secret, when it was just made."""
    return KeyReply(
        key_id=key.key_id,
        type=key.kind,  # type: ignore[arg-type]
        label=key.label,
        scopes=key.scopes.split(),
        ip_allow_list=key.addresses.split(),
        created_at=time_text(key.created_at),
        public_key=key.verifier.hex() if key.kind == "ed25519" else UNSET,
        secret=secret,
    )


def jwk(key_id: str, raw: bytes) -> Jwk:
    """A public key (its 32 bytes) as it is answered."""
    text = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    return Jwk(kty="OKP", crv="Ed25519", x=text, kid=key_id, use="sig", alg="EdDSA")
