"""Reddit: a text post in one subreddit, or a comment where a post is answered; through praw, with a script app's login.

Rules kept here: one POST a call; a receipt needs an id of Reddit's alphabet and a permalink in our subreddit; the text is shown
literally. How requests go out lies in `wire.py`, what answers mean in `answers.py`, Markdown in `text.py`, the facts and
their sources in `docs/adapters/reddit.md`.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import cached_property
from typing import ClassVar

from yarl import URL

from adapters import http
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
from adapters.reddit.answers import Conflict
from adapters.reddit.text import literal, same_text
from adapters.reddit.wire import AT_ONCE, MADE_NO_SENSE, Wire
from adapters.text import quoted

WWW, OAUTH = "https://www.reddit.com", "https://oauth.reddit.com"
TITLE, TEXT, COMMENT = 300, 40_000, 10_000  # code points
PAGES = 5  # of 100 posts each, before a look counts as failed
GONE = ("[removed]", "[deleted]")


class RedditAdapter:
    """One Reddit account in one subreddit. Raises `ValueError` where a name or the account id cannot be one."""

    platform: ClassVar[str] = "reddit"
    fields: ClassVar[tuple[Field, ...]] = (
        Field("subreddit", "Where to post, without r/"),
        Field("username", "The account's name, without u/"),
        Field("client_id", "Id of the script app"),
        Field("flair_id", "Template id of a flair for the post", required=False),
        Field("sticky", "true: pin the post to the subreddit (moderators)", required=False, default="false"),
        Field("client_secret", "Secret of the script app", secret=True),
        Field("password", "The account's password", secret=True),
    )

    def __init__(self, config: Config) -> None:
        self.config = config
        self._sub = _name(config, "subreddit", r"[A-Za-z0-9][A-Za-z0-9_]{1,20}")
        self._user = _name(config, "username", r"[A-Za-z0-9_-]{3,20}")
        self._sticky = _name(config, "sticky", r"true|false|") == "true"
        if not re.fullmatch(r"[0-9a-z]{1,13}", config.account):
            raise ValueError(f"{config.id}: account must be the base-36 id that Reddit gives the account, without t2_.")
        base = config.base_url.rstrip("/")
        self._web = base or WWW
        self._permalink = re.compile(
            rf"{re.escape(self._web)}/r/(?i:{self._sub})/comments/([0-9a-z]{{1,13}})/[\w%-]{{1,200}}/(?:([0-9a-z]{{1,13}})/)?"
        )
        login = {"client_id": config.fields.get("client_id", ""), "username": self._user}
        secrets = {one.name: config.secrets[one.name] for one in self.fields if one.secret and one.name in config.secrets}
        self._wire = Wire((base or WWW, base or OAUTH), f"{config.id} (u/{self._user})", login, secrets, named=bool(base))
        self._door = http.Door("Reddit", base)

    @cached_property
    def limits(self) -> Limits:
        """`settle` is a guess: how long a new post stays out of the account's listing has no source.

        Reddit counts requests by app: half of its 60 a minute is left for log-ins and looks.
        """
        return Limits(
            unit="characters (code points) of Markdown",
            max_length=TEXT,
            max_parts=1,
            reconcile=Reconcile.LOOKUP,
            public=True,
            readable=True,
            settle=5.0,
            edit=True,
            pin=self._sticky,
            paces=(Pace(f"reddit:{self.config.fields.get('client_id', '')}", 30, 60.0),),
            at_once=AT_ONCE,
            links_names=False,
        )

    def render(self, message: Message) -> Rendering:
        """One text post. Raises `Unsupported` for no text, none or too long a title, too long a text."""
        title = " ".join(message.title.split())
        if message.drill and not title.startswith("[DRILL]"):
            title = f"[DRILL] {title}"
        if not message.text.strip() or not message.title.strip():
            raise Unsupported("Reddit needs a title and a text.")
        text = literal(_encodable(message.text)) if len(message.text.strip()) <= TEXT else message.text
        if len(_encodable(title)) > TITLE:
            raise Unsupported(f"The title has {len(title)} characters on Reddit, and {TITLE} fit: shorten it.")
        if (length := len(text.replace(PERMALINK_SLOT, "x" * message.permalink_room))) > TEXT:
            raise Unsupported(f"The text has {length} characters on Reddit, and {TEXT} fit: shorten it.")
        return Rendering((Part(text, title),))

    def owns(self, permalink: str) -> bool:
        return self._permalink.fullmatch(permalink) is not None

    async def check(self) -> Identity:
        """Compares id and name with the configured ones; the right to post in the subreddit shows only when posting."""
        try:
            me = await self._wire.get("api/v1/me")
        except OutcomeUnknown as error:
            raise NotSent(str(error)) from error
        account, name = dig(me, "id"), dig(me, "name")
        if not isinstance(account, str) or not isinstance(name, str):
            raise NotSent("Reddit did not say whose login this is: try again.")
        if account != self.config.account or name.casefold() != self._user.casefold():
            wrong = WrongAccount if account != self.config.account else NeedsOperator
            raise wrong(
                f"The login of {self.config.id} opens the account {quoted(name)} ({quoted(account)}), not “{self._user}” "
                f"(“{self.config.account}”): put in the right login or correct the destination."
            )
        notes = ("the account is suspended",) if dig(me, "is_suspended") is True else ()
        return Identity(account, name, notes)

    async def connect(self) -> None:
        """praw opens its own, and keeps it with its login."""

    async def publish(self, part: Part, key: str, reply_to: Receipt | None) -> Receipt:
        """A text post, or, as a reply, a comment: that has no title and room for 10,000 characters."""
        if PERMALINK_SLOT in part.text:
            raise Unsupported("The permalink is still missing in the text; nothing was sent.")
        if reply_to is not None:
            return await self._commented(part, reply_to)
        flair = {"flair_id": flair_id} if (flair_id := self.config.fields.get("flair_id", "")) else {}
        switches = {"kind": "self", "nsfw": False, "resubmit": True, "sendreplies": False, "spoiler": False, "validate_on_submit": True}
        answer = await self._wire.post("api/submit/", sr=self._sub, title=part.title, text=part.text, **switches, **flair)
        return self._receipt(dig(answer, "json", "data", "name"), dig(answer, "json", "data", "url"))

    async def find(self, part: Part, key: str, since: datetime) -> Receipt | None:
        """Looks through the account's posts, then its comments; Reddit tells whole seconds, and that of `since` counts as not older."""
        begin = since.astimezone(UTC).replace(microsecond=0).timestamp()
        try:
            async for post in self._listing("submitted", begin):
                if same_text(part.title, dig(post, "title")) and same_text(part.text, dig(post, "selftext")):
                    return self._receipt(dig(post, "name"), f"{self._web}{dig(post, 'permalink')}")
            async for comment in self._listing("comments", begin):
                if same_text(part.text, dig(comment, "body")):
                    return self._receipt(dig(comment, "name"), f"{self._web}{dig(comment, 'permalink')}")
        except OutcomeUnknown:
            raise
        except AdapterError as error:
            raise OutcomeUnknown(f"Could not look for the post. {error}") from error
        return None

    async def read(self, part: Part, receipt: Receipt) -> ReadBack:
        """Reads the permalink's `.json` without a login. Whether Reddit still shows that to everyone is unsourced: 403 says it does not."""
        if not (ids := self._permalink.fullmatch(receipt.permalink)):
            raise OutcomeUnknown(f"The receipt holds no permalink in r/{self._sub} to read.")
        whole = await self._door.look(URL(f"{receipt.permalink}.json?raw_json=1", encoded=True))
        status, answer = whole.status, http.decoded(whole.body)
        if status == 404:
            return ReadBack("missing", "Reddit shows no such post to a logged-out reader")
        if status == 403:
            return ReadBack("not_possible", "Reddit does not show this to a logged-out reader of its JSON")
        children = dig(answer, 1 if ids[2] else 0, "data", "children")
        if status != 200 or not isinstance(children, list):
            raise OutcomeUnknown(f"Reddit answered {status} and did not show the post.")
        posts = [post for child in children if dig(post := dig(child, "data"), "id") == (ids[2] or ids[1])]
        return self._compared(part, posts[0]) if posts else ReadBack("missing", "Reddit does not list it to a logged-out reader")

    async def finish(self, receipt: Receipt) -> str:
        """Pins the post if configured; one that is pinned already stays so."""
        if not self._sticky or not receipt.remote_id.startswith("t3_"):
            return ""
        try:
            await self._wire.post("api/set_subreddit_sticky/", id=receipt.remote_id, state=True)
        except Conflict:
            return ""
        except AdapterError as error:
            return f"The post could not be pinned: pin it by hand. {error}"
        return ""

    async def aclose(self) -> None:
        await self._wire.aclose()
        await self._door.aclose()

    def _receipt(self, name: object, permalink: object) -> Receipt:
        """Only of a name and a permalink that are right and belong together. It tells how long the account's limit is used up."""
        ids = self._permalink.fullmatch(permalink) if isinstance(permalink, str) else None
        if not ids or name != (f"t1_{ids[2]}" if ids[2] else f"t3_{ids[1]}"):
            raise OutcomeUnknown("Reddit's answer holds no id and permalink of a post of ours.")
        return Receipt(str(name), ids[0], self._wire.rest)

    async def _commented(self, part: Part, reply_to: Receipt) -> Receipt:
        """Older recordings have no permalink in a comment: then it is the post's with the comment's id."""
        parent = self._permalink.fullmatch(reply_to.permalink)
        if not parent:
            raise Unsupported(f"The post to reply to is not one in r/{self._sub}: post this without the reply.")
        if len(part.text) > COMMENT:
            raise Rejected(f"A reply on Reddit has room for {COMMENT} characters, and this has {len(part.text)}: shorten it.")
        answer = await self._wire.post("api/comment/", text=part.text, thing_id=f"t1_{parent[2]}" if parent[2] else f"t3_{parent[1]}")
        comment = dig(answer, "json", "data", "things", 0, "data")
        post = parent[0].removesuffix(f"{parent[2]}/") if parent[2] else parent[0]
        path = dig(comment, "permalink")
        return self._receipt(dig(comment, "name"), f"{self._web}{path}" if path else f"{post}{dig(comment, 'id')}/")

    def _compared(self, part: Part, post: object) -> ReadBack:
        author = dig(post, "author")
        is_comment = dig(post, "body") is not None
        shown = dig(post, "body" if is_comment else "selftext")
        if shown in GONE or author in GONE or dig(post, "removed_by_category"):
            return ReadBack("missing", "Reddit shows the post as removed")
        if not isinstance(author, str) or author.casefold() != self._user.casefold():
            return ReadBack("altered", f"it is shown as the post of {quoted(author)}, not of u/{self._user}")
        if not same_text(part.text, shown):
            return ReadBack("altered", f"it reads {quoted(shown)}")
        if not is_comment and not same_text(part.title, dig(post, "title")):
            return ReadBack("altered", f"its title reads {quoted(dig(post, 'title'))}")
        return ReadBack("seen")

    async def _listing(self, kind: str, begin: float) -> AsyncIterator[object]:
        """The account's newest in our subreddit since `begin` (Unix seconds). Raises `OutcomeUnknown` for too many or nonsense."""
        more: dict[str, str] = {}
        for _ in range(PAGES):
            answer = await self._wire.get(f"user/{self._user}/{kind}", sort="new", limit=100, **more)
            children, after = dig(answer, "data", "children"), dig(answer, "data", "after")
            if not isinstance(children, list):
                raise OutcomeUnknown(MADE_NO_SENSE)
            times = [dig(child, "data", "created_utc") for child in children]
            for child, at in zip(children, times, strict=True):
                if not isinstance(at, int | float):
                    raise OutcomeUnknown(MADE_NO_SENSE)
                whose, where = (str(dig(child, "data", name) or "").casefold() for name in ("author", "subreddit"))
                if at >= begin and where == self._sub.casefold() and whose in ("", self._user.casefold()):
                    yield dig(child, "data")
            if not isinstance(after, str) or float(str(times[-1])) < begin:
                return
            more = {"after": after}
        raise OutcomeUnknown("The account has too many new posts to look through: look on Reddit, then mark it as posted or retry.")


def _name(config: Config, field: str, pattern: str) -> str:
    value = config.fields.get(field, "").strip()
    if not re.fullmatch(pattern, value):
        raise ValueError(f"{config.id}: {field} must match {pattern}.")
    return value


def _encodable(text: str) -> str:
    """The text itself. Raises `Unsupported` where it holds half a character."""
    if bad := re.search(r"[\ud800-\udfff\x00]", text):
        raise Unsupported(f"Reddit takes no text with the character U+{ord(bad[0]):04X}: remove it.")
    return text
