"""compose.yaml and the Dockerfile say nothing that the code does not: there is no engine here that would find out."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from borsa import app, served
from borsa.cli import Part
from borsa.settings import describe
from tests.house.source import ROOT, tracked
from tests.support.cluster import SERVICES
from tests.support.nats import program

FILES = ("compose.yaml", "Dockerfile", ".env.example", "deploy/nats.conf", "deploy/prometheus.yml")
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
PROMETHEUS = yaml.safe_load((ROOT / "deploy/prometheus.yml").read_text())
EXAMPLE = dict(
    line.split("=", 1) for line in (ROOT / ".env.example").read_text().splitlines() if line and line[0] != "#"
)
PARTS = {name: service for name, service in COMPOSE["services"].items() if service.get("image") == "borsa"}
PORT = "8000"


class Step(NamedTuple):
    """An instruction of the Dockerfile, in which stage."""

    stage: int
    verb: str
    rest: str


def steps() -> list[Step]:
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    found, stage = [], -1
    for line in filter(None, map(str.strip, text.splitlines())):
        verb, _, rest = line.partition(" ")
        stage += verb == "FROM"
        found.append(Step(stage, verb, " ".join(rest.split())))
    return found


def of(verb: str, stage: int = 1) -> list[str]:
    return [step.rest for step in steps() if (step.stage, step.verb) == (stage, verb)]


def test_every_setting_exists() -> None:
    known = {variable for variable, _, _ in describe()}
    for name in FILES:
        assert set(re.findall(r"BORSA_[A-Z_]*[A-Z]", (ROOT / name).read_text())) <= known, name
    environment = PARTS["users"]["environment"]
    assert {"BORSA_DATABASE_URL", "BORSA_NATS_URL"} <= environment.keys() <= known


def test_the_topology_is_that_of_the_cluster_that_the_tests_run() -> None:
    assert PARTS.keys() == {*SERVICES, "gateway"} == {part.value for part in Part}
    assert {name: part["command"] for name, part in PARTS.items()} == {name: ["serve", name] for name in PARTS}
    assert {name: part.get("scale", 1) for name, part in PARTS.items()} == dict.fromkeys(SERVICES, 1) | {"gateway": 2}
    assert sorted(COMPOSE["services"].keys() - PARTS.keys()) == ["nats-1", "nats-2", "nats-3", "postgres", "prometheus"]
    assert of("ENTRYPOINT") == ['["borsa"]']
    assert of("CMD") == ['["up"]']


def test_every_part_finds_the_others() -> None:
    for part in PARTS.values():
        environment = part["environment"]
        assert re.findall(r"@([\w-]+):\d+", environment["BORSA_DATABASE_URL"]) == ["postgres"]
        assert re.findall(r"@([\w-]+):4222", environment["BORSA_NATS_URL"]) == ["nats-1", "nats-2", "nats-3"]
        assert part["depends_on"].keys() <= COMPOSE["services"].keys()
        # else a standby could not be added
        assert "container_name" not in part
    (scraped,) = PROMETHEUS["scrape_configs"]
    (found,) = scraped["dns_sd_configs"]
    assert sorted(found["names"]) == sorted(PARTS)
    assert str(found["port"]) == PORT


def test_health_checks_ask_for_routes_that_are_there() -> None:
    (image,) = of("HEALTHCHECK")
    assert asked(image) in served.OWN_ROUTES
    gateway = " ".join(COMPOSE["services"]["gateway"]["healthcheck"]["test"])
    assert asked(gateway) in {route.path for route in app.routes()}
    for check in (image, gateway):
        (code,) = re.findall(r"import urllib[^\"]*", check)
        compile(code, "healthcheck", "exec")


def asked(check: str) -> str:
    (path,) = re.findall(rf"http://127\.0\.0\.1:{PORT}(/\w+)", check)
    return str(path)


def test_ports_are_those_that_are_listened_on() -> None:
    assert of("EXPOSE") == [PORT]
    assert f"BORSA_PORT={PORT}" in of("ENV")[0]
    for part in PARTS.values():
        assert part["environment"]["BORSA_PORT"] == PORT
        assert part["environment"]["BORSA_HOST"] == "0.0.0.0"
    published = {name: service["ports"] for name, service in COMPOSE["services"].items() if "ports" in service}
    assert published == {"gateway": [f"127.0.0.1:8001-8002:{PORT}"], "prometheus": ["127.0.0.1:9090:9090"]}
    assert "http_port: 8222" in (ROOT / "deploy/nats.conf").read_text()
    assert ":8222/" in " ".join(COMPOSE["services"]["nats-1"]["healthcheck"]["test"])


def test_volumes_are_declared_and_used_and_files_are_there() -> None:
    used = set()
    for service in COMPOSE["services"].values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            if source.startswith("./"):
                assert (ROOT / source) in tracked()
                assert volume.endswith(":ro")
            else:
                used.add(source)
    assert used == COMPOSE["volumes"].keys()
    (folder,) = {part["environment"]["BORSA_DATA"] for part in PARTS.values()}
    assert {tuple(part["volumes"]) for part in PARTS.values()} == {(f"keys:{folder}",)}
    # a new volume takes its owner from the image
    assert re.search(rf"install --directory --owner=borsa --mode=700 {folder}$", of("RUN")[0])


def test_nobody_is_root_and_nothing_is_written_but_data() -> None:
    assert of("USER") == ["borsa"]
    order = [step.verb for step in steps() if step.stage == 1]
    assert order.index("USER") > max(at for at, verb in enumerate(order) if verb in ("RUN", "COPY"))
    for part in PARTS.values():
        assert part["read_only"] is True
        assert part["cap_drop"] == ["ALL"]
        assert part["security_opt"] == ["no-new-privileges:true"]


def test_no_secret_is_written_down() -> None:
    text = (ROOT / "compose.yaml").read_text()
    asked_for = set(re.findall(r"\$\{([A-Z_]+)", text))
    assert asked_for == EXAMPLE.keys()
    assert not any(EXAMPLE.values())
    # each is insisted upon
    assert set(re.findall(r"\$\{([A-Z_]+):\?", text)) == asked_for
    assert not re.search(r"(?i)password[^\n]{0,3}[:=] *(?!\$|\")[a-z0-9]", text)
    assert not [step for step in steps() if re.search(r"(?i)password|secret|token", step.rest)]
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()


def test_the_brokers_understand_their_configuration() -> None:
    given = {name: value.replace("${NATS_PASSWORD}", "x1") for name, value in COMPOSE["x-nats"]["environment"].items()}
    given["NATS_PASSWORD"] = "x1"
    text = (ROOT / "deploy/nats.conf").read_text()
    assert set(re.findall(r"\$(\w+)", text)) == given.keys()
    for name in ("nats-1", "nats-2", "nats-3"):
        service = COMPOSE["services"][name]
        assert service["command"] == ["--config", "/etc/borsa/nats.conf", "--name", name]
        assert service["volumes"] == ["./deploy/nats.conf:/etc/borsa/nats.conf:ro", f"{name}:/data"]
    command = [program(), "-t", "--config", ROOT / "deploy/nats.conf", "--name", "nats-1"]
    said = subprocess.run(command, env=os.environ | given, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr


def test_what_the_image_is_built_of_is_there_and_let_through() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    let_through = {line[1:] for line in lines if line[0] == "!"}
    copied = {each.rstrip("/") for rest in of("COPY", 0) for each in rest.split()[:-1]}
    assert copied == let_through
    assert lines[0] == "*"
    for name in copied:
        assert (ROOT / name).exists()
        assert not any(fnmatch(name, line) for line in lines[1:])


@pytest.mark.skipif(not os.environ.get("BORSA_TEST_LONG"), reason="installs everything anew: BORSA_TEST_LONG=1")
@pytest.mark.timeout(600)
def test_the_image_can_be_built_as_far_as_that_goes_without_an_engine(tmp_path: Path) -> None:
    """A clone, and the steps of the first stage in it, with /opt and /src elsewhere; the command is there then."""
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
    source, installed = tmp_path / "src", tmp_path / "opt"
    source.mkdir()
    for step in steps():
        if step.stage == 0 and step.verb == "COPY":
            *names, target = step.rest.split()
            for name in names:
                to = source / target / (name if target == "./" else "")
                (shutil.copytree if (clone / name).is_dir() else shutil.copy)(clone / name, to)
        elif step.stage == 0 and step.verb == "RUN" and "apt-get" not in step.rest:
            command = step.rest.replace("/opt/borsa", str(installed)).replace(
                "python -m venv", f"{sys.executable} -m venv"
            )
            subprocess.run(["sh", "-c", command], cwd=source, check=True)
    command = [installed / "bin" / "borsa", *shlex.split("serve users")]
    said = subprocess.run(command, cwd=tmp_path, env={"PATH": "/usr/bin"}, capture_output=True, text=True, check=False)
    assert (said.returncode, said.stderr) == (1, "borsa: borsa serve needs PostgreSQL: set BORSA_DATABASE_URL\n")
