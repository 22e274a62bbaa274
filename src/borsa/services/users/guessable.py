"""What people guess first: common passwords, words said twice, rows of the keyboard, the user's own name.

The list beside this file is our own: short, lower case, letters and digits only. It is matched as a whole and with the
digits around it taken off; what it can't list, the patterns below catch.
"""

import re
import string
from functools import cache
from importlib.resources import files

from borsa import __name__ as product

_ROWS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890123456789",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
    "azertyuiopqsdfghjklmwxcvbn",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "q1w2e3r4t5y6u7i8o9p0",
    "1q2w3e4r5t6y7u8i9o0p",
    "qazwsxedcrfvtgbyhnujmikolp",
)
_RUN_MIN = 4
"""Neighbours in a row that make a run."""

_LETTERS_MIN = 4
"""Letters that must be left when runs and worn-out words are taken away."""

_WORN_OUT = (product, "password", "passwort", "passwd", "qwerty", "admin", "letmein", "welcome", "iloveyou", "login")

_LEET = str.maketrans("013457@$!", "oieastasi")
_SIGNS = str.maketrans("", "", string.punctuation + string.whitespace)
_AROUND = re.compile(r"^[0-9]+|[0-9]+$")


def weakness(password: str, user_name: str) -> str:
    """Why a password is easy to guess, in a sentence; empty when no reason is known."""
    text = password.casefold()
    if user_name.casefold() in text:
        return "The password contains the user's name"
    core = text.translate(_SIGNS)
    if _is_repeated(text) or (core and _is_repeated(core)):
        return "The password is one short text, repeated"
    bare = _AROUND.sub("", core)
    if not _common().isdisjoint((core, bare, core.translate(_LEET), bare.translate(_LEET))):
        return "The password is a common one"
    if _is_worn_out(core):
        return "The password is made of common words and keyboard rows"
    return ""


def _is_repeated(text: str) -> bool:
    """Is the text its own beginning again and again, the last time perhaps cut short?"""
    return any(text[period:] == text[:-period] for period in range(1, len(text) // 2 + 1))


def _is_worn_out(text: str) -> bool:
    rest = _without_runs(text)
    return any(_is_mostly_worn_out(text, form) for form in (rest, rest.translate(_LEET)))


def _is_mostly_worn_out(text: str, rest: str) -> bool:
    """Is next to nothing of a text left, once the words that everybody uses are taken out of its rest?"""
    for word in _WORN_OUT:
        rest = rest.replace(word, "")
    letters = sum(not character.isdigit() for character in rest)
    return len(rest) < len(text) and letters < _LETTERS_MIN


def _without_runs(text: str) -> str:
    kept = []
    at = 0
    while at < len(text):
        length = _run_at(text, at)
        if length < _RUN_MIN:
            kept.append(text[at])
            length = 1
        at += length
    return "".join(kept)


def _run_at(text: str, at: int) -> int:
    """How many characters from here are neighbours in a row, in either direction, or the same one again."""
    longest = len(text[at:]) - len(text[at:].lstrip(text[at]))
    for row in _both_ways():
        length = longest + 1
        while at + length <= len(text) and text[at : at + length] in row:
            longest = length
            length += 1
    return longest


@cache
def _both_ways() -> tuple[str, ...]:
    return tuple(each for row in _ROWS for each in (row, row[::-1]))


@cache
def _common() -> frozenset[str]:
    text = files(__package__).joinpath("common-passwords.txt").read_text("ascii")
    return frozenset(line for line in text.splitlines() if not line.startswith("#"))
