"""A database of an earlier version is taken as it is."""

from pathlib import Path

from borsa.runtime.databases.sqlite import SqliteDatabase
from borsa.services.users import USERS, store
from tests.support.earlier import insert, migrate_to


def test_api_keys_from_before_are_bearer_keys(tmp_path: Path) -> None:
    database = SqliteDatabase("users", tmp_path, USERS.tables)
    migrate_to("0001", USERS, database.path)
    text = {"user_id": "ada", "label": "bot", "scopes": "read", "addresses": "192.0.2.0/24", "created_at": 5}
    insert(database.path, "api_keys", *({"key_id": each, "secret_hash": each.encode()} | text for each in "ab"))
    database.migrate()
    kept = store.api_keys_page(database.reader(), "ada", "~", 10)
    assert [(key.key_id, key.kind, key.verifier) for key in kept] == [("b", "bearer", b"b"), ("a", "bearer", b"a")]
    assert {(key.label, key.scopes, key.addresses, key.created_at) for key in kept} == {
        ("bot", "read", "192.0.2.0/24", 5)
    }
