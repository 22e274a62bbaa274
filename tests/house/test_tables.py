"""The tables of the code hold together: settings, errors, events and requests are all used, and all known."""

import ast
from typing import Any, get_type_hints

import msgspec
import pytest

from borsa.app import SERVICES, routes
from borsa.errors import ERRORS
from borsa.events import PUBLISHED, Event
from borsa.requests import ASKED, reply_type
from borsa.runtime.service import Batch, Service
from borsa.settings import Settings, describe
from tests.house.source import called, modules, strings


def _mentions(outside: str) -> set[str]:
    """Every attribute and every string in all modules but one."""
    elsewhere = [module for module in modules() if module.name != outside]
    nodes = (node for module in elsewhere for node in ast.walk(module.tree))
    return {node.attr for node in nodes if isinstance(node, ast.Attribute)}.union(*map(strings, elsewhere))


def _made_in(*patterns: str) -> set[str]:
    """The names of all that is called in some modules; classes among them are made there."""
    found = (node for module in modules(*patterns) for node in ast.walk(module.tree))
    return {called(node) for node in found if isinstance(node, ast.Call)}


def test_every_setting_is_used() -> None:
    by_properties = {"data", "host", "port", "trusted_proxies"}
    names = {field.name for field in msgspec.structs.fields(Settings)}
    unused = names - by_properties - _mentions("settings.py")
    assert not unused


def test_every_setting_is_described() -> None:
    assert len(describe()) == len(msgspec.structs.fields(Settings))


def test_every_error_is_used() -> None:
    unused = set(ERRORS) - _mentions("errors.py")
    assert not unused


def test_every_refusal_is_in_the_table() -> None:
    unknown = [
        f"{module.at(node)}: {node.args[0].value}"
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and called(node) == "Refused" and node.args
        if isinstance(node.args[0], ast.Constant) and node.args[0].value not in ERRORS
    ]
    assert not unknown, "\n".join(unknown)


def test_every_error_of_a_route_is_in_the_table() -> None:
    unknown = {code for route in routes() for code in route.errors} - set(ERRORS)
    assert not unknown


@pytest.mark.parametrize("event", PUBLISHED, ids=lambda event: event.__name__)
def test_every_event_is_published_by_its_source_alone(event: type[Event]) -> None:
    publishers = [service.name for service in SERVICES if event in service.publishes]
    assert publishers == [event.source]
    assert event.__name__ in _made_in(f"services/{event.source}/*.py")
    assert event.__doc__


def test_every_event_that_is_consumed_comes_from_where_it_is_expected() -> None:
    for service in SERVICES:
        for source, takes in service.consumes.items():
            kinds = () if isinstance(takes, Batch) else takes
            assert not [kind for kind in kinds if kind.source != source], service.name


@pytest.mark.parametrize("request_type", ASKED, ids=lambda asked: asked.__name__)
def test_every_request_is_answered_and_asked(request_type: type) -> None:
    answering = [service.name for service in SERVICES if request_type in service.answers]
    assert answering == [request_type.answered_by]  # type: ignore[attr-defined]
    others = [f"services/{service.name}/*.py" for service in SERVICES if service.name not in answering]
    assert request_type.__name__ in _made_in(*others, "app.py", "served.py", "runtime/**/*.py")


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_every_action_of_a_manifest_is_done_in_its_service(service: Service[Any]) -> None:
    done = set().union(*map(strings, modules(f"services/{service.name}/[a-z]*.py")))
    assert service.acts
    assert not set(service.acts) - done


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_every_request_and_reply_can_go_over_a_link(service: Service[Any]) -> None:
    """A process may lie between who asks and who answers; MessagePack has no word for what is not set."""
    kinds = [each for kind in service.answers for each in (kind, reply_type(kind))]
    assert not [kind for kind in kinds if "UnsetType" in str(get_type_hints(kind))]


def test_every_request_of_a_door_goes_to_its_own_service() -> None:
    for service in SERVICES:
        assert not [kind for kind in service.answers if kind.answered_by != service.name], service.name
