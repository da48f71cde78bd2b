"""The bench on which the contract suite tries each adapter: the adapter, its stand-in, and an ear for secrets."""

from __future__ import annotations

import base64
import ipaddress
import re
import ssl
import sys
import traceback
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import adapters.http
from adapters.contract import Adapter, AdapterError, Config, Message, Part
from adapters.registry import load
from app.rehearsal.stand_ins.server import Running, start_in_process
from app.rehearsal.stand_ins.stand_in import Entry, Post, StandIn
from tests.adapters.cases import BannerStandIn, Case

E = TypeVar("E", bound=AdapterError)
KEY = "abcdefghijklmnopqrst"
SERVERS = ("mail.log",)
"""Loggers of the stand-ins, which may show what a platform is told."""


@dataclass
class Bench:
    """One case with its stand-in running. Adapters made here are closed at the end."""

    case: Case
    stand_in: StandIn | None
    running: Running
    opened: list[Adapter] = field(default_factory=list)

    @property
    def config(self) -> Config:
        return self.case.config(self.stand_in.base_url if self.stand_in else "")

    @property
    def platform(self) -> StandIn:
        assert self.stand_in is not None
        return self.stand_in

    def adapter(self, config: Config | None = None) -> Adapter:
        self.opened.append(load(self.case.platform)(config or self.config))
        return self.opened[-1]

    def part(self, text: str = "Do not sign anything. We are looking into it.", title: str = "Security incident: example") -> Part:
        return self.adapter().render(Message(text, title)).parts[0]

    def requests(self) -> list[Entry]:
        """The posting requests that reached the stand-in."""
        return [entry for entry in self.platform.log if re.match(self.case.posting, f"{entry.method} {entry.path}")]

    def body(self, post: Post) -> bytes:
        """The request that made the post."""
        return self.platform.log[post.request_index].body if post.request_index >= 0 else b""

    async def fault(self, name: str, value: float | None = None) -> None:
        await self.running.fault(self.platform.name, name, value=value)

    async def fails(self, kind: type[E], doing: Awaitable[object]) -> E:
        """The error that `doing` raises, which must be of that kind and keep its secrets, its causes too."""
        with pytest.raises(AdapterError) as caught:
            await doing
        self.keeps_secrets("".join(traceback.format_exception(caught.value)))
        assert isinstance(caught.value, kind), caught.value
        assert str(caught.value).strip().endswith((".", "!", "?")), f"not a sentence: {caught.value}"
        return caught.value

    def keeps_secrets(self, text: str) -> None:
        for secret in (*self.case.secrets.values(), *self.case.hidden, *self.case.wrong.values()):
            for form in (secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode()):
                assert form not in text, f"a secret shows in: {text}"


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    async with start_in_process() as running:
        yield running


@pytest.fixture
async def bench(request: pytest.FixtureRequest, running: Running, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Bench]:
    """Parametrised with a `Case`. Nothing that is logged, at any level, may hold one of its secrets."""
    caplog.set_level("DEBUG")
    case: Case = request.param
    stand_in = running.stand_ins.get(case.stand_in or case.platform)
    if case.platform == BannerStandIn.name:
        stand_in = running.stand_ins[BannerStandIn.name] = BannerStandIn()
        await stand_in.start()
    one = Bench(case, stand_in, running)
    yield one
    for adapter in one.opened:
        await adapter.aclose()
    assert not adapters.http._OPEN, "every adapter is closed, and its connections are still open"
    if case.platform == BannerStandIn.name and stand_in:
        await stand_in.stop()
    for record in caplog.get_records("call"):
        if not record.name.startswith(SERVERS):
            one.keeps_secrets(f"{record.name}: {record.getMessage()} {record.exc_text or ''}")


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """A server's context for 127.0.0.1, and the file that makes it trusted."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail")])
    now, here = datetime.now(UTC), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    made = made.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=1))
    made = made.add_extension(x509.SubjectAlternativeName([here]), critical=False)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    folder = tmp_path_factory.mktemp("tls")
    (folder / "ca.pem").write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    raw = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(raw)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca.pem", folder / "key.pem")
    return context, folder / "ca.pem"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shortens every wait for an answer to half a second."""
    for name, module in sys.modules.items():
        if name.startswith("adapters.") and hasattr(module, "TOTAL_TIMEOUT"):
            monkeypatch.setattr(module, "TOTAL_TIMEOUT", 0.5)
