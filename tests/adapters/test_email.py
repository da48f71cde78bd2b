"""Mail beyond the contract suite: each stage of SMTP by what its answer means, encryption, and what is inside a mail."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

import adapters.email
from adapters.contract import (
    AdapterError,
    Config,
    Message,
    NeedsOperator,
    NotSent,
    OutcomeUnknown,
    Part,
    Receipt,
    Rejected,
    Role,
    Unsupported,
)
from adapters.email import EmailAdapter, compose

KEY = "abcdefghijklmnopqrst"
PART = Part("Do not sign anything.", "[Tocsin] Security incident")
RECEIPT = Receipt(f"<{KEY}.tocsin@company.example>")
FROM, FIRST, SECOND = "alerts@company.example", "first@company.example", "second@company.example"
USUAL = {
    "greeting": "220 mail.company.example",
    "EHLO": "250-mail.company.example\r\n250-SIZE 1000000\r\n250 AUTH PLAIN LOGIN CRAM-MD5",
    "AUTH": "235 2.7.0 welcome",
    "MAIL": "250 2.1.0 ok",
    "RCPT": "250 2.1.5 ok",
    "DATA": "354 go on",
    ".": "250 2.0.0 queued",
    "QUIT": "221 bye",
    "RSET": "250 ok",
}
CUT, HANG = "cut", "hang"


@dataclass
class Server:
    """A mail server that answers each command as told: by its verb, or by the whole line where that is given."""

    answers: Mapping[str, str] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None
    lines: list[str] = field(default_factory=list)
    mails: list[bytes] = field(default_factory=list)
    port: int = 0

    def count(self, verb: str) -> int:
        return sum(line.upper().startswith(verb) for line in self.lines)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = "greeting"
        while True:
            verb = line.partition(" ")[0].upper() if line != "greeting" else line
            answer = self.answers.get(line) or self.answers.get(verb) or USUAL.get(verb, "502 5.5.1 unknown")
            if answer in (CUT, HANG):
                await asyncio.sleep(30 if answer == HANG else 0)
                return
            writer.write(answer.encode() + b"\r\n")
            if verb == "STARTTLS" and self.tls:
                await writer.start_tls(self.tls)
            if verb == "DATA" and answer.startswith("354"):
                self.mails.append(await reader.readuntil(b"\r\n.\r\n"))
                line = "."
            else:
                line = (await reader.readline()).decode(errors="replace").strip()
            if not line:
                return
            self.lines.append(line)


@contextlib.asynccontextmanager
async def serving(answers: Mapping[str, str] | None = None, **more: ssl.SSLContext) -> AsyncIterator[Server]:
    server = Server(answers or {}, more.get("tls"))
    running: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        running.add(task)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, asyncio.CancelledError):
            await server.talk(reader, writer)
        writer.transport.abort()
        running.discard(task)

    listening = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=more.get("wrapped"))
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running)
        await asyncio.sleep(0)


def adapter(port: int | str = 25, to: str = FIRST, password: str | None = None, **fields: str) -> EmailAdapter:
    given = {"host": "127.0.0.1", "port": str(port), "security": "none", "from_address": FROM, "to": to, "username": "", "ca_file": ""}
    if password is not None:
        given["username"] = "tocsin"
    secrets = {} if password is None else {"password": SecretStr(password)}
    return EmailAdapter(Config("mail", "email", Role.INTERNAL, FROM, fields=given | fields, secrets=secrets))


STAGES = [
    ("greeting", "421 4.3.2 later", NotSent),
    ("greeting", "554 5.7.1 not you", NeedsOperator),
    ("greeting", "SSH-2.0-OpenSSH_9.2", NotSent),
    ("greeting", CUT, NotSent),
    ("greeting", HANG, NotSent),
    ("EHLO", CUT, NotSent),
    ("AUTH", "454 4.7.0 try later", NotSent),
    ("AUTH", "535 5.7.8 no", NeedsOperator),
    ("AUTH", "534 5.7.9 stronger, please", NeedsOperator),
    ("AUTH", CUT, NotSent),
    ("MAIL", "451 4.3.0 busy", NotSent),
    ("MAIL", "421 4.3.2 closing", NotSent),
    ("MAIL", "530 5.7.0 log in first", NeedsOperator),
    ("MAIL", "550 5.7.1 not your address", NeedsOperator),
    ("MAIL", "552 5.3.4 too large", Rejected),
    ("MAIL", "junk", NotSent),
    ("MAIL", CUT, NotSent),
    ("RCPT", "450 4.2.1 later", NotSent),
    ("RCPT", "421 4.3.2 closing", NotSent),
    ("RCPT", "550 5.1.1 nobody of that name", NeedsOperator),
    ("RCPT", "554 5.7.1 log in first", NeedsOperator),
    ("RCPT", CUT, NotSent),
    ("RCPT", HANG, NotSent),
    ("DATA", "451 4.3.0 later", NotSent),
    ("DATA", "554 5.5.1 no", Rejected),
    ("DATA", CUT, OutcomeUnknown),  # the library does not tell it from a cut after the mail
    (".", "451 4.3.0 later", NotSent),
    (".", "421 4.3.2 closing", NotSent),
    (".", "552 5.3.4 too large", Rejected),
    (".", "554 5.7.1 looks like spam", Rejected),
    (".", "250", None),
    (".", "350 perhaps", OutcomeUnknown),
    (".", "junk", OutcomeUnknown),
    (".", "2", OutcomeUnknown),
    (".", CUT, OutcomeUnknown),
    (".", HANG, OutcomeUnknown),
]


@pytest.mark.parametrize(("stage", "answer", "meaning"), STAGES, ids=[f"{stage}-{answer}" for stage, answer, _ in STAGES])
async def test_each_stage_by_what_its_answer_means(
    stage: str, answer: str, meaning: type[AdapterError] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapters.email, "TOTAL_TIMEOUT", 0.5)
    async with serving({stage: answer}) as server:
        sender = adapter(server.port, password="secret-word")
        if meaning is None:
            assert (await sender.publish(PART, KEY, None)).remote_id
        else:
            with pytest.raises(meaning) as caught:
                await sender.publish(PART, KEY, None)
            assert type(caught.value) is meaning
        assert server.count("DATA") <= 1
        assert server.count("MAIL") <= 1
        assert len(server.mails) == (1 if stage == "." else 0)


async def test_a_refused_goodbye_changes_nothing() -> None:
    for answer in ("421 4.3.2 closing", CUT, "junk"):
        async with serving({"QUIT": answer}) as server:
            assert await adapter(server.port).publish(PART, KEY, None) == RECEIPT


async def test_some_recipients_refused_counts_as_sent_and_is_told_by_any_later_process() -> None:
    async with serving({f"RCPT TO:<{SECOND}>": "550 5.1.1 nobody"}) as server:
        receipt = await adapter(server.port, f"{FIRST}, {SECOND}").publish(PART, KEY, None)
    assert len(server.mails) == 1
    told = await adapter(to=FIRST).finish(receipt)
    assert f"{SECOND} (550)" in told
    assert FIRST not in told
    assert await adapter().finish(RECEIPT) == ""


async def test_all_recipients_refused_is_for_the_operator_only_if_none_may_be_tried_again() -> None:
    async with serving({f"RCPT TO:<{FIRST}>": "450 4.2.1 later", f"RCPT TO:<{SECOND}>": "550 5.1.1 nobody"}) as server:
        with pytest.raises(NotSent, match=rf"{FIRST} \(450\), {SECOND} \(550\)"):
            await adapter(server.port, f"{FIRST}, {SECOND}").publish(PART, KEY, None)
    assert server.count("DATA") == 0


async def test_a_server_that_closes_after_the_first_recipient_has_sent_nothing() -> None:
    async with serving({f"RCPT TO:<{SECOND}>": "421 4.3.2 closing"}) as server:
        with pytest.raises(NotSent):
            await adapter(server.port, f"{FIRST}, {SECOND}").publish(PART, KEY, None)
    assert server.count("DATA") == 0


async def test_a_refused_login_is_tried_once_and_never_shown() -> None:
    async with serving({"AUTH": "535 5.7.8 you said AHRvY3NpbgBzZWNyZXQtd29yZA== (secret-word)"}) as server:
        with pytest.raises(NeedsOperator) as caught:
            await adapter(server.port, password="secret-word").check()
    assert server.count("AUTH") == 1
    assert "secret-word" not in repr(caught.value)
    assert caught.value.__cause__ is None


async def test_no_login_without_a_username() -> None:
    async with serving() as server:
        await adapter(server.port).check()
    assert server.count("AUTH") == server.count("MAIL") == 0


OFFERED = {"EHLO": "250-mail\r\n250-STARTTLS\r\n250 AUTH PLAIN", "STARTTLS": "220 go on"}


async def test_starttls_and_tls_with_a_trusted_certificate(certificate: tuple[ssl.SSLContext, Path]) -> None:
    context, trusted = certificate
    async with serving(OFFERED, tls=context) as server:
        assert (await adapter(server.port, security="starttls", ca_file=str(trusted), password="word").check()).account == FROM
        assert server.lines.index("STARTTLS") < next(n for n, line in enumerate(server.lines) if line.startswith("AUTH"))
    async with serving(wrapped=context) as server:
        assert await adapter(server.port, security="tls", ca_file=str(trusted)).publish(PART, KEY, None) == RECEIPT


async def test_without_trusted_encryption_nothing_is_said(certificate: tuple[ssl.SSLContext, Path], tmp_path: Path) -> None:
    context, _ = certificate
    async with serving(OFFERED, tls=context) as untrusted, serving() as plain, serving({"EHLO": OFFERED["EHLO"]}) as broken:
        for server, fields in (
            (untrusted, {"security": "starttls"}),
            (plain, {"security": "starttls"}),
            (plain, {"security": "tls"}),
            (broken, {"security": "starttls"}),
            (plain, {"security": "tls", "ca_file": str(tmp_path / "none.pem")}),
        ):
            with pytest.raises(NeedsOperator):
                await adapter(server.port, FIRST, "secret-word", **fields).publish(PART, KEY, None)
            assert server.count("AUTH") == server.count("MAIL") == 0


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"security": "ssl"}, "security"),
        ({"host": "mail.company.example"}, "security"),
        ({"from_address": "not an address"}, "address"),
        ({"from_address": "a@b.example\r\nRCPT TO:<evil@evil.example>"}, "address"),
        ({"from_address": "Alerts <alerts@company.example>"}, "address"),
        ({"port": "no"}, "port"),
        ({"host": ""}, "host"),
    ],
)
def test_settings_that_cannot_be_right_are_refused_by_name(fields: dict[str, str], names: str) -> None:
    with pytest.raises(ValueError, match=names):
        adapter(**({"password": "word"} | fields))
    with pytest.raises(ValueError, match="recipient"):
        adapter(to=" , ")


def parsed(part: Part, *to: str, reply_to: Receipt | None = None) -> EmailMessage:
    mail = message_from_bytes(compose(part, KEY, FROM, to or (FIRST,), reply_to).as_bytes(), policy=policy.default)
    assert isinstance(mail, EmailMessage)
    return mail


def said(mail: EmailMessage) -> str:
    return str(mail.get_content()).replace("\r\n", "\n").removesuffix("\n")


def test_a_reply_follows_its_mail_even_where_some_recipients_were_refused() -> None:
    assert parsed(PART, reply_to=Receipt("<a.tocsin@company.example> refused second@company.example (550)"))["In-Reply-To"] == (
        "<a.tocsin@company.example>"
    )
    assert parsed(PART, reply_to=Receipt("", "https://elsewhere.example/1"))["In-Reply-To"] is None


def test_recipients_do_not_see_each_other_and_robots_do_not_answer() -> None:
    mail = parsed(PART, FIRST, SECOND)
    assert FIRST not in str(mail)
    assert SECOND not in str(mail)
    assert mail["Auto-Submitted"] == "auto-generated"
    assert parsed(PART)["To"] == FIRST


def test_a_mail_names_its_language_where_it_is_told() -> None:
    assert parsed(PART)["Content-Language"] is None
    mail = message_from_bytes(compose(Part("שלום", "שלום"), KEY, FROM, (FIRST,), None, "he").as_bytes(), policy=policy.default)
    assert isinstance(mail, EmailMessage)
    assert (mail["Content-Language"], mail["Subject"], said(mail)) == ("he", "שלום", "שלום")


HEADERS = {"from", "to", "subject", "date", "message-id", "auto-submitted", "mime-version", "content-type", "content-transfer-encoding"}


@given(
    title=st.text(st.one_of(st.characters(), st.sampled_from("\r\n\t :=?\u2028\x85\x0b\x00éß🚨\u0301\u200d")), max_size=180),
    text=st.text(st.one_of(st.characters(), st.sampled_from("\r\n.= \t\x85\x0c\u2028F")), max_size=400),
)
def test_what_was_approved_arrives_and_nothing_becomes_a_header(title: str, text: str) -> None:
    try:
        (part,) = adapter().render(Message(text, title)).parts
    except Unsupported:
        return
    mail = parsed(part)
    assert {name.lower() for name in mail.keys()} == HEADERS  # noqa: SIM118 - a mail's names come twice where a header is
    assert len(mail.keys()) == len(HEADERS)
    assert said(mail) == part.text
    assert " ".join(str(mail["Subject"]).split()) == " ".join(part.title.split())


@pytest.mark.parametrize("title", ["a\nBcc: evil@evil.example", "a\r\n\r\nbody", "a\x00b", "a\u2028b"])
def test_a_subject_of_several_lines_is_refused_even_if_it_was_rendered_elsewhere(title: str) -> None:
    with pytest.raises(Rejected):
        compose(Part("text", title), KEY, FROM, (FIRST,), None)


async def test_dots_and_long_lines_survive_the_wire() -> None:
    text = ".\n..\n.hidden\n" + "ü" * 2000 + "\nFrom us\n" + "x" * 3000 + "  \nend"
    async with serving() as server:
        sender = adapter(server.port)
        (part,) = sender.render(Message(text, "t")).parts
        await sender.publish(part, KEY, None)
    raw = server.mails[0].removesuffix(b".\r\n").replace(b"\r\n..", b"\r\n.")
    mail = message_from_bytes(raw, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    assert said(mail) == text
    assert max(map(len, server.mails[0].split(b"\r\n"))) < 998


def test_the_same_key_makes_the_same_message_id() -> None:
    assert parsed(PART)["Message-ID"] == parsed(Part("other", "other"))["Message-ID"] == f"<{KEY}.tocsin@company.example>"
