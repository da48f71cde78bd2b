"""What an answer to a public report owes whoever wrote it, and all who read it: that the company takes it on and turns nothing away. Of
English texts. Thanks, and that nobody is attacked, are for the rules of `tone`; who is affected and what to do for those of `answers`.
"""

from __future__ import annotations

from collections.abc import Iterator

from app.domain.announcement import Kind
from app.domain.wording.english import pattern
from app.domain.wording.rule import Draft, Rule, Spot

_ANSWER = frozenset({Kind.REPORT_ANSWER})

_OWNS = pattern(
    r"we(?:'re| are)(?: (?:now|still|already|all|both))? (?:on it|sorry|grateful for the chance|looking|investigat\w+|examin\w+|check\w+|fix\w+|mend\w+|work\w+|test\w+|patch\w+|responsible|taking)",
    r"we(?:'ve| have|)(?: (?:now|since|already))? (?:looked|investigated|examined|checked|confirmed|reproduced|fixed|mended|patched|found|took|taken|tested|released|published|rolled|revoked|closed|stopped|repaired|corrected)",
    r"we (?:own|take|will (?:fix|mend|look|investigate|find|repair|correct|examine|check|publish|release)|apologi[sz]e|regret|got (?:this|it) wrong|made (?:a|this) mistake)",
    r"(?:this|it|that)(?:'s| is| was) (?:ours|our (?:bug|mistake|fault|error|responsibility|job))", r"ours to", r"our (?:own )?(?:mistake|fault|error|bug|responsibility)", r"sorry", r"apolog\w+", r"responsibility (?:is ours|for (?:this|it))",
)  # fmt: skip
_DEFLECTS = pattern(
    r"(?:works?|working|behaves?|behaving) (?:exactly |just )?as (?:designed|intended|expected)", r"(?:a )?(?:well-)?known (?:limitation|behaviou?r|trade-?off)", r"(?:out of|outside (?:the|our)) scope",
    r"(?:not|isn't|is not|hardly|no) (?:a |an )?(?:real |serious |security |actual |true |critical )+(?:bug|issue|vulnerability|problem|flaw|risk|concern)", r"(?:is |are )?(?:purely|only|merely|just) (?:theoretical|hypothetical|academic)",
    r"(?:only|just|merely|no more than) (?:a )?(?:few|handful|tiny|small|limited|minor)\b[\w ]{0,30}", r"nothing (?:new|to see)(?: here)?", r"no comment", r"(?:decline|refuse)[sd]? to comment", r"industry[- ](?:standard|practice)",
    r"(?:every|all|most|other)(?:one| other)? (?:companies|company|providers?|exchanges?|vendors?|services?|projects?|wallets?) (?:ha(?:s|ve)|does|do|works?|also)", r"as (?:we|our \w+) (?:have |has )?(?:already |repeatedly )?(?:said|stated|explained|documented)",
    r"(?:read|see|refer to|according to|as per|under) (?:our|the) (?:terms|documentation|docs|faq|policy|policies|conditions|user agreement)", r"blown (?:out of|up)[\w ]{0,20}", r"(?:exaggerat|overstat|sensational|misinterpret|misread|misunderst)\w*",
)  # fmt: skip


def _ownership_missing(draft: Draft) -> Iterator[Spot]:
    if draft.english and not draft.english.has(_OWNS):
        told = "It does not say that you take it on. Say what is yours: “We are looking into it”, “We are sorry”, “We have mended it”."
        yield Spot(len(draft.text), len(draft.text), told)


def _deflects(draft: Draft) -> Iterator[Spot]:
    for found in _DEFLECTS.finditer(draft.english.prose) if draft.english else ():
        yield Spot(*found.span(), "This turns the report away. Say what you looked at and what you found, and let readers judge.")


_GUIDE = (
    "guide to crisis communication of security incidents: a public report is answered by thanks, ownership, who is affected, what to do"
)

OWNERSHIP_MISSING = Rule(
    "ownership-missing", "warn", "It does not say that the company takes the report on.", _GUIDE,
    "Thank you for the report.", "Thank you for the report. We are looking into it.", _ownership_missing, _ANSWER, whole=True,
)  # fmt: skip
DEFLECTS = Rule(
    "deflects", "warn", "It turns the report away instead of answering it.", _GUIDE,
    "This works as designed, and only a few users see it.", "We looked at every login since 1 March, and each one had its password.", _deflects, _ANSWER,
)  # fmt: skip
RULES = (OWNERSHIP_MISSING, DEFLECTS)
