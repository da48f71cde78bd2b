"""The end of a rehearsal: its result as data, the verdict from the stand-ins' own record, and the table for a person."""

from __future__ import annotations

from typing import Any

_STAND_IN = {"discord_webhook": "discord", "email": "smtp"}
_SHOWN = ("destination", "platform", "role", "state", "remote_id", "permalink", "seconds_from_approval", "read_back")


def result(shown: dict[str, Any], banner: dict[str, Any], incident: dict[str, Any]) -> dict[str, Any]:
    """What `tocsin rehearse --json` prints. `shown` is the announcement, `incident` its incident, as the API shows them."""
    return {
        "announcement": {"id": shown["id"], "state": shown["state"], "digest": shown["digest"]},
        "approvals": [{"person": a["person"], "decision": a["decision"], "key": a["key"]} for a in shown["approvals"]],
        "deliveries": [{name: d[name] for name in _SHOWN} for d in shown["deliveries"]],
        "banner": banner,
        "follow_ups": [{k: f[k] for k in ("kind", "opens", "closes", "state")} for f in incident["follow_ups"]],
    }


def judge(told: dict[str, Any], shown: dict[str, Any], state: dict[str, Any]) -> bool:
    """Whether each post is with its stand-in exactly once as approved, was seen where it can be, and the banner shows."""
    return bool(
        told["announcement"]["state"] == "sent"
        and told["banner"].get("active")
        and told["follow_ups"]
        and all(d["state"] == "posted" and d["read_back"] in {"seen", "not_possible"} for d in told["deliveries"])
        and all(_once(d, _approved_text(shown, d), state) for d in told["deliveries"])
    )


def table(told: dict[str, Any], matched: bool) -> None:
    """A readable end on stdout."""
    from rich.console import Console
    from rich.table import Table

    console = Console(markup=False, highlight=False, soft_wrap=True)
    grid = Table(title=f"Announcement {told['announcement']['id']}: {told['announcement']['state']}", title_justify="left")
    for name in ("Destination", "Got", "After approval", "Read back"):
        grid.add_column(name)
    for d in told["deliveries"]:
        got = {"pointer": "a pointer", "banner": "the text", "internal": "the text"}.get(d["role"], "the full text")
        seconds = "" if d["seconds_from_approval"] is None else f"{d['seconds_from_approval']:.2f} s"
        grid.add_row(d["destination"], got if d["state"] == "posted" else d["state"], seconds, (d["read_back"] or "-").replace("_", " "))
    console.print(grid)
    for d in told["deliveries"]:
        console.print(f"{d['destination']:16} {d['permalink'] or 'has no permalink'}")
    banner = told["banner"]
    console.print(f"\nBanner: {'shown until ' + _minute(banner['expires_at']) if banner.get('active') else 'empty'}")
    for f in told["follow_ups"]:
        console.print(f"Follow-up {f['kind']}: {f['state']}, from {_minute(f['opens'])} to {_minute(f['closes'])}")
    verdict = "Every post is there once, as approved." if matched else "Not every post is there as approved."
    console.print(f"\n{verdict}", style="green" if matched else "red")


def _minute(moment: str) -> str:
    return moment[:16].replace("T", " ") + " UTC"


def _approved_text(shown: dict[str, Any], delivery: dict[str, Any]) -> str:
    from app.cli.posts import said

    return said(shown, delivery)[0]["text"]


def _once(delivery: dict[str, Any], text: str, state: dict[str, Any]) -> bool:
    """Whether the account holds one post of that text; a mail has no permalink, and the team gets others besides."""
    held = state.get(_STAND_IN.get(delivery["platform"], delivery["platform"]))
    if held is None:
        return True  # no stand-in: the banner is our own, and what a person posts by hand nobody can count
    place = (delivery["permalink"] or "").rsplit("/", 2)[:-1]
    mine = [post for post in held if not delivery["permalink"] or post["permalink"].rsplit("/", 2)[:-1] == place]
    return sum(" ".join(post["text"].split()) == " ".join(text.split()) for post in mine) == 1
