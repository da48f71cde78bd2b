"""Whether a text in English tells where more will be said, and when.

A sentence tells it, or a heading or question with the line that answers it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from app.domain.wording.english import English, pattern

_DAYS = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_MONTHS = r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
TIME = re.compile(
    r"\b\d{1,2}[:.h]\d{2}(?!\d)|\b\d{1,2} ?(?:am|pm|h|utc|gmt|o'clock)\b|\b[0-2]\d[0-5]\d ?(?:utc|gmt|z)\b|\b\d{1,2} ?[ap]\.m\.|\b(?:noon|midnight|tonight|tomorrow|tmrw|hourly|daily)\b"
    rf"|\b{_DAYS}\b|\b(?:within|in|every) (?:the |an? |one |two |three |half |next |\d+ ?)*(?:hours?|minutes?|mins?|days?|h)\b"
    rf"|\b\d{{1,2}}(?:st|nd|rd|th)? {_MONTHS}\b|\b{_MONTHS} \d{{1,2}}\b",
    re.I,
)
_SPEAK = r"(?:post|tell|inform|write|share|publish|announce|say|report|answer|mail|e-?mail|speak|update|note|explain|add|put|edit|ping|revert|toot|tweet|talk|comment|message|return|check in|know more|have more|name|come back|be in touch|be back|keep (?:you )?(?:posted|informed|updated))\w*"
NEXT = pattern(
    r"updates?", r"follow-?ups?", r"news", r"bulletins?", r"next(?! to\b)", r"more(?! than\b)", r"report back", r"hear (?:from us|more)", r"(?:is|are|be|we're|^\W*) ?back (?:in|here|on|at|with)",
    rf"(?:we|i|we'll|i'll|will|the \w+|to)(?: (?:all|only|also|then|next|first|here|will|shall|can|are|am|going|to|it|this)){{0,3}} {_SPEAK}", r"when:", r"renewed", r"up to date", r"again (?:at|on|by|here|in|before|within|every)",
    r"(?:will be|is|are) (?:revised|refreshed|extended)", r"first (?:at|on|by)", r"(?:new|fresh|further) (?:comment|entry|note|information|word)", r"(?:when|where) (?:we|i)(?:'ll| will)? \w+", r"(?:there )?(?:comes|follows) an? \w+", r"new comment", r"expect (?:the|an?|more|our)", r"(?:keep|keeping) you (?:posted|informed|updated)", r"statement",
)  # fmt: skip
"""Words for what is said next."""

_PLACE = re.compile(
    r"\bhere\b|\b(?:this|our|the|same|that|pinned|official)(?: [\w-]+){0,2} (?:accounts?|channels?|pages?|threads?|posts?|lists?|forum|blog|place|app|feed|topic|server|site|website|issues?|dashboard|group|boards?|screens?|chat|discussions?|newsletter|room|magazine|foyer"
    r"|mailbox|inbox|list)\b|\bstatus page\b|\bin the (?:\w+ )?app\b|\bby (?:e-?mail|mail|letter|text|sms)\b|https?://|(?<!\w)x{4,}(?!\w)|(?<!\w)@\w{2,}|\bis where we\b|(?<![\w&])#[a-z][\w-]+|\bthread (?:below|above)|\b(?:elsewhere|nowhere (?:else|online)|no other channel)\b"
    r"|\b(?:mail|e-?mail|write to) you\b|\bin your [\w &]{0,40}(?:mailbox|inbox|app|account)\b",
    re.I,
)
_SAYS_MORE = pattern(
    r"updates?", r"follow-?ups?", r"news", r"bulletins?", r"next(?! to\b)", r"more(?! than\b)", r"back (?:in|on|here|at|with)", r"here (?:again|only)", r"only here", r"threads?", r"(?:will be|is|are) (?:revised|refreshed|extended|kept)", r"progress", r"diary", r"(?:record|coordination|advisory|log)\b[^.!?\n]{0,40}\b(?:is|in|happens|at)", r"(?:new|fresh|further) (?:comment|entry|note|word)", r"write everything", r"new comment", r"(?:there )?(?:comes|follows) an? \w+", r"(?:when|where) (?:we|i)(?:'ll| will)? \w+", r"expect (?:the|an?|more|our)", r"up to date", r"information", r"details",
    rf"(?:we|i|we'll|i'll|will|shall|going to|only|place|where)(?: (?:we|all|only|also|then|next|first|here|will|shall|can|are|am|going|to|it|this|be)){{0,3}} {_SPEAK}", r"announce\w*", r"posts", r"hear (?:from us|more)", r"statements?", r"again on", r"the same goes (?:on|to)",
    r"(?:writing|putting|posting|tracking|keep(?:ing)?)\b[^.!?\n]{0,40}\b(?:up|posted|informed|here|in|on)", r"(?:where|when)(?: we)?(?:'ll| will)? ?be:", r"advisor(?:y|ies)", r"renewed", r"latest",
)  # fmt: skip
_HEADING = re.compile(r"[\w*]{1,4}[^.!\n]{0,60}[\w*?:]$")


def says_where_next(english: English) -> bool:
    """Whether readers learn where to look for what comes next."""
    return any(_PLACE.search(words) and (_SAYS_MORE.search(words) or (_alone(words) and TIME.search(words))) for words in _told(english))


def says_when_next(english: English) -> bool:
    """Whether readers learn when to look again."""
    return any(TIME.search(words) and (NEXT.search(words) or _alone(words)) for words in _told(english))


def _alone(words: str) -> bool:
    """Whether a time and a place are all there is: “03:45 UTC, status.example.com.”"""
    return len(words.split()) <= 4 and bool(_PLACE.search(words))


def _told(english: English) -> Iterator[str]:
    """The sentences, each heading or question together with what follows it."""
    before = ""
    for sentence in english.sentences:
        yield f"{before}{sentence.text}"
        before = f"{sentence.text} " if _HEADING.fullmatch(sentence.text) else ""
