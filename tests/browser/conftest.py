"""One browser for the tests of a file."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.support.browser import chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Not longer than a file: while Playwright runs, this thread has an event loop, and other tests want their own."""
    with chromium() as found:
        yield found
