"""Where a webhook may go: to public addresses only, judged when it is set and again at every delivery.

A name can mean one address when it is judged and another when it is used (DNS rebinding), so a delivery connects to
the very address that was judged. Sources: OWASP API7:2023 (server-side request forgery); RFC 6890 (special addresses).
"""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

import msgspec

URL_CHARACTERS_MAX = 2000
LOOKUP_SECONDS_MAX = 2
LOOKUPS_MAX = 4
"""Names looked up at once for people who set webhooks; beyond, a name is judged at its first delivery."""

_VISIBLE = re.compile(r"[\x21-\x7e]+\Z", re.ASCII)
_HOST = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?\.?\Z", re.ASCII)
_PORTS = {"http": 80, "https": 443}
_PRIVATE_NAMES = ("localhost", "local", "internal", "intranet", "lan", "home", "corp", "arpa", "test", "invalid")
_UNICAST = ipaddress.ip_network("2000::/3")
"""All that is given out of IPv6 to the internet at large. Outside lie the addresses that carry an IPv4 address inside
(but for 6to4 and Teredo) and those of single networks."""

_SPECIAL = tuple(map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20")))
"""Special networks that versions of `ipaddress` take for global; a cloud keeps its metadata in the first of them."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class NotAllowed(ValueError):
    """An address that webhooks do not go to; the text says why."""


class Target(msgspec.Struct, frozen=True):
    """A URL taken apart."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def host_header(self) -> str:
        """The Host header of a request to it."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == _PORTS[self.scheme] else f"{name}:{self.port}"

    def url_at(self, address: str) -> str:
        """The URL with its host replaced by an address."""
        name = f"[{address}]" if ":" in address else address
        return f"{self.scheme}://{name}:{self.port}{self.path}"


def read(url: str) -> Target:
    """The target that a URL names; NotAllowed when it has another scheme, credentials or a malformed host."""
    if len(url) > URL_CHARACTERS_MAX or not _VISIBLE.match(url) or "\\" in url:
        raise NotAllowed(f"must be a URL of at most {URL_CHARACTERS_MAX} visible ASCII characters")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise NotAllowed("must be a well-formed URL") from None
    if parts.scheme not in _PORTS:
        raise NotAllowed("must begin with https:// or http://")
    if "@" in parts.netloc:
        raise NotAllowed("must not contain a user name or password")
    if port == 0 or parts.fragment:
        raise NotAllowed("must have no fragment, and a port above 0")
    return Target(parts.scheme, _host(parts), port or _PORTS[parts.scheme], _path(parts))


def _host(parts: SplitResult) -> str:
    host = (parts.hostname or "").lower()
    if ":" in host and "%" not in host:
        try:
            return str(ipaddress.IPv6Address(host))
        except ValueError:
            raise NotAllowed("must have a well-formed host") from None
    if not _HOST.match(host) or ".." in host:
        raise NotAllowed("must have a well-formed host")
    return host.rstrip(".")


def _path(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def is_public(address: Address) -> bool:
    """Is it an address of the internet at large: not private, loopback, link-local, shared, reserved or multicast?"""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        # an IPv4 address inside is a way around the judgement of that one
        if address.sixtofour or address.teredo or address not in _UNICAST:
            return False
    return address.is_global and not address.is_multicast and not any(address in network for network in _SPECIAL)


def judge(addresses: Sequence[str]) -> None:
    """NotAllowed unless every one of the addresses is public."""
    for text in addresses:
        if not is_public(ipaddress.ip_address(text.partition("%")[0])):
            raise NotAllowed("must not lead to a private, loopback or reserved address")


def judge_name(host: str) -> None:
    """NotAllowed for a host that needs no lookup to be known as private, in any of the ways to write an address."""
    try:
        judge(_numeric(host))
    except OSError:
        if "." not in host or host.rsplit(".", 1)[1] in _PRIVATE_NAMES:
            raise NotAllowed("must not be the name of a private host") from None


def _numeric(host: str) -> list[str]:
    """The address that a number stands for (127.1 and 0x7f000001 are 127.0.0.1); OSError for a name."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    return [str(each[4][0]) for each in found]


async def addresses_of(target: Target) -> list[str]:
    """The addresses that a target's host has now, each once; OSError when it has none."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


async def judged(target: Target, private: bool) -> str:
    """The address to connect to; NotAllowed when any address of the host is not public (unless `private`)."""
    addresses = await addresses_of(target)
    if not private:
        judge(addresses)
    return addresses[0]


class Lookups:
    """Judges what people set: at most a few lookups at once, none of them long."""

    def __init__(self) -> None:
        self._running = 0

    async def judge(self, target: Target) -> None:
        """NotAllowed when the host is known to be private. A name that can't be looked up now is judged later."""
        judge_name(target.host)
        if self._running >= LOOKUPS_MAX:
            return
        self._running += 1
        lookup = asyncio.ensure_future(addresses_of(target))
        lookup.add_done_callback(self._ended)
        done, _ = await asyncio.wait([lookup], timeout=LOOKUP_SECONDS_MAX)
        if lookup in done and lookup.exception() is None:
            judge(lookup.result())

    def _ended(self, lookup: "asyncio.Future[list[str]]") -> None:
        self._running -= 1
        if not lookup.cancelled():
            lookup.exception()
