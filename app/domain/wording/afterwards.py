"""What a resolution, a summary and a post-mortem have to say. Of English texts."""

from __future__ import annotations

import re
from collections.abc import Iterator

from app.domain.announcement import Kind
from app.domain.wording.english import pattern
from app.domain.wording.rule import Draft, Rule, Spot

_SAFE = pattern(
    r"safe(?:ly)?", r"secure", r"(?:used|relied on|visited|opened|filed|viewed) again", r"again be", r"without (?:risk|fear|worry)", r"(?:fine|ok|okay|good|clean) to", r"repaired", r"rebuilt", r"restored", r"(?:works?|working|runs?|running|available|usable|open|online|operational|back)(?: \w+){0,4} (?:again|normally|as usual|normal|fully|full speed)", r"back to normal",
    r"operational", r"resum\w+", r"can (?:now |again |once more )?(?:use|sign in|log in|deploy|visit|open|trade|pay|continue|update|install|\w+ again)", r"(?:is|are) (?:up|running|working|back|available)", r"as usual",
)  # fmt: skip
_FOLLOWS = pattern(
    r"(?:more|further|full|additional|next|detailed|complete)\b[^.!?\n]{0,50}\b(?:information|details?|updates?|reports?|post-?mortem|summary|news|analysis|account|here|follows?|share|tomorrow|blog)", r"post-?mortem", r"(?:summary|details|report|analysis|account|write-?up)(?: \w+){0,3} (?:follows?|will|is coming|soon)",
    r"we(?:'ll| will| are going to| plan to) (?:\w+ )?(?:publish|share|post|report|tell|write|release|explain)", r"(?:we|i)(?:'ll| will| are going to| plan to)? (?:\w+ )?(?:add|put)\b[^.!?\n]{0,40}\b(?:reports?|post-?mortem|it|write-?up|analysis|findings|here|page)",
    r"(?:full|technical|proper|detailed|public|final|longer|the|a) (?:\w+ )?(?:report|write-?up|analysis|findings|post-?mortem|review)\b[^.!?\n]{0,60}\b(?:by|on|in|from|until|within) [^.!?\n]{0,30}\d", r"more (?:on|by|at|in|from)", r"(?:goes|go|will be|drops?) (?:up|there|out)?\b[^.!?\n]{0,30}\d", r"(?:full|whole) (?:story|explanation|picture)", r"long(?:er)? (?:version|post|text|story|read)", r"we (?:publish|share|post|report) (?:the|a|our|it|more)", r"report\b[^.!?\n]{0,40}\b(?:promise|to|till) [^.!?\n]{0,20}\d", r"follows? (?:here|tomorrow|soon|within|on|in|by)", r"(?:read|see|find) (?:more|the full|all)",
)  # fmt: skip
_HELP = pattern(
    r"help",
    r"support",
    r"contact(?: us)?",
    r"questions?",
    r"(?:reach|write to|call|e-?mail|ask|message) us",
    r"hotline",
    r"get in touch",
    r"help desk",
    r"(?:write|mail|e-?mail|reply|ring|phone|talk|come) to \S+",
    r"(?:ask|post|write) (?:at|in|on|under)",
    r"(?:open|file|raise) an? (?:\w+ )?(?:ticket|issue|case|claim)",
    r"(?:stuck|trouble|problems?|doubts?|still \w+|worried|lost something)\?",
    r"need (?:a hand|anything)",
    r"any (?:worr\w+|doubts?|trouble)",
    r"front desk",
    r"ask your",
)
_PARTS = {
    "how it was found": pattern(r"found", r"notic\w+", r"discover\w*", r"detect\w*", r"alert(?:s|ed)?", r"reported", r"monitoring", r"spotted", r"identified", r"learn(?:ed|t)", r"became aware", r"told us"),
    "responsibility": pattern(r"responsib(?:le|ility) (?:for|is ours)", r"we (?:are|were)(?: \w+)? responsible", r"(?:take|takes|took|accept|bear)(?: \w+)? responsibility", r"our (?:own )?(?:fault|mistake|error|failure|bug)", r"we (?:should have|failed|got \w+ wrong|own|let you down)", r"apolog\w+", r"sorry"),
    "technical details": pattern(r"technical", r"root cause", r"caused by", r"vulnerab\w+", r"exploit\w*", r"due to", r"bug", r"flaw", r"misconfig\w+", r"how it happened", r"because (?:an?|the|one|of)", r"CVE-\d+-\d+"),
    "prevention": pattern(r"prevent\w*", r"from now on", r"we now", r"in (?:the )?future", r"so that [^.!?]{0,200} again", r"we (?:have |will )?(?:since )?(?:add\w*|introduc\w+|requir\w+|chang\w+)", r"measures", r"improv\w+", r"lessons?"),
    "how to disclose responsibly": pattern(r"disclos\w+", r"bug bounty", r"report (?:\w+ ){0,3}(?:vulnerabilit\w+|issues?|bugs?|problems?|flaws?|findings?)(?: \w+)* (?:to|at|via|through|under)?", r"security\.txt", r"security@\S+"),
}  # fmt: skip


def _lacks(draft: Draft, wanted: re.Pattern[str], told: str) -> Iterator[Spot]:
    if draft.english and not draft.english.has(wanted):
        yield Spot(len(draft.text), len(draft.text), told)


def _safe_now_missing(draft: Draft) -> Iterator[Spot]:
    return _lacks(draft, _SAFE, "It does not say what is safe again, and since when. Say it.")


def _further_info_missing(draft: Draft) -> Iterator[Spot]:
    return _lacks(draft, _FOLLOWS, "It does not say when or where more information follows. Say it.")


def _support_missing(draft: Draft) -> Iterator[Spot]:
    return _lacks(draft, _HELP, "There is no place to get help. Name one that exists.")


def _postmortem_part_missing(draft: Draft) -> Iterator[Spot]:
    lacking = [part for part, words in _PARTS.items() if draft.english and not words.search(draft.text)]
    if lacking:
        yield Spot(len(draft.text), len(draft.text), f"A post-mortem is read for years. This one lacks: {', '.join(lacking)}.")


_GUIDE = "guide to crisis communication of security incidents: what a resolution, a summary and a post-mortem hold"
_BOTH = frozenset({Kind.RESOLUTION, Kind.SUMMARY})

SAFE_NOW_MISSING = Rule(
    "safe-now-missing", "warn", "It does not say what is safe again.", _GUIDE,
    "This is fixed now.", "Resolved: Example Web is safe to use again.", _safe_now_missing, _BOTH, whole=True,
)  # fmt: skip
FURTHER_INFO_MISSING = Rule(
    "further-info-missing", "warn", "It does not say when or where more information follows.", _GUIDE,
    "This is fixed now.", "We will publish more here tomorrow.", _further_info_missing, _BOTH, whole=True,
)  # fmt: skip
SUPPORT_MISSING = Rule(
    "support-missing", "warn", "It names no place to get help.", _GUIDE,
    "It is over.", "Need help? https://help.example.com", _support_missing, frozenset({Kind.SUMMARY}), whole=True,
)  # fmt: skip
POSTMORTEM_PART_MISSING = Rule(
    "postmortem-part-missing", "warn", "It lacks how it was found, responsibility, technical details, prevention, or how to disclose responsibly.", _GUIDE,
    "It is over now.", "A user told us. We are responsible: a bug let it in. We now review twice. Report issues to security@example.com.",
    _postmortem_part_missing, frozenset({Kind.POSTMORTEM}), whole=True,
)  # fmt: skip
RULES = (SAFE_NOW_MISSING, FURTHER_INFO_MISSING, SUPPORT_MISSING, POSTMORTEM_PART_MISSING)
