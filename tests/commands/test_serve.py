"""borsa serve, as far as it comes without a database and a broker."""

from pathlib import Path

import msgspec
import pytest

from borsa.commands import serve
from borsa.settings import Settings

DATABASE = "postgresql://borsa:secret@127.0.0.1:1/borsa"


@pytest.mark.parametrize(
    ("given", "missing"),
    [({}, "BORSA_DATABASE_URL"), ({"database_url": DATABASE}, "BORSA_NATS_URL")],
    ids=["database", "broker"],
)
def test_a_setting_that_is_missing_is_named(given: dict[str, str], missing: str, tmp_path: Path) -> None:
    settings = msgspec.structs.replace(Settings(), data=str(tmp_path), **given)
    with pytest.raises(serve.CantStart, match=f"set {missing}"):
        serve._served(settings, "users")
