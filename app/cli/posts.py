"""What each delivery says, from an announcement as the API shows it; who leads may have changed since it was approved."""

from __future__ import annotations

from typing import Any

from adapters.contract import PERMALINK_SLOT


def reference(shown: dict[str, Any]) -> str:
    """The permalink of the full text that leads, to which all others point; "" while there is none."""
    leads = shown["primaries"]["leads"]
    found = (d["permalink"] for d in shown["deliveries"] if (d["destination"], d["role"]) == (leads, "primary"))
    return str(next(found, "") or "")


def said(shown: dict[str, Any], delivery: dict[str, Any]) -> list[dict[str, str]]:
    """The parts of a delivery in its role of now, the slot of a pointer filled as soon as it can be."""
    mine = [rendering for rendering in shown["renderings"] if rendering["destination"] == delivery["destination"]]
    forms = [*mine, *(rendering["otherwise"] for rendering in mine if rendering["otherwise"])]
    parts: list[dict[str, str]] = next((form["parts"] for form in forms if form["role"] == delivery["role"]), [])
    link = reference(shown) or PERMALINK_SLOT
    return [{name: str(text).replace(PERMALINK_SLOT, link) for name, text in part.items()} for part in parts]
