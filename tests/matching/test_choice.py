"""Which kernel runs, and how to ask for another."""

import os
import subprocess
import sys

import pytest

from borsa.matching import NoSuchKernel, kernel_name, open_kernel

from .conftest import ROOT

CLASSES = {"naive": "NaiveKernel", "compiled": "CompiledKernel"}

WITHOUT = (
    "import sys; sys.modules['borsa.matching.kernel'] = None; from borsa.matching import kernel_name, open_kernel; "
)
"""As if nothing had been compiled."""


def said(script: str) -> subprocess.CompletedProcess[str]:
    """What a fresh interpreter says."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    return subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)


def test_open_kernel_gives_the_kernel_that_kernel_name_says() -> None:
    assert type(open_kernel()).__name__ == CLASSES[kernel_name()]
    assert open_kernel() is not open_kernel()


@pytest.mark.parametrize("name", CLASSES)
def test_a_kernel_can_be_asked_for_by_name(name: str) -> None:
    if name == "compiled" and kernel_name() != "compiled":
        pytest.skip("nothing was compiled here")
    assert kernel_name(name) == name
    assert type(open_kernel(name)).__name__ == CLASSES[name]


def test_a_name_that_no_kernel_has_is_refused() -> None:
    with pytest.raises(NoSuchKernel, match="fastest is no matching kernel: naive and compiled are"):
        open_kernel("fastest")


def test_the_naive_kernel_runs_where_nothing_was_compiled() -> None:
    assert said(WITHOUT + "print(kernel_name(), type(open_kernel()).__name__)").stdout.split() == [
        "naive",
        "NaiveKernel",
    ]


def test_the_compiled_kernel_can_not_be_forced_where_nothing_was_compiled() -> None:
    refused = said(WITHOUT + "open_kernel('compiled')")
    assert refused.returncode == 1
    assert "NoSuchKernel: the compiled matching kernel is not installed" in refused.stderr


@pytest.mark.skipif(not os.environ.get("CI"), reason="only CI must have a C compiler")
def test_ci_runs_the_compiled_kernel() -> None:
    """`optional=True` in setup.py hides every error of the compiler; here it shows."""
    assert kernel_name() == "compiled"
