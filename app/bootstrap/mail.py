"""Mails to reviewers: one function, or none where no mail server is configured."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

import aiosmtplib

from app.settings import Settings

TIMEOUT = 20.0


def mailer(settings: Settings) -> Callable[[str, str, str], Awaitable[None]] | None:
    """`post(to, subject, text)`, which raises OSError where the mail was not taken; None without a mail server."""
    if not settings.smtp_host:
        return None

    async def post(to: str, subject: str, text: str) -> None:
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = settings.smtp_from, to, " ".join(subject.split())
        mail["Date"], mail["Message-ID"] = formatdate(usegmt=True), make_msgid(domain=settings.rp_id)
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(text)
        try:
            await aiosmtplib.send(
                mail,
                hostname=settings.smtp_host,
                port=settings.smtp_port,
                username=settings.smtp_username or None,
                password=settings.smtp_password.get_secret_value() or None,
                use_tls=settings.smtp_security == "tls",
                start_tls=settings.smtp_security == "starttls",
                timeout=TIMEOUT,
            )
        except aiosmtplib.SMTPException as error:
            raise OSError(f"The mail server did not take the mail: {type(error).__name__}.") from error

    return post
