"""Every option, its default, and its BORSA_* name: the one place where bounds have their numbers."""

import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, get_args, get_type_hints
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta


def _about(text: str) -> Meta:
    return Meta(description=text)


Count = Annotated[int, Meta(ge=1, le=2**31)]
"""A bound that lets something through."""

CountOrNone = Annotated[int, Meta(ge=0, le=2**31)]
"""A bound of which 0 means none."""

Amount = Annotated[str, Meta(pattern=r"^[0-9]{1,10}(\.[0-9]{1,8})?\Z")]
"""A decimal amount of whatever asset."""

Level = Literal["debug", "info", "warning", "error"]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Read once at start; the environment variable of a field is BORSA_ and its name in capitals."""

    data: Annotated[str, _about("Folder of the databases and keys")] = "./borsa-data"
    database_url: Annotated[
        str, _about("postgresql://user:password@host:port/name for PostgreSQL; empty is SQLite in the data folder")
    ] = ""
    nats_url: Annotated[
        str, _about("nats://user:password@host:port, or several, separated by commas, for `borsa serve`; empty is none")
    ] = ""
    host: Annotated[str, _about("Address to listen on")] = "127.0.0.1"
    port: Annotated[int, _about("Port to listen on; 0 takes a free one"), Meta(ge=0, le=65535)] = 8000
    admin_password: Annotated[
        str, _about("Password of the user admin at the first start; made up and printed once when empty")
    ] = ""
    processes: Annotated[
        int, _about("Processes of `borsa up`, 1 to 3; 0 is 3 where there is more than one core"), Meta(ge=0, le=3)
    ] = 0
    sandbox: Annotated[bool, _about("Users may take play money from the faucet")] = True
    demo: Annotated[
        bool, _about("Simulated participants trade in `borsa up`, with play money: not where the sandbox is off")
    ] = True
    demo_seed: Annotated[
        str, _about("What their decisions come from: the same seed makes the same past"), Meta(max_length=100)
    ] = "borsa"
    demo_orders_per_second: Annotated[
        int, _about("Orders, amendments and cancels of theirs in a second, at most"), Meta(ge=1, le=100)
    ] = 3
    log_level: Annotated[Level, _about("debug logs every request")] = "info"

    # the edge
    body_bytes_max: Annotated[Count, _about("Largest request body")] = 64 * 1024
    batch_body_bytes_max: Annotated[Count, _about("Largest body of POST /api/orders/batch")] = 1024 * 1024
    header_bytes_max: Annotated[Count, _about("Largest Authorization or Idempotency-Key header")] = 8 * 1024
    trusted_proxies: Annotated[
        str, _about("Addresses and networks, separated by commas, of proxies whose X-Forwarded-For is believed")
    ] = ""
    head_seconds_max: Annotated[Count, _about("How long a client may take to send a request's head")] = 10
    body_seconds_max: Annotated[Count, _about("How long a client may take to send a request's body")] = 30
    answer_seconds_max: Annotated[Count, _about("How long a client may take to read an answer")] = 30
    wait_seconds_max: Annotated[CountOrNone, _about("Longest Prefer: wait")] = 10
    verdict_wait_ms: Annotated[CountOrNone, _about("How long DELETE and PUT of an order wait for the engine")] = 250
    drain_seconds_max: Annotated[CountOrNone, _about("How long a stop waits for requests in flight")] = 10
    registrations_per_minute: Annotated[Count, _about("Registrations of one address in a minute")] = 600
    address_requests_per_second: Annotated[
        Count, _about("Requests of one address in a second (of IPv6: of one /64), and as many DELETEs beside them")
    ] = 50_000
    key_requests_per_second: Annotated[
        Count, _about("Requests with one API key in a second, and as many DELETEs beside them")
    ] = 20_000
    orders_per_second: Annotated[Count, _about("Orders of one user in a second")] = 10_000
    rows_per_second: Annotated[Count, _about("Rows of lists that one user may read in a second")] = 10_000
    unread_bytes_max: Annotated[
        Count, _about("Bytes of answers that may wait for their clients; beyond, whoever has most waiting is let go")
    ] = 64 * 1024 * 1024
    sign_in_failures_max: Annotated[Count, _about("Failed sign-ins of an account before delays begin")] = 10
    address_sign_in_failures_max: Annotated[
        Count, _about("Failed sign-ins from an address, of whatever account, before delays begin")
    ] = 1_000
    sign_in_window_seconds: Annotated[Count, _about("Window in which failed sign-ins count")] = 600
    password_queue_max: Annotated[Count, _about("Password hashes that may wait; more are answered 503")] = 64
    signed_requests_max: Annotated[
        Count, _about("Signed requests of one user that may be within their windows, and are known when sent again")
    ] = 100_000
    verified_tokens_max: Annotated[Count, _about("Access tokens whose verification is remembered")] = 10_000

    # tokens
    access_token_seconds: Annotated[Count, _about("Life of an access token")] = 900
    refresh_token_days: Annotated[Count, _about("Life of a refresh token")] = 30
    refresh_grace_seconds: Annotated[CountOrNone, _about("A repeated refresh gets the same successor so long")] = 10
    api_keys_max: Annotated[Count, _about("API keys of one user")] = 50

    # orders and money
    price_band_ppm: Annotated[
        CountOrNone, _about("Furthest that an order's price may be from the last trade, in millionths; 0 is no band")
    ] = 200_000
    open_orders_max: Annotated[Count, _about("Open orders of one user in one market")] = 10_000
    faucet_max: Annotated[Amount, _about("Play money of one faucet call, of any asset")] = "1000000"
    adjustment_daily_max: Annotated[
        Amount, _about("What admins may post without a second admin, of one asset in a day")
    ] = "100000000"
    approval_hours: Annotated[Count, _about("How long an adjustment waits for the second admin")] = 24
    custody: Annotated[
        str,
        _about("What is held for users, as BTC=1000,USD=5000000: no more can be owed; no bound for other assets"),
        Meta(pattern=r"^([A-Z0-9]{1,12}=[0-9]{1,10}(\.[0-9]{1,8})?(,(?!\Z)|\Z))*\Z"),
    ] = ""
    wallets_max: Annotated[Count, _about("Open wallets of one user")] = 100
    unconfirmed_hold_seconds: Annotated[CountOrNone, _about("Age at which a hold without an order is asked about")] = 5

    # the runtime
    commit_requests_max: Annotated[Count, _about("Requests in one group commit: users take turns in it")] = 100
    commit_events_max: Annotated[
        Count, _about("Events of one source in one group commit; far more than requests, so that no backlog grows")
    ] = 10_000
    inbox_items_max: Annotated[Count, _about("Requests that may wait for a service; more are answered 503")] = 20_000
    inbox_user_items_max: Annotated[Count, _about("Requests of one user that may wait for a service")] = 10_000
    stream_events_max: Annotated[
        Count, _about("Events kept in memory for a consumer; beyond, it reads the producer's log")
    ] = 20_000
    fetch_events_max: Annotated[Count, _about("Events of one read from a producer's log")] = 1_000
    cached_records_max: Annotated[Count, _about("Records of one table kept in memory")] = 50_000
    event_tries_max: Annotated[Count, _about("Tries of an event that a follower can't handle")] = 5
    snapshot_events: Annotated[
        Count, _about("Events of the orders log between two snapshots; half of the open orders, where that is more")
    ] = 50_000
    snapshot_piece_bytes: Annotated[Count, _about("Bytes of a snapshot that one commit writes")] = 262_144
    snapshots_kept: Annotated[Count, _about("Snapshots of the books that are kept")] = 3

    # streams
    origins: Annotated[
        str, _about("Origins, separated by commas, whose pages may open streams beside the server's own")
    ] = ""
    address_streams_max: Annotated[Count, _about("Streams of one address (of IPv6: of one /64) at a time")] = 2_000
    user_streams_max: Annotated[Count, _about("Streams of one user at a time")] = 100
    stream_channels_max: Annotated[Count, _about("Channels that one stream follows")] = 200
    stream_messages_per_second: Annotated[Count, _about("Messages of a client that a stream takes in a second")] = 50
    stream_message_bytes_max: Annotated[Count, _about("Largest message of a client that a stream takes")] = 16 * 1024
    stream_unread_bytes: Annotated[
        Count, _about("Bytes that a client of a stream may leave unread until changes are merged for it")
    ] = 256 * 1024

    # market data
    second_candles_hours: Annotated[
        CountOrNone, _about("How long candles of one second are kept; the longer ones stay. 0 is for ever")
    ] = 48

    # processes apart
    trades_shards: Annotated[
        int,
        _about(
            "How many `borsa serve trades --markets` there are beside `borsa serve trades`, for all processes alike"
        ),
        Meta(ge=0, le=64),
    ] = 0
    ask_seconds_max: Annotated[Count, _about("How long a gateway waits for the answer of a service")] = 10
    reading_threads_max: Annotated[
        Count, _about("Reads of one service's data in PostgreSQL that a gateway does at once, each on a connection")
    ] = 2
    nats_bytes_max: Annotated[Count, _about("Bytes that each stream of the broker keeps")] = 1024 * 1024 * 1024
    nats_events: Annotated[bool, _about("Events are also published one by one, by type and market")] = False

    kernel: Annotated[
        Literal["", "naive", "compiled"],
        _about("Matching kernel: naive or compiled; empty is the fastest that is installed"),
    ] = ""

    # notifications
    smtp_url: Annotated[str, _about("smtp://user:password@host:port for e-mail; empty is off")] = ""
    smtp_from: Annotated[str, _about("Sender of e-mail")] = "borsa@localhost"
    webhook_private: Annotated[bool, _about("Webhooks may go to private and loopback addresses")] = False
    webhook_timeout_seconds: Annotated[Count, _about("How long a webhook's target may take")] = 5
    delivery_tries_max: Annotated[Count, _about("Tries of a webhook or an e-mail")] = 6

    @property
    def folder(self) -> Path:
        """The data folder, absolute."""
        return Path(self.data).expanduser().absolute()

    @property
    def proxies(self) -> list[str]:
        """The networks of trusted proxies."""
        return [each.strip() for each in self.trusted_proxies.split(",") if each.strip()]

    @property
    def address(self) -> str:
        """The address that clients use."""
        return f"http://{self.host}:{self.port}"


class BadSetting(ValueError):
    """A BORSA_* variable has a value that its option can't take."""


def load(environment: Mapping[str, str] | None = None) -> Settings:
    """Settings from the environment; BadSetting names the variable that is wrong."""
    source = os.environ if environment is None else environment
    given: dict[str, object] = {}
    for name, kind in get_type_hints(Settings, include_extras=True).items():
        variable = variable_of(name)
        if variable in source:
            given[name] = _read(variable, source[variable], kind)
    settings = Settings(**given)  # type: ignore[arg-type]
    _check_proxies(settings)
    _check_database_url(settings.database_url)
    _check_nats_url(settings.nats_url)
    return settings


def _check_database_url(url: str) -> None:
    """What is wrong is told without the URL, which has a password."""
    if not url:
        return
    variable = variable_of("database_url")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise BadSetting(f"{variable}: this is no URL with a host and a port") from None
    if parts.scheme not in ("postgresql", "postgres"):
        raise BadSetting(f"{variable}: it must begin with postgresql://")
    if len(parts.path) < 2:
        raise BadSetting(f"{variable}: it names no database, as postgresql://user:password@host/name does")


def _check_nats_url(urls: str) -> None:
    """As above."""
    variable = variable_of("nats_url")
    for url in urls.split(",") if urls else ():
        try:
            parts = urlsplit(url.strip())
            _ = parts.port
        except ValueError:
            raise BadSetting(f"{variable}: this is no URL with a host and a port") from None
        if parts.scheme not in ("nats", "tls") or not parts.hostname:
            raise BadSetting(f"{variable}: each must be as nats://user:password@host:port")


def _check_proxies(settings: Settings) -> None:
    try:
        for each in settings.proxies:
            ipaddress.ip_network(each)
    except ValueError as error:
        raise BadSetting(f"{variable_of('trusted_proxies')}: {error}") from None


def _read(variable: str, text: str, kind: object) -> object:
    try:
        return msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError as error:
        raise BadSetting(f"{variable}: {error}") from None


def variable_of(name: str) -> str:
    """The environment variable of an option."""
    return "BORSA_" + name.upper()


def describe() -> list[tuple[str, str, str]]:
    """Rows of (variable, default, description) for the documentation."""
    rows = []
    hints = get_type_hints(Settings, include_extras=True)
    for field in msgspec.structs.fields(Settings):
        metas = [meta for meta in get_args(hints[field.name])[1:] if isinstance(meta, Meta)]
        about = next(meta.description for meta in metas if meta.description)
        rows.append((variable_of(field.name), str(field.default), about))
    return rows
