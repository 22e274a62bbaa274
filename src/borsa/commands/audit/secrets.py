"""Secrets: none is in a database in plain. `users` and `notifications` see them, and answers that are kept might."""

import re
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any

from borsa import app
from borsa.commands.audit.check import Check, Look
from borsa.commands.audit.moment import of
from borsa.runtime.shards import service_of

WHOLE = ("users", "notifications")
"""Services that are looked through table by table; of the others, what they answered to requests with a key."""

HASHES = ("users", "passwords")
"""The one table where a password's hash may stand, and has to."""

VERIFIER_BYTES = {"bearer": 32, "ed25519": 32, "hmac": 12 + 43 + 16}
"""How long that is by which a key is known: a SHA-256 digest, a public key, a secret sealed with AES-GCM."""

ROWS_AT_ONCE = 200

SECRETS = (
    ("a private key", "PRIVATE KEY", re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")),
    ("an access token", "eyJ", re.compile(r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{20,}")),
    ("a refresh token", ".", re.compile(r"\.\d+\.[\w-]{43}(?![\w-])")),
    ("an API key", "borsa_", re.compile(r"borsa_[0-9a-f-]{36}_[\w-]{20,}")),
    ("a webhook secret", "whsec_", re.compile(r"whsec_[\w+/=-]{16,}")),
    ("a password hash", "$argon2", re.compile(r"\$argon2")),
)
"""What each secret looks like; the short text is in all of them, and quicker to look for."""


def nothing_is_in_plain(look: Look) -> Iterator[str]:
    """Every text and every blob; passwords as Argon2id hashes, secrets of API keys as digests, or sealed."""
    for service, table in _tables(look.moment.services):
        rows = look.each(of(service, "SELECT * FROM $service.$table", table=table))
        while some := list(islice(rows, ROWS_AT_ONCE)):
            # what is in one of them is in all of them together, and nearly always it is in none
            for row in some if any(_found(chain.from_iterable(some))) else ():
                for found in _found(row):
                    yield f"{service}.{table} has {found} in plain in the row {row[0]}"
    for user_id, text in look.each("SELECT user_id, hash FROM users.passwords"):
        if not text.startswith("$argon2id$"):
            yield f"the password of user {user_id} is not kept as an Argon2id hash"
    for key_id, kind, verifier in look.each("SELECT key_id, kind, verifier FROM users.api_keys"):
        if len(verifier) != VERIFIER_BYTES.get(kind):
            yield f"what API key {key_id} ({kind}) is known by is no digest, no public key, and not sealed"


def _tables(services: Iterable[str]) -> Iterator[tuple[str, str]]:
    tables = {service.name: service.tables.tables for service in app.SERVICES}
    for name in services:
        for table in tables[service_of(name)]:
            if (name in WHOLE or table == "answers") and (name, table) != HASHES:
                yield name, table


def _found(values: Iterable[Any]) -> Iterator[str]:
    """What is in these values. No secret goes on behind the end of a line, so none lies across two of them."""
    texts = (value.decode("latin-1") if isinstance(value, bytes) else value for value in values)
    text = "\n".join(value for value in texts if isinstance(value, str))
    for name, part, pattern in SECRETS:
        if part in text and pattern.search(text):
            yield name


CHECKS = (Check("I-51", "no secret is kept in plain", nothing_is_in_plain),)
