"""What a text in English tells its readers: who is meant, and what to do now.

Read generously, for a rule that blocks fires where nothing in the text could be an answer: a text may name people, versions or places, ask a
question that readers answer for themselves, or begin a command with any verb.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from app.domain.wording.dictionary import may_be_verb
from app.domain.wording.english import English, Sentence, clauses, pattern

_PEOPLE = (
    r"(?:user|customer|client|member|patient|holder|developer|merchant|trader|subscriber|reader|visitor|owner|operator|account|wallet|device|project"
    r"|machine|server|person|student|passenger|guest|employee|partner|maintainer|team|organi[sz]ation|administrator|admin|depositor|seller|buyer"
    r"|donor|player|staker|validator|node|store|shop|site|tenant|workspace|installation|instance|everybody|everyone|anybody|anyone|repositorie|repository|repo|vault"
    r"|pool|key|card|order|pupil|parent|teacher|doctor|nurse|driver|rider|courier|author|editor|moderator|viewer|listener|artist|investor|lender|borrower|trader"
    r"|miner|delegator|resident|citizen|household|family|familie|[a-z]+holder|mailboxe?|vehicle|car|camera|router|runner|cluster"
    r"|booking|subscription|deployment|contributor|publisher|reviewer|worker|tester|recipient|voter|applicant|candidate|speaker|attendee|host|renter|tutor)s?"
)
_IDLE_IF = r"(?! (?:can|could|need|want|wish|would|have (?:any |further |more )?(?:questions?|doubts?|concerns?|information)|are unsure|like|think)\b)"
_AFFECTED = r"(?:affected|impacted|at risk|exposed|vulnerable|compromised|in danger|unaffected|safe|fine|concerned|involved|hit)"
_DO = (
    r"(?:move|transfer|withdraw|send|revoke|remove|uninstall|delete|disable|update|upgrade|install|rotate|change|reset|freeze|block|cancel|call|contact|check"
    r"|verify|review|sign|log|disconnect|unplug|stop|treat|assume|create|use|switch|scan|follow|report|turn|enable|close|rebuild|reinstall|restart|replace"
    r"|regenerate|reissue|re-?generate|roll|pin|downgrade|patch|lock|pause|restore|run|download|back up|monitor|watch|inform|forward|discard|wait|enter|connect"
    r"|reply|type|confirm|submit|open|visit|go|set|clear|take|put|get|make|clean|compare|migrate|redeploy|re-?deploy|retry|re-?try|repeat|renew|unlink|unstake"
    r"|exit|shut|power|isolate|mute|ask|tell|write|e-?mail|read|see|apply|add|search|look|find|audit|invalidate|terminate|end|expire|destroy|wipe|format"
    r"|erase|factory|import|export|claim|exchange|return|throw|ignore|quit|leave|unsubscribe|reboot|refresh|reload|try|generate|swap|sweep|sell|redeem|repay"
    r"|choose|pick|come|hold|hit|bring|keep|drive|measure|rename|press|tap|click|ring|phone|hang|answer|acknowledge|reconnect|rebuild|unpublish|deposit|hand|talk|lower"
    r"|raise|drop|rollback|roll back|allow|decline|hide|share|save|note|print|mark|limit|unpair|re-?pair|re-?scan|re-?run|sanitise|sanitize|encrypt)"
)
_WHO = pattern(
    rf"if (?:you|your|you're|you've|any of your|anyone|someone|the|its|an?)\b{_IDLE_IF}[\w' -]+",
    r"if (?!you\b|there\b)[^.!?\n]{1,60} (?:you|your)\b",
    r"whoever \w+",
    r"(?:on|in|for|with|from|at) (?:the |our )?[\w ]{2,40} only",
    r"only (?:on|in|for|if|when|with)",
    r"(?:needed|required|necessary) (?:from|by|for|of) (?:anyone|anybody|you|users|customers|everyone)",
    r"affected\b[^.!?\n]{0,60}\b(?:e-?mail\w*|mail\w*|letters?|written|wrote|contact\w*|notif\w+|inform\w*)",
    r"(?:(?:check|see|look|find out|verify) (?:whether|if)|depends on)",
    r"(?:bug|flaw|vulnerability|issue|problem|hole|fault|error|defect|backdoor) in (?:[A-Z][\w.-]* ){0,4}(?:version )?v?\d[\w.]*",
    rf"(?:^|(?<=\n))\W*(?:\w+ and )?{_PEOPLE},? please",
    rf"(?:nobody|no one|(?:no|none of (?:our|the)) {_PEOPLE}) (?:needs?|has|have|is|are|was|were)",
    r"(?!attackers?|hackers?|thieves|criminals?|scammers?)\w+ whose\b",
    r"\w+ (?:of|with|in|on|from) (?:the |an? )?(?:types?|models?|versions?|series|editions?|regions?|districts?|software|firmware)\b",
    rf"(?:^|(?<=\n))(?:\w+ )?{_PEOPLE}(?: \w+)?:",
    rf"{_PEOPLE} (?:and {_PEOPLE} )?(?:who|with|using|holding|running|owning|living|travelling|waiting|connected|enrolled|registered|subscribed|insured|signed|logged|booked|employed|hosted|paid)\b",
    r"\w+s (?:made|created|issued|opened|published|bought|sold|installed|downloaded|built|placed|sent|merged|uploaded|deployed|started|booked|ordered|filed|submitted|imported|stored|shipped"
    r"|delivered|received|printed|synced) (?:by|with|before|after|between|since|in|on|from|through|to)\b",
    r"whether you(?:r \w+)? (?:are|is|were|was|have)",
    rf"(?:every|any|all|those|only|people|{_PEOPLE})(?:one|body)?(?: (?:of|the|our|your|other))* ?(?:{_PEOPLE})? ?(?:who|whose|that|which|with|using|running|of|on|in"
    r"|without|between|since|before|after|from)\b.*",
    rf"(?:you|everyone|everybody|nobody|no one|no (?:other )?{_PEOPLE}|all (?:of )?(?:our |your )?{_PEOPLE}|only [\w ]{{1,80}}|we|versions? [\w. ,-]{{1,80}}|v?\d+\.[\w.]+(?: \w+){{0,4}})"
    rf" (?:is|are|was|were|may be|might be|could be|can be)(?: \w+)? {_AFFECTED}",
    rf"(?:[A-Z][\w.-]{{1,40}} ){{1,6}}(?:{_PEOPLE} )?(?:is|are|was|were) (?:not |now )?(?:affected|impacted|vulnerable|unaffected)",
    r"(?:this|it|that|the \w+(?: \w+)?)(?: only)? (?:affects|impacts|concerns)(?! (?:some|certain|a few|many|our|us|the)\b)[\w ]+",
    r"(?:do not|don't|cannot|can't) (?:yet )?(?:know|say|tell|confirm)(?: yet| for certain| exactly)? (?:who|which|whether|how many|if)",
    r"(?:not (?:yet )?(?:known|clear)|unknown|unclear|too early to (?:say|tell)|finding out|working out|determin\w+|establish\w*|investigat\w+)(?: yet)?,? (?:(?:who|which \w+)(?: \w+)? (?:is|are|was|were)|whether|if)\b",
    r"assume (?:that )?(?:you|your|all|every\w*)",
    r"affected(?: \w+)?:",
    rf"(?:all|every|each)(?: of)?(?: our| the)? ?{_PEOPLE}(?: \w+)? (?:must|should|need|have to|are asked|please|can|may)",
    rf"(?:all|every|each)(?: of)?(?: our| the)? ?{_PEOPLE} (?:to )?{_DO}",
    rf"{_PEOPLE} (?:created|opened|issued|registered|made|bought|installed|downloaded|deployed|enrolled|ordered|launched|built|published|signed up)",
    r"(?:everyone|everybody|anyone|all of you)(?: \w+)? (?:must|should|needs?|has to|is asked|please)",
)
_BEGINS = re.compile(
    r"^\W*(?:your (?!security|trust|safety|privacy|patience|understanding|help)\w+ (?:\w+ ){0,2}(?:may|might|could|can|is|are|was|were|has|have|had|will|shows?)\b"
    r"|versions? (?:v?\d|xx)|(?!(?:updates|news|details|steps|next|instructions|questions|facts|what|how|this|status|thanks|links|times|reminders|here|these|we|our|the following|attackers|hackers)\b)(?![^:]*\b(?:you|your|please|it|them)\b)"
    r"[a-z][^:.!?\n]{0,50}[a-z]{2}s\b[^:.!?\n]{0,40}:\s)",
    re.I,
)
"""A sentence that begins with who is meant: with what is the reader's, with a version, or with people and a colon."""
_A_QUESTION = re.compile(
    r"^(?!\W*(?:what|why|how|when|where|who|which|need|questions?|want|any questions)\b)(?=.*\b(?:you|your|yours)\b).*\?$|^\W*(?:on|in|from|with|without|still|already|not)\b[^.!?\n]{1,80}\?$|^\W*(?:[A-Z]\w+ed|Did|Do|Does|Is there|Are there|Bought|Sent|Sold|Got|Have|Had|Running|Using|Use|Own|Made|Gave|Paid|Built|Lost|Found)\b.*\?$",
    re.I,
)

_LEAD = (
    r"(?:^(?:[-*•–·]|\d{1,2}[.)])?|[,:(>]|\b(?:please|kindly|then|and|or|now|immediately|first|next|also|simply|you|should|must|can|to)(?: (?:also|now|immediately|at once|first|either|still|should"
    r"|must|need to|have to|can|may|may want to|ought to|are advised to|are asked to))*)\s*"
)
_ACT = re.compile(rf"{_LEAD}\b(?P<verb>{_DO})\b(?!\s*:)(?!-)", re.I)
_NO_ACT = pattern(
    r"next (?:update|report|post|check|review|release|run)",
    r"(?:if|when|once|unless|while|whenever|after|before|what|which|where|whether|how|because) you(?: (?:have|had|did|do|can|could|still|also|only|ever|never|already|just))* \w+",
    r"(?:follow|watch|check|see|visit|read|go to|use|find|get)(?: (?:us|our|this|the|here|https?://\S*|@\w+|on|official|account|page|channel|status|\w+)){0,6} (?:for|to (?:get|see|hear|receive)) (?:\w+ )?(?:updates?|news|information|details)",
    r"(?:to|can|will|could|would|us) (?:see|look|find|check|determine|investigate|use)\b",
    r"(?:we|they|attackers?|it|which|who)(?: \w+)? (?:can|will|must|should|are|have)[\w' ]*",
)
NOT = pattern(
    r"do not|don't|never|must not|should not|shouldn't|mustn't|cannot|can't|avoid|refrain|no need to|need not|not to|without|nothing|stay (?:off|away)|keep away"
)
_COMMAND = re.compile(
    r"^\W*(?:\d{1,2}[.)]\s*)?(?:(?:then|now|please|instead|also|just|simply|kindly|and|or|so),? |(?:first|next), )*"
    r"(?!(?:like|plus|except|save|note|accept|see|watch|trust|know|remember|understand|thank|bear|have|let|hope|wish|regret|feel|mean|find|in|on|at|over|access|work|report|support|control)\b)"
    r"(?P<verb>[a-z]+)(?: (?:or|and) \w+)? (?:(?:up|off|out|through|over|away|back|into|down|in|on|at|to|from|for) )?"
    r"(?:your|the|an?|it|them|this|these|those|all|any|every|each|our|us|what|both|whatever|how|whether|everything|anything|yourself|\d[\w.]*)\b",
    re.I,
)
_DENIED = re.compile(rf"\b(?:not|don't|never|mustn't|shouldn't)(?: (?:to|please|yet|ever))?\s+(?P<verb>{_DO})\b(?!-)", re.I)
_NOTHING_TO_DO = pattern(
    r"nothing (?:that )?(?:you|they|anyone|else)? ?(?:need|needs|have|has|must|can|for you)?(?: \w+)? ?(?:to do|do)",
    r"no (?:further )?(?:action|steps?)(?: \w+){0,3} (?:needed|required|necessary)",
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
    r"please (?:also |now |immediately |kindly )?(?!(?:note|be|bear|accept|know|find|rest|understand|forgive|excuse|stay tuned|remember|do|don't|never|avoid|trust|also|now)\b)\w+",
    r"(?<!we )(?<!it )(?<!this )(?<!that )(?<!there )(?<!which )(?<!service )(?<!website )(?<!site )(?<!fix )(?<!patch )(?<!update )(?<!team )(?<!everything )"
    r"(?:should|must) (?!not\b|never\b|be\b|have\b|see\b|know\b|take\b|work\b|apologi|say\b)\w+",
    rf"(?:recommend|advise|suggest|urge|ask|encourage)\w*(?: that)?(?: you| users| everyone| customers| anyone| affected \w+| all \w+)?(?: to)? (?:{_DO}|\w+ing)\b[\w ]*",
    r"(?:should|must|needs? to|has to|have to|ought to) be (?:re)?\w+(?:ed|n|t)",
    r"(?:make|be) sure (?:to|that|you)",
    r"you(?:'ll| will)(?: \w+)? (?:be asked|be prompted|need|have) to",
)
_UNKNOWN = pattern(
    r"(?:do not|don't|cannot|can't) (?:yet )?(?:know|say|tell|confirm)(?: yet| for certain| exactly)? (?:who|which|whether|how many|if)",
    r"(?:not (?:yet )?known|unknown|unclear|too early to (?:say|tell))",
)
TIME = re.compile(
    r"\b\d{1,2}[:.h]\d{2}\b|\b\d{1,2} ?(?:am|pm|a\.m\.|p\.m\.|h|utc|gmt|o'clock)\b|\b(?:noon|midnight|tonight|tomorrow|hourly|daily|monday|tuesday|wednesday|thursday"
    r"|friday|saturday|sunday)\b|\b(?:within|in|every) (?:the |an? |one |two |three |half |next |\d+ ?)*(?:hours?|minutes?|mins?|days?|h)\b|\b\d{1,2} (?:january|february|march"
    r"|april|may|june|july|august|september|october|november|december)\b",
    re.I,
)
NEXT = pattern(r"updates?|next|again|news|more|report back|hear from us|(?:post|tell|inform|write|share|publish|announce)\w*")


def says_who(english: English, part: str | None = None) -> bool:
    """Whether a reader can tell from the text, or from one sentence of it, who is affected."""
    if part is not None:
        return bool(_WHO.search(part) or _A_QUESTION.search(part) or _BEGINS.match(part))
    return any(says_who(english, sentence.text) for sentence in english.sentences)


def says_what_to_do(english: English) -> bool:
    """Whether an affected reader is told what to do now, or that nothing can or need be done."""
    if english.has(_NOTHING_TO_DO) or english.has(_ADVICE):
        return True
    told = [clause for sentence in english.sentences if not sentence.text.endswith("?") for clause in clauses(sentence)]
    if any(acts(clause) or _commands(clause) for clause in told):
        return True
    meanwhile = _UNKNOWN.sub("", english.prose)
    return meanwhile != english.prose and (bool(NOT.search(meanwhile)) or english.with_both(NEXT, TIME))


def acts(clause: Sentence) -> bool:
    """Whether a clause asks its readers to do something."""
    return any(not ask.denied for ask in asks(clause))


def _commands(clause: Sentence) -> bool:
    """Whether it begins like a command, whatever the verb: what may be a verb, and what it is to be done to."""
    masked = _NO_ACT.sub(lambda found: "_" * len(found[0]), clause.text)
    begun = (_COMMAND.match(piece) for piece in masked.split(", "))
    return any(may_be_verb(found["verb"].lower()) for found in begun if found)


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
        freed = "," in since and " or " not in text[len(before) - len(since) :] and not re.search(r"\bor\b", since)
        yield _ask(clause, found, denied=bool(denials) and not freed)
    for found in _DENIED.finditer(text):
        yield _ask(clause, found, denied=True)


def _ask(clause: Sentence, found: re.Match[str], *, denied: bool) -> Ask:
    start, end = found.span("verb")
    return Ask(found["verb"].lower(), clause.start + start, clause.start + end, denied)
