"""The mail stand-in: a real SMTP server on the running loop that keeps every mail it takes and delivers none.

Rules kept here: a mail is held before its `250` goes out, so a cut connection leaves it delivered; the same mail twice is two
mails, as SMTP knows no idempotency; AUTH PLAIN is offered in the clear only where the server listens on loopback, and is never
required; no STARTTLS. Ports, the log and closed ports lie in `stand_in.py`, the protocol itself in aiosmtpd.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
from dataclasses import dataclass
from email import message_from_bytes, policy
from typing import Any, ClassVar, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from app.rehearsal.stand_ins import accounts
from app.rehearsal.stand_ins.faults import Fault, UnknownFault
from app.rehearsal.stand_ins.stand_in import Entry, Post, StandIn, reserve

REFUSALS = {"450": "450 4.2.1 Mailbox busy, try again later", "550": "550 5.7.1 Message refused by policy"}
"""Faults that are the answer to each `RCPT TO`."""
ONCE = frozenset({*REFUSALS, "401", "cut-before", "cut-after", "hang"})
KNOWN = ONCE | {"latency", "refused"}


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail as it was taken: the envelope's addresses, and of the message its subject, plain text body and Message-ID."""

    sender: str
    to: tuple[str, ...]
    subject: str
    text: str
    at: float  # Unix seconds
    message_id: str


class _Envelope(Envelope):
    """A mail on its way in, with its log entry and the fault it will meet."""

    def __init__(self) -> None:
        super().__init__()
        self.entry: Entry | None = None
        self.fault: Fault | None = None


class _Session(Session):
    login_data: Any = None  # aiosmtpd's own property logs its deprecation at every login


class _Connection(SMTP):
    """One client. Knows its stand-in, so that it can be counted and cut."""

    def __init__(self, stand_in: MailStandIn) -> None:
        self.stand_in = stand_in
        self.gone = asyncio.Event()
        super().__init__(
            _Hooks(stand_in),
            enable_SMTPUTF8=True,
            hostname=f"mail.{accounts.SMTP['domain']}",
            ident="Tocsin rehearsal",
            auth_require_tls=not ipaddress.ip_address(stand_in.host).is_loopback,
            auth_exclude_mechanism=["LOGIN"],
            authenticator=_authenticate,
            loop=asyncio.get_running_loop(),
        )

    def _create_session(self) -> Session:
        return _Session(self.loop)

    def _create_envelope(self) -> Envelope:
        return _Envelope()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.stand_in.connections.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self.stand_in.connections.discard(self)
        self.gone.set()

    def cut(self) -> None:
        if self.transport is not None:
            cast(asyncio.Transport, self.transport).abort()


def _authenticate(server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any) -> AuthResult:
    stand_in = cast(_Connection, server).stand_in
    login = cast(LoginPassword, data)
    right = hmac.compare_digest(login.login, accounts.SMTP["username"].encode())
    right &= hmac.compare_digest(login.password, accounts.SMTP["password"].encode())
    if stand_in.take_named("401"):
        right = False
    return AuthResult(success=right, handled=False)


class _Hooks:
    """What aiosmtpd asks at each command; the names are its own."""

    def __init__(self, stand_in: MailStandIn) -> None:
        self._stand_in = stand_in

    async def handle_MAIL(  # noqa: N802
        self, server: _Connection, _session: Session, envelope: _Envelope, address: str, options: list[str]
    ) -> str:
        envelope.entry = self._stand_in.note("MAIL", address)
        envelope.fault = self._stand_in.faults.take(publishes=True)
        envelope.entry.fault = envelope.fault.name if envelope.fault else ""
        if envelope.entry.fault == "cut-before":
            server.cut()
            await asyncio.sleep(0)  # the connection ends here, and this task with it
        elif envelope.entry.fault == "401":
            envelope.entry.status = 530
            return "530 5.7.0 Authentication required"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, _server: _Connection, _session: Session, envelope: _Envelope, address: str, options: list[str]
    ) -> str:
        if envelope.entry and envelope.fault and envelope.fault.name in REFUSALS:
            refusal = REFUSALS[envelope.fault.name]
            envelope.entry.status = int(refusal[:3])
            return refusal
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, server: _Connection, _session: Session, envelope: _Envelope) -> str:  # noqa: N802
        faults, fault = self._stand_in.faults, envelope.fault
        await asyncio.sleep(faults.latency(publishes=True))
        entry = envelope.entry or self._stand_in.note("MAIL", str(envelope.mail_from))
        entry.body = bytes(envelope.original_content or b"")
        mail = self._stand_in.take_in(envelope, entry)
        if fault and fault.name == "cut-after":
            server.cut()
            await asyncio.sleep(0)
        elif fault and fault.name == "hang":
            await faults.hang(fault.value)
        entry.status = 250
        return f"250 2.0.0 OK: queued as {mail.id}"


class MailStandIn(StandIn):
    """`mails` holds what was taken, oldest first. Faults: `450`, `550`, `401`, `cut-before`, `cut-after`, `hang`, `latency`, `refused`."""

    name: ClassVar[str] = "smtp"

    def __init__(self) -> None:
        super().__init__()
        self.connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None

    @property
    def base_url(self) -> str:
        return f"smtp://{self.host}:{self.port}"

    @property
    def address(self) -> str | dict[str, str | int]:
        return {"host": self.host, "port": self.port}

    @property
    def mails(self) -> list[Mail]:
        return [Mail(p.extra["from"], tuple(p.extra["to"]), p.title, p.text, p.at, p.extra["message_id"]) for p in self.posts]

    async def order(self, fault: Fault, count: int = 1) -> None:
        """Orders one of this server's own faults, or a standing one. Raises `UnknownFault` for those that only HTTP has."""
        if fault.name in ONCE:
            self.faults.queue += [fault] * count
        elif fault.name in KNOWN:
            await super().order(fault, count)
        else:
            raise UnknownFault(f"no fault {fault.name!r} here; known are: {', '.join(sorted(KNOWN))}")

    async def listen(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), sock=reserve(self.host, self.port))

    async def hush(self) -> None:
        if self._server is None:
            return
        self._server.close()
        for connection in tuple(self.connections):
            connection.cut()
            await connection.gone.wait()
        await asyncio.sleep(0)  # a connection's own task ends one turn after it is lost

    def take_named(self, name: str) -> bool:
        """Whether that fault is queued; takes it off."""
        for index, fault in enumerate(self.faults.queue):
            if fault.name == name:
                del self.faults.queue[index]
                return True
        return False

    def take_in(self, envelope: Envelope, entry: Entry) -> Post:
        """Holds the mail. A body that is not text is kept as ""."""
        message = message_from_bytes(bytes(envelope.original_content or b""), policy=policy.default)
        message_id = str(message["Message-ID"] or "").strip()
        body = message.get_body(("plain",))
        text = str(body.get_content()) if body is not None else ""
        extra = {"from": envelope.mail_from or "", "to": list(envelope.rcpt_tos), "message_id": message_id}
        return self.hold(
            Post(
                id=message_id or f"mail-{len(self.posts) + 1}",
                account=", ".join(envelope.rcpt_tos),
                text=text.replace("\r\n", "\n"),
                title=str(message["Subject"] or ""),
                extra=extra,
            ),
            entry,
        )
