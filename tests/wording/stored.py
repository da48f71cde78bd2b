"""The texts beside this file: `notices.yaml`, well-written messages that nothing may block; `incidents.yaml`, first messages in pieces; `messages.yaml`, in many voices."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from app.domain.wording import Known
from app.domain.wording.cases import Case

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Incident:
    """A first message in four pieces, with `{product}` and `{site}` where the names stand."""

    id: str
    who: str
    act: str
    others: str
    next: str


@dataclass(frozen=True, slots=True)
class Names:
    """What an incident is about: names that may be swapped for any others of their kind."""

    product: str
    site: str
    bad: str

    def fill(self, text: str) -> str:
        """The text with these names."""
        return text.replace("{product}", self.product).replace("{site}", self.site).replace("{bad}", self.bad)

    def known(self) -> Known:
        """What the checks know of the incident."""
        return Known((self.product,), (self.product,), (self.site,), (self.bad,), (f"help.{self.site}",))


def notices() -> list[Case]:
    """Every notice, as a labelled message."""
    return [Case.parse(entry) for entry in yaml.safe_load((HERE / "notices.yaml").read_text("utf-8"))]


def incidents() -> list[Incident]:
    """Every incident."""
    return [Incident(**entry) for entry in yaml.safe_load((HERE / "incidents.yaml").read_text("utf-8"))]


def messages() -> dict[str, list[str]]:
    """Messages of one company: `good` ones, `warnings`, and those that one rule blocks, by its id."""
    listed: dict[str, list[str]] = yaml.safe_load((HERE / "messages.yaml").read_text("utf-8"))
    return listed
