"""Everything that can be followed of some services, made when the door opens."""

from collections.abc import Mapping, Sequence
from typing import Any

from borsa.runtime.edge import Edge
from borsa.runtime.feeds import Feed
from borsa.runtime.http.channels import Channels
from borsa.runtime.http.own import OwnStream
from borsa.runtime.http.own_of_shards import OwnStreamOfShards
from borsa.runtime.service import Service


def channels(services: Sequence[Service[Any]], doors: Mapping[str, Any], edge: Edge) -> Channels:
    """The channels of those services that have a door here (`doors`, by their names)."""
    public: dict[str, Feed] = {}
    own: dict[str, OwnStream] = {}
    for service in services:
        if service.name in doors:
            feeds = service.feeds(doors[service.name])
            public |= feeds.public
            for name, each in feeds.own.items():
                stream = OwnStream if len(edge.shards(service.name)) == 1 else OwnStreamOfShards
                own[name] = stream(name, service.name, each, edge)
    return Channels(public, own)
