"""Whom a text in English means: who is affected, who is not.

Read generously, for a rule that blocks fires where nothing in the text could be an answer: a text may name people, versions or places, or ask a
question that readers answer for themselves.
"""

from __future__ import annotations

import re

from app.domain.wording.acts import DO
from app.domain.wording.english import English, pattern

_PERSONS = (
    r"(?:user|customer|client|member|patient|holder|developer|merchant|trader|subscriber|reader|visitor|owner|operator|person|student|passenger|guest|employee|partner|maintainer|team"
    r"|organi[sz]ation|administrator|admin|depositor|seller|buyer|donor|player|staker|validator|tenant|everybody|everyone|anybody|anyone|pupil|parent|teacher|doctor|nurse|driver|rider"
    r"|courier|author|editor|moderator|viewer|listener|artist|investor|lender|borrower|miner|delegator|resident|citizen|household|family|familie|[a-z]+holder|contributor|publisher"
    r"|reviewer|worker|tester|recipient|voter|applicant|candidate|speaker|attendee|folk|people|host|renter|tutor)s?"
)
_THINGS = (
    r"(?:account|wallet|device|project|machine|server|node|store|shop|site|workspace|installation|instance|repositorie|repository|repo|vault|pool|key|card|order|mailboxe?|vehicle|car|camera"
    r"|router|runner|cluster|booking|subscription|deployment|clinic|branch|hub|lobb(?:y|ie)|unit)"
)
_PEOPLE = rf"(?:{_PERSONS}|{_THINGS}s?)"
_IDLE_IF = r"(?! (?:can|could|need|want|wish|would|have (?:any |further |more )?(?:questions?|doubts?|concerns?|information)|are unsure|like|think)\b| (?:are|were|have been|may be|might be)(?: not)?(?: (?:one of|among))?(?: (?:the|those))?(?: \w+)? ?(?:affected|impacted|concerned)\b)"
_AFFECTED = r"(?:affected|in (?:the )?scope|part of (?:it|this)|caught|impacted|at risk|exposed|vulnerable|compromised|in danger|exploitable|readable|unaffected|safe|fine|concerned|involved|hit)"
_WHO = pattern(
    rf"if (?:you|your|you're|you've|any of your|anyone|someone|the|its|an?)\b{_IDLE_IF}[\w' -]+",
    r"if (?!you\b|there\b|(?:that|this|it) (?:makes|worries|scares|concerns|helps)\b|(?:someone|somebody|anyone|anybody|a \w+|an \w+|they|he|she|we) (?:\w+ )?(?:calls?|rings?|asks?|contacts?|writes?|messages?|phones?|e-?mails?|approaches|offers|texts?|reach)\b)[^.!?\n]{1,60} (?:you|your)\b",
    r"unless (?:you|your)\b[\w' -]+",
    r"whoever \w+",
    r"if (?:u|ur|ya)\b[\w ]+",
    r"(?:on|in|for|with|from|at) (?!this\b|that\b|our \w+ only)(?:the |our )?[\w ]{2,40} only",
    r"only (?:on|in|for|if|when|with)",
    r"(?:needed|required|necessary) (?:from|by|for|of) (?:anyone|anybody|you|users|customers|everyone)",
    r"affected\b[^.!?\n]{0,60}\b(?:e-?mail\w*|mail\w*|letters?|written|wrote|contact\w*|notif\w+|inform\w*)",
    r"(?:(?:check|see|look|find out|verify) (?:whether|if)|depends on)",
    r"(?:bug|flaw|vulnerability|issue|problem|hole|fault|error|defect|backdoor) in (?:[A-Z][\w.-]* ){0,4}(?:version )?v?\d[\w.]*",
    rf"(?:^|(?<=\n))\W*(?:\w+ and )?{_PEOPLE},? please",
    rf"(?:nobody|no one|(?:no|none of (?:our|the)) {_PEOPLE}) (?:needs?|has|have|is|are|was|were)",
    r"(?!attackers?|hackers?|thieves|criminals?|scammers?)\w+ whose\b",
    r"\w+ (?:of|with|in|on|from) (?:the |an? )?(?:types?|models?|versions?|series|editions?|regions?|districts?|software|firmware)\b",
    rf"(?:^|(?<=\n))(?:\w+ )?{_PEOPLE}(?! (?:action|service|support|relations|notice|news|update|care|team)s?\b)(?: \w+)?:",
    rf"{_PEOPLE} (?:and {_PEOPLE} )?(?:who|with|using|holding|running|owning|living|travelling|waiting|connected|enrolled|registered|subscribed|insured|signed|logged|booked|employed|hosted|paid)\b",
    r"\w+s (?:made|created|issued|opened|published|bought|sold|installed|downloaded|built|placed|sent|merged|uploaded|deployed|started|booked|ordered|filed|submitted|imported|stored|shipped"
    r"|delivered|received|printed|synced|entered|typed|saved|linked|swiped|used) (?:by|with|before|after|between|since|in|on|from|through|to)\b",
    r"whether you(?:r \w+)? (?:are|is|were|was|have)",
    rf"(?<!your )(?:every|any|all|those|only|people|{_PERSONS}|{_THINGS}s)(?:one|body)?(?: (?:of|the|our|your|other))* ?(?:{_PEOPLE})? ?(?:who|whose|that|which|with|using|running|on|in(?! accordance| place| case| order| your\b| the (?:meantime|war room))"
    r"|without|between|since|before|after|from)\b.*",
    rf"(?<!your ){_THINGS} (?:whose|(?:that|which) (?:you|your|has|have|had|was|were|is|shows?|runs?|ran|an?|the)) .*",
    rf"(?:an?|which|any|each|every) {_THINGS} (?:that|which|with|of|in|on|from) (?!our\b|the \w+ (?:page|app)\b)\w+",
    r"^\W*(?!recommended|required|needed|suggested|updated|posted|published|identified|resolved|fixed)(?:[a-z]+ed|paid|bought|sent|got|made|ran|left|sold) (?!by\b)(?:[^:?.\n]|(?<=\d)[:.](?=\d)){3,120}:(?=\s)",
    rf"(?<!if )(?:you|everyone|everybody|nobody|no one|no (?:other )?{_PEOPLE}|all (?:of )?(?:our |your |the )?(?:[\w-]+ ){{0,3}}{_PEOPLE}|only [\w ]{{1,80}}|we|versions? [\w. ,-]{{1,80}}|v?\d+\.[\w.]+(?: \w+){{0,4}})"
    rf" (?:is|are|was|were|may be|might be|could be|can be)(?: \w+)? {_AFFECTED}",
    rf"(?-i:(?:[A-Z][\w.-]{{1,40}} ){{1,6}})(?:{_PEOPLE} )?(?:is|are|was|were) (?:not |now )?(?:affected|impacted|vulnerable|unaffected)",
    r"(?:this|it|that|the \w+(?: \w+)?)(?: only)? (?:affects|impacts|concerns)(?! (?:some|certain|a few|many|our|us|the)\b)[\w ]+",
    r"(?:do not|don't|cannot|can't) (?:yet )?(?:know|say|tell|confirm)(?: yet| for certain| exactly)? (?:who|which|whether|how many|if)",
    r"(?:not (?:yet )?(?:known|clear)|unknown|unclear|too early to (?:say|tell)|finding out|working out|determin\w+|establish\w*|investigat\w+)(?: yet)?,? (?:(?:who|which \w+)(?: \w+)? (?:is|are|was|were)|whether|if)\b",
    r"assume (?:that )?(?:you|your|all|every\w*)",
    r"no (?:evidence|signs?|indications?) (?:that|of) (?:any|anyone|anybody|our|customers?|users?|your|funds|accounts?)\b[^.!?\n]{0,40} (?:affected|impacted|at risk|touched|taken|stolen|lost|accessed|seen)",
    r"affected(?: \w+)?:",
    r"(?<!if )you (?:are|were)(?: not|n't)? (?:one of|among) (?:them|those)(?! affected)",
    rf"(?!teams?\b|people\b|partners?\b|maintainers?\b)(?:{_PERSONS}|{_THINGS}s) of\b",
    r"(?:user|customer|client|member|patient|holder|merchant|trader|subscriber|visitor|owner|person|student|passenger|guest|depositor|seller|buyer|player|tenant)s"
    r" (?!reported|noticed|notified|informed|alerted|asked|contacted|complained|discovered|told|wrote|found|affected|impacted)\w+(?:ed|en|nt)\b(?! to\b)",
    r"(?:each|all|every one) of (?:them|those|you)\b[^.!?\n]{0,40}\b(?:e-?mail|mail|letter|message|notice|call)\w*",
    r"if [^.!?\n]{0,30}[`\"“»\d][^.!?\n]{0,60}?(?:says|shows|reads|is|are|has|starts|begins|appears|gives|prints|lists|returns|matches)",
    r"= (?:not )?(?:fine|okay|ok|safe|bad|affected)",
    r"(?:it's |that's |it is )?not you(?=[.,;!:\n]|$)",
    rf"(?:all|every|each)(?: of)?(?: our| the)? ?{_PEOPLE}(?: \w+)? (?:must|should|need|have to|are asked|please|can|may)",
    rf"(?:all|every|each)(?: of)?(?: our| the)? ?{_PEOPLE} (?:to )?{DO}",
    rf"{_PEOPLE} (?:created|opened|issued|registered|made|bought|installed|downloaded|deployed|enrolled|ordered|launched|built|published|signed up)",
    r"(?:everyone|everybody|anyone|all of you)(?: \w+)? (?:must|should|needs?|has to|is asked|please)",
)
_BEGINS = re.compile(
    r"^\W*(?:your (?!security|trust|safety|privacy|patience|understanding|help|analysis|report|finding|post|thread|video|paper|message|question|observation|write-?up)\w+ (?:\w+ ){0,2}(?:may|might|could|can|is|are|was|were|has|have|had|will|shows?)\b"
    r"|versions? (?:v?\d|xx)|(?!(?:dates|enquiries|inquiries|credits|contacts|basics|apologies|sources|notes|updates|news|details|steps|next|instructions|questions|facts|what|how|this|status|thanks|links|times|reminders|here|these|we|our|the following|attackers|hackers)\b)(?![^:]*\b(?:you|your|please|it|them)\b)"
    r"[a-z][^:.!?\n]{0,50}[a-z]{2}s\b(?<!\bwas)(?<!\bhas)(?<!\bthis)(?<!\bnews)[^:.!?\n]{0,40}:\s)",
    re.I,
)
"""A sentence that begins with who is meant: with what is the reader's, with a version, or with people and a colon."""
_A_QUESTION = re.compile(
    r"^(?!\W*(?:what|why|how|when|where|who|which|need|questions?|want|any questions)\b)(?=.*\b(?:you|your|yours)\b).*\?$|^\W*(?:on|in|from|with|without|still|already|not)\b[^.!?\n]{1,80}\?$"
    r"|^\W*(?:[A-Z]\w+ed|Did|Do|Does|Is there|Are there|Bought|Sent|Sold|Got|Have|Had|Running|Using|Use|Own|Made|Gave|Paid|Built|Lost|Found)\b.*\?$"
    r"|^(?!\W*(?:what|why|how|when|where|who|which|need|questions?|want|any|more|is|are|was|were|will|can|could|should|does|has)\b)(?!.*\b(?:we|us|they|this|that|it|i|me|my)\b)\W*\w+(?: [^\s?]+){2,}\?$"
    r"|^\W*(?:q\W+)?am i \w+\?",
    re.I,
)
"""A question that readers answer for themselves."""
_IN_WORDS = re.compile(
    r"^\W*who (?!we\b|they\b|our\b|it's\b)\w+\b[^?]*$|^\W*who (?:is|was|are) (?:this|it|affected)|^\W*who (?:this|it) (?:is|concerns)|^\W*who\b[^?]{0,10}:",
    re.I,
)
"""“Who has clicked, …”; or a heading."""


_VERSION = re.compile(
    r"(?<![.:\d$€£])\b(?P<before>[a-z][\w-]+) v?\d{1,2}\.\d{1,3}(?:\.[\dx]+)?(?![\d.:]*\d)(?! ?(?:[ap]\.?m\b|%|million|billion|[A-Z]{2,5}\b|GMT|€|\$|hours?|km|[KMGT]B))",
    re.I,
)
_NO_VERSION = frozenset(
    {"at", "by", "on", "from", "until", "of", "around", "about", "since", "after", "before", "for", "to", "pin", "use", "get", "than"}
)
_TO_WHICH = pattern(
    "update",
    "upgrade",
    "downgrade",
    "install",
    "load",
    "pin",
    "bump",
    "go back",
    "drop back",
    "move",
    "roll back",
    "fixed in",
    "released?",
    "ships?",
)


_THANKS = re.compile(r"\W*(?:(?:our|many|big|a big|and|we|i) )*(?:thank|grateful|are grateful|are thankful)", re.I)


def _names_version(part: str) -> bool:
    """Whether it names the version of something, other than one to which readers are to go."""
    return any(
        found["before"].lower() not in _NO_VERSION and not _TO_WHICH.search(part[max(0, found.start() - 40) : found.start()])
        for found in _VERSION.finditer(part)
    )


def says_who(english: English, part: str | None = None) -> bool:
    """Whether a reader can tell from the text, or from one sentence of it, who is affected."""
    if part is not None:
        return bool(_WHO.search(part) or _A_QUESTION.search(part) or _BEGINS.match(part) or _IN_WORDS.match(part) or _names_version(part))
    return any(
        says_who(english, sentence.text) for sentence in english.sentences if not _THANKS.match(sentence.text) or ";" in sentence.text
    )


_UNAFFECTED = (
    r"(?:not|never|un|n't)[ -]?(?:\w+ ){0,2}(?:affected|impacted|at risk|touched|exposed|vulnerable|involved|concerned|part of|among|in (?:it|there|scope|this)|about you|you|yours)",
    "unaffected", r"(?:everyone|everybody|anyone|everything|anything|any|all|every) (?:else|other)", r"if (?:you )?(?:did|do|have|are|were)(?: not|n't)", "if not", r"if (?:all )?you(?:'ve)? (?:\w+ )?only", "only if",
    r"if (?:he|she|they|it|nobody|no one) (?:never|did not|didn't|has not|hasn't)", r"(?:is|are|you're|all) (?:fine|safe|ok|okay|good|unchanged)", r"need not", "otherwise", r"needn't", r"need do nothing", r"(?:without|no) (?:such )?\w+(?: [\w ]{0,30})?(?:=|means|, no\b)",
    r"(?:is|are|was|were)n't (?:concerned|part|among|in it|affected|touched|on that)", r"(?:works?|runs?|carr(?:y|ies)|going|go|goes|continues?|carry)(?: on)?(?: \w+)? (?:normally|as (?:usual|normal|before|planned|ever))", r"= (?:fine|ok|okay|safe|never \w+)",
    r"(?:you can|can) (?:skip|ignore|close|leave|go on|go back|get back|carry on|relax|sleep)", r"back to (?:bed|sleep)", r"roll over", r"no worr(?:y|ies)", r"(?:does not|doesn't|do not|don't|no) change", r"not got it", r"nobody who", r"no one who", r"no matter",
    r"only (?:people|those|users?|customers?|accounts?|clients?|members?|owners?|[\w ]{1,40} (?:is|are|was|were)\b)", r"(?:it's|that's) (?:just|only)", r"(?:is|are) (?:clean|right|lovely)", r"nothing (?:happened|else|saw)", r"never (?:received|got|had) (?:it|them|this)", r"not open to", r"without (?:a )?problem", r"nobody saw", r"(?:is|are|has|have) (?:an?other|a different)", r"has no \w+", r"(?:spared|immune|out of danger|not hit|in the clear)", r"(?:you're|ur) (?:grand|good|clear|out|lucky)", r"as (?:usual|always|before|you were|they were|normal)", r"(?:does|do) no harm", r"never changed",
    r"(?:play|trade|read|carry|bake|work|travel) on", r"you can stop", r"haven't got it", r"(?:didn't|haven't|never)\?", r"if they match", r"nobody gets", r"carry on", r"keep (?:fishing|using|calm and)", r"do nothing", r"leave (?:it|them|that|your)(?: \w+)? (?:be|alone|as|exactly|where)",
)  # fmt: skip
_OUTRIGHT = pattern(*_UNAFFECTED)
_OTHERS = pattern(
    *_UNAFFECTED,
    "others?",
    r"do not|don't|stay (?:off|away)|keep away|keep using|nothing (?:to|for)|no action|below \d[\w.]* (?:is|are) \w+|stay on (?:it|\d)",
)
_NOT_ONE = re.compile(
    r"^\W*(?:didn't|haven't|hasn't|not|never|no|none)\b[^.!\n]{1,80}\?|^\W*\w+ earlier\?|^\W*(?:still )?on [^.!?\n]{1,30}\?", re.I
)
"""A question to those who are not affected."""


def names_others(english: English, *, outright: bool = False) -> bool:
    """Whether something is said to those who are not affected; not `outright`, what nobody shall do is enough."""
    if english.has(_OUTRIGHT if outright else _OTHERS):
        return True
    return not outright and any(_NOT_ONE.match(sentence.text) for sentence in english.sentences)
