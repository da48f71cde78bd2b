"""Telegram: posts to a channel or group through a bot, with python-telegram-bot.

Rules kept here: no markup is sent (`parse_mode`), previews are off, and what the server would turn into a mention, tag or command
gets a space. The bot's token is part of every URL, so the library never has it: it names a method, and `_Way` puts the address
together below all that logs or quotes one. A refusal counts only in the Bot API's own form (`ok: false` with a description);
all else is `OutcomeUnknown`, as nothing can look for a message on Telegram. Facts and their sources: `docs/adapters/telegram.md`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from functools import cached_property
from html.parser import HTMLParser
from typing import Any, ClassVar

from telegram import Bot, ChatFullInfo, ChatMember, LinkPreviewOptions, ReplyParameters
from telegram.error import TelegramError
from telegram.request import BaseRequest, RequestData

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
    Pace,
    Part,
    ReadBack,
    Receipt,
    Reconcile,
    Rejected,
    Rendering,
    Unsupported,
    WrongAccount,
)
from adapters.http import TOTAL_TIMEOUT, Answer, Door, decoded, seconds
from adapters.text import URL, mark, neutralise_mentions, quoted, split, utf16_length

MAX_LENGTH, MAX_PARTS, MAX_PAGE = 4096, 10, 256 * 1024
LOOK = "look at the chat whether the message is there"
_NAME, _ID, _NUMBER = re.compile(r"@[A-Za-z][A-Za-z0-9_]{3,31}"), re.compile(r"-?[1-9][0-9]{0,15}"), re.compile(r"[1-9][0-9]{0,15}")
_COMMAND = re.compile(rf"(?P<keep>(?<![A-Za-z0-9+.-]){URL.pattern})|(?<![\w/<>])/(?=[A-Za-z0-9_]{{1,64}}(?![\w/<>]))")
_NO_RIGHT = re.compile(r"chat not found|rights|supergroup chat|CHAT_[A-Z_]+")


class TelegramAdapter:
    """One channel or group that a bot may post to."""

    platform: ClassVar[str] = "telegram"
    fields: ClassVar[tuple[Field, ...]] = (
        Field("chat", "@channel of a public channel, else the number of the chat"),
        Field("token", "the bot's token, as BotFather gives it", secret=True, blank="0:none"),
        Field("pin", "true to pin each post", required=False, default="false"),
    )

    def __init__(self, config: Config) -> None:
        """Raises `ValueError`, naming the setting."""
        self._chat, self._account = config.fields.get("chat", ""), config.account
        self._token = config.secrets["token"].get_secret_value().strip()
        self._public = _NAME.fullmatch(self._chat) is not None
        if not self._public and not _ID.fullmatch(self._chat):
            raise ValueError(f"{config.id}: chat must be @channel or the number of a chat.")
        if not _ID.fullmatch(self._account):
            raise ValueError(f"{config.id}: account must be the number that Telegram gives the chat, such as -1001234567890.")
        if not re.fullmatch(r"[0-9]+:[A-Za-z0-9_-]+", self._token):
            raise ValueError(f"{config.id}: token must be a bot's: digits, a colon, then letters, digits, - and _.")
        if config.fields.get("pin", "false") not in {"true", "false"}:
            raise ValueError(f"{config.id}: pin must be true or false.")
        self._pin, self._base = config.fields.get("pin") == "true", config.base_url.rstrip("/")
        self._web = f"{self._base or 'https://t.me'}/{self._chat.removeprefix('@')}/"

    @cached_property
    def limits(self) -> Limits:
        """Only an @channel has pages that anyone can read, so only such a one can be primary.

        The paces are those of Telegram's Bot Support; a number below zero is a group or a channel, which the number does not tell.
        """
        bot, chat = f"telegram:{self._token.partition(':')[0]}", f"telegram:{self._account}"
        group = (Pace(chat, 20, 60.0),) if self._account.startswith("-") else ()
        return Limits(
            unit="UTF-16 code units",
            max_length=MAX_LENGTH,
            max_parts=MAX_PARTS,
            reconcile=Reconcile.NOBODY,
            public=self._public,
            readable=self._public,
            edit=True,
            pin=True,
            paces=(Pace(bot, 30, 1.0), Pace(chat, 1, 1.0), *group),
            permalinks=self._public,
        )

    def render(self, message: Message) -> Rendering:
        """Cuts at 4096 UTF-16 units; drops what the server drops, so that people sign what will be seen."""
        kept, room = _as_kept(message.text), "x" * message.permalink_room
        parts = []
        if kept.strip() and utf16_length(kept) <= MAX_PARTS * MAX_LENGTH:
            text = _COMMAND.sub(lambda match: match[0] if match["keep"] else "/ ", neutralise_mentions(kept, slashed=True))
            parts = split(text, lambda part: utf16_length(part.replace(PERMALINK_SLOT, room)) <= MAX_LENGTH, mark(message))
        if not 1 <= len(parts) <= MAX_PARTS:
            raise Unsupported(f"Telegram is sent 1 to {MAX_PARTS} messages of {MAX_LENGTH} characters: write or shorten the text.")
        return Rendering(tuple(Part(part) for part in parts))

    def owns(self, permalink: str) -> bool:
        number = permalink.removeprefix(self._web)
        return self._public and permalink == self._web + number and _NUMBER.fullmatch(number) is not None

    async def check(self) -> Identity:
        try:
            async with _in_our_words():
                me, chat = await self._bot.get_me(), await self._bot.get_chat(self._chat)
                member = await self._bot.get_chat_member(chat.id, me.id)
        except Rejected:
            raise NeedsOperator("Telegram refuses to show the bot or its chat: check the settings chat and token.") from None
        except OutcomeUnknown:
            raise NotSent("Telegram gave no usable answer while the bot was checked: try again later.") from None
        if str(chat.id) != self._account:
            raise WrongAccount(f"{self._chat} is chat {chat.id}, not {self._account} as approved: correct chat or account.")
        return Identity(self._account, f"{self._chat} by @{me.username}", _rights(chat, member, self._pin))

    async def connect(self) -> None:
        await self._way.connect()

    async def publish(self, part: Part, key: str, reply_to: Receipt | None) -> Receipt:
        """A reply whose parent is gone goes out as a plain message (`allow_sending_without_reply`): each part makes sense alone."""
        parent = self._number(reply_to) if reply_to else None
        async with _in_our_words():
            message = await self._bot.send_message(
                self._chat,
                part.text,
                link_preview_options=LinkPreviewOptions(is_disabled=True),
                reply_parameters=ReplyParameters(parent, allow_sending_without_reply=True) if parent else None,
            )
            number, chat = message.message_id, message.chat.id
        if type(number) is not int or number <= 0:
            raise OutcomeUnknown(f"Telegram took the message but gave it no number: {LOOK}.")
        if str(chat) != self._account:
            raise OutcomeUnknown(f"Telegram says it posted to another chat than {self._account}: look where the message is.")
        return Receipt(str(number), f"{self._web}{number}" if self._public else "")

    async def find(self, part: Part, key: str, since: datetime) -> Receipt | None:
        raise Unsupported("Nothing can look for a message on Telegram: a person has to look at the chat.")

    async def read(self, part: Part, receipt: Receipt) -> ReadBack:
        """From the page that t.me makes for embedding; what is not surely this message is `not_possible`, never `seen`."""
        number = self._number(receipt)
        if not self._public or number is None:
            return ReadBack("not_possible", "Only members can read this chat: let one of them look.")
        try:
            page = await self._way.door.look(f"{self._web}{number}?embed=1&mode=tme")
        except OutcomeUnknown as error:
            raise OutcomeUnknown(f"The public page could not be read: {error}") from None
        if page.status == 404:
            return ReadBack("missing", "Telegram has no public page of this message.")
        if page.status != 200 or len(page.body) > MAX_PAGE:
            return ReadBack("not_possible", f"Telegram's public page is unusable (status {page.status}): look yourself.")
        return _Page.compare(page.body.decode("utf-8", "replace"), f"{self._chat[1:]}/{number}", part.text)

    async def finish(self, receipt: Receipt) -> str:
        number = self._number(receipt)
        if not self._pin or number is None:
            return ""
        try:
            async with _in_our_words():
                await self._bot.pin_chat_message(self._chat, number, disable_notification=True)
        except AdapterError as error:
            return f"The post is out but not pinned: {error}"
        return ""

    async def aclose(self) -> None:
        if "_way" in self.__dict__:
            await self._way.shutdown()

    @cached_property
    def _way(self) -> _Way:
        return _Way(self._base, self._token)

    @cached_property
    def _bot(self) -> Bot:
        """`initialize` is never called: nothing here needs it, and it asks once more."""
        return Bot("kept-below", base_url=lambda _: "", base_file_url=lambda _: "", request=self._way, get_updates_request=self._way)

    def _number(self, receipt: Receipt) -> int | None:
        """The message's number; a post made by hand may have its URL only."""
        number = receipt.remote_id or (receipt.permalink.removeprefix(self._web) if self.owns(receipt.permalink) else "")
        return int(number) if _NUMBER.fullmatch(number) else None


def _as_kept(text: str) -> str:
    """What Telegram's `clean_input_string` leaves of a text (its ring above, U+030A, composed first). Raises `Unsupported`."""
    if re.search(r"[\ud800-\udfff]", text):
        raise Unsupported("The text holds half a character (a lone surrogate), which cannot be sent: take it out.")
    text = unicodedata.normalize("NFC", re.sub(r"\r\n?|[\u2028\u2029]", "\n", text))
    return re.sub(r"[\x00-\x09\x0b-\x1f]", " ", re.sub(r"[\u202a-\u202e\u0333\u033f\u030a]", "", text))


def _rights(chat: ChatFullInfo, member: ChatMember, pin: bool) -> tuple[str, ...]:
    """What is worth telling of the bot's rights. Raises `NeedsOperator` where it may not post."""
    channel = chat.type == ChatFullInfo.CHANNEL
    if member.status not in {ChatMember.ADMINISTRATOR, ChatMember.OWNER, ChatMember.MEMBER}:
        raise NeedsOperator(f"The bot is not in the chat (it is {quoted(member.status)}): add it as an administrator.")
    if channel and not getattr(member, "can_post_messages", False):
        raise NeedsOperator("The bot may not post to the channel: give it the right to post messages.")
    needed = "can_edit_messages" if channel else "can_pin_messages"
    return (f"cannot pin: the bot lacks the right {needed}",) if pin and not getattr(member, needed, False) else ()


@asynccontextmanager
async def _in_our_words() -> AsyncIterator[None]:
    """Takes our own error out of the library's wrapping and calls whatever else went wrong unknown; drops causes, which quote URLs."""
    try:
        yield
    except Exception as error:
        own = error if isinstance(error, AdapterError) else error.__cause__
        raise own if isinstance(own, AdapterError) else OutcomeUnknown(f"Telegram's answer made no sense: {LOOK}.") from None


class _Way(BaseRequest):
    """The way to the Bot API, past the library's own requests. Refusals become our errors."""

    def __init__(self, base: str, token: str) -> None:
        self.door, self._address, self._token = Door("Telegram", base), f"{base or 'https://api.telegram.org'}/bot{token}", token

    @property
    def read_timeout(self) -> float | None:
        return TOTAL_TIMEOUT

    async def initialize(self) -> None:
        """Connections are opened as they are needed."""

    async def shutdown(self) -> None:
        await self.door.aclose()

    async def connect(self) -> None:
        """As the door does."""
        await self.door.connect(self._address)

    async def do_request(self, url: str, method: str, request_data: RequestData | None = None, *_: Any, **__: Any) -> tuple[int, bytes]:
        form = request_data.json_parameters if request_data else {}
        answer = await self.door.ask(method, self._address + url, data=form or None)
        if not 200 <= answer.status < 300:
            raise _refusal(answer, self._token)
        return answer.status, answer.body

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """As the library's, but the body is not logged (an error page may quote the URL), and only `ok: true` is a success."""
        said = decoded(payload)
        if not isinstance(said, dict) or said.get("ok") is not True:
            raise TelegramError("Invalid server response")
        return said


def _refusal(answer: Answer, token: str) -> AdapterError:
    """What an error answer means; descriptions are those of tdlib's `Client.cpp` and `ClientManager.cpp`."""
    status, said = answer.status, decoded(answer.body)
    said = said if isinstance(said, dict) else {}
    own_form = said.get("ok") is False and isinstance(said.get("description"), str)
    why = str(said.get("description")).replace(token, "…") if own_form else ""
    more = said["parameters"] if isinstance(said.get("parameters"), dict) else {}
    if status == 429:
        wait = seconds(more.get("retry_after"), answer.headers.get("Retry-After"))
        return NotSent("Telegram asks to wait before the next message.", wait)
    if not own_form or status not in {400, 401, 403, 404}:
        return OutcomeUnknown(f"Telegram answered with status {status}: {LOOK}.", status)
    if moved := more.get("migrate_to_chat_id"):
        return NeedsOperator(f"The group has become the supergroup {quoted(moved)}: set chat and account to that number.")
    if status in {401, 404}:
        return NeedsOperator(f"Telegram does not know the bot ({quoted(why)}): get its token from BotFather and set it.")
    if status == 403 or _NO_RIGHT.search(why):
        return NeedsOperator(f"The bot may not post ({quoted(why)}): make it an administrator of the chat that may post.")
    return Rejected(f"Telegram refused the message ({quoted(why)}): change the text.")


class _Page(HTMLParser):
    """The texts on an embedding page, by `data-post`. Its class names are known only from programs that read it (see the docs)."""

    def __init__(self) -> None:
        super().__init__()
        self._texts: dict[str, list[str]] = {}
        self._errors: list[str] = []
        self._post, self._depth, self._into = "", 0, self._errors

    @classmethod
    def compare(cls, page: str, post: str, expected: str) -> ReadBack:
        """The text of that post (`channel/number`) on the page against the expected one; spaces and links make no difference."""
        reader = cls()
        reader.feed(page)
        found = reader._texts.get(post.lower())
        if found is None:
            gone = "not found" in "".join(reader._errors).lower()
            return ReadBack("missing" if gone else "not_possible", f"Telegram's public page shows no message {post}: look yourself.")
        if "".join(found).split() == expected.split():
            return ReadBack("seen", "On Telegram's public page.")
        return ReadBack("altered", f"Telegram's public page shows another text, which begins {quoted(''.join(found), 80)}.")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        classes = (given.get("class") or "").split()
        if "tgme_widget_message" in classes:
            self._post = (given.get("data-post") or "").lower()
        if self._depth:
            self._depth += tag == "div"
            self._into.append("\n" if tag == "br" else "")
        elif tag == "div" and "tgme_widget_message_text" in classes and "js-message_reply_text" not in classes:
            self._depth, self._into = 1, self._texts.setdefault(self._post, [])
        elif tag == "div" and "tgme_widget_message_error" in classes:
            self._depth, self._into = 1, self._errors

    def handle_endtag(self, tag: str) -> None:
        self._depth -= bool(self._depth) and tag == "div"

    def handle_data(self, data: str) -> None:
        if self._depth:
            self._into.append(data)
