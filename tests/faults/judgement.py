"""The judgement: what the stand-ins' own record says of one announcement, never what the server says of itself.

Each part is there once and posted, or undecided and shown as such where nobody can look; whom others point to comes first; no other text.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from app.rehearsal.stand_ins import accounts

NOBODY_CAN_LOOK = {"telegram", "discord_webhook", "email", "manual"}
"""Platforms with neither a key nor a look-up (docs/adapters.md): only there may an outcome stay undecided."""

STAND_INS = {"discord_webhook": "discord", "email": "smtp"}


def approved_texts(shown: dict[str, Any], delivery: dict[str, Any]) -> list[str]:
    """The text of each part as it was approved for the role that the delivery has now, its slot filled."""
    rendering = next(r for r in shown["renderings"] if r["destination"] == delivery["destination"])
    parts = rendering["parts"] if rendering["role"] == delivery["role"] else rendering["otherwise"]["parts"]
    permalink = leader(shown)["permalink"] or ""
    return [part["text"].replace("{{permalink}}", permalink) for part in parts]


def leader(shown: dict[str, Any]) -> dict[str, Any]:
    """The delivery that all others point to."""
    found: dict[str, Any] = next(d for d in shown["deliveries"] if d["destination"] == shown["primaries"]["leads"])
    return found


def copies(shown: dict[str, Any], delivery: dict[str, Any], state: dict[str, Any], part: int = 0) -> list[dict[str, Any]]:
    """The posts of that part on that destination, as the stand-in holds them."""
    wanted = approved_texts(shown, delivery)[part].split()
    return [post for post in _posts(delivery, state) if post["text"].split() == wanted]


def _posts(delivery: dict[str, Any], state: dict[str, Any]) -> list[dict[str, Any]]:
    held: list[dict[str, Any]] = state.get(STAND_INS.get(delivery["platform"], delivery["platform"]), [])
    id_, platform = delivery["destination"], delivery["platform"]
    if platform == "telegram":
        name = id_.replace("telegram-", accounts.TELEGRAM["pointer_prefix"]) if "-" in id_ else next(iter(accounts.TELEGRAM["channels"]))
        return [post for post in held if post["account"] == f"@{name}"]
    channel = {"discord": accounts.DISCORD["channel_id"], "discord_webhook": accounts.DISCORD["webhook_channel_id"]}.get(platform)
    return [post for post in held if not channel or f"/{channel}/" in post["permalink"]]


@dataclass(slots=True)
class Verdict:
    """What the stand-ins' record says of one announcement: counts of parts, and what is wrong in words."""

    posted: int = 0
    undecided: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: list[str] = field(default_factory=list)
    platforms: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Parts by platform and what became of them: `posted`, `undecided`."""

    @property
    def good(self) -> bool:
        return not self.lost and not self.doubled and not self.wrong


def judge(shown: dict[str, Any], state: dict[str, Any], token: str) -> Verdict:
    """Each part there exactly once and posted, or undecided and shown as such where nobody can look; the primary first; no other text."""
    verdict = Verdict()
    for delivery in shown["deliveries"]:
        for part in range(delivery["parts"]):
            _judge_part(verdict, shown, delivery, state, part)
    _judge_order(verdict, shown, state)
    of_token = re.compile(rf"(?<![\w-]){re.escape(token)}(?![\w-])")  # not that of another one that begins alike
    for delivery in shown["deliveries"]:
        approved = [text.split() for text in approved_texts(shown, delivery)]
        others = [post for post in _posts(delivery, state) if of_token.search(post["text"]) and post["text"].split() not in approved]
        if delivery["platform"] != "email" and others:  # the team gets the approval mails too
            verdict.wrong.append(f"{delivery['destination']} holds a text that nobody approved: {others[0]['text']!r}")
    return verdict


def _judge_part(verdict: Verdict, shown: dict[str, Any], delivery: dict[str, Any], state: dict[str, Any], part: int) -> None:
    name, is_there = f"{delivery['destination']}, part {part + 1}", len(copies(shown, delivery, state, part))
    claimed = delivery["parts_posted"] > part
    asked = delivery["state"] == "unknown" and part == delivery["parts_posted"]
    if is_there > 1:
        verdict.doubled += 1
        verdict.wrong.append(f"{name} is there {is_there} times")
    elif asked and delivery["platform"] in NOBODY_CAN_LOOK:
        verdict.undecided += 1
        verdict.platforms[delivery["platform"], "undecided"] += 1
        if "yourself" not in delivery["problem"]:
            verdict.wrong.append(f"{name} does not say what to do: {delivery['problem']!r}")
    elif claimed and (is_there or delivery["platform"] in {"banner", "manual"}):
        verdict.posted += 1
        verdict.platforms[delivery["platform"], "posted"] += 1
    elif delivery["state"] == "by_hand" or (delivery["state"] == "skipped" and is_there):
        verdict.posted += 1  # it waits for a person, as approved; or one has seen that it is there
    else:
        verdict.lost += 1
        verdict.wrong.append(f"{name}: {delivery['state']} ({delivery['problem']}), and there {is_there} times")


def _judge_order(verdict: Verdict, shown: dict[str, Any], state: dict[str, Any]) -> None:
    first = copies(shown, leader(shown), state)
    for pointer in (d for d in shown["deliveries"] if d["role"] == "pointer"):
        for post in copies(shown, pointer, state):
            if not first or post["at"] < first[0]["at"]:
                verdict.wrong.append(f"{pointer['destination']} was posted before the primary")
