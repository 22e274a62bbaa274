"""The kernel's state as bytes, and back.

    magic "BORSABK", version u8, number of books u32 each book, by market: market u16, state u8, resting
    u32, armed u32, last price i64, then its orders (72 bytes each): bids best first, asks best first,
    longest waiting first in a level, then armed stops in arming order SHA-256 of all that

Canonical: a book that is as if never named is left out, and nothing that can't be seen from outside
(counters, the order of a dict) goes in, so equal states give equal bytes. The digest is the state hash."""

from collections.abc import Callable, Iterable
from hashlib import sha256
from struct import Struct
from typing import Final

from borsa.matching.book import Book
from borsa.matching.ladder import Order
from borsa.matching.layout import STATE_OPEN

MAGIC: Final = b"BORSABK\x01"  # the last byte is the version
DIGEST_BYTES: Final = 32
_COUNT: Final = Struct("<I")
_BOOK: Final = Struct("<HBxIIq")
_ORDER: Final = Struct("<BBBBBBHQQqqqqqq")
_BY_BUDGET: Final = 1
_CAPPED: Final = 2


def pack_snapshot(books: Iterable[Book]) -> bytes:
    """All books, whatever their order."""
    kept = sorted((book for book in books if _has_state(book)), key=lambda book: book.market)
    body = b"".join((MAGIC, _COUNT.pack(len(kept)), *map(_pack_book, kept)))
    return body + sha256(body).digest()


def unpack_snapshot(snapshot: bytes, new_book: Callable[[int], Book]) -> None:
    """Fill books made by `new_book(market)`. Raises ValueError, before making any, if a byte is not as it
    was packed."""
    body, digest = snapshot[:-DIGEST_BYTES], snapshot[-DIGEST_BYTES:]
    if sha256(body).digest() != digest:
        raise ValueError("snapshot is damaged: its checksum does not match its content")
    if not body.startswith(MAGIC):
        raise ValueError("snapshot is of another format or version")
    (count,) = _COUNT.unpack_from(body, len(MAGIC))
    offset = len(MAGIC) + _COUNT.size
    for _ in range(count):
        offset = _unpack_book(body, offset, new_book)


def _has_state(book: Book) -> bool:
    return bool(
        book.state != STATE_OPEN or book.last_price or len(book.stops) or any(ladder.best() for ladder in book.ladders)
    )


def _pack_book(book: Book) -> bytes:
    resting = [_pack_order(order) for ladder in book.ladders for order in ladder]
    armed = [_pack_order(order) for order in book.stops]
    head = _BOOK.pack(book.market, book.state, len(resting), len(armed), book.last_price)
    return b"".join((head, *resting, *armed))


def _unpack_book(body: bytes, offset: int, new_book: Callable[[int], Book]) -> int:
    """Returns the offset behind the book."""
    market, state, resting, armed, last_price = _BOOK.unpack_from(body, offset)
    offset += _BOOK.size
    book = new_book(market)
    book.state, book.last_price = state, last_price
    for number in range(resting + armed):
        order = _unpack_order(body, offset)
        offset += _ORDER.size
        if number < resting:
            book.rest(order)
        else:
            book.arm(order)
    return offset


def _pack_order(order: Order) -> bytes:
    flags = (_BY_BUDGET if order.by_budget else 0) | (_CAPPED if order.capped else 0)
    return _ORDER.pack(
        order.side, order.order_type, order.time_in_force, order.post_only, order.prevention, flags,
        order.market, order.order_id, order.owner, order.price, order.remaining, order.filled,
        order.prevented, order.budget_left, order.stop_price,
    )  # fmt: skip


def _unpack_order(body: bytes, offset: int) -> Order:
    (
        side, order_type, time_in_force, post_only, prevention, flags, market,
        order_id, owner, price, remaining, filled, prevented, budget_left, stop_price,
    ) = _ORDER.unpack_from(body, offset)  # fmt: skip
    order = Order(
        market, order_id, owner, side, order_type, time_in_force, post_only, prevention, price, remaining,
        budget_left, stop_price,
    )  # fmt: skip
    order.filled, order.prevented = filled, prevented
    order.by_budget, order.capped = bool(flags & _BY_BUDGET), bool(flags & _CAPPED)
    return order
