"""What waits for a writer: questions from outside, and its own deeds that wait for replies."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from borsa.requests import Request
from borsa.runtime.bus import Once, Origin, Outcome, Replies, overloaded
from borsa.runtime.log import Recorded
from borsa.runtime.records.session import Session
from borsa.runtime.service import Asking
from borsa.runtime.writing.turns import Turns

SMALL = 10
"""Weight of a request up to which it need not wait for large ones."""


class Question:
    """A request, and where its outcome goes."""

    __slots__ = ("line", "once", "origin", "replies", "request", "token", "user", "weight")

    def __init__(self, request: Request[Any], origin: Origin, replies: Replies, token: Any, once: Once | None) -> None:
        self.request = request
        self.origin = origin
        self.replies = replies
        self.token = token
        self.once = once
        self.weight = request.weight or 1
        self.user = request.user
        self.line = f"{self.user} passes" if request.passes else self.user


class Suspended:
    """A deed that asked another service; `question` is what it will answer (None for a sweep), `session` what it works
    on: when that is given up, so is the deed."""

    __slots__ = ("asking", "origin", "question", "session")

    def __init__(self, asking: Asking, origin: Origin, question: Question | None, session: Session) -> None:
        self.asking = asking
        self.origin = origin
        self.question = question
        self.session = session


Item = Question | tuple[Suspended, Outcome]


def parts_of(items: Iterable[Item], arrived: Iterable[tuple[object, Iterable[Recorded]]]) -> Iterator[tuple[str, str]]:
    """Of each event and question that a commit is made of: the request that it belongs to, and its name."""
    for _, events in arrived:
        for event in events:
            yield event.correlation, event.type
    for item in items:
        if isinstance(item, Question):
            yield item.origin.correlation, type(item.request).__name__
        elif item[0].question is not None:
            yield item[0].origin.correlation, f"{type(item[0].question.request).__name__} goes on"


class Inbox:
    """A queue that any thread may fill and one writer empties. Also the writer's own ear for replies.

    What fits into one commit is taken in the order in which it came. Where more waits, users take turns; their cancels
    stand in lines of their own, and wait for no order.
    """

    def __init__(self, wake: Callable[[], None], weight_max: int, user_weight_max: int) -> None:
        self._items: deque[Item] = deque()
        self._turns: Turns[Question] = Turns()
        self._wake = wake
        self._weight_max = weight_max
        self._user_weight_max = user_weight_max
        self._weight = 0
        self._weight_of: dict[str, int] = {}
        self._weighing = threading.Lock()
        self.laden = False
        """Had the last that was taken something large, or is there more than was taken?"""

    def __len__(self) -> int:
        return len(self._items) + len(self._turns)

    @property
    def has_turns(self) -> bool:
        """Does more wait than was taken, so that users take turns?"""
        return bool(self._turns)

    def put(self, question: Question) -> None:
        """Add a question; when too many wait, or too many of its user, it is refused at once. What passes has as much
        room again."""
        times = 2 if question.request.passes else 1
        with self._weighing:
            own = self._weight_of.get(question.user, 0)
            fits = self._weight < self._weight_max * times and own < self._user_weight_max * times
            if fits:
                self._weight += question.weight
                self._weight_of[question.user] = own + question.weight
        if not fits:
            question.replies.deliver([(question.token, overloaded())])
            return
        self._items.append(question)
        self._wake()

    def deliver(self, outcomes: Sequence[tuple[Suspended, Outcome]]) -> None:
        """Add replies to deeds that wait for them: never refused, they finish what was begun."""
        self._items.extend(outcomes)
        self._wake()

    def take(self, limit: int) -> list[Item]:
        """What is next: all replies, and questions until their weight reaches the limit."""
        taken = self._next(self._arrived(), limit)
        self.laden = self.has_turns or any(_weight_of(item) > SMALL for item in taken)
        return taken

    def take_small(self, limit: int) -> list[Item]:
        """As `take`, of what is small; all else keeps its place."""
        small: list[Item] = []
        large: list[Item] = []
        for item in self._arrived():
            (small if _weight_of(item) <= SMALL else large).append(item)
        self._items.extendleft(reversed(large))
        return self._next(small, limit, SMALL)

    def _next(self, arrived: list[Item], limit: int, weight_max: int | None = None) -> list[Item]:
        taken, questions = arrived, [item for item in arrived if isinstance(item, Question)]
        if self._turns or sum(question.weight for question in questions) > limit:
            for question in questions:
                self._turns.join(question)
            questions = self._turns.take(limit, weight_max)
            taken = [item for item in arrived if not isinstance(item, Question)]
            taken += questions
        self._weigh_off(questions)
        return taken

    def _arrived(self) -> list[Item]:
        items = self._items
        return [items.popleft() for _ in range(len(items))]

    def _weigh_off(self, taken: Sequence[Question]) -> None:
        if not taken:
            return
        with self._weighing:
            of = self._weight_of
            for question in taken:
                self._weight -= question.weight
                of[question.user] -= question.weight
                if not of[question.user]:
                    del of[question.user]


def _weight_of(item: Item) -> int:
    """A reply weighs what the question weighs whose deed it belongs to."""
    question = item if isinstance(item, Question) else item[0].question
    return question.weight if question is not None else 1
