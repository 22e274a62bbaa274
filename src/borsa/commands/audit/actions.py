"""What admins did: dense, in time, and each row sealing all before it."""

import hashlib
import json
from collections.abc import Iterator

from borsa.commands.audit.check import Check, Look
from borsa.commands.audit.moment import of

_ACTIONS = """
    SELECT sequence, time, author, action, target, correlation, details, digest
    FROM $service.actions ORDER BY sequence
"""


def actions_are_sealed(look: Look) -> Iterator[str]:
    """1, 2, 3 without a gap, times that never go back, every digest as the rows up to it have it."""
    for service in look.moment.services:
        last, time, digest = 0, 0, bytes(32)
        for sequence, at, author, action, target, correlation, details, sealed in look.each(of(service, _ACTIONS)):
            name = f"action {service}/{sequence}"
            if sequence != last + 1:
                yield f"{name} follows {service}/{last}"
            if at < time:
                yield f"{name} is older than the one before it"
            said = [service, sequence, at, author, action, target, correlation, details.decode()]
            text = json.dumps(said, separators=(",", ":"), ensure_ascii=False)
            if hashlib.sha256(digest + text.encode()).digest() != sealed:
                yield f"{name} ({action} of {target}) does not fit its digest"
            # each row is held against the one that is there, so that one breach is told once
            last, time, digest = sequence, at, sealed


_ADJUSTMENTS = """
    WITH acts AS (
        SELECT CAST(json_extract(CAST(details AS TEXT), '$$.entryId') AS INTEGER) AS named, sequence, author
        FROM wallets.actions WHERE action IN ('wallet.adjusted', 'adjustment.approved')),
    entries AS (
        SELECT entry_id, author FROM wallets.entries
        WHERE kind = 'adjustment' AND entry_id >= (SELECT min(named) FROM acts))
    SELECT entry_id, sequence FROM entries FULL JOIN acts ON named = entry_id AND acts.author = entries.author
    WHERE entry_id IS NULL OR sequence IS NULL
"""


def adjustments_are_acts(look: Look) -> Iterator[str]:
    """Each adjustment in the ledger is an act of its author; those from before there were actions are not asked about.

    So the newest acts can't be cut off unseen, where they moved money.
    """
    look.among("SELECT count(*) FROM wallets.entries WHERE kind = 'adjustment'")
    for entry_id, sequence in look.wrong(of("wallets", _ADJUSTMENTS)):
        if sequence is None:
            yield f"entry {entry_id} is an adjustment that is no act of its author"
        else:
            yield f"action wallets/{sequence} names an adjustment that is not in the ledger"


CHECKS = (
    Check("F10", "what admins did is there from the first act on, each sealing all before it", actions_are_sealed),
    Check("I-31", "each adjustment of the ledger is an act of its author", adjustments_are_acts),
)
