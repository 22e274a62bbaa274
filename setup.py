"""Builds the matching kernel in C. The rest of the project is described in pyproject.toml.

It is optional: where it can't be built, Borsa installs without it and runs the kernel in plain Python, which gives the
same results, slower. No flag names a machine's own instructions: what is built here may run elsewhere.
"""

from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

PARTS = Path("src/borsa/matching/compiled")

KERNEL = Extension(
    "borsa.matching.kernel",
    ["src/borsa/matching/kernel.pyx"],
    depends=sorted(map(str, PARTS.glob("*.pxi"))),
    extra_compile_args=["-O3"],
)


(extension,) = cythonize([KERNEL], build_dir="build/cython")
extension.optional = True  # of the one that cythonize made: it forgets what it does not know

setup(ext_modules=[extension])
