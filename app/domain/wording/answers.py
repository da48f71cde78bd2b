"""The three questions of a reader, and where to look next: am I affected, what do I do, and if not; who says it, and when again.

They are asked of English texts. In another language the structured answers alone tell; what they lack is a hint, never a block.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from app.domain.announcement import Kind
from app.domain.wording.english import English, Sentence, clauses, pattern
from app.domain.wording.rule import Draft, Rule, Severity, Spot

_ASKED = frozenset({Kind.INITIAL, Kind.REPORT_ANSWER, Kind.SUMMARY})

_PEOPLE = (
    r"(?:user|customer|client|member|patient|holder|developer|merchant|trader|subscriber|reader|visitor|owner|operator|account|wallet|device|project"
    r"|machine|server|person|student|passenger|guest|employee|partner|maintainer|team|organi[sz]ation|administrator|admin|depositor|seller|buyer"
    r"|donor|player|staker|validator|node|store|shop|site|tenant|workspace|installation|instance|everybody|repository|vault|pool|key|card|order)s?"
)
_IDLE_IF = r"(?!(?:can|could|need|want|wish|would|have (?:any |further |more )?(?:questions?|doubts?|concerns?|information)|are unsure|like|think|see|hear|know)\b)"
_AFFECTED = r"(?:affected|impacted|at risk|exposed|vulnerable|compromised|in danger|unaffected|safe|fine)"
_DO = (
    r"(?:move|transfer|withdraw|send|revoke|remove|uninstall|delete|disable|update|upgrade|install|rotate|change|reset|freeze|block|cancel|call|contact|check"
    r"|verify|review|sign|log|disconnect|unplug|stop|treat|assume|create|use|switch|scan|follow|report|turn|enable|close|rebuild|reinstall|restart|replace"
    r"|regenerate|reissue|re-?generate|roll|pin|downgrade|patch|lock|pause|restore|run|download|back|monitor|watch|inform|forward|discard|wait|enter|connect"
    r"|reply|type|confirm|submit|open|visit|go|set|clear|take|put|get|make|clean|compare|migrate|redeploy|re-?deploy|retry|re-?try|repeat|renew|unlink|unstake"
    r"|exit|shut|power|isolate|mute|ask|tell|write|e-?mail|read|see|apply|add|search|look|find|audit|invalidate|terminate|end|expire|destroy|wipe|format"
    r"|erase|factory|import|export|claim|exchange|return|throw|ignore|quit|leave|unsubscribe|reboot|refresh|reload|try|generate|swap|sweep|sell|redeem|repay)"
)
_WHO = pattern(
    rf"if (?:you|your|you're|you've|any of your|anyone|someone|the|its|an?) ?{_IDLE_IF}[\w' -]+",
    r"whether you(?:r \w+)? (?:are|is|were|was|have)",
    rf"(?:every|any|all|those|only|people|{_PEOPLE})(?:one|body)?(?: (?:of|the|our|your|other))* ?(?:{_PEOPLE})? ?(?:who|whose|that|which|with|using|running|of|on|in"
    r"|without|between|since|before|after|from)\b.*",
    rf"(?:you|everyone|everybody|nobody|no one|no (?:other )?{_PEOPLE}|all (?:of )?(?:our |your )?{_PEOPLE}|only [\w ]{{1,80}}|we|versions? [\w. ,-]{{1,80}}|v?\d+\.[\w.]+(?: \w+){{0,4}})"
    rf" (?:is|are|was|were|may be|might be|could be|can be)(?: \w+)? {_AFFECTED}",
    rf"(?:[A-Z][\w.-]{{1,40}} ){{1,6}}(?:{_PEOPLE} )?(?:is|are|was|were) (?:not |now )?(?:affected|impacted|vulnerable|unaffected)",
    r"(?:this|it|that|the \w+(?: \w+)?)(?: only)? (?:affects|impacts|concerns)(?! (?:some|certain|a few|many|our|us|the)\b)[\w ]+",
    r"(?:do not|don't|cannot|can't) (?:yet )?(?:know|say|tell|confirm)(?: yet| for certain| exactly)? (?:who|which|whether|how many|if)",
    r"(?:not (?:yet )?known|unknown|unclear|too early to (?:say|tell)|finding out|working out|determin\w+|establish\w*|investigat\w+)(?: yet)?,? (?:who|which \w+)(?: \w+)? (?:is|are|was|were)",
    r"assume (?:that )?(?:you|your|all|every\w*)",
    r"affected(?: \w+)?:",
    rf"(?:all|every|each)(?: of)?(?: our| the)? ?{_PEOPLE}(?: \w+)? (?:must|should|need|have to|are asked|please|can|may)",
    rf"(?:all|every|each)(?: of)?(?: our| the)? ?{_PEOPLE} (?:to )?{_DO}",
    rf"{_PEOPLE} (?:created|opened|issued|registered|made|bought|installed|downloaded|deployed|enrolled|ordered|launched|built|published|signed up)",
    r"(?:everyone|everybody|anyone|all of you)(?: \w+)? (?:must|should|needs?|has to|is asked|please)",
)
_A_QUESTION = re.compile(
    r"^(?!\W*(?:what|why|how|when|where|who|which|need|questions?|want|any questions)\b)(?=.*\b(?:you|your|yours)\b).*\?$|^[A-Z]\w+ed\b.*\?$",
    re.I,
)

_LEAD = (
    r"(?:^|[,:(]|\b(?:please|kindly|then|and|or|now|immediately|first|next|also|simply|you|should|must|can|to)(?: (?:also|now|immediately|at once|first|either|still|should"
    r"|must|need to|have to|can|may|may want to|ought to|are advised to|are asked to))*)\s*"
)
_ACT = re.compile(rf"{_LEAD}\b{_DO}\b(?!\s*:)(?!-)", re.I)
_NO_ACT = pattern(
    r"(?:follow|watch|check|see|visit|read|go to|use|find|get)(?: (?:us|our|this|the|here|https?://\S*|@\w+|on|official|account|page|channel|status|\w+)){0,6} (?:for|to (?:get|see|hear|receive)) (?:\w+ )?(?:updates?|news|information|details)",
    r"(?:to|can|will|could|would|us) (?:see|look|find|check|determine|investigate|use)\b",
    r"(?:we|they|attackers?|it|which|who)(?: \w+)? (?:can|will|must|should|are|have)[\w' ]*",
)
_NOT = pattern(
    r"do not|don't|never|must not|should not|shouldn't|mustn't|cannot|can't|avoid|refrain|no need to|need not|not to|without|nothing|stay (?:off|away)|keep away"
)
_NOTHING_TO_DO = pattern(
    r"nothing (?:that )?(?:you|they|anyone|else)? ?(?:need|needs|have|has|must|can|for you)?(?: \w+)? ?(?:to do|do)",
    r"no (?:further )?(?:action|steps?)(?: \w+){0,3} (?:needed|required|necessary)",
    r"(?:you|affected \w+|they) (?:do not|don't|need not|need) (?:need to |have to )?do (?:anything|nothing)",
    r"you need to do nothing",
    r"we (?:will|'ll|are going to|have) [\w, ]{0,120}(?:for you|on your behalf|(?:contact|e-?mail|notify|refund|reimburse|call|write to)(?:ed)? (?:you|every|all|each|affected|them))",
)
_ADVICE = pattern(
    rf"(?:recommend|advise|suggest|urge|ask|encourage)\w*(?: that)?(?: you| users| everyone| customers| anyone| affected \w+| all \w+)?(?: to)? (?:{_DO}|\w+ing)\b[\w ]*",
    r"(?:should|must|needs? to|has to|have to|ought to) be (?:re)?\w+(?:ed|n|t)",
    r"(?:make|be) sure (?:to|that|you)",
    r"you(?:'ll| will)(?: \w+)? (?:be asked|be prompted|need|have) to",
)
_UNKNOWN = pattern(
    r"(?:do not|don't|cannot|can't) (?:yet )?(?:know|say|tell|confirm)(?: yet| for certain| exactly)? (?:who|which|whether|how many|if)",
    r"(?:not (?:yet )?known|unknown|unclear|too early to (?:say|tell))",
)
_TIME = re.compile(
    r"\b\d{1,2}[:.h]\d{2}\b|\b\d{1,2} ?(?:am|pm|a\.m\.|p\.m\.|h|utc|gmt|o'clock)\b|\b(?:noon|midnight|tonight|tomorrow|hourly|daily|monday|tuesday|wednesday|thursday"
    r"|friday|saturday|sunday)\b|\b(?:within|in|every) (?:the |an? |one |two |three |half |next |\d+ ?)*(?:hours?|minutes?|mins?|days?|h)\b|\b\d{1,2} (?:january|february|march"
    r"|april|may|june|july|august|september|october|november|december)\b",
    re.I,
)
_NEXT = pattern(r"updates?|next|again|news|more|report back|hear from us|(?:post|tell|inform|write|share|publish|announce)\w*")
_SOURCE = re.compile(
    r"\b(?:updates?|news|more|information|details|announce\w*|post\w*|inform\w*|tell you|say)\b[^.!?\n]{0,80}?\b(?:here|only|this (?:account|channel|page|thread|post)|https?://|our \w+(?: \w+)?"
    r" (?:page|account|channel|blog)|status page)|(?:\bhere\b|\bthis (?:account|channel|page|thread)\b|https?://\S*|\bstatus page\b)[^.!?\n]{0,60}\b(?:updates?|news)\b",
    re.I,
)
_UNAFFECTED = (
    r"(?:not|never|un|n't)[ -]?(?:\w+ )?(?:affected|impacted|at risk|touched|exposed|vulnerable|involved)", "unaffected", r"(?:everyone|everybody|anyone|all) (?:else|other)",
    r"if (?:you )?(?:did|do|have|are|were)(?: not|n't)", "if not", r"if you (?:\w+ )?only", "only if", r"(?:is|are|you're) (?:fine|safe|ok|okay)", r"need not", "otherwise",
)  # fmt: skip
_OUTRIGHT = pattern(*_UNAFFECTED)
_OTHERS = pattern(*_UNAFFECTED, "others?", r"do not|don't|stay (?:off|away)|keep away|keep using|nothing to do|no action")


def says_who(english: English, part: str | None = None) -> bool:
    """Whether a reader can tell from the text, or from one sentence of it, who is affected."""
    if part is not None:
        return bool(_WHO.search(part) or _A_QUESTION.search(part))
    return any(says_who(english, sentence.text) for sentence in english.sentences)


def says_what_to_do(english: English) -> bool:
    """Whether an affected reader is told what to do now, or that nothing can or need be done."""
    if english.has(_NOTHING_TO_DO) or english.has(_ADVICE):
        return True
    if any(_acts(clause) for sentence in english.sentences for clause in clauses(sentence)):
        return True
    meanwhile = _UNKNOWN.sub("", english.prose)
    return meanwhile != english.prose and (bool(_NOT.search(meanwhile)) or english.with_both(_NEXT, _TIME))


def names_others(english: English, *, outright: bool = False) -> bool:
    """Whether something is said to those who are not affected; not `outright`, what nobody shall do is enough."""
    return english.has(_OUTRIGHT if outright else _OTHERS)


def _acts(clause: Sentence) -> bool:
    text = _NO_ACT.sub(lambda found: "#" * len(found[0]), clause.text)
    for found in _ACT.finditer(text.strip()):
        before = text.strip()[: found.end()]
        denied = list(_NOT.finditer(before))
        if not denied:
            return True
        since = before[denied[-1].end() :]
        if "," in since and " or " not in text[len(before) - len(since) :] and not re.search(r"\bor\b", since):
            return True
    return False


def _missing(draft: Draft, answer: str, said: bool, told: str) -> Iterator[Spot]:
    """The finding that something is missing: milder where the structured answer is filled or the language is not known."""
    end = len(draft.text)
    if draft.english is None:
        if not answer:
            yield Spot(end, end, f"{told} (The checks do not know this language: fill in the answer.)", severity="info")
    elif not said:
        severity: Severity | None = "warn" if answer else None
        yield Spot(end, end, f"{told} The answer beside the text says it, the text does not." if answer else told, severity=severity)


def _affected_missing(draft: Draft) -> Iterator[Spot]:
    said = draft.english is not None and says_who(draft.english)
    yield from _missing(
        draft, draft.answers.affected, said, "A reader cannot tell whether they are affected. Say who is, or how to find out."
    )


def _action_missing(draft: Draft) -> Iterator[Spot]:
    said = draft.english is not None and says_what_to_do(draft.english)
    told = "Whoever is affected is not told what to do now. Say it; if nothing can be done, say that."
    yield from _missing(draft, draft.answers.if_affected, said, told)


def _unaffected_missing(draft: Draft) -> Iterator[Spot]:
    said = draft.english is not None and names_others(draft.english)
    yield from _missing(
        draft, draft.answers.if_not_affected, said, "Nothing is said to those who are not affected: who they are, what to do or leave."
    )


def _affected_not_first(draft: Draft) -> Iterator[Spot]:
    english = draft.english
    for sentence in english.sentences if english else ():
        words = re.findall(r"\w+", sentence.text)
        if len(words) <= 3:
            continue
        if english and not says_who(english, sentence.text) and not _acts(sentence) and not _NOT.match(sentence.text):
            yield Spot(sentence.start, sentence.end, "This comes before who is affected. Begin with who is, and what they do.")
        return


def _single_source_missing(draft: Draft) -> Iterator[Spot]:
    if draft.english and not draft.english.has(_SOURCE):
        yield Spot(len(draft.text), len(draft.text), "Readers do not learn where further updates will be. Say it: “Updates only here.”")


def _next_update_missing(draft: Draft) -> Iterator[Spot]:
    if draft.english and not draft.english.with_both(_NEXT, _TIME):
        yield Spot(
            len(draft.text), len(draft.text), "Readers do not learn when to look again. Give the time of the next update, with its zone."
        )


def _product_unnamed(draft: Draft) -> Iterator[Spot]:
    products, affected = draft.known.products, draft.known.affected_products
    if len(products) > 1 and affected and not any(product.casefold() in draft.text.casefold() for product in affected):
        yield Spot(len(draft.text), len(draft.text), f"You have several products, and the text names none of these: {', '.join(affected)}.")


_GUIDE = "guide to crisis communication of security incidents: who, what now, what not, where next"

AFFECTED_MISSING = Rule(
    "affected-missing", "block", "A reader cannot tell who is affected, nor how to find out.", _GUIDE,
    "Move your funds to a new wallet now.", "If you used Example Web today, move your funds to a new wallet now.",
    _affected_missing, _ASKED, whole=True,
)  # fmt: skip
ACTION_MISSING = Rule(
    "action-missing", "block", "An affected reader is not told what to do now; what not to do is not enough.", _GUIDE,
    "If you used Example Web today, you may be affected.", "If you used Example Web today, move your funds to a new wallet now.",
    _action_missing, _ASKED, whole=True,
)  # fmt: skip
UNAFFECTED_MISSING = Rule(
    "unaffected-missing", "warn", "Nothing is said to those who are not affected.", _GUIDE,
    "If you used Example Web, change your password.", "If you used Example Web, change your password. Everyone else is not affected.",
    _unaffected_missing, frozenset({Kind.INITIAL, Kind.REPORT_ANSWER}), whole=True,
)  # fmt: skip
AFFECTED_NOT_FIRST = Rule(
    "affected-not-first", "warn", "The first sentence tells what happened, before who is affected.", _GUIDE,
    "Attackers took over our site. If you used it, change your password.", "If you used our site today, change your password.",
    _affected_not_first, frozenset({Kind.INITIAL}), whole=True,
)  # fmt: skip
SINGLE_SOURCE_MISSING = Rule(
    "single-source-missing", "warn", "It does not say where further updates will be.", _GUIDE,
    "If you used Example Web, change your password.", "If you used Example Web, change your password. Updates only here.",
    _single_source_missing, frozenset({Kind.INITIAL}), whole=True,
)  # fmt: skip
NEXT_UPDATE_MISSING = Rule(
    "next-update-missing", "warn", "There is no time of the next update.", _GUIDE,
    "We will keep you informed.", "The next update is here at 10:30 UTC.",
    _next_update_missing, frozenset({Kind.INITIAL, Kind.UPDATE}), whole=True,
)  # fmt: skip
PRODUCT_UNNAMED = Rule(
    "product-unnamed", "warn", "The company has several products and the text names none of the affected ones.", _GUIDE,
    "There is a problem with our app.", "There is a problem with Example Web.",
    _product_unnamed, frozenset(Kind) - {Kind.HELP, Kind.CORRECTION}, whole=True,
)  # fmt: skip
RULES = (
    AFFECTED_MISSING,
    ACTION_MISSING,
    UNAFFECTED_MISSING,
    AFFECTED_NOT_FIRST,
    SINGLE_SOURCE_MISSING,
    NEXT_UPDATE_MISSING,
    PRODUCT_UNNAMED,
)
