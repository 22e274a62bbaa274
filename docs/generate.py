"""Write the tables in docs/ from the code: make docs. A test fails when they are stale."""

import types
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec

from borsa.app import SERVICES, routes
from borsa.commands.audit.invariants import INVARIANTS, Invariant
from borsa.commands.verify import CHECKS
from borsa.errors import ERRORS
from borsa.events import PUBLISHED, BalanceChange, Cause, Event
from borsa.requests import ASKED, reply_type
from borsa.runtime.http.openapi import codes_of
from borsa.runtime.http.route import Route
from borsa.runtime.service import Batch
from borsa.settings import describe

DOCS = Path(__file__).parent

NOTE = "<!-- Written by `make docs` from the code: change that, not this. -->"

EVENTS_ABOUT = """
Every fact that a service publishes, from `events.py`; who consumes it, from the manifests in `services/*/__init__.py`.

An event is appended to its service's log in the transaction that made it true, with the next sequence of that log, and
leaves once that transaction is on disk. A consumer applies the events of a source in sequence and keeps its cursor in
the transaction of the effects, so each effect happens once. `GET /api/events?source=&after=` reads any log, in
CloudEvents 1.0 envelopes: `id` is `source/sequence`, `correlationid` the request that began it all, `causationid` the
event just before. `trades` reads the orders log whole, because the books are a fold of it. The edge (HTTP) listens to
all sources without a cursor: for requests that wait, and for `AccessRevoked`.

Amounts, prices and quantities are decimal texts. `AsyncAPI` of the same: `/asyncapi.json`.
"""

REQUESTS_ABOUT = """
What one service may ask another, from `requests.py`. A request is answered once, and asked again it has the
same answer. Requests never leave Borsa; their amounts are integers in the asset's smallest unit.
"""

REFERENCE_ABOUT = """
Settings, errors and routes, from `settings.py`, `errors.py` and the route tables. The same for programs:
`/openapi.json`; to read in a running exchange: `/docs`.
"""

INVARIANTS_ABOUT = """
What must be true of an exchange at any moment, whatever happened to it, and what proves it. `borsa verify`
([how to use it](running.md#verify)) computes what the databases show, from the raw tables and logs and without the
code that wrote them; only the replay (I-22) runs the engine itself. What no data can show, the tests prove. From
`commands/audit/invariants.py`, and from what each check says that it proves.

What was said once and nothing follows from can't be computed: e-mail addresses, password hashes, what sessions and API
keys are known by, how users want to be told, the texts of messages, notes and reasons, the names of wallets and
portfolios, the times of rows, the answers kept for `Idempotency-Key`. Of these `borsa verify` sees at most whose they
are, and what they look like. Whether a user was told of an event depends on what they wished for at that moment: what
they were told is checked, that they were told everything is not.
"""

SWITCHES = {"True": "1", "False": "0"}

ACCESS = {"public": "anybody", "user": "signed in", "trade": "signed in, scope trade", "admin": "admins"}


def events_page() -> str:
    """docs/events.md"""
    parts = [NOTE, "# Events", EVENTS_ABOUT.strip()]
    for service in SERVICES:
        own = [kind for kind in PUBLISHED if kind.source == service.name]
        if own:
            parts += [f"## {service.name}", *(_event(kind) for kind in own)]
    parts += ["## Structs inside", *(_struct(kind) for kind in (BalanceChange, Cause))]
    parts += ["# Requests", REQUESTS_ABOUT.strip(), _requests()]
    return "\n\n".join(parts) + "\n"


def _event(kind: type[Event]) -> str:
    consumers = ", ".join(_consumers(kind)) or "no service"
    about = f"Subject: `{_wire_name(kind, kind.key)}`. Consumed by: {consumers}."
    return f"### {kind.__name__}\n\n{_sentence(kind)} {about}\n\n{_fields(kind)}"


def _struct(kind: type[msgspec.Struct]) -> str:
    return f"### {kind.__name__}\n\n{_sentence(kind)}\n\n{_fields(kind)}"


def _consumers(kind: type[Event]) -> Iterable[str]:
    for service in SERVICES:
        takes = service.consumes.get(kind.source, {})
        if isinstance(takes, Batch) or kind in takes:
            yield service.name


def _wire_name(kind: type[msgspec.Struct], name: str) -> str:
    return next(field.encode_name for field in msgspec.structs.fields(kind) if field.name == name)


def _fields(kind: type[msgspec.Struct]) -> str:
    hints = get_type_hints(kind)
    return table(
        ("field", "type"),
        [(f"`{field.encode_name}`", type_text(hints[field.name])) for field in msgspec.structs.fields(kind)],
    )


def _requests() -> str:
    rows = [
        (f"`{kind.__name__}`", kind.answered_by, f"`{reply_type(kind).__name__}`", _sentence(kind)) for kind in ASKED
    ]
    return table(("request", "answered by", "reply", "what it asks"), rows)


def type_text(kind: Any) -> str:
    """A type as a reader of JSON knows it."""
    arguments = get_args(kind)
    if get_origin(kind) in (Union, types.UnionType):
        rest = [type_text(each) for each in arguments if each is not type(None)]
        return " or ".join([*rest, "null"] if type(None) in arguments else rest)
    if get_origin(kind) is list:
        return f"list of {type_text(arguments[0])}"
    if get_origin(kind) is dict:
        return f"map of {type_text(arguments[1])}"
    return {str: "text", int: "integer", bool: "boolean"}.get(kind) or f"[{kind.__name__}](#{kind.__name__.lower()})"


def _sentence(kind: type) -> str:
    return " ".join((kind.__doc__ or "").split())


def reference_page() -> str:
    """docs/reference.md"""
    parts = [NOTE, "# Reference", REFERENCE_ABOUT.strip()]
    settings = [(f"`{name}`", _default(text), about) for name, text, about in describe()]
    parts += ["## Settings", "Read from the environment once, at the start."]
    parts.append(table(("variable", "default", "what it is"), settings))
    errors = [(f"`{code}`", str(error.status), error.title) for code, error in ERRORS.items()]
    parts += ["## Errors", "The `code` of a problem document (RFC 9457)."]
    parts.append(table(("code", "status", "meaning"), errors))
    parts += ["## Routes", "Beside the codes that a row names, every route knows: " + _codes(_everywhere()) + "."]
    for tag in ("", *(service.name for service in SERVICES)):
        rows = [_route(route) for route in routes() if route.service == tag]
        parts += [f"### {tag or 'the exchange itself'}"]
        parts.append(table(("call", "who", "what it does", "answers", "refuses with"), rows))
    return "\n\n".join(parts) + "\n"


def _default(text: str) -> str:
    """A default as one would write it into the environment."""
    return f"`{SWITCHES.get(text, text)}`" if text else "(empty)"


def _everywhere() -> set[str]:
    return set.intersection(*(set(codes_of(route)) for route in routes()))


def _route(route: Route) -> tuple[str, ...]:
    statuses = ", ".join(str(status) for status in (route.status, *route.also))
    own = [code for code in route.errors if code not in _everywhere()]
    return f"`{route.name}`", ACCESS[route.access], route.summary, statuses, _codes(own)


def _codes(codes: Iterable[str]) -> str:
    return ", ".join(f"`{code}`" for code in sorted(set(codes)))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def invariants_page() -> str:
    """docs/operating/invariants.md"""
    rows = [(each.id, each.says, _checks(each), _tests(each)) for each in INVARIANTS]
    head = ("number", "must always be true", "`borsa verify` checks", "tests prove")
    return "\n\n".join([NOTE, "# Invariants", INVARIANTS_ABOUT.strip(), table(head, rows)]) + "\n"


def _checks(invariant: Invariant) -> str:
    return "; ".join(check.says for check in CHECKS if invariant.id in check.proves)


def _tests(invariant: Invariant) -> str:
    links = ", ".join(f"[{Path(path).stem}](../../{path})" for path in invariant.tests)
    return f"{invariant.beyond}: {links}" if links else ""


PAGES = {"events.md": events_page, "reference.md": reference_page, "operating/invariants.md": invariants_page}
"""The generated pages, by file name in docs/."""


def main() -> None:
    """Write them all."""
    for name, page in PAGES.items():
        (DOCS / name).write_text(page())


if __name__ == "__main__":
    main()
