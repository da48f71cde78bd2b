"""`destinations.toml`: which accounts there are. Every mistake in it is named at once, with the destination and what to write.

Secrets are never in the file: they come from `TOCSIN_<ID>_<FIELD>`, or from the file that `TOCSIN_<ID>_<FIELD>_FILE` names. A process that
posts nothing makes its adapters without them: they render and know their own permalinks, and open no account.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from adapters.contract import Config, Role
from adapters.registry import AdapterClass, UnknownPlatform, load
from app.bootstrap.configuration import ConfigurationError, read_secret_file
from app.domain.phrases import LANGUAGE
from app.services.context import Destination
from app.settings import Settings

COMMON = {"id", "platform", "role", "account", "base_url", "fallback", "on_unknown", "resend_after", "language"}
_ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


def load_destinations(settings: Settings, environ: Mapping[str, str] = os.environ, *, credentials: bool = True) -> dict[str, Destination]:
    """All destinations by id, in the order of the file. Raises `ConfigurationError`."""
    return open_destinations(read_entries(settings.destinations), settings, environ, credentials=credentials)


def read_entries(path: Path) -> list[dict[str, Any]]:
    """The tables `[[destination]]` as the file has them; what ten thousand have in common is one string. Raises `ConfigurationError`."""
    try:
        data = tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise ConfigurationError([f"There is no {path}. Copy destinations.example.toml and edit it."]) from None
    except (OSError, ValueError) as error:
        raise ConfigurationError([f"{path}: {error}"]) from error
    problems = [f"{path}: unknown `{key}`; write [[destination]]." for key in data if key != "destination"]
    entries = data.get("destination", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        problems.append(f"{path}: `destination` must be a list of tables: write [[destination]].")
    if problems:
        raise ConfigurationError(problems)
    return [{sys.intern(key): sys.intern(value) if type(value) is str else value for key, value in entry.items()} for entry in entries]


def public_entries(path: Path) -> list[dict[str, Any]]:
    """The same, to be shown and signed: an entry that holds a secret is refused. Raises `ConfigurationError`."""
    entries, problems = read_entries(path), []
    for entry in entries:
        with contextlib.suppress(UnknownPlatform):
            declared = load(str(entry.get("platform", ""))).fields
            problems += [
                f"Destination {entry.get('id')}: `{field.name}` is a secret, which stands in the environment and never in {path}."
                for field in declared
                if field.secret and field.name in entry
            ]
    if problems:
        raise ConfigurationError(problems)
    return entries


def open_destinations(
    entries: Sequence[Mapping[str, Any]], settings: Settings, environ: Mapping[str, str] = os.environ, *, credentials: bool = True
) -> dict[str, Destination]:
    """The destinations of these entries; without `credentials` no secret is looked at. Raises `ConfigurationError`."""
    problems: list[str] = []
    found: dict[str, Destination] = {}
    for entry in entries:
        one = _Entry(entry, settings, environ, credentials).read(problems)
        if one and one.id in found:
            problems.append(f"Destination {one.id} stands twice; ids are unique.")
        elif one:
            found[one.id] = one
    problems += _primaries(found)
    if problems:
        raise ConfigurationError(problems)
    return found


def secret_variable(destination: str, name: str) -> str:
    """The variable of a destination's secret."""
    return f"TOCSIN_{destination}_{name}".upper().replace("-", "_")


def _primaries(found: Mapping[str, Destination]) -> list[str]:
    primaries = [d for d in found.values() if d.role is Role.PRIMARY]
    problems = [] if len(primaries) == 1 else [f"There must be exactly one destination with role primary; there are {len(primaries)}."]
    problems += [
        f"Destination {destination.id}: a primary must be readable without login, and this one is not."
        for destination in [*primaries, *(d for d in found.values() if d.fallback)]
        if not destination.adapter.limits.public
    ]
    return problems


class _Entry:
    """One `[[destination]]` on its way to a destination."""

    def __init__(self, entry: Mapping[str, Any], settings: Settings, environ: Mapping[str, str], credentials: bool) -> None:
        self.entry, self.settings, self.environ, self.credentials = entry, settings, environ, credentials
        self.id = str(entry.get("id", ""))

    def read(self, problems: list[str]) -> Destination | None:
        """The destination, or None where something is wrong; then `problems` has grown."""
        mine: list[str] = []
        if not _ID.fullmatch(self.id):
            mine.append(f"A destination's id is lower-case letters, digits and hyphens, not {self.id!r}.")
        adapter_class = self._adapter_class(mine)
        fallback = self.entry.get("fallback", 0)
        if isinstance(fallback, bool) or not isinstance(fallback, int) or fallback < 0:
            mine.append(f"Destination {self.id}: fallback is a whole number: 1 for the first to take over, 0 for none.")
        resend_after = self._resend_after(mine)
        if adapter_class and not mine:
            config = self._config(adapter_class, mine)
            if not mine:
                try:
                    adapter = adapter_class(config)
                except ValueError as error:
                    mine.append(f"Destination {self.id}: {error}")
                else:
                    return Destination.of(config, adapter, fallback, "resend" if resend_after else "ask", resend_after)
        problems += mine
        return None

    def _resend_after(self, problems: list[str]) -> int:
        """Seconds after which a pointer of unknown outcome is sent again; 0 where a person is asked."""
        wish, after = self.entry.get("on_unknown", "ask"), self.entry.get("resend_after", 120)
        if wish not in ("ask", "resend") or (wish == "resend" and self.entry.get("role") != Role.POINTER.value):
            problems.append(f'Destination {self.id}: on_unknown is "ask" or, for a pointer alone, "resend".')
        if isinstance(after, bool) or not isinstance(after, int) or not 30 <= after <= 86400:
            problems.append(f"Destination {self.id}: resend_after is a number of seconds from 30 to 86400.")
            return 0
        return after if wish == "resend" else 0

    def _adapter_class(self, problems: list[str]) -> AdapterClass | None:
        try:
            return load(str(self.entry.get("platform", "")))
        except UnknownPlatform as error:
            problems.append(f"Destination {self.id}: {error}")
            return None

    def _config(self, adapter_class: AdapterClass, problems: list[str]) -> Config:
        declared = {field.name: field for field in adapter_class.fields}
        problems += [
            f"Destination {self.id}: unknown `{name}`; {adapter_class.platform} has {', '.join(declared)}."
            for name in sorted(self.entry.keys() - COMMON - declared.keys())
        ]
        fields: dict[str, str] = {}
        secrets: dict[str, SecretStr] = {}
        for name, field in declared.items():
            if field.secret:
                value = self._secret(name, field.required, problems) if self.credentials else field.blank
                if name in self.entry:
                    problems.append(f"Destination {self.id}: `{name}` is a secret; put it into {secret_variable(self.id, name)}.")
                secrets[name] = SecretStr(value)
            else:
                fields[name] = _plain(self.entry.get(name, field.default))
                if field.required and not fields[name]:
                    problems.append(f"Destination {self.id}: `{name}` is missing ({field.help}).")
        config = Config(
            self.id,
            adapter_class.platform,
            self._role(problems),
            str(self.entry.get("account", "")),
            str(self.entry.get("base_url", "")).rstrip("/") or (self.settings.public_url if adapter_class.platform == "banner" else ""),
            fields,
            secrets,
            self._language(problems),
        )
        self._stays_in_drill(config, problems)
        return config

    def _secret(self, name: str, required: bool, problems: list[str]) -> str:
        variable = secret_variable(self.id, name)
        if variable in self.environ:
            return self.environ[variable]
        if f"{variable}_FILE" in self.environ:
            return read_secret_file(variable, self.environ, problems)
        if required:
            problems.append(f"Destination {self.id}: the secret {variable} (or {variable}_FILE) is missing.")
        return ""

    def _role(self, problems: list[str]) -> Role:
        try:
            return Role(str(self.entry.get("role", "")))
        except ValueError:
            problems.append(f"Destination {self.id}: role must be one of {', '.join(Role)}.")
            return Role.POINTER

    def _language(self, problems: list[str]) -> str:
        language = str(self.entry.get("language", ""))
        if language and not LANGUAGE.fullmatch(language):
            problems.append(f'Destination {self.id}: language is written like "de" or "pt-BR", not {language!r}.')
        return language

    def _stays_in_drill(self, config: Config, problems: list[str]) -> None:
        reached = urlsplit(config.base_url).hostname or config.fields.get("host", "")
        if self.settings.drill and config.platform != "manual" and not loopback(reached):
            problems.append(f"Destination {self.id}: a drill reaches stand-ins on this machine only; set `base_url` to one.")


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def loopback(host: str) -> bool:
    """Whether that host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
