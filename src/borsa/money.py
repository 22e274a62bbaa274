"""Amounts, prices and quantities as scaled integers, and the only rounding function.

A decimal is kept as an integer number of units of 10**-scale. It is read from text by one strict ASCII grammar and
written back without loss; nothing in here, or above it, touches a float.
"""

import re
from functools import lru_cache

UNITS_MAX = 2**63 - 1
"""Largest number of units that is kept: both databases store signed 64-bit integers."""

RATE_SCALE = 6
"""Fee rates are integers in millionths: 1000 is 0.1 %."""

NUMBER_PATTERN = r"^(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?$"
"""The grammar of numbers on the wire (no sign, no exponent, no spaces, ASCII digits only)."""

_POWERS = tuple(10**scale for scale in range(19))

_NUMBER = re.compile(NUMBER_PATTERN.replace("$", r"\Z"), re.ASCII)
_SIGNED = re.compile(r"[+-]?" + NUMBER_PATTERN[1:].replace("$", r"\Z"), re.ASCII)


class NotExact(ValueError):
    """A text that is not a number of the grammar, or that can't be kept exactly."""


@lru_cache(maxsize=16_384)
def parse(text: str, scale: int) -> int:
    """The units of 10**-scale in a decimal text; NotExact when it has other characters or more places."""
    if _NUMBER.match(text) is None:
        raise NotExact("must be a plain decimal number such as 10 or 0.25")
    whole, _, fraction = text.partition(".")
    if len(fraction) > scale:
        if fraction[scale:].strip("0"):
            raise NotExact(f"has more than {scale} decimal places")
        fraction = fraction[:scale]
    units = int(whole + fraction.ljust(scale, "0"))
    if units > UNITS_MAX:
        raise NotExact("is too large")
    return units


def parse_signed(text: str, scale: int) -> int:
    """As parse, with an optional sign in front: "+1000", "-5"."""
    if _SIGNED.match(text) is None:
        raise NotExact("must be a decimal number with an optional sign, such as +1000 or -5")
    units = parse(text.lstrip("+-"), scale)
    return -units if text[0] == "-" else units


@lru_cache(maxsize=16_384)
def write(units: int, scale: int, places: int = 0) -> str:
    """The decimal text of units of 10**-scale, without trailing zeros beyond `places` decimals."""
    if units < 0:
        return "-" + write(-units, scale, places)
    whole, rest = divmod(units, _POWERS[scale])
    if not rest:
        return f"{whole}.{'0' * places}" if places else str(whole)
    fraction = str(rest).zfill(scale).rstrip("0")
    return f"{whole}.{fraction.ljust(places, '0')}"


def ceil_divide(numerator: int, divisor: int) -> int:
    """The quotient rounded up: the one direction in which Borsa rounds, and only fees are rounded."""
    return -(-numerator // divisor)
