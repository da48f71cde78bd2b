"""What is written for operators is true: examples load, deployment files and documents name only what there is, links lead somewhere."""

from __future__ import annotations

import base64
import hashlib
import inspect
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from markdown_it import MarkdownIt
from markdown_it.token import Token
from pydantic import SecretStr

from adapters.contract import Role
from adapters.registry import load, platforms
from app.bootstrap.configuration import ConfigurationError, load_settings
from app.bootstrap.destinations import load_destinations
from app.bootstrap.parts import Part, refuse_too_much
from app.cli import tocsin
from app.domain.roster import Roster, SshKey, key_entry
from app.settings import Environment, Settings
from app.workflows.worker import Worker

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/**/*.md")])
OPERATIONS = sorted(path for path in [*ROOT.glob("deploy/**/*"), *ROOT.glob("*.example.toml")] if path.is_file() and path.suffix != ".md")

_VARIABLE = re.compile(r"(?<![A-Z0-9_])TOCSIN_[A-Z0-9_]*[A-Z0-9](?![A-Z0-9_<])")
_COMMAND = re.compile(r"(?:(?<!-[ugo] )(?<![:@.\w/-])|(?<=bin/))tocsin (?=[a-z])(?P<words>[^\n|;&#`'\")]*)")
_PARSER = MarkdownIt("commonmark").enable("table")


def named(path: Path) -> str:
    """For a test's name."""
    return str(path.relative_to(ROOT))


# --- examples


def secrets_of(destinations: list[dict[str, Any]]) -> dict[str, str]:
    """A made-up secret for each that these destinations need, of the form that its adapter wants."""
    found = {}
    for entry in destinations:
        for field in (field for field in load(entry["platform"]).fields if field.secret):
            hook = f"https://discord.com/api/webhooks/{entry['account']}/made-up"
            found[f"TOCSIN_{entry['id']}_{field.name}".upper().replace("-", "_")] = hook if field.name == "url" else "1:made-up"
    return found


def destinations_of(path: Path) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = tomllib.loads(path.read_text())["destination"]
    return listed


def test_example_destinations_load() -> None:
    path = ROOT / "destinations.example.toml"
    listed = destinations_of(path)
    found = load_destinations(Settings(destinations=path, public_url="https://tocsin.example"), secrets_of(listed))
    assert list(found) == [entry["id"] for entry in listed]
    assert {destination.platform for destination in found.values()} == set(platforms()), "one example of each platform"
    assert {destination.role for destination in found.values()} == set(Role), "one example of each role"


def test_example_destinations_name_their_secrets() -> None:
    path = ROOT / "destinations.example.toml"
    with pytest.raises(ConfigurationError) as refused:
        load_destinations(Settings(destinations=path, public_url="https://tocsin.example"), {})
    missing = set(re.findall(r"the secret (TOCSIN_\w+)", str(refused.value)))
    assert missing, "a required secret has no default"
    comments = path.read_text()
    for variable in missing:
        prefix = next(v for v in _VARIABLE.findall(comments) if variable.startswith(v.rsplit("_", 2)[0]))
        assert variable in comments or variable.removeprefix(prefix.rsplit("_", 2)[0]) in comments, f"{variable} is not told of"


def test_example_roster_loads_and_holds_no_key() -> None:
    roster = Roster.parse((ROOT / "roster.example.toml").read_text())
    assert len(roster.reviewers) >= 2
    assert not [key for person in roster.persons for key in person.keys], "a key that everybody can read opens every copy of it"
    assert roster.gaps


def test_example_roster_is_complete_with_two_keys() -> None:
    text = (ROOT / "roster.example.toml").read_text()
    for person in Roster.parse(text).reviewers:
        public = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
        text += "\n" + key_entry(person.id, SshKey.parse(public))
    assert not Roster.parse(text).gaps


def test_the_drill_of_going_live_loads_as_a_drill(tmp_path: Path) -> None:
    block = next(fence.content for fence in fences(ROOT / "docs/going-live.md") if "[[destination]]" in fence.content)
    path = tmp_path / "destinations.drill.toml"
    path.write_text(block)
    settings = Settings(environment=Environment.DRILL, public_url="https://drill.tocsin.example", destinations=path)
    found = load_destinations(settings, {})
    assert {destination.role for destination in found.values()} == {Role.PRIMARY, Role.POINTER, Role.BANNER}


def test_the_settings_of_going_live_load(tmp_path: Path) -> None:
    block = next(fence.content for fence in fences(ROOT / "docs/going-live.md") if fence.content.startswith("TOCSIN_ENVIRONMENT=live"))
    environ = {name: value.strip('"') for name, _, value in (line.partition("=") for line in block.splitlines())}
    for name in [name for name in environ if name.endswith("_FILE")]:
        (tmp_path / name).write_text("made-up\n")
        environ[name] = str(tmp_path / name)
    settings = load_settings(environ)
    assert settings.smtp_password.get_secret_value() == "made-up"
    assert settings.products == "Example Web, Example Mobile"


# --- names


def known_variables() -> set[str]:
    """Every variable of the settings, of the command line and of the tests."""
    known = {f"TOCSIN_{name.upper()}" for name in Settings.model_fields}
    known |= {f"TOCSIN_{name.upper()}_FILE" for name, field in Settings.model_fields.items() if field.annotation is SecretStr}
    for path in [*ROOT.glob("app/cli/*.py"), *ROOT.glob("tests/**/*.py")]:
        known |= set(re.findall(r'environ(?:\.get\(|\[)"(TOCSIN_[A-Z_]+)"', path.read_text()))
    return known


def is_secret(variable: str) -> bool:
    """Whether it has the form of a destination's secret, `TOCSIN_<ID>_<FIELD>` or `…_FILE`."""
    fields = {field.name.upper() for platform in platforms() for field in load(platform).fields if field.secret}
    return any(re.fullmatch(rf"TOCSIN_[A-Z0-9_]+_{field}", variable.removesuffix("_FILE")) for field in fields)


@pytest.mark.parametrize("path", [*DOCUMENTS, *OPERATIONS], ids=named)
def test_every_variable_exists(path: Path) -> None:
    unknown = {variable for variable in _VARIABLE.findall(path.read_text()) if not is_secret(variable)} - known_variables()
    assert not unknown


def commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each `tocsin <command> …` with the words after it."""
    for found in _COMMAND.finditer(text):
        name, *words = found["words"].split()
        yield name, words


def code(path: Path) -> Iterator[str]:
    """All that a document shows as code; of other files everything."""
    if path.suffix != ".md":
        yield path.read_text()
        return
    for token in flat(_PARSER.parse(path.read_text())):
        if token.type in {"fence", "code_block", "code_inline"}:
            yield token.content.replace("\\\n", " ")


def flat(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from flat(token.children or [])


def fences(path: Path) -> Iterator[Token]:
    return (token for token in flat(_PARSER.parse(path.read_text())) if token.type == "fence")


def options_of(command: click.Command) -> set[str]:
    found = {"--help", *(option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts))}
    for sub in command.commands.values() if isinstance(command, click.Group) else ():
        found |= options_of(sub)
    return found


@pytest.mark.parametrize("path", [*DOCUMENTS, *OPERATIONS], ids=named)
def test_every_command_and_option_exists(path: Path) -> None:
    wrong = []
    for text in code(path):
        for name, words in commands(text):
            command = tocsin.get_command(click.Context(tocsin), name)
            options = {word.partition("=")[0] for word in words if word.startswith("--")}
            wrong += [f"tocsin {name}"] if command is None else [f"tocsin {name} {option}" for option in options - options_of(command)]
    assert not wrong


def test_commands_are_found_in_documents() -> None:
    """That the test above looks at something."""
    found = {name for text in code(ROOT / "deploy/runbook.md") for name, _ in commands(text)}
    assert {"status", "retry", "mark", "skip", "check", "verify", "revise"} <= found
    assert [*commands("sudo -u tocsin sh -c x; chown root:tocsin y; /opt/tocsin/bin/tocsin check --server")] == [("check", ["--server"])]


# --- links


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_every_internal_link_resolves(path: Path) -> None:
    broken = []
    for link in links(path):
        target, _, anchor = link.partition("#")
        there = (path.parent / target).resolve() if target else path
        if not there.exists() or (anchor and there.suffix == ".md" and anchor not in anchors(there)):
            broken.append(link)
    assert not broken


def links(path: Path) -> Iterator[str]:
    for token in flat(_PARSER.parse(path.read_text())):
        for name in ("href", "src"):
            link = str(token.attrs.get(name, ""))
            if link and not re.match(r"[a-z]+:", link):
                yield link
        if token.type in {"html_block", "html_inline"}:
            yield from re.findall(r'(?:src|href)="(?![a-z]+:)([^"]+)"', token.content)


def anchors(path: Path) -> set[str]:
    """The anchors that a forge makes of a document's headings."""
    tokens = _PARSER.parse(path.read_text())
    headings = [tokens[at + 1].content for at, token in enumerate(tokens) if token.type == "heading_open"]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_a_stated_integrity_is_the_banners(path: Path) -> None:
    digest = base64.b64encode(hashlib.sha384((ROOT / "app/web/static/banner.js").read_bytes()).digest()).decode()
    assert set(re.findall(r'banner\.js" integrity="sha384-([A-Za-z0-9+/=]+)"', path.read_text())) <= {digest}


# --- container, compose, systemd


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())
    return parsed


def test_compose_starts_with_its_own_environment(compose: dict[str, Any], tmp_path: Path) -> None:
    """Its settings load once its secrets are there, and its destinations' secrets are those of the example."""
    example = {f"{variable}_FILE" for variable in secrets_of(destinations_of(ROOT / "destinations.example.toml"))}
    for service in ("tocsin", "worker"):
        environ: dict[str, str] = dict(compose["services"][service]["environment"])
        others = {variable for variable in environ if is_secret(variable)} - known_variables()
        assert bool(others) is (service == "worker")
        assert others <= example
        for variable in [variable for variable in environ if variable.endswith("_FILE")]:
            (tmp_path / variable).write_text("made-up\n")
            environ[variable] = str(tmp_path / variable)
        assert load_settings(environ).database_url.get_secret_value() == "made-up"


@pytest.mark.parametrize(("service", "part"), [("tocsin", Part.WEB), ("worker", Part.WORKER)])
def test_compose_gives_no_part_what_is_the_others(compose: dict[str, Any], service: str, part: Part) -> None:
    path = ROOT / "destinations.example.toml"
    settings = Settings(destinations=path, public_url="https://tocsin.example")
    destinations = load_destinations(settings, secrets_of(destinations_of(path)), credentials=part is Part.WORKER)
    environ, other = (compose["services"][name]["environment"] for name in (service, "worker" if service == "tocsin" else "tocsin"))
    refuse_too_much(part, settings, destinations, environ)
    with pytest.raises(ConfigurationError):
        refuse_too_much(part, settings, destinations, environ | other)


def test_compose_gives_every_secret_by_file(compose: dict[str, Any]) -> None:
    declared = set(compose["secrets"])
    used: set[str] = set()
    for service in compose["services"].values():
        named_in = {value.removeprefix("/run/secrets/") for name, value in service["environment"].items() if name.endswith("_FILE")}
        assert named_in == set(service["secrets"])
        used |= named_in
        assert not [name for name in service["environment"] if re.search("TOKEN|PASSWORD|SECRET|_KEY", name) and not name.endswith("_FILE")]
    assert used == declared


def test_compose_is_closed(compose: dict[str, Any]) -> None:
    service, database = compose["services"]["tocsin"], compose["services"]["postgres"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert "ports" not in database
    assert service["depends_on"]["postgres"]["condition"] == "service_healthy"
    assert database["healthcheck"]["test"][0] == "CMD"


def test_whoever_stops_tocsin_waits_for_it(compose: dict[str, Any]) -> None:
    drains = inspect.signature(Worker.stop).parameters["seconds"].default
    for name in ("tocsin.service", "tocsin-worker@.service", "tocsin-web.service"):
        given = re.search(r"^TimeoutStopSec=(\d+)$", (ROOT / "deploy/systemd" / name).read_text(), re.M)
        assert given
        assert int(given[1]) > drains
    for service in ("tocsin", "worker"):
        assert int(compose["services"][service]["stop_grace_period"].removesuffix("s")) > drains


def test_a_worker_is_closed_as_the_server_is_and_has_no_port(compose: dict[str, Any]) -> None:
    server, worker = compose["services"]["tocsin"], compose["services"]["worker"]
    assert "ports" not in worker
    assert (server["command"], worker["command"]) == (["serve", "--no-worker"], ["worker"])
    own = {"ports", "command", "healthcheck", "environment", "secrets", "volumes"}
    memories = [{mount.partition(":")[0] for mount in of["volumes"] if mount.endswith(":/data")} for of in (server, worker)]
    assert memories[0]
    assert not memories[0] & memories[1], "who breaks into the one cannot write which roster the other trusts"
    shared = [{name: of[name] for name in of if name not in own} for of in (server, worker)]
    assert shared[0] == shared[1]
    common = set(server["environment"].items()) & set(worker["environment"].items())
    assert {name for name, _ in common} >= {"TOCSIN_ENVIRONMENT", "TOCSIN_PUBLIC_URL", "TOCSIN_DATABASE_URL_FILE", "TOCSIN_OWN_DOMAINS"}
    names = ("tocsin.service", "tocsin-worker@.service", "tocsin-web.service")
    units = [(ROOT / "deploy/systemd" / name).read_text() for name in names]
    closed = [re.findall(r"^(?:[A-Z]\w*(?:Set|=yes)|Protect|Restrict|SystemCall|UMask|No)\S*=\S+.*$", unit, re.M) for unit in units]
    assert closed[0] == closed[1] == closed[2], "closed as tightly"


def test_the_image_takes_what_there_is_and_runs_without_rights() -> None:
    lines = (ROOT / "deploy/Dockerfile").read_text().splitlines()
    copied = {name.rstrip("/") for line in lines if line.startswith("COPY ") and "--from" not in line for name in line.split()[1:-1]}
    kept = {line[1:] for line in (ROOT / "deploy/Dockerfile.dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied == kept
    assert all((ROOT / name).exists() for name in copied)
    users = [line for line in lines if line.startswith("USER ")]
    assert users
    assert not users[-1].startswith(("USER 0", "USER root"))


def test_the_proxy_writes_no_link_down() -> None:
    text = (ROOT / "deploy/nginx.conf").read_text()
    for path in ("/approve/", "/enrol/"):
        block = re.search(rf"location \^~ {path} \{{(.*?)\}}", text, re.S)
        assert block
        assert "access_log off;" in block[1]
        assert "error_log /dev/null" in block[1]
    plain = re.search(r"listen 80;(.*?)\n\}", text, re.S)
    assert plain
    assert "access_log off;" in plain[1]
