"""The matching kernel: every order book of one engine, behind a few calls.

    kernel = open_kernel()
    results = kernel.process(commands)        # 64-byte commands in, 64-byte results out; see `layout`
    for result in iter_results(results): ...
    bids, asks = kernel.depth(market, 20)     # [(price, total quantity)], best first
    saved = kernel.snapshot(); open_kernel().restore(saved)

There are two, the same byte for byte: `naive` in plain Python, which is obviously right, and `compiled`
(kernel.pyx), which is fast and needs a C compiler at the installation. `open_kernel` gives the fastest that is there.

**Pure.** No clock, no I/O, no randomness, no float; the same commands give the same bytes, in any batches
(only a result's index counts from the start of its batch), under any hash seed, and from any
snapshot plus tail.

**Total.** Every record of 64 bytes has a defined answer: what can't be done is REFUSED and changes nothing.
Only a buffer that is not a whole number of records is an error, and then none of it is applied.

**Rules.** Price-time priority at the maker's price. Whoever waits longest at the best price trades first.
- Less quantity at the same price (or no change) keeps an amended order's place; anything else goes to the
  back, and may trade at once as a taker. `remaining` = new total - filled - prevented.
- Fill-or-kill looks before it leaps: under cancel_oldest own orders are passed over, under the other modes of
  self-trade prevention nothing behind the first own order counts.
- A market order, and a stop that became one, trades at its worst price or better. For it the other side ends
  there: what is left ends with price_band, a fill-or-kill counts nothing beyond, and no order beyond is touched.
- A stop triggers when a trade's price is at its stop price or through it: at or above for a buy, at or
  below for a sell, and at once if the last trade already is. Each trade of a sweep counts, not only the last:
  each was the last price when it was made. The command that caused the trades first finishes; then, one after
  the other, the longest armed of those that are triggered enters, and its own trades may trigger more. All
  results bear the index of the command that began it. An amendment that loses an order's place on the book
  also sends an armed stop to the back of the arming order.
- CROSS needs two resting orders of different owners, both limits met, and sets no last trade price, so that
  an agreed price can't fire stops. A matched book is never crossed at rest, so no two resting orders that
  came through `process` can meet this: it is refused until a book has another way to hold them.
- Ids are unique over all markets while open. An ended id is forgotten: never using one twice is the
  sender's duty.

`kernel_name()` says which implementation runs, for health pages and logs.
"""

from collections.abc import Iterator
from typing import Protocol

from borsa.matching.layout import OpenOrder, Result, iter_results, pack_command
from borsa.matching.naive import NaiveKernel

try:
    from borsa.matching.kernel import CompiledKernel
except ImportError:  # no C compiler when Borsa was installed
    _COMPILED = False
else:
    _COMPILED = True

__all__ = [
    "Kernel",
    "NoSuchKernel",
    "OpenOrder",
    "Result",
    "iter_results",
    "kernel_name",
    "open_kernel",
    "pack_command",
    "with_last_price",
]

NAIVE = "naive"
COMPILED = "compiled"


class NoSuchKernel(ValueError):
    """A kernel was asked for by a name that none has, or that none has here."""


class Kernel(Protocol):
    """What every implementation does, byte for byte alike."""

    def process(self, commands: bytes | bytearray | memoryview) -> bytes:
        """Apply a batch in order. Raises ValueError, with nothing applied, for a length not divisible by
        64."""

    def depth(self, market: int, levels: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """(bids, asks), at most `levels` of each as (price in ticks, total remaining in lots), best first."""

    def quantity_at(self, market: int, side: int, price: int) -> int:
        """Total remaining in lots at a price in ticks; 0 where nothing rests."""

    def last_price(self, market: int) -> int:
        """Price of the last trade in ticks; 0 before the first."""

    def state(self, market: int) -> int:
        """The market's `State`."""

    def open_orders(self) -> Iterator[OpenOrder]:
        """By market: bids then asks in priority order, then armed stops in arming order."""

    def snapshot(self) -> bytes:
        """All state, canonical: two kernels in the same state give the same bytes."""

    def restore(self, snapshot: bytes) -> None:
        """Replace all state. Raises ValueError, with nothing changed, for one that is damaged or of another
        version."""

    def state_hash(self) -> str:
        """SHA-256 over the canonical state, 64 hex digits."""


def open_kernel(name: str = "") -> Kernel:
    """An empty kernel: `naive`, `compiled`, or without a name the fastest that is installed. Raises
    NoSuchKernel."""
    return CompiledKernel() if kernel_name(name) == COMPILED else NaiveKernel()


def with_last_price(kernel: Kernel, market: int, price: int) -> None:
    """Give a market that was matched elsewhere until now the price of its last trade, in ticks."""
    known = NaiveKernel()
    known.restore(kernel.snapshot())
    known.set_last_price(market, price)
    kernel.restore(known.snapshot())


def kernel_name(name: str = "") -> str:
    """Which kernel `open_kernel` gives for this name: `naive` or `compiled`. Raises NoSuchKernel."""
    if name not in ("", NAIVE, COMPILED):
        raise NoSuchKernel(f"{name} is no matching kernel: {NAIVE} and {COMPILED} are")
    if name == COMPILED and not _COMPILED:
        raise NoSuchKernel("the compiled matching kernel is not installed: install Borsa again where a C compiler is")
    return name or (COMPILED if _COMPILED else NAIVE)
