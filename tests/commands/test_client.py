"""What the commands that drive an exchange do over its API."""

from pathlib import Path

import msgspec

from borsa.commands.client import Client
from tests.support.running import Running


def test_funds_above_what_one_admin_may_post_come_from_the_faucet(tmp_path: Path) -> None:
    with Running(tmp_path / "data", adjustment_daily_max="1500000") as running:
        settings = msgspec.structs.replace(running.settings, port=int(running.url.rpartition(":")[2]))
        with Client(settings) as client:
            client.sign_in_admin()
            player = client.make_participant()
            for whole in (1_000_000, 2_500_000):
                client.fund(player, "USD", whole * 10**8)
            assert client.told("GET", "/api/wallets", player.key)["data"][0]["balance"] == {"USD": "3500000.00"}
        approvals = running.admin().get("/api/wallets/approvals")["data"]
        assert [each["status"] for each in approvals] == ["rejected"]
