"""The kernel in plain Python: the one that is obviously right, and the one that runs where nothing was
compiled."""

from collections.abc import Iterator

from borsa.matching.book import Book
from borsa.matching.ladder import Order
from borsa.matching.layout import (
    BUY,
    COMMAND,
    COMMAND_BYTES,
    OP_AMEND,
    OP_CANCEL,
    OP_CANCEL_ALL,
    OP_CROSS,
    OP_PLACE,
    OP_SET_STATE,
    REASON_DUPLICATE_ORDER,
    REASON_INVALID,
    REASON_NONE,
    REASON_UNKNOWN_ORDER,
    SELL,
    STATE_HALTED,
    STATE_OPEN,
    STP_NONE,
    TIF_FOK,
    TIF_GTC,
    TYPE_LIMIT,
    TYPE_MARKET,
    TYPE_STOP,
    TYPE_STOP_LIMIT,
    OpenOrder,
)
from borsa.matching.results import Results
from borsa.matching.snapshot import DIGEST_BYTES, pack_snapshot, unpack_snapshot


class NaiveKernel:
    """A `Kernel` (its docstrings say what the methods promise)."""

    def __init__(self) -> None:
        self._results = Results()
        self._orders: dict[int, Order] = {}
        self._books: dict[int, Book] = {}

    def process(self, commands: bytes | bytearray | memoryview) -> bytes:
        if memoryview(commands).nbytes % COMMAND_BYTES:
            raise ValueError(f"commands are records of {COMMAND_BYTES} bytes")
        results = self._results
        for index, (
            op, side, order_type, time_in_force, post_only, prevention, market,
            order_id, owner, price, quantity, budget, stop_price, other_id,
        ) in enumerate(COMMAND.iter_unpack(commands)):  # fmt: skip
            results.index = index
            book = self._books.get(market) or self._new_book(market)
            if op == OP_PLACE:
                order = Order(
                    market, order_id, owner, side, order_type, time_in_force, post_only, prevention, price,
                    quantity, budget, stop_price,
                )  # fmt: skip
                reason = self._place(book, order, quantity, budget)
            elif op == OP_CANCEL:
                reason = self._cancel(book, order_id)
            elif op == OP_AMEND:
                reason = self._amend(book, order_id, price, quantity)
            elif op == OP_CROSS:
                reason = self._cross(book, order_id, other_id, price, quantity)
            elif op == OP_SET_STATE:
                reason = _set_state(book, quantity)
            elif op == OP_CANCEL_ALL:
                book.cancel_all(owner)
                reason = REASON_NONE
            else:
                reason = REASON_INVALID
            if reason:
                results.refused(reason, side, market, order_id, other_id, price, quantity)
        return results.take()

    def depth(self, market: int, levels: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        book = self._books.get(market)
        if book is None:
            return [], []
        bids, asks = book.ladders
        return bids.depth(levels), asks.depth(levels)

    def quantity_at(self, market: int, side: int, price: int) -> int:
        book = self._books.get(market)
        return book.ladders[side].quantity_at(price) if book else 0

    def last_price(self, market: int) -> int:
        book = self._books.get(market)
        return book.last_price if book else 0

    def set_last_price(self, market: int, price: int) -> None:
        """A market was matched elsewhere until now."""
        (self._books.get(market) or self._new_book(market)).last_price = price

    def state(self, market: int) -> int:
        book = self._books.get(market)
        return book.state if book else STATE_OPEN

    def open_orders(self) -> Iterator[OpenOrder]:
        for _, book in sorted(self._books.items()):
            for orders in (*book.ladders, book.stops):
                yield from map(_open_order, orders)

    def snapshot(self) -> bytes:
        return pack_snapshot(self._books.values())

    def restore(self, snapshot: bytes) -> None:
        restored = NaiveKernel()
        unpack_snapshot(bytes(snapshot), restored._new_book)
        self._results, self._orders, self._books = restored._results, restored._orders, restored._books

    def state_hash(self) -> str:
        return self.snapshot()[-DIGEST_BYTES:].hex()

    def _new_book(self, market: int) -> Book:
        book = self._books[market] = Book(market, self._orders, self._results)
        return book

    # One method for each op with something to check. Each returns why it refuses, or REASON_NONE.

    def _place(self, book: Book, order: Order, quantity: int, budget: int) -> int:
        if not _is_valid(order, quantity, budget):
            return REASON_INVALID
        if order.order_id in self._orders:
            return REASON_DUPLICATE_ORDER
        book.place(order)
        return REASON_NONE

    def _cancel(self, book: Book, order_id: int) -> int:
        order = self._open_in(book, order_id)
        if order is None:
            return REASON_UNKNOWN_ORDER
        book.cancel(order)
        return REASON_NONE

    def _amend(self, book: Book, order_id: int, price: int, quantity: int) -> int:
        order = self._open_in(book, order_id)
        if order is None:
            return REASON_UNKNOWN_ORDER
        return book.amend(order, price, quantity)

    def _cross(self, book: Book, buy_id: int, sell_id: int, price: int, quantity: int) -> int:
        buy, sell = self._open_in(book, buy_id), self._open_in(book, sell_id)
        if buy is None or sell is None:
            return REASON_UNKNOWN_ORDER
        if price <= 0 or quantity <= 0:
            return REASON_INVALID
        return book.cross(buy, sell, price, quantity)

    def _open_in(self, book: Book, order_id: int) -> Order | None:
        order = self._orders.get(order_id)
        return order if order is not None and order.market == book.market else None


def _set_state(book: Book, state: int) -> int:
    if not STATE_OPEN <= state <= STATE_HALTED:
        return REASON_INVALID
    book.state = state
    return REASON_NONE


def _is_valid(order: Order, quantity: int, budget: int) -> bool:
    """Whether the fields of a PLACE are what `layout.Op.PLACE` allows."""
    if not order.order_id or order.side > SELL or order.time_in_force > TIF_FOK:
        return False
    if order.post_only > 1 or order.prevention > STP_NONE:
        return False
    if quantity < 0 or budget < 0 or not (quantity or budget):
        return False
    return _has_valid_type(order) and _may_have_budget(order, budget) and _may_be_post_only(order)


def _has_valid_type(order: Order) -> bool:
    """Limit types have a price, and others may; stop types have a stop price, and others don't."""
    if order.order_type == TYPE_LIMIT:
        return order.price > 0 and order.stop_price == 0
    if order.order_type == TYPE_MARKET:
        return order.price >= 0 and order.stop_price == 0
    if order.order_type == TYPE_STOP:
        return order.price >= 0 and order.stop_price > 0
    return order.order_type == TYPE_STOP_LIMIT and order.price > 0 and order.stop_price > 0


def _may_have_budget(order: Order, budget: int) -> bool:
    return not budget or (order.side == BUY and not order.limited)


def _may_be_post_only(order: Order) -> bool:
    return not order.post_only or (order.limited and order.time_in_force == TIF_GTC)


def _open_order(order: Order) -> OpenOrder:
    return OpenOrder(
        order.market, order.order_id, order.owner, order.side, order.price, order.remaining, order.quantity,
        order.filled, order.order_type, order.stop_price, bool(order.sequence),
    )  # fmt: skip
