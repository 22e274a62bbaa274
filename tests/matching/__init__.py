"""Tests of the matching kernel. Every test that takes `new_kernel` runs once for each implementation."""

import pytest

pytest.register_assert_rewrite(f"{__name__}.scenarios", f"{__name__}.witness")
