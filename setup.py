"""Builds the matching kernel in C. The rest of the project is described in pyproject.toml.

The extension is optional: where there is no C compiler, Borsa installs without it and runs the kernel in plain Python,
which gives the same results, slower. No flag names a machine's own instructions: what is built here may run elsewhere.
"""

import os

from Cython.Build import cythonize
from setuptools import Extension, setup

KERNEL = Extension(
    "borsa.matching.kernel",
    ["src/borsa/matching/kernel.pyx"],
    extra_compile_args=["-O3", *os.environ.get("BORSA_KERNEL_FLAGS", "").split()],
    extra_link_args=os.environ.get("BORSA_KERNEL_FLAGS", "").split(),
    optional=True,
)

setup(ext_modules=cythonize([KERNEL], build_dir="build/cython"))
