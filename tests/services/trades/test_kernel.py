"""BORSA_KERNEL decides which matching kernel the engine has, and /healthz and the start say so."""

from pathlib import Path

import pytest

from borsa import app
from borsa.commands import up
from borsa.matching import kernel_name
from borsa.services.trades.engine import Engine
from borsa.settings import BadSetting, Settings, load


def test_without_the_setting_the_fastest_runs() -> None:
    assert load({}).kernel == ""
    assert app.facts(load({}))["kernel"] == kernel_name()


@pytest.mark.parametrize("name", dict.fromkeys(["naive", kernel_name()]))
def test_the_setting_forces_one(name: str) -> None:
    given = load({"BORSA_KERNEL": name})
    assert app.facts(given)["kernel"] == name
    assert type(Engine(given.kernel).kernel).__name__.lower() == f"{name}kernel"


def test_a_name_that_no_kernel_has_is_refused() -> None:
    with pytest.raises(BadSetting, match="BORSA_KERNEL"):
        load({"BORSA_KERNEL": "fastest"})


def test_a_start_with_a_kernel_that_is_not_installed_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("borsa.matching._COMPILED", False)
    # these two are for the whole process, which has other tests to run
    monkeypatch.setattr("borsa.runtime.observability.telemetry.start_logging", lambda _: None)
    monkeypatch.setattr("os.umask", lambda _: 0)
    assert up.run(Settings(data=str(tmp_path / "data"), kernel="compiled", port=0)) == 1
    assert "the compiled matching kernel is not installed" in capsys.readouterr().err
