"""The rules about tone: what frightens, shouts, blames, belittles or promises more than can be known. Of English texts, but for shouting."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from app.domain.announcement import Kind
from app.domain.wording.english import pattern
from app.domain.wording.rule import Draft, Rule, Spot

_LOUD = re.compile(r"[!?！？](?:\s*[!?！？1])+|[‼⁉🚨🆘☠💀🔥❗]\ufe0f?(?:\s*[‼⁉🚨🆘☠💀🔥❗]\ufe0f?)*|⚠\ufe0f?(?:\s*⚠\ufe0f?)+")
_CAPITALS = re.compile(r"(?<!\w)[^\W\d_a-z]{2,}(?:['’][^\W\d_a-z]+)?(?:[\s,:–-]+[^\W\d_a-z]+(?:['’][^\W\d_a-z]+)?(?!\w)){2,}")
_FEAR = pattern(
    r"urgent(?:ly)?", r"disast\w+", r"catastroph\w+", r"panic\w*", r"(?:being|been|getting) (?:stolen|drained|robbed|emptied|looted)", r"nightmares?", r"act now", r"too late",
    r"devastat\w+", r"terrif\w+", r"horrif\w+", r"horrible", r"terrible", r"doom\w*", r"(?:massive|huge|enormous) (?:\w+ )?(?:hack|breach|attack|theft|leak)", r"deadly",
    r"(?:you will|you'll|you could|you may) lose (?:everything|all)", r"lose everything", r"alarming", r"dire", r"scary", r"chaos",
)  # fmt: skip
_BLAME = pattern(
    r"(?:the|their|his|her|your|users'?|customers'?|entirely|own|someone else's) fault", r"(?:the )?fault of (?!ours\b)[\w ]+", r"(?:not|isn't|wasn't|never) (?:our|ours|us|tocsin's)(?: own)? (?:fault|responsibility|problem|mistake)",
    r"(?:users?|you|customers?|people|they|the reporter|the researcher) (?:should|could|ought to) have", r"(?:is|are|was|were|being) (?:so |simply |just |very )?(?:careless|negligent|reckless|incompetent|sloppy|irresponsible)",
    r"(?:careless|negligent|reckless|incompetent|irresponsible) (?:user|provider|vendor|supplier|registrar|partner|host|researcher|reporter|customer|employee|contractor)\w*",
    r"(?<!we )(?<!we're )(?:is|are|was|were) to blame", r"(?:we )?blame(?:s|d)? (?!free|less|our)[\w ]+", r"let the (?:attackers|hackers|thieves) in", r"(?:nothing to do with us|beyond our control|out of our control|through no fault of)",
    r"(?:failed|refused|neglected) to (?:protect|secure|notify|warn|inform|follow our)", r"(?:ignored|disregarded) (?:our|the) (?:warnings?|advice|instructions?|documentation)", r"user error",
)  # fmt: skip
_BELITTLES = pattern(
    r"so-?called (?:\w+ ){0,2}(?:researchers?|experts?|hackers?|reporters?|white ?hats?|analysts?|journalists?)", r"self-(?:proclaimed|styled|appointed|described) (?:\w+ )?(?:researchers?|experts?|hackers?)",
    r"clowns?", r"trolls?", r"idiots?", r"morons?", r"fools?", r"liars?", r"haters?", r"losers?", r"script kidd(?:ies|y)", r"attention[- ]seek\w+",
    r"(?:only |just )?(?:wants?|craves?|seeks?|after|looking for) (?:\w+ )?(?:attention|fame|clicks|clout)", r"publicity stunt", r"fake (?:researchers?|reports?|news)", r"(?:spreading|spreads?) (?:fud|lies|rumou?rs)", r"fud", r"clickbait",
    r"(?:amateur(?:ish)?|incompetent|ignorant|clueless) (?:\w+ )?(?:researchers?|reporters?|hackers?|reports?|claims?|person|individual|attempt)", r"(?:real|full) name (?:is|of the (?:reporter|researcher))", r"(?:his|her|their) (?:home )?address is",
    r"has no (?:idea|clue)", r"does not (?:know|understand) what (?:he|she|they)",
)  # fmt: skip
_INSULTS = pattern(
    r"(?:bored|spoil(?:t|ed)|jealous|bitter|disgruntled|angry|sad|lonely|unemployed) (?:\w+ )?(?:kids?|teen\w*|child(?:ren)?|boys?|girls?|students?|ex-\w+|nobod(?:y|ies)|persons?|man|woman|guy)",
    r"(?:lives?|living) (?:with|at) (?:his|her|their) (?:mother|mum|mom|parents)(?:'s?)?", r"flunked out of", r"(?:college|school|university) drop-?outs?", r"(?:mother|mum|mom|parents)'s? basement",
    r"(?:take|taken) (?:it|this|that|him|her|them) with (?:an? (?:grain|pinch) of )?salt",
)  # fmt: skip
_THREATENS = pattern(
    r"(?:legal|court|criminal) (?:action|steps|measures|proceedings|consequences|charges)", r"(?:our|the company's) (?:lawyers?|attorneys?|solicitors?|legal (?:team|department|counsel))", r"(?:sue|suing|prosecut\w+|press charges)",
    r"defam\w+", r"libel\w*", r"slander\w*", r"cease and desist", r"blackmail\w*", r"(?:take|taken|taking) (?:it|this|that|the (?:post|thread|report|article)) down", r"(?:reported|report|reporting) (?:him|her|them|the (?:reporter|researcher|author)) to",
    r"hold (?:him|her|them|the (?:reporter|researcher|author)) (?:liable|accountable|responsible)", r"(?:violat|breach|break|broke)\w* (?:our|the) (?:terms|policy|rules|user agreement|law)", r"banned? (?:him|her|them|the (?:reporter|researcher|author))",
)  # fmt: skip
_NO = re.compile(r"\b(?:not|never|no|nobody|won't|without|nor|cannot|can't)\b[^.;:!?\n]*$", re.I)
_REPORTED = pattern(
    r"who(?:ever)? (?:reported|told|wrote)",
    r"(?:reporter|researcher|journalist|author|blogger|bug hunter|white ?hat)s?",
    r"(?:the|this|that|his|her|their) (?:report|post|article|thread|tweet)",
)
_THANKS = pattern(
    r"thank(?:s|ed|ful|fully|ing|you)?",
    r"grateful\w*",
    r"gratitude",
    r"appreciat\w+",
    r"cheers (?:for|to)",
    r"ta for",
    r"th?a?nx|thx|tys?m|ty",
    r"hats? off to",
    r"tip of the hat",
    r"owe (?:you|him|her|them) (?:one|thanks|a (?:drink|coffee|beer|pint))",
    r"credit (?:to|goes)",
    r"kudos",
    r"acknowledg\w+",
)
_PROMISES = pattern(
    r"(?:all|every\w*|everyone's) (?:\w+ )?(?:funds?|data|money|accounts?|assets?|deposits?|wallets?|users?|customers?|systems?|keys?|passwords?) (?:is|are|remains?)(?: and (?:will )?(?:remain|stay))?(?: \w+| 100 ?%)? (?:safe|secure|safu)",
    r"(?:funds|everything) (?:is|are) (?:safu|safe)", r"100 ?(?:%|percent|per cent)(?= (?:safe|secure|certain|sure|protected))", r"never (?:\w+ )?happens? again", r"guarantee[sd]?", r"(?:completely|absolutely|totally|perfectly|fully|entirely) (?:safe|secure|protected)",
    r"(?:no|zero) risk", r"nothing to worry about", r"no (?:reason|need|cause) to worry", r"(?:cannot|can't|impossible to) be (?:hacked|breached|stolen)", r"unhackable", r"no (?:funds|data|money) (?:can|could|will) be (?:lost|stolen)",
)  # fmt: skip
_SPEAKS = pattern(
    r"(?:on|in) (?:our|the company's|\w+'s) (?:behalf|name)", r"(?:on behalf|in the name) of", r"(?:tell|inform|assure|reassure|let|notify|remind) (?:everyone|everybody|people|your \w+|them|others|the community|all)(?: \w+){0,5} (?:that|know)\b",
    r"(?:say|announce|confirm|explain|state|claim|spread|declare) (?:\w+ ){0,4}that", r"(?:re-?post|copy|paste|re-?share|retweet|forward|repeat|translate) (?:this|the|our|following)(?: \w+){0,2}", r"copy and paste", r"spread the (?:word|news|message)",
    r"(?:post|share|publish) (?:this|the following|our|these)(?: \w+){0,2} (?:text|update|message|statement|words|announcement|notice|everywhere|on|in)", r"answer (?:questions|users|people|customers) for us", r"speak for us",
)  # fmt: skip

_OPEN = frozenset({Kind.INITIAL, Kind.UPDATE})


def _words(found: re.Pattern[str], told: str) -> Callable[[Draft], Iterator[Spot]]:
    """A rule's function that finds these words in an English text."""

    def find(draft: Draft) -> Iterator[Spot]:
        for place in found.finditer(draft.english.prose) if draft.english else ():
            yield Spot(*place.span(), told)

    return find


def _belittles(draft: Draft) -> Iterator[Spot]:
    yield from _words(_BELITTLES, "This attacks who reported it. Take it out; thank them.")(draft)
    for sentence in draft.english.sentences if draft.english else ():
        if draft.kind is Kind.POSTMORTEM and not _REPORTED.search(sentence.text):  # there it may be the attacker who is spoken of
            continue
        for found in _INSULTS.finditer(sentence.text):
            start = sentence.start + found.start()
            yield Spot(start, start + len(found[0]), "This attacks who reported it. Take it out; thank them.")
        for found in _THREATENS.finditer(sentence.text):
            if not _NO.search(sentence.text[: found.start()]):  # a promise not to is welcome
                told = "This threatens who reported it, and is all that anybody will read. Take it out; thank them."
                yield Spot(sentence.start + found.start(), sentence.start + found.end(), told)


def _shouting(draft: Draft) -> Iterator[Spot]:
    for found in _LOUD.finditer(draft.text):
        yield Spot(*found.span(), "Loud signs frighten and look like a fraud. One full stop is enough.", ".")
    for found in _CAPITALS.finditer(draft.text):
        if sum(len(word) > 3 for word in re.findall(r"[^\W\d_]+", found[0])) >= 2:
            yield Spot(*found.span(), "Capitals shout and are hard to read. Write it in plain letters.")


def _thanks_missing(draft: Draft) -> Iterator[Spot]:
    if draft.english and not draft.english.has(_THANKS):
        yield Spot(len(draft.text), len(draft.text), "Nobody is thanked. Thank who reported it and who helped, by name where they agree.")


_TONE = "guide to crisis communication of security incidents: calm, owned, helpful"

SHOUTING = Rule(
    "shouting", "warn", "Sentences in capitals, repeated signs, alarm emoji.", _TONE,
    "DO NOT OPEN OUR WEBSITE!!!", "Please do not open our website.", _shouting,
)  # fmt: skip
FEAR = Rule(
    "fear", "warn", "Words that frighten more than they help.", _TONE,
    "URGENT: your funds are being stolen.", "Move your funds to a new wallet now.",
    _words(_FEAR, "This frightens more than it helps. Say plainly who does what."),
)  # fmt: skip
BLAME = Rule(
    "blame", "warn", "It blames a provider, users or the reporter, or deflects.", _TONE,
    "It was our registrar's fault. Users should have checked.", "We are sorry. This is ours to mend.",
    _words(_BLAME, "This blames somebody. Readers want to know what you do; say what you own."),
)  # fmt: skip
BELITTLES_REPORTER = Rule(
    "belittles-reporter", "block", "It attacks, threatens, exposes or belittles who reported.", _TONE,
    "The so-called researcher only wants attention.", "Thank you to the researcher who reported this.",
    _belittles, frozenset({Kind.REPORT_ANSWER, Kind.POSTMORTEM}),
)  # fmt: skip
THANKS_MISSING = Rule(
    "thanks-missing", "warn", "It thanks nobody.", _TONE,
    "The bug is fixed.", "The bug is fixed. Thank you to the researcher who reported it.",
    _thanks_missing, frozenset({Kind.REPORT_ANSWER, Kind.SUMMARY, Kind.POSTMORTEM}), whole=True,
)  # fmt: skip
OVERPROMISES = Rule(
    "overpromises", "warn", "It assures what cannot be known while it is open.", _TONE,
    "All funds are safe.", "We have seen no loss of funds so far.",
    _words(_PROMISES, "Nobody can know this yet. Say what you have seen so far."), _OPEN,
)  # fmt: skip
SPEAKS_FOR_US = Rule(
    "speaks-for-us", "warn", "It asks others to speak for the company or to repeat an update.", _TONE,
    "Please tell everyone that funds are fine.", "Please direct people to our account.",
    _words(_SPEAKS, "Others would speak for you, and be wrong an hour later. Ask them to direct people to the primary."), frozenset({Kind.HELP}),
)  # fmt: skip
RULES = (SHOUTING, FEAR, BLAME, BELITTLES_REPORTER, THANKS_MISSING, OVERPROMISES, SPEAKS_FOR_US)
