"""The end of a rehearsal: its result as data, the verdict from the stand-ins' own record, and the table for a person."""

from __future__ import annotations

from typing import Any

_STAND_IN = {"discord_webhook": "discord", "email": "smtp"}


def result(shown: dict[str, Any], banner: dict[str, Any], incident: dict[str, Any]) -> dict[str, Any]:
    """What `tocsin rehearse --json` prints."""
    return {
        "announcement": {"id": shown["id"], "state": shown["state"], "digest": shown["digest"]},
        "approvals": [{"person": a["person"], "decision": a["decision"], "key": a["key"]} for a in shown["approvals"]],
        "deliveries": [
            {
                "destination": d["destination"],
                "platform": d["platform"],
                "role": d["role"],
                "state": d["state"],
                "remote_id": d["remote_id"],
                "permalink": d["permalink"],
                "seconds_from_approval": d["seconds_from_approval"],
                "read_back": d["read_back"],
                "text": _approved_text(shown, d),
            }
            for d in shown["deliveries"]
        ],
        "banner": banner,
        "follow_ups": [{k: f[k] for k in ("kind", "opens", "closes", "state")} for f in incident["follow_ups"]],
    }


def judge(result: dict[str, Any], state: dict[str, Any]) -> bool:
    """Whether each post is with its stand-in exactly once as approved, was seen where it can be, and the banner shows."""
    for delivery in result["deliveries"]:
        held = state.get(_STAND_IN.get(delivery["platform"], delivery["platform"]))
        if held is not None and not _once(held, delivery):
            return False
        if delivery["state"] != "posted" or delivery["read_back"] not in {"seen", "not_possible"}:
            return False
    return bool(result["announcement"]["state"] == "sent" and result["banner"].get("active") and result["follow_ups"])


def table(result: dict[str, Any], matched: bool) -> None:
    """A readable end on stdout."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    grid = Table(title=f"{result['announcement']['id']} · {result['announcement']['state']}", title_justify="left")
    for name in ("Destination", "Got", "Permalink", "After approval", "Read back"):
        grid.add_column(name, overflow="fold")
    for d in result["deliveries"]:
        got = {"pointer": "a pointer", "banner": "the text", "internal": "the text"}.get(d["role"], "the full text")
        seconds = "" if d["seconds_from_approval"] is None else f"{d['seconds_from_approval']:.2f} s"
        grid.add_row(d["destination"], got if d["state"] == "posted" else d["state"], d["permalink"] or "-", seconds, d["read_back"] or "-")
    console.print(grid)
    banner = result["banner"]
    console.print(f"Banner: {'shown until ' + banner['expires_at'] if banner.get('active') else 'empty'}")
    for f in result["follow_ups"]:
        console.print(f"Follow-up {f['kind']}: {f['state']}, from {f['opens']} to {f['closes']}")
    console.print("[green]Every post is there once, as approved." if matched else "[red]Not every post is there as approved.")


def _approved_text(shown: dict[str, Any], delivery: dict[str, Any]) -> str:
    rendering = next(r for r in shown["renderings"] if r["destination"] == delivery["destination"] and r["role"] == delivery["role"])
    primary = next((d["permalink"] for d in shown["deliveries"] if d["role"] == "primary"), "") or ""
    return str(rendering["parts"][0]["text"]).replace("{{permalink}}", primary)


def _once(held: list[dict[str, Any]], delivery: dict[str, Any]) -> bool:
    """Whether the account holds one post of that text; a mail has no permalink, and the team gets others besides."""
    mine = [p for p in held if not delivery["permalink"] or p["permalink"].rsplit("/", 2)[:-1] == delivery["permalink"].rsplit("/", 2)[:-1]]
    return sum(_holds(post, delivery["text"]) for post in mine) == 1


def _holds(post: dict[str, Any], text: str) -> bool:
    return " ".join(post["text"].split()) == " ".join(text.split())
