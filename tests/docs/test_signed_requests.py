"""What the page on signed requests tells a program to do, works as it stands."""

import hashlib
import hmac
import re
import subprocess
import sys
from pathlib import Path

from tests.house.source import ROOT
from tests.support.running import Person, Running, until

PAGE = (ROOT / "docs" / "signed-requests.md").read_text()
WITH_SECRET, WITH_PRIVATE_KEY = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
ADDRESS = "http://127.0.0.1:8000"


def printed(script: str, path: Path) -> list[str]:
    """The lines that a script prints; nothing when it fails, as in an exchange's first second."""
    path.write_text(script)
    ran = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, timeout=60, check=False)
    return ran.stdout.splitlines() if ran.returncode == 0 else []


def filled(script: str, running: Running, person: Person, **key: str) -> str:
    """The script with the address and the key of this test."""
    made = person.post("/api/users/api-keys", {"label": "bot", "scopes": ["read", "trade"]} | key)
    for placeholder, value in (
        (f'"{ADDRESS}"', running.url),
        ('"the keyId"', made["keyId"]),
        ('"the secret"', made.get("secret", "")),
    ):
        assert script.count(placeholder) == 1
        script = script.replace(placeholder, f'"{value}"')
    return script


def test_the_example_with_a_secret_places_an_order_and_reads_it(shared_exchange: Running, tmp_path: Path) -> None:
    person = shared_exchange.person(USD="1000")
    script = filled(WITH_SECRET, shared_exchange, person, type="hmac")
    assert until(lambda: printed(script, tmp_path / "bot.py"), "the order") == ["pending", "1"]


def test_the_example_with_a_private_key_only_signs_otherwise(shared_exchange: Running, tmp_path: Path) -> None:
    person = shared_exchange.person(USD="1000")
    kept = WITH_PRIVATE_KEY.replace(
        "Ed25519PrivateKey.generate()", "Ed25519PrivateKey.from_private_bytes(bytes(range(32)))"
    )
    (public,) = printed(kept, tmp_path / "key.py")
    script = filled(WITH_SECRET, shared_exchange, person, type="ed25519", publicKey=public)
    whole = script.replace("order = {", f"{kept}\n\norder = {{")
    assert until(lambda: printed(whole, tmp_path / "bot.py"), "the order") == [public, "pending", "1"]


def test_the_signature_of_the_example_is_right() -> None:
    (table,) = re.findall(r"\| line \|.*?\n\n", PAGE, re.DOTALL)
    lines = [row.split("|")[3].strip(" `") for row in table.strip().splitlines()[2:]]
    nothing = hashlib.sha256(b"").hexdigest()
    assert nothing.startswith(lines.pop().removesuffix("…"))
    secret, signature = re.findall(r"With the secret `(.+?)`, the example above is signed\s+`(.+?)`", PAGE)[0]
    text = "\n".join([*lines, nothing])
    assert hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest() == signature
