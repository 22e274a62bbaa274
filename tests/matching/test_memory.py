"""The compiled kernel keeps within its memory: its other tests run once more, on a build that watches every access."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.house.source import ROOT, SRC

PYX = SRC / "matching" / "kernel.pyx"
WATCHED = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-g", "-O1", "-shared", "-fPIC", "-w"]


def library(compiler: str, name: str) -> str:
    """The path of one of the compiler's libraries; empty when it has none of this name."""
    found = run(compiler, f"-print-file-name={name}").stdout.strip()
    return found if os.path.isabs(found) else ""


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command that is done, however it ended."""
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


def build(compiler: str, folder: Path) -> Path:
    """A copy of the package whose kernel is a watched one."""
    package = folder / "borsa"
    shutil.copytree(SRC, package, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    source, built = folder / "kernel.c", package / "matching" / f"kernel{sysconfig.get_config_var('EXT_SUFFIX')}"
    done = run(sys.executable, "-m", "cython", "-o", str(source), str(PYX))
    assert done.returncode == 0, done.stderr
    include = sysconfig.get_path("include")
    done = run(compiler, *WATCHED, f"-I{include}", str(source), "-o", str(built))
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.long
@pytest.mark.timeout(400)
def test_the_compiled_kernel_touches_only_its_own_memory(tmp_path: Path) -> None:
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("no gcc")
    preloaded = library(compiler, "libasan.so")
    if not preloaded:
        pytest.skip("this gcc has no address sanitizer")
    watched = {
        "PYTHONPATH": str(build(compiler, tmp_path)),
        "LD_PRELOAD": preloaded,
        # leaks: of the interpreter itself; reports go to files, because pytest keeps what a process says that dies
        "ASAN_OPTIONS": f"detect_leaks=0:log_path={tmp_path / 'report'}",
        "UBSAN_OPTIONS": f"print_stacktrace=1:log_path={tmp_path / 'report'}",
        "PYTHONMALLOC": "malloc",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    loaded = run(sys.executable, "-c", "from borsa.matching import kernel; print(kernel.__file__)", **watched)
    assert loaded.stdout.startswith(str(tmp_path)), loaded.stdout + loaded.stderr
    options = ("-q", "-x", "-p", "no:cacheprovider", "-k", "not naive and not Naive", f"--ignore={__file__}")
    done = run(sys.executable, "-m", "pytest", *options, "tests/matching", **watched)
    reports = "".join(path.read_text()[:4000] for path in sorted(tmp_path.glob("report.*")))
    assert done.returncode == 0, reports or done.stdout[-8000:]
    assert " passed" in done.stdout
