"""What the bot and the webhook on Discord share: how a text is made literal and counted, one request, and how answers are read.

Rules kept here: markdown is escaped, never stripped, so a reader sees the characters that people signed; a webhook's URL is a
secret, so what an answer quotes of it is blanked; an answer counts only in Discord's own form (`message` and a numeric `code`), and
whatever is not recognised is `OutcomeUnknown`. Facts and sources: `docs/adapters/discord.md`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapters import http
from adapters.contract import (
    PERMALINK_SLOT,
    AdapterError,
    Message,
    NeedsOperator,
    NotSent,
    OutcomeUnknown,
    Part,
    ReadBack,
    Receipt,
    Rejected,
    Rendering,
    Unsupported,
)
from adapters.text import mark, quoted, split, utf16_length

HOST = "https://discord.com"
UNIT, MAX_LENGTH, MAX_PARTS = "code points or UTF-16 code units, whichever are more", 2000, 10
LOOK = "look at the channel whether the message is there"
QUIET: Mapping[str, Any] = {"allowed_mentions": {"parse": []}, "flags": 4}
"""Goes with every post: nobody is pinged, and SUPPRESS_EMBEDS shows no previews."""

SLOWED = frozenset({20016, 20028, 20029, 40062})
REFUSED = frozenset({50006, 50035, 200000, 240000})
FORBIDDEN = frozenset({10003, 10015, 40001, 50001, 50008, 50013, 50014, 50024, 50027, 160002})
UNKNOWN_MESSAGE = 10008
AGENT = f"DiscordBot (https://tocsin.example, {http.USER_AGENT.partition('/')[2]})"  # another form may be blocked (40333)

_ID = re.compile(r"[1-9][0-9]{0,19}")
_MARKUP = re.compile(
    rf"(?P<keep>{re.escape(PERMALINK_SLOT)}|<https?://[^\s<>]+>|https?://[^\s<]+<?)"  # a backslash at its end would join the link
    r"|^[^\S\n]*(?:(?=(?:\#{1,3}|-\#|>{1,3}|[-+])\s)|[0-9]{1,9}(?=[.)]\s))"
    r"|(?P<mark>[\\*_~`|<\[\]]|@(?=everyone|here))",
    re.IGNORECASE | re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `said` is the JSON value, None where it is none."""

    status: int
    headers: Mapping[str, str]
    said: Any

    @property
    def code(self) -> int | None:
        """Discord's own error code, where the answer is an error in its form."""
        code = self.said.get("code") if isinstance(self.said, dict) and isinstance(self.said.get("message"), str) else None
        return code if type(code) is int else None


_HEADERS: Mapping[str, str] = {"User-Agent": AGENT}


class Wire:
    """One credential's way to Discord's REST API v10."""

    __slots__ = ("_base", "_door", "_headers", "_secret")

    def __init__(self, base_url: str, secret: str, headers: Mapping[str, str] | None = None) -> None:
        self._base = f"{base_url.rstrip('/') or HOST}/api/v10"
        self._headers = {"User-Agent": AGENT, **headers} if headers else _HEADERS
        self._secret = secret.encode()
        self._door = http.Door("Discord", base_url)

    async def connect(self) -> None:
        """As the door does."""
        await self._door.connect(self._base)

    async def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        """Raises `NotSent`, `OutcomeUnknown`, neither with a cause."""
        return self._read(await self._door.ask(method, self._base + path, headers=self._headers, json=body))

    async def look(self, path: str) -> Answer:
        """A GET for `find` and `read`. Raises `OutcomeUnknown` where nothing was seen."""
        return self._read(await self._door.look(self._base + path, headers=self._headers))

    async def ask(self, path: str) -> Answer:
        """A GET for `check`. Raises `NotSent` where nothing was learnt."""
        try:
            return await self.call("GET", path)
        except OutcomeUnknown as error:
            raise NotSent(str(error)) from None

    async def aclose(self) -> None:
        await self._door.aclose()

    def _read(self, answer: http.Answer) -> Answer:
        """Without the secret, which an answer may quote."""
        return Answer(answer.status, answer.headers, http.decoded(answer.body.replace(self._secret, b"...")))


def refusal(answer: Answer) -> AdapterError:
    """What an answer that is no success means; codes as on Discord's page `opcodes-and-status-codes.mdx`."""
    why = quoted(_why(answer)) if answer.code is not None else ""
    if answer.status == 429 or answer.code in SLOWED:
        return NotSent("Discord asks to wait before the next message.", _wait(answer))
    if answer.code is None or answer.status not in {400, 401, 403, 404}:
        return OutcomeUnknown(f"Discord answered with status {answer.status}: {LOOK}.", answer.status)
    if answer.code in REFUSED:
        return Rejected(f"Discord refused the message ({why}): change the text.")
    if answer.code in FORBIDDEN or answer.status != 400:
        return NeedsOperator(f"Discord does not let us post ({why}): mend the credential, the channel or the permissions.")
    return OutcomeUnknown(f"Discord answered {why} with code {answer.code}: {LOOK}.", answer.status)


def object_of(answer: Answer) -> Mapping[str, Any]:
    """What a GET for `check` gave. Raises `NeedsOperator`, or `NotSent` where nothing was learnt."""
    if answer.status == 200 and isinstance(answer.said, dict):
        return answer.said
    error = refusal(answer)
    raise error if isinstance(error, NeedsOperator | NotSent) else NotSent(f"Discord did not tell (status {answer.status}): try later.")


def _why(answer: Answer) -> str:
    """The message, with the first detail beneath `errors`, however its codes are typed."""
    detail, depth = answer.said.get("errors"), 0
    while isinstance(detail, dict) and detail and depth < 8:
        inner = detail.get("_errors")
        if isinstance(inner, list) and inner and isinstance(inner[0], dict):
            return f"{answer.said['message']}: {inner[0].get('message')}"
        detail, depth = next(iter(detail.values())), depth + 1
    return str(answer.said["message"])


def _wait(answer: Answer) -> float | None:
    """How long to wait: the body's `retry_after` (a float), else a header."""
    body = answer.said.get("retry_after") if isinstance(answer.said, dict) else None
    return http.seconds(body, answer.headers.get("Retry-After"), answer.headers.get("X-RateLimit-Reset-After"))


def _rest(headers: Mapping[str, str]) -> float:
    """How long the channel's bucket, which this post has emptied, stays so."""
    empty = headers.get("X-RateLimit-Remaining") == "0"
    return (http.seconds(headers.get("X-RateLimit-Reset-After")) or 0.0) if empty else 0.0


def literal(text: str) -> str:
    """The text with Discord's markup escaped by backslashes; links and the permalink slot stay, or they would break."""
    return _MARKUP.sub(lambda match: match[0] if match["keep"] else f"\\{match[0]}" if match["mark"] else f"{match[0]}\\", text)


def render(message: Message, *, numbered: bool = False) -> Rendering:
    """Cut at 2000 as counted after escaping. `numbered` where parts cannot follow each other as replies. Raises `Unsupported`."""
    if re.search(r"[\ud800-\udfff]", message.text):
        raise Unsupported("The text holds half a character (a lone surrogate), which cannot be sent: take it out.")
    text = re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", " ", re.sub(r"\r\n?", "\n", message.text))
    room = "x" * message.permalink_room
    within = text.strip() and utf16_length(text) <= MAX_PARTS * MAX_LENGTH

    def fits(part: str) -> bool:
        return utf16_length(literal(part).replace(PERMALINK_SLOT, room)) <= MAX_LENGTH

    parts = split(text, fits, mark(message)) if within else []
    if numbered and len(parts) > 1:
        parts = split(text, lambda part: fits(part + _number(MAX_PARTS, MAX_PARTS)), mark(message))
        parts = [part + _number(at, len(parts)) for at, part in enumerate(parts, 1)]
    if not 1 <= len(parts) <= MAX_PARTS:
        raise Unsupported(f"Discord is sent 1 to {MAX_PARTS} messages of {MAX_LENGTH} characters: write or shorten the text.")
    return Rendering(tuple(Part(literal(part)) for part in parts))


def _number(at: int, count: int) -> str:
    """Which part of how many, on a line of its own."""
    return f"\n\n({at} of {count})"


def web_of(base_url: str, guild: str, channel: str) -> str:
    """How the permalink of each message in that channel begins."""
    return f"{base_url.rstrip('/') or HOST}/channels/{guild}/{channel}/"


def is_id(said: object) -> bool:
    """Whether it is a snowflake as Discord writes it: a string of digits."""
    return isinstance(said, str) and _ID.fullmatch(said) is not None


def owned(permalink: str, web: str) -> bool:
    return permalink.startswith(web) and is_id(permalink.removeprefix(web))


def message_id(receipt: Receipt, web: str) -> str | None:
    """The message's id; a post made by hand may have its URL only."""
    known = receipt.remote_id or (receipt.permalink.removeprefix(web) if owned(receipt.permalink, web) else "")
    return known if is_id(known) else None


def receipt_of(answer: Answer, channel: str, author: str, web: str) -> Receipt:
    """The receipt of a message that was just posted. Raises what the answer means where it is none of ours."""
    if answer.status != 200:
        raise refusal(answer)
    said = answer.said if isinstance(answer.said, dict) else {}
    if not is_id(said.get("id")) or said.get("channel_id") != channel or author_of(said) != author:
        raise OutcomeUnknown(f"Discord's answer does not show a message of ours in channel {channel}: {LOOK}.")
    return Receipt(said["id"], web + said["id"], _rest(answer.headers))


def author_of(said: Mapping[str, Any]) -> object:
    """Who posted it: the webhook's id where a webhook did, else the user's."""
    author = said.get("author")
    return said.get("webhook_id") or (author.get("id") if isinstance(author, dict) else None)


def compared(answer: Answer, part: Part, author: str, eyes: str) -> ReadBack:
    """A message that was asked for by its id against the part. Raises `OutcomeUnknown` where the look failed."""
    if answer.status == 404 and answer.code == UNKNOWN_MESSAGE:
        return ReadBack("missing", f"The message is gone, as {eyes} sees it.")
    if answer.status != 200 or not isinstance(answer.said, dict) or not isinstance(answer.said.get("content"), str):
        raise OutcomeUnknown(f"Discord did not show the message (status {answer.status}): look yourself.")
    content = answer.said["content"]
    if author_of(answer.said) != author:
        return ReadBack("altered", "The message was posted by another account.")
    if content != part.text:
        return ReadBack("altered", f"Discord shows another text, which begins {quoted(content, 80)}.")
    return ReadBack("seen", f"As {eyes} sees it; nobody can look without logging in.")
