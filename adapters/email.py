"""Mail by SMTP: mostly the team's own list (`internal`), or partners who are told first.

Rules kept here: until the message itself is handed over, every failure is certainly "not sent"; from then on only a clear answer of
the server counts, and anything else is `OutcomeUnknown`. Recipients do not see each other. A password never travels without
TLS, except to this very machine. One log-in is tried, since several refused ones lock an account.

A server may take the mail for some recipients and refuse others. Those that were taken have been warned, so it counts as sent; the
refused ones are kept in the receipt's `remote_id`, from which `finish` tells them, in this process or the next.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from email.policy import Policy
from email.utils import format_datetime
from typing import ClassVar

import aiosmtplib

from adapters.contract import (
    PERMALINK_SLOT,
    AdapterError,
    Config,
    Field,
    Identity,
    Limits,
    Message,
    NeedsOperator,
    NotSent,
    OutcomeUnknown,
    Part,
    ReadBack,
    Receipt,
    Reconcile,
    Rejected,
    Rendering,
    Unsupported,
)

TOTAL_TIMEOUT = 20.0
MAX_SUBJECT = 200
LOG_INS = ("plain", "login", "cram-md5")  # all under TLS, so the one that every server has comes first
REFUSED = " refused "  # parts the Message-ID from the refused recipients in a remote id
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_TLS_BROKE_OFF = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_SERVER = re.compile(r"smtp://(?P<host>[A-Za-z0-9.-]+|\[[0-9a-f:]+\]):(?P<port>[0-9]{1,5})/?")
_MESSAGE_ID = re.compile(r"<[^<>\s]+>")
_HERE = frozenset({"127.0.0.1", "::1", "localhost"})


class EmailAdapter:
    """One sender on one server, with its list of recipients."""

    platform: ClassVar[str] = "email"
    fields: ClassVar[tuple[Field, ...]] = (
        Field("host", "the mail server's name, as its certificate has it"),
        Field("port", "587 goes with starttls, 465 with tls", required=False, default="587"),
        Field("security", "starttls, tls or none", required=False, default="starttls"),
        Field("ca_file", "certificates to trust instead of the system's own", required=False),
        Field("from_address", "the sender, which is the account too"),
        Field("to", "recipients, parted by commas; none of them sees the others"),
        Field("username", "log in as; empty: without logging in", required=False),
        Field("password", "password of username", secret=True, required=False),
    )
    limits: Limits = Limits(
        unit="characters (code points)",
        max_length=100_000,
        max_parts=1,
        reconcile=Reconcile.NOBODY,
        public=False,
        readable=False,
        permalinks=False,
    )

    def __init__(self, config: Config) -> None:
        """Raises `ValueError`, naming the field, for an address, port or security that cannot be right.

        A base_url of the form smtp://host:port takes the place of host and port.
        """
        given = {field.name: config.fields.get(field.name) or field.default for field in self.fields if not field.secret}
        server = _SERVER.fullmatch(config.base_url or f"smtp://{given['host']}:{given['port']}")
        if server is None:
            raise ValueError(f"{config.id}: host and port (or base_url, as smtp://host:port) must name a mail server.")
        self._host, self._port = server["host"].strip("[]"), int(server["port"])
        self._from = given["from_address"]
        self._to = tuple(filter(None, (one.strip() for one in given["to"].split(","))))
        for address in (self._from, *self._to):
            if not _ADDRESS.fullmatch(address):
                raise ValueError(f"{config.id}: {address!r} is no plain ASCII mail address.")
        if not self._to:
            raise ValueError(f"{config.id}: to names no recipient.")
        self._security, self._ca_file = given["security"], given["ca_file"] or None
        if self._security not in {"starttls", "tls", "none"}:
            raise ValueError(f"{config.id}: security must be starttls, tls or none.")
        self._username, self._password = given["username"], config.secrets.get("password")
        if self._username and self._security == "none" and self._host not in _HERE:
            raise ValueError(f"{config.id}: a password must not travel unencrypted; security must be starttls or tls.")
        self._account, self._language = config.account, config.language

    def render(self, message: Message) -> Rendering:
        """Subject and plain text. Mail has no mentions and no markup; where lines or words could leave the subject they become spaces."""
        title, text = _UNPRINTABLE.sub(" ", message.title).strip(), re.sub(r"\r\n?", "\n", message.text).strip()
        mark = "[DRILL] " if message.drill else "[Tocsin] "
        subject = mark + title.removeprefix(mark)
        if not title or len(subject) > MAX_SUBJECT:
            raise Unsupported(f"A mail's subject takes 1 to {MAX_SUBJECT - len(mark)} characters; this title has {len(title)}.")
        length = len(text.replace(PERMALINK_SLOT, " " * message.permalink_room))
        if not text or length > self.limits.max_length:
            raise Unsupported(f"A mail takes 1 to {self.limits.max_length} characters; this text has {length}.")
        if re.search(r"[\ud800-\udfff]", subject + text):
            raise Unsupported("The text holds half a character (a lone surrogate), which no mail can carry.")
        return Rendering((Part(text, subject),))

    def owns(self, permalink: str) -> bool:
        """A mail has no permalink."""
        return False

    async def check(self) -> Identity:
        """Connects, encrypts and logs in; sends no mail."""
        if self._account.lower() != self._from.lower():
            raise NeedsOperator(f"This destination is bound to {self._account}, but from_address is {self._from}; they must be equal.")
        async with self._before(), self._session():
            return Identity(self._account, self._from, () if self._security != "none" else ("without encryption",))

    async def connect(self) -> None:
        """Each mail opens its own: a mail server has little patience with who connects and says nothing."""

    async def publish(self, part: Part, key: str, reply_to: Receipt | None) -> Receipt:
        """One mail; `key` makes its Message-ID, so a second copy of it is recognisable."""
        mail = compose(part, key, self._from, self._to, reply_to, self._language)
        wire = mail.as_bytes()
        async with contextlib.AsyncExitStack() as stack:
            async with self._before():
                session = await stack.enter_async_context(self._session())
                refused = await self._envelope(session, len(wire))
            await self._hand_over(session, wire)
        return Receipt(mail["Message-ID"] + (REFUSED + ", ".join(refused) if refused else ""))

    async def find(self, part: Part, key: str, since: datetime) -> Receipt | None:
        raise Unsupported("Nobody can look whether a mail arrived; ask a recipient.")

    async def read(self, part: Part, receipt: Receipt) -> ReadBack:
        return ReadBack("not_possible", "Nobody can look into the recipients' mailboxes.")

    async def finish(self, receipt: Receipt) -> str:
        """Tells which recipients the server refused, and with which code."""
        _, _, refused = receipt.remote_id.partition(REFUSED)
        return f"The server took the mail, but not for {refused}: tell them another way and mend the list." if refused else ""

    async def aclose(self) -> None:
        """Every mail has a connection of its own; nothing stays open."""

    @contextlib.asynccontextmanager
    async def _session(self) -> AsyncIterator[aiosmtplib.SMTP]:
        """A greeted, encrypted and logged-in connection; said goodbye to if all went well."""
        session = aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            local_hostname=_domain(self._from),
            timeout=TOTAL_TIMEOUT,
            use_tls=self._security == "tls",
            start_tls=self._security == "starttls",
            cert_bundle=self._ca_file,
        )
        try:
            await session.connect()
            await session.ehlo()
            if self._username:
                session.server_auth_methods = [one for one in LOG_INS if one in session.server_auth_methods][:1]
                await session.login(self._username, self._password.get_secret_value() if self._password else "")
            yield session
            with contextlib.suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
                await session.quit(timeout=1.0)
        finally:
            session.close()

    @contextlib.asynccontextmanager
    async def _before(self) -> AsyncIterator[None]:
        """Around everything until the message is handed over."""
        try:
            async with asyncio.timeout(TOTAL_TIMEOUT):
                yield
        except (aiosmtplib.SMTPException, OSError) as error:
            # A server may repeat what was sent to it, so what it says about a log-in is not passed on.
            raise _never_handed_over(error) from (None if isinstance(error, aiosmtplib.SMTPAuthenticationError) else error)

    async def _envelope(self, session: aiosmtplib.SMTP, size: int) -> list[str]:
        """Names sender and recipients; returns those that the server refused, while it takes others."""
        await session.mail(self._from, options=[f"SIZE={size}"] if session.supports_extension("size") else [])
        refused: dict[str, int] = {}
        for address in self._to:
            try:
                await session.rcpt(address)
            except aiosmtplib.SMTPRecipientRefused as error:
                refused[address] = error.code
        if not session.is_connected:  # 421: the server takes nobody any more, those that it took before neither
            raise aiosmtplib.SMTPServerDisconnected("hung up")
        told = [f"{address} ({code})" for address, code in refused.items()]
        if len(refused) < len(self._to):
            return told
        if all(500 <= code < 600 for code in refused.values()):
            raise NeedsOperator(f"The mail server refused every recipient: {', '.join(told)}.")
        raise NotSent(f"The mail server takes no recipient for now: {', '.join(told)}.")

    async def _hand_over(self, session: aiosmtplib.SMTP, mail: bytes) -> None:
        """The one request whose outcome can stay unknown: once the final dot is out, the mail is the server's if it says so."""
        try:
            async with asyncio.timeout(TOTAL_TIMEOUT):
                await session.data(mail)
        except aiosmtplib.SMTPDataError as error:
            if 400 <= error.code < 500:
                raise NotSent(f"The mail server did not take the mail for now: {_answer(error)}") from error
            if 500 <= error.code < 600:
                raise Rejected(f"The mail server refused the mail: {_answer(error)}") from error
            raise OutcomeUnknown(f"The mail server answered {error.code}, which says neither yes nor no.") from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise OutcomeUnknown("The mail was handed over, but no clear answer came.") from error


def compose(part: Part, key: str, sender: str, recipients: Sequence[str], reply_to: Receipt | None, language: str = "") -> EmailMessage:
    """The mail as it is handed over. Raises `Rejected` for a subject that is not one line, so nothing can become a header."""
    if _UNPRINTABLE.search(part.title):
        raise Rejected("A mail's subject must be one line.")
    mail = EmailMessage(policy=WIRE)
    mail["From"] = sender
    mail["To"] = recipients[0] if len(recipients) == 1 else "undisclosed-recipients:;"
    mail["Subject"] = part.title if part.title.isascii() else _Subject(part.title)
    mail["Date"] = format_datetime(datetime.now(UTC))
    mail["Message-ID"] = f"<{key}.tocsin@{_domain(sender)}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
    first = reply_to.remote_id.partition(REFUSED)[0] if reply_to else ""
    if _MESSAGE_ID.fullmatch(first):
        mail["In-Reply-To"] = mail["References"] = first
    mail.set_content(part.text, cte="quoted-printable")
    if language:
        mail["Content-Language"] = language  # RFC 3282: what reads it aloud, and in which letters it is shown
    return mail


class _Subject(str):
    """A subject that is folded as a whole: the policy's own folding loses a space between two encoded words now and then."""

    name = "Subject"

    def fold(self, *, policy: Policy) -> str:
        return f"Subject: {Header(self, 'utf-8', header_name='Subject').encode(linesep=policy.linesep)}{policy.linesep}"


def _domain(address: str) -> str:
    return address.rpartition("@")[2]


def _answer(error: aiosmtplib.SMTPResponseException) -> str:
    """What the server said, on one short line."""
    return f"{error.code} {_UNPRINTABLE.sub(' ', error.message)[:160]}".strip()


def _never_handed_over(error: Exception) -> AdapterError:
    """What a failure before the message means; in any case nothing was sent."""
    cause = error.__cause__ if isinstance(error, aiosmtplib.SMTPConnectError) else error
    if isinstance(error, aiosmtplib.SMTPAuthenticationError) and error.code >= 500:
        return NeedsOperator(f"The mail server refused the log-in ({error.code}).")
    if isinstance(error, aiosmtplib.SMTPSenderRefused) and error.code == 552:
        return Rejected(f"The mail is too large for the server: {_answer(error)}")
    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        return NotSent(f"The mail server could not check the log-in for now ({error.code}).")
    if isinstance(error, aiosmtplib.SMTPResponseException):
        kind = NeedsOperator if 500 <= error.code < 600 else NotSent
        return kind(f"The mail server turned us away: {_answer(error)}")
    if isinstance(cause, ssl.SSLError) and not isinstance(cause, _TLS_BROKE_OFF):
        return NeedsOperator(f"No trusted encryption with the mail server: {cause.reason or 'TLS failed'}.")
    if isinstance(error, FileNotFoundError | PermissionError):
        return NeedsOperator("ca_file cannot be read.")
    if type(error) in (aiosmtplib.SMTPException, aiosmtplib.SMTPNotSupported):
        return NeedsOperator(f"The mail server lacks what is needed: {error}")
    if isinstance(error, TimeoutError):
        return NotSent(f"The mail server was not ready within {TOTAL_TIMEOUT:g} s.")
    return NotSent("The mail server could not be reached, or hung up before the mail was handed over.")
