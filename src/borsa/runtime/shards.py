"""A service in shards: each is a service of its own, with a part of the work, and named after the whole.

The first shard has the name of the service, and whatever no other one has. Every shard has its own data, log, writer
and lease; who follows the service follows all of them, with a cursor for each.
"""

from collections.abc import Iterable


def shards_of(service: str, more: int) -> tuple[str, ...]:
    """The names of a service's shards, where there are so many beside the first."""
    return (service, *(f"{service}_{number}" for number in range(1, more + 1)))


def service_of(name: str) -> str:
    """The service that a shard is one of."""
    return name.partition("_")[0]


def is_shard(name: str) -> bool:
    """Is it one of those beside the first?"""
    return service_of(name) != name


def known_of(service: str, names: Iterable[str]) -> tuple[str, ...]:
    """The shards of a service among these names, the first one first."""
    return tuple(sorted(name for name in names if service_of(name) == service))
