"""The implementations under test, and where shared test data lies."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from borsa.matching import Kernel, open_kernel
from borsa.matching.naive import NaiveKernel

# All of them pass the same tests. The compiled one is there if it could be built; test_choice.py says when it must be.
KERNELS: list[Callable[[], Kernel]] = list(dict.fromkeys([NaiveKernel, type(open_kernel())]))

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(params=KERNELS, ids=lambda kernel: kernel.__name__)
def new_kernel(request: pytest.FixtureRequest) -> Callable[[], Kernel]:
    """Makes empty kernels of one implementation."""
    made: Callable[[], Kernel] = request.param
    return made


@pytest.fixture
def kernel(new_kernel: Callable[[], Kernel]) -> Kernel:
    """One empty kernel."""
    return new_kernel()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of recorded flow and workloads, which is not part of the repository."""
    folder = Path(os.environ.get("BORSA_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no {folder}: set BORSA_SHARED to the folder that has data/ and kernel_bench/")
    return folder
