"""The mail stand-in, asked by an unmodified aiosmtplib."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from email.message import EmailMessage
from email.utils import make_msgid

import aiosmtplib
import pytest

from app.rehearsal.stand_ins import accounts
from app.rehearsal.stand_ins.faults import Fault, UnknownFault
from app.rehearsal.stand_ins.smtp import MailStandIn

USER, PASSWORD = accounts.SMTP["username"], accounts.SMTP["password"]


@pytest.fixture
async def mail() -> AsyncIterator[MailStandIn]:
    stand_in = MailStandIn()
    await stand_in.start("127.0.0.1")
    yield stand_in
    await stand_in.stop()


def message(subject: str = "Incident: Zürich 🚨", to: str = "first-reviewer@rehearsal.example") -> EmailMessage:
    written = EmailMessage()
    written["From"], written["To"], written["Subject"] = "tocsin@rehearsal.example", to, subject
    written["Message-ID"] = make_msgid("drill", "rehearsal.example")
    written.set_content("Please approve:\nhttps://tocsin.example/approve/abc\n.leading dot\n🚨 end\n")
    return written


async def send(mail: MailStandIn, written: EmailMessage, **options: str) -> None:
    await aiosmtplib.send(written, hostname=mail.host, port=mail.port, start_tls=False, timeout=5, **options)  # type: ignore[arg-type]


async def test_mail_is_kept_as_it_was_sent(mail: MailStandIn) -> None:
    written = message(to="first-reviewer@rehearsal.example, second-reviewer@rehearsal.example")
    await send(mail, written)
    [kept] = mail.mails
    assert kept.sender == "tocsin@rehearsal.example"
    assert kept.to == ("first-reviewer@rehearsal.example", "second-reviewer@rehearsal.example")
    assert kept.subject == "Incident: Zürich 🚨"
    assert kept.text == "Please approve:\nhttps://tocsin.example/approve/abc\n.leading dot\n🚨 end\n"
    assert kept.message_id == written["Message-ID"]
    assert mail.state()[0]["extra"]["message_id"] == written["Message-ID"]
    assert mail.log[0].plain() == {"method": "MAIL", "path": kept.sender, "at": mail.log[0].at, "status": 250, "fault": ""}


async def test_plain_text_is_found_in_a_mail_of_several_parts(mail: MailStandIn) -> None:
    written = message()
    written.add_alternative("<p>Please approve</p>", subtype="html")
    await send(mail, written)
    assert mail.mails[0].text.startswith("Please approve:\n")


async def test_same_mail_twice_is_two_mails(mail: MailStandIn) -> None:
    written = message()
    await send(mail, written)
    await send(mail, written)
    assert [kept.message_id for kept in mail.mails] == [written["Message-ID"]] * 2


async def test_login_is_checked_but_not_required(mail: MailStandIn, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "mail.log")
    await send(mail, message(), username=USER, password=PASSWORD)
    assert PASSWORD not in caplog.text
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    with pytest.raises(aiosmtplib.SMTPAuthenticationError) as caught:
        await send(mail, message(), username=USER, password="wrong")
    assert caught.value.code == 535
    assert len(mail.mails) == 1


async def test_login_is_offered_in_the_clear_on_loopback_only() -> None:
    mail = MailStandIn()
    await mail.start("0.0.0.0")
    try:
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=mail.port, start_tls=False) as client:
            await client.ehlo()
            assert not client.supports_extension("auth")
    finally:
        await mail.stop()


@pytest.mark.parametrize("code", [450, 550])
async def test_recipient_is_refused_once(mail: MailStandIn, code: int) -> None:
    await mail.order(Fault(str(code)))
    with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as caught:
        await send(mail, message())
    assert [refused.code for refused in caught.value.recipients] == [code]
    assert mail.mails == []
    assert (mail.log[0].status, mail.log[0].fault) == (code, str(code))
    await send(mail, message())
    assert len(mail.mails) == 1


async def test_login_is_refused_when_ordered(mail: MailStandIn) -> None:
    await mail.order(Fault("401"), count=2)
    with pytest.raises(aiosmtplib.SMTPAuthenticationError):
        await send(mail, message(), username=USER, password=PASSWORD)
    with pytest.raises(aiosmtplib.SMTPSenderRefused) as caught:
        await send(mail, message())
    assert (caught.value.code, mail.mails) == (530, [])


@pytest.mark.parametrize(("fault", "kept"), [("cut-after", 1), ("cut-before", 0)])
async def test_cut_connection(mail: MailStandIn, fault: str, kept: int) -> None:
    await mail.order(Fault(fault))
    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        await send(mail, message())
    assert len(mail.mails) == kept
    assert mail.log[0].status == 0
    await send(mail, message())
    assert len(mail.mails) == kept + 1


async def test_hanging_answer_comes_when_the_fault_is_cleared(mail: MailStandIn) -> None:
    await mail.order(Fault("hang"))
    sending = asyncio.create_task(send(mail, message()))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await asyncio.shield(sending)
    assert len(mail.mails) == 1
    await mail.clear()
    await sending
    assert mail.log[0].status == 250


async def test_refused_closes_the_port_and_keeps_it(mail: MailStandIn) -> None:
    port = mail.port
    await mail.order(Fault("refused"))
    with pytest.raises(aiosmtplib.SMTPConnectError):
        await send(mail, message())
    await mail.clear()
    await send(mail, message())
    assert (mail.port, len(mail.mails)) == (port, 1)


async def test_stop_cuts_who_is_connected() -> None:
    mail = MailStandIn()
    await mail.start()
    client = aiosmtplib.SMTP(hostname=mail.host, port=mail.port, start_tls=False, timeout=2)
    await client.connect()
    await mail.stop()
    assert mail.connections == set()
    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        await client.noop()


async def test_unknown_fault_names_the_known_ones(mail: MailStandIn) -> None:
    with pytest.raises(UnknownFault, match=r"401, 450, 550, cut-after"):
        await mail.order(Fault("502-html"))
    await mail.reset()
    assert mail.mails == []
