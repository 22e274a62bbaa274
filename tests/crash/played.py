"""The scenario files of the matching kernel, played over HTTP: each in a market of its own, by people who have
enough."""

import uuid
from decimal import Decimal
from typing import Any

from tests.matching.scenarios import Scenario, Step, read_scenarios
from tests.support.running import Person, Reached, until

PEOPLE = 8

ELSEWHERE = {"ghost", "cross", "state", "cancel_all", "worst", "budget"}
"""Words of what clients say in another way, or not at all."""


Drawn = tuple[list[tuple[str, int]], list[tuple[str, int]]]
"""Bids and asks, best first: price, and lots."""


def playable(*files: str) -> list[Scenario]:
    """The scenarios of these files that clients can play."""
    return [each for each in read_scenarios() if each.name.partition(":")[0] in files and _is_playable(each)]


def _is_playable(scenario: Scenario) -> bool:
    owners = {word for step in scenario.steps for word in [step.line.split()[0], *_names(step)]}
    return len(owners) <= PEOPLE and not any(ELSEWHERE & set(step.line.split()) for step in scenario.steps)


def _names(step: Step) -> list[str]:
    return [word for line in step.below if "|" in line for word in line.split() if "=" in word]


class Stage:
    """Plays scenarios on an exchange. `said` is what every command was answered."""

    def __init__(self, running: Reached) -> None:
        self.said: list[tuple[str, Any]] = []
        self._running = running
        self._admin = running.admin()
        self._people = [running.person(f"player-{at}", USD="1000000") for at in range(PEOPLE)]

    def play(self, number: int, scenario: Scenario) -> None:
        """All of it; an AssertionError where the book is not as drawn."""
        _Play(self, self._market(number), scenario.name).play(scenario)

    def _market(self, number: int) -> str:
        terms = {"tickSize": "0.01", "lotSize": "0.000001", "priceBand": "0"}
        base = f"Q{number}"
        symbol = f"{base}-USD"
        self._admin.post("/api/markets", {"symbol": symbol, "base": base, "quote": "USD"} | terms)
        for person in self._people:
            # as soon as wallets has heard of the asset
            until(lambda person=person: self._has(person, base), "the asset")
        return symbol

    def _has(self, person: Person, asset: str) -> bool:
        body = {"asset": asset, "delta": "+1000", "reason": "to play with"}
        key = {"idempotency-key": uuid.uuid4().hex}
        return self._admin.call("PUT", f"/api/wallets/{person.wallet_id}", body, key).status_code == 200

    def person(self, at: int) -> Person:
        """One of those who play."""
        return self._people[at % PEOPLE]

    def book(self, symbol: str) -> Drawn:
        """What is there."""
        found = self._running.http.get(f"/api/markets/{symbol}/book").json()
        bids, asks = (
            [(price, int(Decimal(quantity).scaleb(6))) for price, quantity in found[side]] for side in ("bids", "asks")
        )
        return bids, asks


class _Play:
    """One scenario. Names become people and orders in the order in which they come up."""

    def __init__(self, stage: Stage, symbol: str, name: str) -> None:
        self._stage = stage
        self._symbol = symbol
        self._name = name
        self._owners: dict[str, Person] = {}
        self._orders: dict[str, tuple[Person, str]] = {}

    def play(self, scenario: Scenario) -> None:
        steps = list(scenario.steps)
        if steps and steps[0].line == "book":
            self._set_up(steps.pop(0).below)
        for step in steps:
            word, *rest = step.line.split()
            if word == "book":
                drawn = _drawn(step.below)
                until(lambda drawn=drawn: self._stage.book(self._symbol) == drawn, f"the book of {self._name}")
            elif word not in ("armed", "last"):
                self._do(word, rest)
        for person in self._owners.values():
            self._leave(person)

    def _leave(self, person: Person) -> None:
        """With all that one came with: a stop may hold everything."""
        assert person.call("DELETE", f"/api/orders?symbol={self._symbol}").is_success
        until(lambda: not any(map(Decimal, person.wallet()["held"].values())), "nothing to be held")

    def _set_up(self, rows: list[str]) -> None:
        for row in rows:
            bids, price, asks = (part.strip() for part in row.split("|"))
            for side, orders in (("buy", bids), ("sell", asks)):
                for order in orders.split():
                    name, _, amount = order.partition("=")
                    quantity, _, owner = amount.partition(":")
                    self._do(name, [side, quantity, "@", price, *(["by", owner] if owner else [])])

    def _do(self, word: str, rest: list[str]) -> None:
        wait = {"prefer": "wait=10"}
        if word in ("cancel", "amend"):
            person, order = self._orders[rest[0]]
            path = f"/api/orders/{order}"
            if word == "cancel":
                answer = person.call("DELETE", path, headers=wait)
            else:
                terms = {"quantity": _quantity(int(rest[1]))} | ({"price": _price(int(rest[3]))} if rest[2:] else {})
                answer = person.call("PUT", path, terms, wait)
        else:
            owner, terms = self._terms(word, rest)
            person = self._owners.setdefault(owner, self._stage.person(len(self._owners)))
            answer = person.call("POST", "/api/orders", terms, wait)
            if answer.status_code == 201:
                self._orders[word] = person, answer.json()["orderId"]
        body = answer.json()
        told = body.get("status") if answer.is_success else body["code"]
        self._stage.said.append((f"{self._name}: {word} {' '.join(rest)}", (answer.status_code, told)))

    def _terms(self, name: str, words: list[str]) -> tuple[str, dict[str, Any]]:
        """Whose order it is, and what it says."""
        terms: dict[str, Any] = {"symbol": self._symbol, "type": words[0], "clientOrderId": f"{self._symbol}-{name}"}
        owner = f"owner of {name}"
        rest = iter(words[1:])
        kind = _KINDS["@" in words, "stop" in words]
        if kind != "limit":
            terms["orderType"] = kind
        for word in rest:
            if word.isdigit():
                terms["quantity"] = _quantity(int(word))
            elif word == "@":
                terms["price"] = _price(int(next(rest)))
            elif word == "stop":
                terms["stopPrice"] = _price(int(next(rest)))
            elif word == "by":
                owner = next(rest)
            elif word == "post_only":
                terms["postOnly"] = True
            elif word in ("ioc", "fok"):
                terms["timeInForce"] = word
            elif word != "market":
                terms["selfTradePrevention"] = word
        return owner, terms


_KINDS = {(True, False): "limit", (False, False): "market", (False, True): "stop", (True, True): "stop_limit"}
"""Of an order, by whether it has a limit, and a stop price."""


def _price(ticks: int) -> str:
    return f"{ticks // 100}.{ticks % 100:02}"


def _quantity(lots: int) -> str:
    return f"0.{lots:06}"


def _drawn(rows: list[str]) -> Drawn:
    """A book as it is drawn in a file."""
    bids: list[tuple[str, int]] = []
    asks: list[tuple[str, int]] = []
    for row in rows:
        left, price, right = (part.strip() for part in row.split("|"))
        for levels, orders in ((bids, left), (asks, right)):
            if orders:
                lots = sum(int(order.partition("=")[2].partition(":")[0]) for order in orders.split())
                levels.append((_price(int(price)), lots))
    return bids, asks[::-1]
