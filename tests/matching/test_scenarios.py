"""Every scenario file, on every kernel."""

from collections.abc import Callable

import pytest

from borsa.matching import Kernel

from .scenarios import Player, Scenario, read_scenarios

SCENARIOS = list(read_scenarios())


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_scenario_goes_as_written(scenario: Scenario, new_kernel: Callable[[], Kernel]) -> None:
    kernel = new_kernel()
    Player(kernel).play(scenario)
    restored = new_kernel()
    restored.restore(kernel.snapshot())
    assert restored.state_hash() == kernel.state_hash()
    assert list(restored.open_orders()) == list(kernel.open_orders())


def test_there_are_scenarios_and_each_has_a_name_of_its_own() -> None:
    names = [scenario.name for scenario in SCENARIOS]
    assert len(names) > 50
    assert len(set(names)) == len(names)
