"""borsa bench hostile: a quiet day, then one attack after the other, and what honest users feel of each."""

import asyncio
import multiprocessing
import secrets
from collections.abc import Collection, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import msgspec
import typer
import uvloop

from borsa.commands import verify
from borsa.commands.client import Client, Participant, Unusable
from borsa.commands.hostile import report
from borsa.commands.hostile.attackers import Answers, Plan, attack, stand_back
from borsa.commands.hostile.attacks import ATTACKS, Field, Size
from borsa.commands.hostile.honest import Crowd, Felt
from borsa.commands.hostile.report import Outcome, Phase
from borsa.commands.hostile.resident import Watched
from borsa.commands.hostile.targets import Targets
from borsa.commands.own_server import own_folder, server_process
from borsa.commands.recording import market_named
from borsa.markets import ASSET_SCALE
from borsa.settings import Settings

HONEST = 8
"""Honest users."""

STRANGERS = {
    "trusted_proxies": "127.0.0.1",
    "webhook_private": True,
    "log_level": "error",
    "address_requests_per_second": 2_000,
    "key_requests_per_second": 2_000,
    "orders_per_second": 200,
    "rows_per_second": 2_000,
    "answer_seconds_max": 5,
}
"""Settings of an exchange that serves strangers; all others are the defaults. Attackers have addresses of their own,
and the targets of webhooks are here."""


def run(size: Size, attacks: Collection[str] = ()) -> int:
    """Attack, in all ways or in those named; returns the exit status: 0 when nothing is wrong but, perhaps, how long
    it took."""
    try:
        outcome = _day(size, attacks or ATTACKS)
    except (Unusable, ConnectionError) as error:
        typer.echo(f"borsa: {error}", err=True)
        return 2
    typer.echo(msgspec.json.encode(outcome).decode())
    return 0 if outcome.right else 1


def _day(size: Size, attacks: Collection[str]) -> Outcome:
    with own_folder() as folder:
        given = STRANGERS | {"data": str(folder), "port": 0, "admin_password": secrets.token_urlsafe(24)}
        settings = msgspec.structs.replace(Settings(), **given)
        with server_process(["borsa.cli", "up"], settings, tuple(given)) as served, Targets() as targets:
            settings = msgspec.structs.replace(settings, port=served.port)
            with Client(settings) as client:
                phases = _phases(client, targets, size, attacks, Watched(served.process_id))
                healthy = client.ask("GET", "/readyz").status_code == 200
        verified = verify.run(settings) == verify.RIGHT
    return report.outcome_of(size, phases, healthy=healthy, verified=verified)


def _phases(client: Client, targets: Targets, size: Size, attacks: Collection[str], watched: Watched) -> list[Phase]:
    client.sign_in_admin()
    market = client.open_market(market_named("BENCH", "USD", "0.01", "0.000001"))
    users = _honest(client, targets, (market.base, market.quote))
    crowd = Crowd(client.host_and_port, market, users)
    field = Field(client, market, size, targets.silent_url)
    report.say(size, HONEST, STRANGERS)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn, initializer=stand_back) as attackers:
        day = partial(_phase, client, targets, crowd, watched, attackers)
        phases = [day("quiet", field.plan(), ())]
        report.tell(phases[0], phases[0])
        for name in attacks:
            plan, enemies = ATTACKS[name](field)
            phases.append(day(name, plan, enemies))
            report.tell(phases[0], phases[-1])
    return phases


def _honest(client: Client, targets: Targets, assets: Sequence[str]) -> list[Participant]:
    """The honest users; the first has webhooks sent to a target that listens."""
    users = [client.make_participant() for _ in range(HONEST)]
    for user in users:
        for asset in assets:
            client.fund(user, asset, 100_000 * 10**ASSET_SCALE)
    wish = {"channels": {"inbox": True, "webhook": {"url": targets.listening_url}}}
    client.told("PUT", "/api/notifications/preferences", users[0].key, wish)
    return users


def _phase(
    client: Client,
    targets: Targets,
    crowd: Crowd,
    watched: Watched,
    attackers: ProcessPoolExecutor,
    name: str,
    plan: Plan,
    enemies: Sequence[Participant],
) -> Phase:
    """The honest at work while a plan is carried out; afterwards the enemies' orders are cancelled."""
    client.wait_until_settled()
    before = watched.begin()
    felt, delays_ns, answers = uvloop.run(_attacked(targets, crowd, attackers, plan))
    lag_seconds = client.wait_until_settled()
    for enemy in enemies:
        client.told("DELETE", "/api/orders", enemy.key)
    client.wait_until_settled()
    return Phase(name, felt, delays_ns, answers, lag_seconds, before, watched.look())


async def _attacked(
    targets: Targets, crowd: Crowd, attackers: ProcessPoolExecutor, plan: Plan
) -> tuple[Felt, list[int], Answers]:
    over = asyncio.Event()
    async with targets.listen() as delays_ns:
        trading = asyncio.create_task(crowd.trade(over))
        try:
            answers = await asyncio.get_running_loop().run_in_executor(attackers, attack, plan)
        finally:
            over.set()
        return await trading, delays_ns, answers
