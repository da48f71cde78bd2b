"""The settings, from the environment alone (`TOCSIN_…`, or `TOCSIN_…_FILE` for secrets); `.env.example` is generated from here.

A required secret has no default. What a destination needs is declared by its adapter and read in `app.bootstrap`.
"""

from __future__ import annotations

from enum import StrEnum
from ipaddress import ip_network
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Environment(StrEnum):
    """A drill can never reach the public, a live alert never looks like a drill."""

    DRILL = "drill"
    LIVE = "live"


class Settings(BaseSettings):
    """All settings of Tocsin itself."""

    model_config = SettingsConfigDict(env_prefix="TOCSIN_", env_file=None, extra="ignore", frozen=True)

    environment: Environment = Field(Environment.LIVE, description="live or drill; a drill marks every text and page")
    public_url: str = Field(
        "http://localhost:8400", description="Where reviewers and homepages reach Tocsin; passkeys are bound to its host"
    )
    host: str = Field("127.0.0.1", description="Address to listen on")
    port: int = Field(8400, description="Port to listen on", ge=0, le=65535)
    data: Path = Field(Path("data"), description="Folder of the embedded database, its lock, and what was trusted of the roster")
    database_url: SecretStr = Field(SecretStr(""), description="postgresql://user:password@host/name; empty: SQLite in the data folder")
    destinations: Path = Field(Path("destinations.toml"), description="The list of destinations")
    roster: Path = Field(
        Path("roster.toml"), description="The people and their public keys; what they signed of it lies beside it, as .signed"
    )
    api_tokens: SecretStr = Field(
        SecretStr(""), description="Machine tokens: entries of `tocsin token`, on lines or between commas; in a drill also name:token"
    )
    trusted_hosts: str = Field(
        "", description="More host names under which Tocsin is reached, separated by commas; public URL, localhost and addresses always are"
    )
    trusted_proxies: str = Field(
        "", description="Addresses or networks whose X-Forwarded-For is believed, separated by commas; this machine always is"
    )
    token_rate: float = Field(20, description="Requests a second for each machine token; 20 times as many at once", ge=1, le=100_000)
    address_rate: float = Field(
        5, description="Requests a second for each address without one; banner and static files may be asked for 10 times as often", ge=1
    )
    time_zone: str = Field("UTC", description="Default zone in which texts tell times")
    products: str = Field("", description="The company's products, separated by commas")
    own_domains: str = Field("", description="The company's own domains, separated by commas")
    safe_links: str = Field("", description="Links that are always fine, separated by commas")
    templates: str = Field("", description="A folder of your own templates (docs/templates.md), which win over the built-in ones")
    monitored: bool = Field(False, description="true: pointers do not say that the channel is not monitored for now")
    link_hours: float = Field(24, description="Hours until an approval link expires", gt=0, le=168)
    on_duty: str = Field(
        "",
        description="Ids of the reviewers who are asked first: people between commas, the next ones after a semicolon; empty: all at once",
    )
    escalate_minutes: float = Field(
        5, description="Minutes until the next reviewers are asked, where it is not signed by then", gt=0, le=1440
    )
    remind_minutes: float = Field(
        3,
        description="Minutes until whoever was asked is reminded; twice and four times as long until the last two reminders",
        gt=0,
        le=1440,
    )
    send_window_hours: float = Field(24, description="Hours after submission in which an announcement may go out", gt=0, le=168)
    fallback_seconds: int = Field(
        60, description="Seconds for which a primary may fail to post before the next fallback leads", ge=5, le=3600
    )
    banner_hours: float = Field(72, description="Hours until the banner clears itself", gt=0)
    publishing_key: SecretStr = Field(
        SecretStr(""), description="Private key (P-256, PEM) that stamps the banner for pages which pin it; empty: no stamp"
    )
    cli_signature: bool = Field(
        False, description="true: of those who approve, one at least must sign with an SSH key, by the command line"
    )
    checkpoint_key: SecretStr = Field(
        SecretStr(""), description="Signs checkpoints of the record: `openssl rand -base64 32`; empty: made once in the data folder"
    )
    checkpoint_file: str = Field(
        "", description="File to which checkpoints are appended, best on another machine; empty: checkpoints in the data folder"
    )
    checkpoint_url: SecretStr = Field(SecretStr(""), description="Where each checkpoint is sent as well, by a POST; empty: nowhere")
    checkpoint_seconds: float = Field(60, description="Seconds between checkpoints while the record grows", ge=1, le=86_400)
    smtp_host: str = Field("", description="Mail server for approval links; empty: no mail, links go to internal destinations only")
    smtp_port: int = Field(587, description="Its port")
    smtp_security: Literal["starttls", "tls", "none"] = Field("starttls", description="starttls, tls or none")
    smtp_username: str = Field("", description="Its user, if it wants one")
    smtp_password: SecretStr = Field(SecretStr(""), description="Its password")
    smtp_from: str = Field("tocsin@localhost", description="Sender of the mails")
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR")

    @field_validator("public_url")
    @classmethod
    def _without_slash(cls, value: str) -> str:
        if not value.startswith(("https://", "http://")) or not urlsplit(value).hostname:
            raise ValueError("must begin with https:// (or http:// on localhost) and name a host")
        return value.rstrip("/")

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: str) -> str:
        for proxy in words(value):
            try:
                ip_network(proxy, strict=False)
            except ValueError as error:
                raise ValueError(f"{proxy} is no address or network; write some like 192.0.2.7 or 10.0.0.0/8") from error
        return value

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError("is no IANA time zone; write one like Europe/Berlin or UTC") from error
        return value

    @property
    def drill(self) -> bool:
        """Whether this is a drill."""
        return self.environment is Environment.DRILL

    @property
    def origin(self) -> str:
        """Scheme, host and port of the public URL, as browsers name it."""
        return "/".join(self.public_url.split("/")[:3])

    @property
    def rp_id(self) -> str:
        """The host that passkeys are bound to."""
        return self.public_url.split("://", 1)[1].split("/")[0].rsplit(":", 1)[0]


def words(value: str) -> tuple[str, ...]:
    """A comma-separated setting as a tuple."""
    return tuple(item.strip() for item in value.split(",") if item.strip())
