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
from borsa.matching.layout import (
    BUY,
    SELL,
    STATE_HALTED,
    STATE_OPEN,
    STP_NONE,
    TIF_FOK,
    TIF_GTC,
    TYPE_STOP,
    TYPE_STOP_LIMIT,
)

MAGIC: Final = b"BORSABK\x01"  # the last byte is the version
DIGEST_BYTES: Final = 32
_COUNT: Final = Struct("<I")
_BOOK: Final = Struct("<HBxIIq")
_ORDER: Final = Struct("<BBBBBBHQQqqqqqq")
_BY_BUDGET: Final = 1
_CAPPED: Final = 2
_FLAGS_OFFSET: Final = 5
_LARGEST: Final = (1 << 63) - 1


def pack_snapshot(books: Iterable[Book]) -> bytes:
    """All books, whatever their order."""
    kept = sorted((book for book in books if _has_state(book)), key=lambda book: book.market)
    body = b"".join((MAGIC, _COUNT.pack(len(kept)), *map(_pack_book, kept)))
    return body + sha256(body).digest()


def unpack_snapshot(snapshot: bytes, new_book: Callable[[int], Book]) -> None:
    """Fill books made by `new_book(market)`. Raises ValueError, before making any, if a byte is not as it
    was packed; and on the way, if it was packed by something else than a kernel."""
    body, digest = snapshot[:-DIGEST_BYTES], snapshot[-DIGEST_BYTES:]
    if sha256(body).digest() != digest:
        raise ValueError("snapshot is damaged: its checksum does not match its content")
    if not body.startswith(MAGIC):
        raise ValueError("snapshot is of another format or version")
    if not _unpack_books(body, new_book):
        raise ValueError("snapshot is of no state that a kernel can be in")


def _has_state(book: Book) -> bool:
    return bool(
        book.state != STATE_OPEN or book.last_price or len(book.stops) or any(ladder.best() for ladder in book.ladders)
    )


def _pack_book(book: Book) -> bytes:
    resting = [_pack_order(order) for ladder in book.ladders for order in ladder]
    armed = [_pack_order(order) for order in book.stops]
    head = _BOOK.pack(book.market, book.state, len(resting), len(armed), book.last_price)
    return b"".join((head, *resting, *armed))


def _unpack_books(body: bytes, new_book: Callable[[int], Book]) -> bool:
    """Whether they could be."""
    offset = len(MAGIC) + _COUNT.size
    if len(body) < offset:
        return False
    markets: set[int] = set()
    ids: set[int] = set()
    for _ in range(*_COUNT.unpack_from(body, len(MAGIC))):
        if len(body) - offset < _BOOK.size:
            return False
        market, state, resting, armed, last_price = _BOOK.unpack_from(body, offset)
        offset += _BOOK.size
        if market in markets or state > STATE_HALTED or last_price < 0:
            return False
        markets.add(market)
        end = offset + (resting + armed) * _ORDER.size
        if end > len(body):
            return False
        book = new_book(market)
        book.state, book.last_price = state, last_price
        for number, at in enumerate(range(offset, end, _ORDER.size)):
            if not _unpack_into(book, body, at, number >= resting, ids):
                return False
        offset = end
    return offset == len(body)


def _unpack_into(book: Book, body: bytes, offset: int, armed: bool, ids: set[int]) -> bool:
    """Whether the order could be there."""
    order = _unpack_order(body, offset)
    if (
        body[offset + _FLAGS_OFFSET] > _CAPPED
        or order.order_id in ids
        or order.market != book.market
        or not _is_sound(order, armed)
    ):
        return False
    ids.add(order.order_id)
    if armed:
        book.arm(order)
    else:
        book.rest(order)
    return True


def _is_sound(order: Order, armed: bool) -> bool:
    """Whether commands could have made it: `process` relies on that, and the compiled kernel's memory too."""
    has_stop_price = order.order_type in (TYPE_STOP, TYPE_STOP_LIMIT)
    amounts = (order.filled, order.prevented, order.budget_left, order.price, order.stop_price)
    return (
        order.order_id > 0
        and order.side <= SELL
        and order.order_type <= TYPE_STOP_LIMIT
        and order.time_in_force <= TIF_FOK
        and order.post_only <= (order.limited and order.time_in_force == TIF_GTC)
        and order.prevention <= STP_NONE
        and min(amounts) >= 0
        and order.remaining > 0
        and order.quantity <= _LARGEST
        and (order.price > 0 or not order.limited)
        and (order.stop_price > 0) == has_stop_price
        and _has_sound_budget(order)
        and (has_stop_price if armed else order.limited and order.time_in_force == TIF_GTC)
    )


def _has_sound_budget(order: Order) -> bool:
    if not (order.by_budget or order.capped):
        return order.budget_left == 0
    return order.by_budget != order.capped and order.budget_left > 0 and order.side == BUY and not order.limited


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
