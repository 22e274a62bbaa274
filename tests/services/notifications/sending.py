"""notifications alone, with its sender running."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from borsa.services.notifications import NOTIFICATIONS
from borsa.services.notifications.deliver import Sender
from borsa.services.notifications.model import ALL, Preferences, SetPreferences
from borsa.services.notifications.vault import new_secret, vault_in
from tests.services.notifications.facts import registered
from tests.support.alone import Alone

Status = list[tuple[str, str, int, str | None]]


class Sending:
    """notifications alone with its sender running."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.alone = Alone(NOTIFICATIONS, folder, **options)
        self.alone.users.update(("ada", "bob"))
        self.alone.happen(registered("ada"), registered("bob"))
        self._start()

    def _start(self) -> None:
        alone = self.alone
        self.sender = Sender(alone, alone.database.reader(), alone.settings, alone.clock)
        self.sender.start()

    def close(self) -> None:
        self.sender.stop()
        self.alone.close()

    def restart(self) -> None:
        """The process dies and comes back."""
        self.sender.stop()
        self.alone.restart()
        self._start()

    def wants(self, user_id: str = "ada", url: str | None = None, address: str | None = None, kinds: int = ALL) -> str:
        """Set preferences; gives the webhook's secret."""
        vault = vault_in(self.alone.settings.folder)
        sealed = vault.seal(new_secret(), user_id)
        self.alone.say(
            SetPreferences(
                preferences=Preferences(
                    user_id,
                    webhook_url=url,
                    webhook_secret=sealed if url else None,
                    webhook_kinds=kinds if url else 0,
                    email_address=address,
                    email_kinds=kinds if address else 0,
                )
            )
        )
        return vault.open(sealed, user_id)

    def status(self) -> Status:
        """(channel, status, attempts, problem) of every delivery."""
        found: list[Any] = self.alone.rows("SELECT channel, status, attempts, problem FROM deliveries ORDER BY 1, 2")
        return found

    def until(self, look: Callable[[Status], bool]) -> Status:
        """Step the writer as the sender tells it of tries, until the deliveries look so."""
        self.alone.settle_until(lambda: look(self.status()), f"deliveries, which are {self.status()}")
        return self.status()

    def until_all(self, status: str) -> Status:
        return self.until(lambda rows: bool(rows) and all(row[1] == status for row in rows))

    def later(self, seconds: int) -> None:
        """Time passes, and the sender looks again."""
        self.alone.clock.advance(seconds)
        self.sender.wake()
