"""From one canonical text to what each role says; the platform's own form is then the adapter's `render`.

What must not be clickable is broken here (`app.domain.wording.unlinked`), in text and title, so that every adapter gets it broken.

A pointer says, in one line, who is affected and what to do; where the full text and all further updates are; and that this
destination is not monitored for now. It holds one slot, filled with the permalink after the primary has posted.
"""

from __future__ import annotations

import re

from adapters.contract import DRILL_MARK, PERMALINK_SLOT, Message, Role
from app.domain.announcement import Answers, Kind, Override
from app.domain.incident import Facts
from app.domain.phrases import phrases
from app.domain.wording.rule import Known
from app.domain.wording.unlinked import unlinked


def title(kind: Kind, facts: Facts, language: str = "") -> str:
    """One line for platforms and mails that have a title."""
    return f"{phrases(language).titles[kind]}: {facts.name}"


def sentence(text: str) -> str:
    """The same words on one line, closed like a sentence."""
    line = re.sub(r"\s+", " ", text).strip()
    return line if not line or line[-1] in ".!?…。！？" else line + "."


def one_line(kind: Kind, facts: Facts, answers: Answers, language: str = "") -> str:
    """Who is affected and what to do, for a reader who never clicks; the incident's title where no answer was given."""
    told = " ".join(filter(None, (sentence(answers.affected), sentence(answers.if_affected))))
    return told or sentence(title(kind, facts, language))


def pointer_text(kind: Kind, facts: Facts, answers: Answers, monitored: bool = False, language: str = "") -> str:
    """The text of a pointer, with the slot in place."""
    fixed = phrases(language)
    lines = [one_line(kind, facts, answers, language), f"{fixed.full_text} {PERMALINK_SLOT}"]
    if not monitored:
        lines.append(fixed.not_monitored)
    return "\n\n".join(lines)


def message(
    role: Role,
    kind: Kind,
    facts: Facts,
    answers: Answers,
    text: str,
    *,
    drill: bool,
    monitored: bool = False,
    language: str = "",
    overrides: tuple[Override, ...] = (),
    names: bool = True,
) -> Message:
    """What a destination of that role is to say. In a drill every text begins with its mark (Hawaii, 2018).

    Links that an override names stay; `names` says whether the platform makes links of bare names (`Limits.links_names`).
    """
    body = pointer_text(kind, facts, answers, monitored, language) if role is Role.POINTER else text
    mark, known = DRILL_MARK if drill else "", Known.of(facts)
    said, called = (unlinked(words, known, kind, overrides, names=names) for words in (body, title(kind, facts, language)))
    return Message(text=mark + said, title=mark + called, drill=drill)
