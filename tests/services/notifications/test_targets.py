"""Where webhooks may not go, in every spelling that has fooled somebody."""

import asyncio
import ipaddress
import socket

import pytest

from borsa.services.notifications import targets
from borsa.services.notifications.targets import Lookups, NotAllowed, is_public, judge, judge_name, judged, read

MALFORMED = [
    "",
    "example.com",
    "//example.com",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://example.com/",
    "javascript:alert(1)",
    "http://",
    "http:///x",
    "https://user@example.com/",
    "https://user:pass@example.com/",
    "https://@example.com/",
    "https://example.com:0/",
    "https://example.com:99999/",
    "https://example.com:x/",
    "https://example.com/#fragment",
    "https://exa mple.com/",
    "https://example.com/\r\nhost: other",
    "https://example.com\\@127.0.0.1/",
    "https://éxample.com/",
    "https://example..com/",
    "https://-example.com/",
    "https://[::1/",
    "https://[fe80::1%25eth0]/",
    "https://example.com/" + "x" * 2000,
]

PRIVATE_HOSTS = [
    "127.0.0.1",
    "127.1",
    "127.255.255.254",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "0",
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "192.168.1.1",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "[::]",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "[fe80::1]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[ff02::1]",
    "192.0.0.192",
    "192.88.99.1",
    "[::127.0.0.1]",
    "[::ffff:0:127.0.0.1]",
    "[fec0::1]",
    "[3fff::1]",
    "[5f00::1]",
    "[2001::1]",
    "[2001:db8::1]",
    "[100::1]",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "a.localhost",
    "metadata.google.internal",
    "printer.local",
    "intranet",
]


@pytest.mark.parametrize("url", MALFORMED)
def test_a_url_that_is_no_target(url: str) -> None:
    with pytest.raises(NotAllowed):
        read(url)


@pytest.mark.parametrize("host", PRIVATE_HOSTS)
def test_a_private_host_needs_no_lookup(host: str) -> None:
    with pytest.raises(NotAllowed):
        judge_name(read(f"http://{host}/hook").host)


@pytest.mark.parametrize("host", ["example.com", "hooks.example.com", "8.8.8.8", "[2606:4700::1111]"])
def test_a_public_host_is_welcome(host: str) -> None:
    judge_name(read(f"https://{host}:8443/hook").host)


def test_a_target_is_taken_apart() -> None:
    target = read("HTTPS://Example.com./a%20b?x=1")
    assert (target.scheme, target.host, target.port, target.path) == ("https", "example.com", 443, "/a%20b?x=1")
    assert target.host_header == "example.com"
    assert target.url_at("93.184.216.34") == "https://93.184.216.34:443/a%20b?x=1"
    local = read("http://[2606:4700::1111]:8080")
    assert local.host_header == "[2606:4700::1111]:8080"
    assert local.url_at("::1") == "http://[::1]:8080/"


def test_one_private_address_among_public_ones_is_enough() -> None:
    with pytest.raises(NotAllowed):
        judge(["8.8.8.8", "10.0.0.1"])
    assert is_public(ipaddress.ip_address("8.8.8.8"))


def _resolving(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Names resolve to these addresses from now on."""

    async def addresses_of(target: targets.Target) -> list[str]:
        return list(addresses)

    monkeypatch.setattr(targets, "addresses_of", addresses_of)


def test_a_name_is_judged_by_where_it_leads(monkeypatch: pytest.MonkeyPatch) -> None:
    target = read("https://rebinding.example.com/")
    _resolving(monkeypatch, "8.8.8.8")
    assert asyncio.run(judged(target, private=False)) == "8.8.8.8"
    _resolving(monkeypatch, "127.0.0.1")
    with pytest.raises(NotAllowed):
        asyncio.run(judged(target, private=False))
    assert asyncio.run(judged(target, private=True)) == "127.0.0.1"
    with pytest.raises(NotAllowed):
        asyncio.run(Lookups().judge(target))


def test_a_name_that_can_not_be_looked_up_is_judged_later(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(target: targets.Target) -> list[str]:
        raise socket.gaierror("no such name")

    monkeypatch.setattr(targets, "addresses_of", nothing)
    asyncio.run(Lookups().judge(read("https://nowhere.example.com/")))


def test_lookups_are_bounded_in_number_and_time(monkeypatch: pytest.MonkeyPatch) -> None:
    started = []

    async def never(target: targets.Target) -> list[str]:
        started.append(target)
        await asyncio.Event().wait()
        return []

    async def ask_many() -> None:
        lookups = Lookups()
        await asyncio.gather(*(lookups.judge(read("https://slow.example.com/")) for _ in range(20)))

    monkeypatch.setattr(targets, "addresses_of", never)
    monkeypatch.setattr(targets, "LOOKUP_SECONDS_MAX", 0)
    asyncio.run(ask_many())
    assert len(started) <= targets.LOOKUPS_MAX
