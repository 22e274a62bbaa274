"""Writes results: one method for each kind, one packed record for each call. `layout.Kind` says what they
mean."""

from borsa.matching.ladder import Order
from borsa.matching.layout import (
    FLAG_BUDGET,
    FLAG_MAKER_DONE,
    FLAG_TAKER_DONE,
    KIND_ACCEPTED,
    KIND_AMENDED,
    KIND_CLOSED,
    KIND_FILLED,
    KIND_PREVENTED,
    KIND_REFUSED,
    KIND_TRIGGERED,
    RESULT,
)

_pack = RESULT.pack


class Results:
    """The results of the batch in hand. `index` is that of the command being applied."""

    __slots__ = ("_records", "index")

    def __init__(self) -> None:
        self.index = 0
        self._records: list[bytes] = []

    def take(self) -> bytes:
        """Everything written since the last call."""
        records, self._records = self._records, []
        return b"".join(records)

    def accepted(self, order: Order) -> None:
        """The order was taken in."""
        self._about(KIND_ACCEPTED, order, order.price)

    def amended(self, order: Order) -> None:
        """The order has new terms."""
        self._about(KIND_AMENDED, order, order.price)

    def triggered(self, order: Order) -> None:
        """The stop order's price was reached."""
        self._about(KIND_TRIGGERED, order, order.stop_price)

    def _about(self, kind: int, order: Order, price: int) -> None:
        flags, quantity = (FLAG_BUDGET, 0) if order.by_budget else (0, order.quantity)
        self._records.append(
            _pack(kind, order.side, 0, flags, order.market, self.index, order.order_id, 0, price, quantity,
                  order.remaining, 0)
        )  # fmt: skip

    def closed(self, order: Order, reason: int) -> None:
        """The order ended."""
        flags = FLAG_BUDGET if order.by_budget else 0
        self._records.append(
            _pack(KIND_CLOSED, order.side, reason, flags, order.market, self.index, order.order_id, 0,
                  order.price, order.filled, order.remaining, 0)
        )  # fmt: skip

    def filled(self, taker: Order, maker: Order, price: int, quantity: int) -> None:
        """Two orders traded: `quantity` lots at `price`, the maker's."""
        flags = 0 if maker.remaining else FLAG_MAKER_DONE
        if not taker.remaining:
            flags |= FLAG_TAKER_DONE
        self._between(KIND_FILLED, flags, taker, maker, price, quantity)

    def prevented(self, flags: int, taker: Order, maker: Order, quantity: int) -> None:
        """Two orders of one owner would have traded `quantity` lots; `flags` say whose were taken off."""
        self._between(KIND_PREVENTED, flags, taker, maker, maker.price, quantity)

    def _between(self, kind: int, flags: int, taker: Order, maker: Order, price: int, quantity: int) -> None:
        if taker.by_budget:
            flags |= FLAG_BUDGET
        self._records.append(
            _pack(kind, taker.side, 0, flags, taker.market, self.index, taker.order_id, maker.order_id, price,
                  quantity, taker.remaining, maker.remaining)
        )  # fmt: skip

    def refused(
        self, reason: int, side: int, market: int, order_id: int, other_id: int, price: int, quantity: int
    ) -> None:
        """The command can't be done, and changed nothing."""
        self._records.append(
            _pack(KIND_REFUSED, side, reason, 0, market, self.index, order_id, other_id, price, quantity, 0, 0)
        )
