"""What must be true at the end of a run: everything came to rest by itself, and the files pass the audit."""

from collections.abc import Mapping
from pathlib import Path

from borsa.commands.audit.check import Look
from borsa.commands.audit.following import follow
from borsa.commands.audit.moment import Moment
from borsa.commands.verify import CHECKS, follows
from borsa.settings import Settings
from tests.simulation.access import WatchedUsers
from tests.simulation.invariants import Watch, WatchedOrders, WatchedWallets, check
from tests.simulation.people import People


def judge(watches: Mapping[str, Watch], people: People) -> None:
    """Nobody waits for anything, what is held is held for live orders, and what was promised was kept."""
    wallets, orders, users = watches["wallets"], watches["orders"], watches["users"]
    assert isinstance(wallets, WatchedWallets)
    assert isinstance(orders, WatchedOrders)
    assert isinstance(users, WatchedUsers)
    for consumer, source in follows(Settings()):
        at, end = watches[consumer].cursors.get(source, 0), watches[source].log_end
        check(at == end, "I-43", f"{consumer} is at {at} of {end} of {source}")
    live = {str(order.order_id) for order in orders.orders.values() if not order.is_closed}
    for order in orders.orders.values():
        waits = order.status == "pending" or (not order.is_closed and (order.amending or order.cancel_requested))
        check(not waits, "I-43", "an order still waits for the engine", order)
    held = {hold.hold_id for hold in wallets.holds.values() if hold.remaining}
    check(held == live, "I-08", "holds without orders, and orders without holds", sorted(held ^ live))
    for user_id, status in users.status.items():
        wallet_id = wallets.default_of.get(user_id)
        check(wallet_id is not None, "I-43", f"user {user_id} has no default wallet")
        check(status in ("active", "deleted"), "I-43", f"user {user_id} is {status}")
        closed = wallets.wallets[str(wallet_id)][1] == "closed"
        check(closed == (status == "deleted"), "I-43", f"user {user_id} is {status}, the wallet closed: {closed}")
    people.judge(users.status)


def audit(folder: Path) -> None:
    """The audit of `borsa verify`, over the files."""
    with Moment(folder, follows(Settings())) as moment:
        moment.fix()
        check(moment.is_quiet, "I-43", "the files are not quiet", moment.lagging())
        witness = follow(moment)
        for each in CHECKS:
            breaches = list(each.breaches(Look(moment, witness)))
            check(not breaches, each.id, each.says, breaches[:5])
