"""X: posts and threads through tweepy, signed with OAuth 1.0a.

Rules kept here: one POST a call, repeated only where X has just said that it refused a reply; a receipt needs 201 and an id of
digits. What an error answer means lies in `wire.py`, how texts are weighed and compared in `text.py`, the facts and their
sources in `docs/adapters/x.md`.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from typing import ClassVar

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
from adapters.http import dig
from adapters.text import mark, neutralise_mentions, opening, quoted, split
from adapters.x.text import embedded_text, same_text, sayable, told_text, told_time, weight
from adapters.x.wire import MADE_NO_SENSE, ReplyRefused, Wire, rest

WEB = "https://x.com"
LENGTH, THREAD, LINK = 280, 25, 23  # weighted characters; posts in a thread (our own ceiling); what any link weighs
PAGES = 5  # of 100 posts each, before a look counts as failed


class XAdapter:
    """One X account. Raises `ValueError` where the handle or the account id cannot be one."""

    platform: ClassVar[str] = "x"
    fields: ClassVar[tuple[Field, ...]] = (
        Field("handle", "The account's name, without @"),
        Field("consumer_key", "API key of the app (OAuth 1.0a)", secret=True),
        Field("consumer_secret", "API key secret of the app", secret=True),
        Field("access_token", "Access token of the account, made with read and write permission", secret=True),
        Field("access_token_secret", "Secret of the access token", secret=True),
    )

    def __init__(self, config: Config) -> None:
        self.config = config
        self.handle = config.fields.get("handle", "").removeprefix("@")
        if not re.fullmatch(r"[A-Za-z0-9_]{1,15}", self.handle):
            raise ValueError(f"{config.id}: handle must be an X username of 1 to 15 letters, digits or underscores.")
        if not re.fullmatch(r"[0-9]{1,19}", config.account):
            raise ValueError(f"{config.id}: account must be the numeric X user id.")
        self._base = config.base_url.rstrip("/")
        self._permalink = re.compile(rf"{re.escape(self._base or WEB)}/(?i:{self.handle})/status/([0-9]{{1,19}})")
        keys = {one.name: config.secrets[one.name] for one in self.fields if one.secret and one.name in config.secrets}
        self._app = sha256(keys["consumer_key"].get_secret_value().encode()).hexdigest()[:12] if "consumer_key" in keys else ""
        self._wire = Wire(self._base, f"{config.id} (@{self.handle})", keys)

    @cached_property
    def limits(self) -> Limits:
        """`settle` is a guess: how long a new post stays out of the timeline has no source. The paces are of docs `rate-limits.mdx`."""
        return Limits(
            unit="weighted characters (twitter-text 3: a link counts 23)",
            max_length=LENGTH,
            max_parts=THREAD,
            reconcile=Reconcile.LOOKUP,
            public=True,
            readable=True,
            settle=5.0,
            paces=(Pace(f"x:{self.config.account}", 100, 900.0), Pace(f"x:app:{self._app}", 10_000, 86_400.0)),
        )

    def render(self, message: Message) -> Rendering:
        """One post, or a thread whose later parts can stand as posts of their own with a link to the first. Raises `Unsupported`."""
        text = sayable(neutralise_mentions(message.text)).strip()
        # A link to X's own hosts weighs 23; one to a stand-in's host X's rules may not know as a link, so it counts in full.
        primary = "0" * max(LINK, message.permalink_room) if self._base else self._receipt("0" * 19).permalink

        def fits(part: str) -> bool:
            return weight(part.replace(PERMALINK_SLOT, primary)) <= LENGTH

        def fits_thread(part: str) -> bool:
            return fits(part) and fits(_alone(part).replace(PERMALINK_SLOT, self._receipt("0" * 19).permalink))

        pieces = [text] if fits(text) else _thread(text, fits, fits_thread, mark(message)) if weight(text) <= LENGTH * THREAD else []
        if not 1 <= len(pieces) <= THREAD:
            raise Unsupported(f"The text needs more than the {THREAD} posts that a thread on X may have: shorten it.")
        return Rendering(tuple(Part(piece, standalone=_alone(piece) if number else "") for number, piece in enumerate(pieces)))

    def owns(self, permalink: str) -> bool:
        return self._permalink.fullmatch(permalink) is not None

    async def check(self) -> Identity:
        """Compares id and name with the configured ones. What is left of a paid balance X does not tell here."""
        try:
            _, answer = await self._wire.asked("get_me")
        except (OutcomeUnknown, Rejected) as error:
            raise NotSent(str(error)) from error
        account, name = dig(answer, "data", "id"), dig(answer, "data", "username")
        if not isinstance(account, str) or not isinstance(name, str):
            raise NotSent("X did not say whose keys these are: try again.")
        if account != self.config.account or name.casefold() != self.handle.casefold():
            wrong = WrongAccount if account != self.config.account else NeedsOperator
            raise wrong(
                f"The keys of {self.config.id} open the account {quoted(name)} ({quoted(account)}), not “{self.handle}” "
                f"(“{self.config.account}”): put in the right keys or correct the destination."
            )
        return Identity(account, name, ("the keys do not expire by themselves", "X does not tell the credit left: watch it there"))

    async def connect(self) -> None:
        await self._wire.connect()

    async def publish(self, part: Part, key: str, reply_to: Receipt | None) -> Receipt:
        """Where X refuses the reply, the part goes out once as a post of its own: `standalone`, or its text where it has none."""
        if PERMALINK_SLOT in part.text + part.standalone:
            raise Unsupported("The permalink is still missing in the text; nothing was sent.")
        if reply_to is None:
            return await self._posted(part.text)
        try:
            return await self._posted(part.text, in_reply_to_tweet_id=self._id_of(reply_to))
        except ReplyRefused:
            return await self._posted(part.standalone or part.text)

    async def find(self, part: Part, key: str, since: datetime) -> Receipt | None:
        """Looks through the account's timeline, newest first; compares as `same_text` does."""
        try:
            async for post in self._timeline(since):
                if self._shows(part, *told_text(post)):
                    return self._receipt(_post_id(dig(post, "id")))
        except OutcomeUnknown:
            raise
        except AdapterError as error:
            raise OutcomeUnknown(f"Could not look for the post. {error}") from error
        return None

    async def read(self, part: Part, receipt: Receipt) -> ReadBack:
        """Asks oEmbed, which shows every link as t.co: links are compared by their place only, the words exactly."""
        if not self.owns(receipt.permalink):
            raise OutcomeUnknown(f"The receipt holds no permalink of @{self.handle} to read.")
        status, answer = await self._wire.embedded(receipt.permalink)
        if status == 404:
            return ReadBack("missing", "X shows no such post to a logged-out reader")
        author, markup = dig(answer, "author_url"), dig(answer, "html")
        if not isinstance(author, str) or not isinstance(markup, str):
            raise OutcomeUnknown(f"X answered {status} and did not show the post.")
        if author.rstrip("/").rpartition("/")[2].casefold() != self.handle.casefold():
            return ReadBack("altered", f"it is shown as the post of {quoted(author)}, not of @{self.handle}")
        shown = embedded_text(markup)
        return ReadBack("seen") if self._shows(part, shown, {}) else ReadBack("altered", f"it reads {quoted(shown)}")

    async def finish(self, receipt: Receipt) -> str:
        return ""

    async def aclose(self) -> None:
        await self._wire.aclose()

    def _id_of(self, receipt: Receipt) -> str:
        """Of a post that a person gave by its URL the permalink tells the id."""
        if re.fullmatch(r"[0-9]{1,19}", receipt.remote_id):
            return receipt.remote_id
        if not (match := self._permalink.fullmatch(receipt.permalink)):
            raise Unsupported(f"The post to reply to is not one of @{self.handle}: post this without the reply.")
        return match[1]

    def _receipt(self, post_id: str, rest: float = 0.0) -> Receipt:
        return Receipt(post_id, f"{self._base or WEB}/{self.handle}/status/{post_id}", rest)

    def _shows(self, part: Part, shown: str, links: Mapping[str, str]) -> bool:
        return any(same_text(text, shown, links, self.handle) for text in (part.text, part.standalone) if text)

    async def _posted(self, text: str, **reply: str) -> Receipt:
        whole, answer = await self._wire.asked("create_tweet", text=text, **reply)
        if whole.status != 201:
            raise OutcomeUnknown(f"X answered {whole.status} where it should tell the id of a post.", whole.status)
        return self._receipt(_post_id(dig(answer, "data", "id")), rest(whole.headers))

    async def _timeline(self, since: datetime) -> AsyncIterator[object]:
        """The account's own posts not older than `since`. Raises `OutcomeUnknown` for one that makes no sense or too many."""
        begin, token = since.astimezone(UTC).replace(microsecond=0), None
        wanted = {"start_time": begin, "max_results": 100, "tweet_fields": ["created_at", "author_id", "entities", "note_tweet"]}
        for _ in range(PAGES):
            _, answer = await self._wire.asked("get_users_tweets", self.config.account, **wanted, pagination_token=token)
            posts = dig(answer, "data")
            if not isinstance(posts, list) and not isinstance(dig(answer, "meta", "result_count"), int):
                raise OutcomeUnknown(MADE_NO_SENSE)
            for post in posts if isinstance(posts, list) else []:
                at = told_time(post)
                if at is None:
                    raise OutcomeUnknown(MADE_NO_SENSE)
                # X tells whole seconds (docs, data-dictionary): then the second of `since` counts as not older
                if at >= (since if at.microsecond else begin) and dig(post, "author_id") in (None, self.config.account):
                    yield post
            if not isinstance(token := dig(answer, "meta", "next_token"), str):
                return
        raise OutcomeUnknown("The account has too many new posts to look through: look on X, then mark it as posted or retry.")


def _thread(text: str, fits: Callable[[str], bool], fits_later: Callable[[str], bool], begins: str) -> list[str]:
    """As much as it holds in the first part, which most read alone; later parts keep room for the link that may have to be added."""
    first = begins + opening(text.removeprefix(begins), lambda part: fits(begins + part))
    first = first if first != begins else split(text, fits, begins)[0]
    return [first, *split(begins + text[len(first) :].strip(), fits_later, begins)]


def _alone(piece: str) -> str:
    """A later part as a post of its own; one that links the primary already needs no second link."""
    return piece if PERMALINK_SLOT in piece else f"{piece}\n\n{PERMALINK_SLOT}"


def _post_id(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,19}", value):
        raise OutcomeUnknown("X's answer holds no id of a post.")
    return value
