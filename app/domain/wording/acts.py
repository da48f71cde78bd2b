"""What a text in English asks its readers to do: an act, advice, a command with any verb; or that nothing need be done.

Read generously, for a rule that blocks fires where nothing in the text could be an answer. What is said to those who are not affected is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from app.domain.wording.dictionary import may_be_verb
from app.domain.wording.english import FUNCTION_WORDS, English, Sentence, clauses, pattern
from app.domain.wording.news import says_when_next

DO = (
    r"(?:move|transfer|withdraw|send|revoke|remove|uninstall|delete|disable|update|upgrade|install|rotate|change|reset|freeze|block|cancel|call|contact|check"
    r"|verify|review|sign|log|disconnect|unplug|stop|treat|assume|create|use|switch|scan|follow|report|turn|enable|close|rebuild|reinstall|restart|replace"
    r"|regenerate|reissue|re-?generate|roll|pin|downgrade|patch|lock|pause|restore|run|download|back up|monitor|watch|inform|forward|discard|wait|enter|connect"
    r"|reply|type|confirm|submit|open|visit|go|set|clear|take|put|get|make|clean|compare|migrate|redeploy|re-?deploy|retry|re-?try|repeat|renew|unlink|unstake"
    r"|exit|shut|power|isolate|mute|ask|tell|write|e-?mail|read|see|apply|add|search|look|find|audit|invalidate|terminate|end|expire|destroy|wipe|format"
    r"|erase|factory|import|export|claim|exchange|return|throw|ignore|quit|leave|unsubscribe|reboot|refresh|reload|try|generate|swap|sweep|sell|redeem|repay"
    r"|choose|pick|come|hold|hit|bring|keep|drive|measure|rename|press|tap|click|ring|phone|hang|answer|acknowledge|reconnect|rebuild|unpublish|deposit|hand|talk|lower"
    r"|raise|drop|roll back|allow|decline|hide|share|save|print|mark|limit|unpair|re-?pair|re-?scan|re-?run|sanitise|sanitize|encrypt)"
)
_LEAD = (
    r"(?:^(?:[-*•–·]|\d{1,2}[.)])?|[,:(>](?: to)?|\b(?:please|kindly|then|and|or|now|immediately|first|next|also|simply|just|instead|straight|quickly|always|you|should|must|can"
    r"|(?:is|be|needs?|ha(?:s|ve)|ought|asked|advised|urged|recommended|required|remember|want|wish|best|better|you|users|customers|everyone|anyone|clients|members|please|kindly|and|or|way|steps?|sure) to)(?: (?:also|now|immediately|at once|first|either|still|should"
    r"|must|need to|have to|can|may|may want to|ought to|are advised to|are asked to))*)\s*"
)
_ACT = re.compile(
    rf"{_LEAD}\b(?P<verb>{DO})\b(?!\s*:)(?![-@])(?!(?<=mail)[,.;)])(?! (?:is|are|was|were|has|have|had|will|goes|went|came)\b)", re.I
)
_NO_ACT = pattern(
    r"next (?:update|report|post|check|review|release|run)",
    r"(?:if|when|once|unless|while|whenever|after|before|what|which|where|whether|how|because) you(?: (?:have|had|did|do|can|could|still|also|only|ever|never|already|just))* \w+",
    r"(?:follow|watch|check|see|visit|read|go to|use|find|get)(?: (?:us|our|this|the|here|https?://\S*|@\w+|on|official|account|page|channel|status|\w+)){0,6} (?:for|to (?:get|see|hear|receive)) (?:\w+ )?(?:updates?|news|information|details)",
    r"(?:follow|watch) (?:https?://\S*|x{4,}|@\w+|us\b|our\b|this\b)",
    r"(?:vendors?|suppliers?|employees|staff|contractors?|colleagues|engineers|auditors?) (?:have|has|had|were|was|will|are|is)\b[\w ,']*",
    r"an? [\w -]{1,40} (?:can|could|may|might)\b[\w ]*",
    r"^\W*update from (?!v?\d|version)\w+|^\W*contact\W*$|(?:hold|holding) off",
    r"(?:reach|contact) us (?:at|on|under|via|by|through)",
    r"(?:to|can|will|could|would|us) (?:see|look|find|check|determine|investigate|use)\b",
    r"(?:we|they|attackers?|it|which|who)(?: \w+)? (?:can|will|must|should|are|have)[\w' ]*",
)
NOT = pattern(
    r"do not|don't|never|must not|should not|shouldn't|mustn't|cannot|can't|avoid|refrain|no need to|need not|not to|without|nothing|stay (?:off|away)|keep away"
)
_COMMAND = re.compile(
    r"^\W*(?:\d{1,2}[.)]\s*)?(?:(?:then|now|please|instead|also|just|simply|kindly|and|or|so|immediately|right away|tonight|today),? |(?:first|next), )*"
    r"(?!(?:like|plus|except|save|note|accept|see|watch|trust|know|remember|understand|thank|bear|have|let|give us|grant us|allow us|hope|wish|regret|feel|mean|find|in|on|at|over|access|work|report|support|control)\b)"
    r"(?P<verb>[a-z]+)(?: (?:or|and) \w+)? (?:(?:up|off|out|through|over|away|back|into|down|in|on|at|to|from|for) )?"
    r"(?:your|the|(?-i:an?)|its?|their|them|this|these|those|that|all|any|every|each|one|some|our|us|what|both|whatever|how|whether|everything|anything|yourself|afresh|again|\d[\w.]*)\b",
    re.I,
)
_AND_DO = re.compile(
    r"\band (?:then |please |just )?(?:report|tell|contact|forward|inform|delete|remove|hang|block|write|wait|change|update|let|call us)$",
    re.I,
)
"""After it a denial is over: “don't reply and report it”, where nobody would ask not to."""
_NO_VERBS = FUNCTION_WORDS | frozenset([
    "even", "off", "up", "well", "much", "just", "soon", "first", "next", "last", "both", "each", "per", "so", "too", "also", "i", "she", "he",
    "contain", "include", "remain", "concern", "affect", "involve", "require", "need", "belong", "mean", "matter", "show", "reach",
])  # fmt: skip
"""What may begin a statement, though the dictionary knows it with -ing too."""
_DENIED = re.compile(rf"\b(?:not|don't|never|mustn't|shouldn't)(?: (?:to|please|yet|ever))?\s+(?P<verb>{DO})\b(?!-)", re.I)
_NOTHING_TO_DO = pattern(
    r"nothing (?:that )?(?:you|they|anyone|else)? ?(?:need|needs|have|has|must|can|for you)?(?: \w+)? ?(?:to do|do)",
    r"(?:nothing|(?:is|are|was)n't anything|not anything|no action|no steps?|no need)(?: \w+){0,2}? (?:for (?:you|anyone|them)|on your (?:side|part|end)|(?:from|of) you)",
    r"(?:nothing|no action|none) (?:is|are|will be) (?:needed|required|necessary|asked)",
    r"(?:not|\w+n't) (?:asking|need|want) (?:for )?anything (?:\w+ )?(?:of|from) you",
    r"you(?:'ll| will| can| should| may)? do nothing|(?<!or )do nothing",
    r"(?:sit|hang|hold) tight|stay put|stand by|stay where you are",
    r"(?:by|all by|of|on) (?:itself|themselves|its own|their own)(?: accord)?",
    r"automatically",
    r"no (?:\w+ )?(?:action|steps?)(?: \w+){0,3} (?:needed|required|necessary)",
    r"(?:you|affected \w+|they) (?:do not|don't|need not|need) (?:need to |have to )?do (?:anything|nothing)",
    r"you need to do nothing",
    r"you (?:needn't|need not|do not have to|don't have to|do not need to|don't need to) (?!worry|panic|be|fear)\w+",
    r"no need to (?!worry|panic|be|fear)\w+",
    r"we(?:'ll| will| are going to) (?:roll back|roll|reverse|refund|restore|return|replace|re-?run|undo|pay back|repay|credit|reissue|compensate|cancel|resend) (?:back )?(?:all |every )?(?:of )?your \w+",
    r"we(?:'ll| will| are going to) (?:send|give|mail) you (?:an? |the )?(?:new|right|correct\w*|replacement)\b",
    r"you (?:have|will have|will get|will receive|get) (?:an? )?(?:e-?mail|mail|letter|message)s? from us",
    r"(?:nobody|no one|(?:no|none of (?:our|the)) \w+) (?:needs?|has|have) to do anything",
    r"we (?:will|'ll|are going to|have) [\w, ]{0,120}(?:for you|on your behalf|(?:contact|e-?mail|notify|refund|reimburse|call|write to)(?:ed)? (?:you|every|all|each|affected|them))",
)
_ADVICE = pattern(
    r"(?<=, )please(?=\.|!|$)",
    r"please (?:also |now |immediately |kindly )?(?!(?:note|be|bear|accept|know|hold off|refrain|abstain|hesitate|find|rest|understand|forgive|excuse|stay tuned|remember|do|don't|never|avoid|trust|also|now)\b)\w+",
    r"(?<!we )(?<!it )(?<!this )(?<!that )(?<!there )(?<!which )(?<!service )(?<!website )(?<!site )(?<!fix )(?<!patch )(?<!update )(?<!team )(?<!everything )"
    r"(?:should|must) (?!not\b|never\b|be\b|have\b|see\b|know\b|take\b|work\b|apologi|say\b)\w+",
    rf"(?:recommend|advise|suggest|urge|ask|encourage)\w*(?<!been asked)(?<!been told)(?: that)?(?: you| users| everyone| customers| anyone| affected \w+| all \w+)?(?: to)? (?:{DO}|\w+ing)\b[\w ]*",
    r"(?:should|must|needs? to|has to|have to|ought to) be (?:re)?\w+(?:ed|n|t)",
    r"(?:make|be) sure (?:to|that|you)",
    r"(?:are|is|being|be) (?<!been )(?:asked|encouraged|advised|urged|invited|requested|recommended|required|told) to (?!note\b|be\b|remain\b|bear\b|know\b|avoid\b|refrain\b)\w+",
    r"(?:your part|your turn|action|to do|what to do|what you (?:need to|must|should) do|needed from you)[^:.\n]{0,20}: *(?:none|nothing|no action)",
    r"(?:^|(?<=[,;.:!\n] )|(?<=\band )|(?<=\bthen )|(?<=\bplease ))have (?:your|them|someone|somebody|any|all|it)\b[\w ]+",
    r"what (?:i|we)'d do",
    r"(?:i|we)'d (?:ask|swap|change|move|delete|suggest|recommend|advise|update|reset|rotate)\b",
    r"then (?:a )?new \w+",
    r"(?:off|on|out|down)(?: \([^)\n]*\))? (?:till|until) (?:the|we|further|it|you)\b",
    r"you(?:'ll| will)(?: \w+)? (?:be asked|be prompted|need|have) to",
)
_OTHERS_DO = pattern(
    r"(?:everyone|everybody|anyone|anybody|all) (?:else|other)", r"others?", r"(?:not|un)[ -]?(?:affected|impacted|concerned|at risk)", r"the rest", r"not (?:on|in|part of) (?:it|there|the list)",
    r"if (?:you|your \w+)? ?(?:did|have|had|do|were|are|was|is)?(?: not|n't| never)\b[\w ]*",
)  # fmt: skip
"""To whom it is no answer that nothing need be done: those who are not affected."""
_FINE = pattern(
    r"(?:not|n't) (?:about|concern|affect|touch) you",
    r"not you|not (?:on|in|part of) (?:it|there|the (?:list|dump))",
    r"(?:users?|customers?|clients?|members?|people|everyone|everybody|others?) (?:is|are) (?:fine|safe|ok|okay|good)",
    r"you(?:'re| are) (?:fine|good|safe|ok|okay|not (?:affected|concerned|impacted))",
    r"(?:is|are) (?:unaffected|not (?:affected|concerned|involved|impacted|vulnerable))",
)
_UNKNOWN = pattern(
    r"(?:do not|don't|cannot|can't) (?:yet )?(?:know|say|tell|confirm)(?: yet| for certain| exactly)? (?:who|which|whether|how many|if)",
    r"(?:not (?:yet )?known|unknown(?! (?:persons?|people|attackers?|part(?:y|ies)|actors?|third|sources?|individuals?|users?|numbers?))|unclear|too early to (?:say|tell))",
)


def says_what_to_do(english: English) -> bool:
    """Whether an affected reader is told what to do now, or that nothing can or need be done."""
    told = [clause for sentence in english.sentences for clause in clauses(sentence)]
    if any(_NOTHING_TO_DO.search(clause.text) and not _OTHERS_DO.search(clause.text) for clause in told) or english.has(_ADVICE):
        return True
    asked = [clause for sentence in english.sentences if not sentence.text.endswith("?") for clause in clauses(sentence)]
    if any(acts(clause) or _commands(clause) for clause in asked if not _FINE.search(clause.text)):
        return True
    meanwhile = _UNKNOWN.sub("", english.prose)
    return meanwhile != english.prose and (bool(NOT.search(meanwhile)) or says_when_next(english))


def acts(clause: Sentence) -> bool:
    """Whether a clause asks its readers to do something."""
    return any(not ask.denied for ask in asks(clause))


def _commands(clause: Sentence) -> bool:
    """Whether it begins like a command, whatever the verb: what may be a verb, and what it is to be done to."""
    masked = _NO_ACT.sub(lambda found: "_" * len(found[0]), clause.text)
    begun = (_COMMAND.match(piece) for piece in masked.split(", "))
    verbs = (found["verb"].lower() for found in begun if found)
    return any(verb not in _NO_VERBS and may_be_verb(verb) for verb in verbs)


@dataclass(frozen=True, slots=True)
class Ask:
    """One thing that readers are asked to do, or not to do (`denied`), with its place in the text."""

    verb: str
    start: int
    end: int
    denied: bool


def asks(clause: Sentence) -> Iterator[Ask]:
    """What a clause asks of its readers, in order."""
    text = _NO_ACT.sub(lambda found: "#" * len(found[0]), clause.text)
    for found in _ACT.finditer(text):
        before = text[: found.end()]
        denials = list(NOT.finditer(before))
        since = before[denials[-1].end() :] if denials else ""
        turned = "," in since or _AND_DO.search(since) is not None
        freed = turned and " or " not in text[len(before) - len(since) :] and not re.search(r"\bor\b", since)
        yield _ask(clause, found, denied=bool(denials) and not freed)
    for found in _DENIED.finditer(text):
        yield _ask(clause, found, denied=True)


def _ask(clause: Sentence, found: re.Match[str], *, denied: bool) -> Ask:
    start, end = found.span("verb")
    return Ask(found["verb"].lower(), clause.start + start, clause.start + end, denied)
