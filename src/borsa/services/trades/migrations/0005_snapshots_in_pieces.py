"""Snapshots of the books in pieces, so that no commit writes a whole one."""

import hashlib
from typing import Any

import msgspec
import sqlalchemy as sa
from alembic import op

from borsa.runtime.log import INTEGER

revision = "0005"
down_revision = "0004"

PIECE_BYTES = 262_144

LIVE = (
    *("order_id", "user_id", "owner", "symbol", "side", "price", "quantity", "held", "capped", "prevention"),
    *("filled", "spent", "prevented", "fee_numerator", "fee_charged"),
)
"""The fields of an open order in the order in which snapshots have their values from now on."""


def upgrade() -> None:
    """Cut the newest snapshot that is whole, so that the next start need not replay the whole log; drop the others."""
    connection = op.get_bind()
    newest = _newest_whole(connection)
    op.create_table(
        "snapshot_pieces",
        sa.Column("sequence", INTEGER, autoincrement=False, nullable=False),
        sa.Column("number", INTEGER, autoincrement=False, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", "number"),
        sqlite_strict=True,
    )
    op.execute("DELETE FROM snapshots")
    op.drop_column("snapshots", "body")
    if newest is not None:
        _put(*newest)


def _newest_whole(connection: sa.Connection) -> tuple[int, int, int, bytes] | None:
    columns: list[sa.ColumnClause[Any]] = [
        sa.column(name) for name in ("sequence", "taken_at", "orders", "digest", "body")
    ]
    snapshots = sa.select(*columns).select_from(sa.table("snapshots")).order_by(columns[0].desc())
    for sequence, taken_at, orders, digest, body in connection.execute(snapshots):
        if hashlib.sha256(body).digest() == digest:
            try:
                return sequence, taken_at, orders, _without_names(body)
            except (ValueError, TypeError, KeyError, AttributeError):
                # of a version whose books were others: it would be passed over, as it was before
                continue
    return None


def _put(sequence: int, taken_at: int, orders: int, body: bytes) -> None:
    bodies = [body[at : at + PIECE_BYTES] for at in range(0, len(body), PIECE_BYTES)]
    pieces = sa.table("snapshot_pieces", *map(sa.column, ("sequence", "number", "body")))
    rows = [{"sequence": sequence, "number": number, "body": piece} for number, piece in enumerate(bodies)]
    op.bulk_insert(pieces, rows)
    digests = b"".join(hashlib.sha256(piece).digest() for piece in bodies)
    digest = hashlib.sha256(b"%d %d %d " % (sequence, taken_at, orders) + digests).digest()
    heads = sa.table("snapshots", *map(sa.column, ("sequence", "taken_at", "orders", "digest")))
    op.bulk_insert(heads, [{"sequence": sequence, "taken_at": taken_at, "orders": orders, "digest": digest}])


def _without_names(body: bytes) -> bytes:
    kernel, books = msgspec.msgpack.decode(body)
    books["live"] = {order_id: _values(live) for order_id, live in books["live"].items()}
    return msgspec.msgpack.encode((kernel, books))


def _values(live: dict[str, Any]) -> list[Any]:
    return [live[name] for name in LIVE]
