"""What waits for a writer: questions from outside, and its own deeds that wait for replies."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from borsa.requests import Request
from borsa.runtime.bus import Once, Origin, Outcome, Replies, overloaded
from borsa.runtime.service import Asking
from borsa.runtime.session import Session


class Question:
    """A request, and where its outcome goes."""

    __slots__ = ("once", "origin", "replies", "request", "token", "weight")

    def __init__(self, request: Request[Any], origin: Origin, replies: Replies, token: Any, once: Once | None) -> None:
        self.request = request
        self.origin = origin
        self.replies = replies
        self.token = token
        self.once = once
        self.weight = request.weight


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


class Inbox:
    """A queue that any thread may fill and one writer empties. Also the writer's own ear for replies."""

    def __init__(self, wake: Callable[[], None], weight_max: int) -> None:
        self._items: deque[Item] = deque()
        self._wake = wake
        self._weight_max = weight_max
        self._weight = 0
        self._weighing = threading.Lock()

    def __len__(self) -> int:
        return len(self._items)

    def put(self, question: Question) -> None:
        """Add a question; when too many wait, it is refused at once. What passes has as much room again."""
        most = self._weight_max * 2 if question.request.passes else self._weight_max
        with self._weighing:
            fits = self._weight < most
            if fits:
                self._weight += question.weight
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
        """What waits, oldest first, until its weight reaches the limit."""
        items = self._items
        taken: list[Item] = []
        room = limit
        asked = 0
        while items and room > 0:
            item = items.popleft()
            taken.append(item)
            weight = item.weight if isinstance(item, Question) else 0
            asked += weight
            room -= weight or 1
        with self._weighing:
            self._weight -= asked
        return taken
