"""A hostile day in small: every attack of borsa bench hostile, a second of each; its times are not judged."""

import json
from pathlib import Path

import pytest

from borsa.commands.hostile.attacks import ATTACKS
from tests.commands.test_bench import borsa


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="memory is counted by Linux")
def test_whatever_attackers_do_the_honest_trade_and_the_books_are_right(tmp_path: Path) -> None:
    done = borsa("bench", "hostile", "--seconds", "1", "--scale", "4", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert (said["verified"], said["healthy"], said["right"]) == (True, True, True)
    rows = {row["name"]: row for row in said["rows"]}
    assert list(rows) == ["quiet", *ATTACKS]
    for row in rows.values():
        assert set(row["honest_orders"]) == {"201"}
        assert set(row["honest_cancels"]) <= {"200", "202", "409"}
        assert (row["cancels_refused"], row["without_retry_after"], row["unheard"]) == (0, 0, 0)
    assert rows["login-flood"]["attackers"].keys() <= {"401", "429", "503"}
    assert rows["order-flood"]["attackers"]["429"] > 0
    assert rows["far-levels"]["attackers_orders"] > 0
    assert rows["tiny-orders"]["attackers_orders"] > 0
    assert rows["hanging-webhooks"]["webhooks"] > 0
    assert list(tmp_path.iterdir()) == []
