"""The page of timelines: every account of every stand-in with the posts it holds, and the mails received."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from aiohttp import web

from app.rehearsal.stand_ins.pages import html
from app.rehearsal.stand_ins.stand_in import Post, StandIn

TITLES = {"x": "X", "reddit": "Reddit", "telegram": "Telegram", "discord": "Discord", "smtp": "Mail"}
_SCRIPT = Path(__file__).parent / "templates" / "timelines.js"


def page(stand_ins: Mapping[str, StandIn]) -> web.Response:
    """The whole page; `data-version` changes whenever anything on it does."""
    platforms = [_platform(stand_in) for stand_in in stand_ins.values()]
    version = "-".join(f"{len(stand_in.posts)}.{len(stand_in.log)}" for stand_in in stand_ins.values())
    posts = sum(len(stand_in.posts) for stand_in in stand_ins.values())
    return html("timelines.html", platforms=platforms, version=version, posts=posts)


def script() -> web.Response:
    """What keeps the page fresh; without it a reload does."""
    return web.Response(text=_SCRIPT.read_text(encoding="utf-8"), content_type="text/javascript", headers={"Cache-Control": "no-store"})


def _platform(stand_in: StandIn) -> dict[str, Any]:
    """One section. Accounts with the newest post come first, and in each the newest post."""

    def account(post: Post) -> str:
        return post.account

    newest_first = sorted(stand_in.posts, key=lambda post: post.at, reverse=True)
    groups = [{"name": name, "posts": list(posts)} for name, posts in groupby(sorted(newest_first, key=account), account)]
    mail = stand_in.name == "smtp"
    return {
        "name": stand_in.name,
        "title": TITLES.get(stand_in.name, stand_in.name),
        "accounts": sorted(groups, key=lambda group: group["posts"][0].at, reverse=True),
        "requests": len(stand_in.log),
        "faults": sum(bool(entry.fault) for entry in stand_in.log),
        "empty": "No mail received yet." if mail else "Nothing posted yet.",
    }
