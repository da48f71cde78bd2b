"""The rules about times: relative ones where a date is needed, clocks without a zone, the window of who could be affected.

Of English texts. Times are read where nothing is open to guess: 24-hour clocks, dates with a month's name or in ISO form.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from app.domain.announcement import Kind
from app.domain.wording.english import pattern, without_names
from app.domain.wording.rule import Draft, Rule, Spot

_MONTHS = ["january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"]
_MONTH = rf"(?:{'|'.join(_MONTHS)}|{'|'.join(month[:3] for month in _MONTHS)}|sept)\.?"
_DATE = re.compile(
    rf"\b(?:(?P<iso>20\d\d-\d\d-\d\d)|(?P<day>[0-3]?\d)(?:st|nd|rd|th)?(?: ?[–-] ?[0-3]?\d)? (?P<month>{_MONTH})(?:,? (?P<year>20\d\d))?"
    rf"|(?P<month2>{_MONTH}) (?P<day2>[0-3]?\d)(?:st|nd|rd|th)?(?: ?[–-] ?[0-3]?\d)?(?:,? (?P<year2>20\d\d))?)\b",
    re.I,
)
_ANY_DAY = re.sub(r"\?P<[^>]*>", "?:", _DATE.pattern)
_ANY_DATE = re.compile(rf"{_ANY_DAY}|\b[0-3]?\d[./][0-3]?\d[./]20\d\d\b", re.I)
"""Also in numbers alone, whose day and month are anybody's guess."""
_CLOCK = r"(?:[01]?\d|2[0-3])[:][0-5]\d"
_A_CLOCK = re.compile(rf"(?<![\d:.])(?:{_CLOCK})(?![\d:])|\b(?:1[0-2]|0?[1-9]) ?(?:am|pm|a\.m\.|p\.m\.)", re.I)
_ZONE = re.compile(
    r"\b(?:UTC|GMT|CES?T|MES?Z|EES?T|WES?T|BST|[ECMP][SD]T|[ECMP]T|AK[SD]T|HST|IST|JST|KST|SGT|HKT|A[CEW][SD]T|NZ[SD]T|MSK|Z)\b|(?<=\d)Z\b|[+-]\d\d:?\d\d\b|\b[Tt]ime\b|\bin [A-Z]\w+|\b(?:noon|midnight)\b|\b(?:utc|gmt|cest|cet|[Ee]astern|[Pp]acific|Central|Mountain)\b"
)
_MANY = r"(?:\d+|an?|one|two|three|four|five|six|seven|eight|nine|ten|twelve|several|some|few|a few|a couple of|couple of)"
_RELATIVE = pattern(
    r"yesterday(?:'s)?", r"last (?:night|evening|week|weekend|month|monday|tuesday|wednesday|thursday|friday|saturday|sunday)(?! of)", rf"{_MANY} (?:minutes?|hours?|hrs?|days?|weeks?|nights?) ago", r"(?:the )?(?:last|past|previous) (?:\w+ )?(?:hours?|hrs?|days?|minutes?)",
    r"earlier today", r"this (?:morning|afternoon|evening)", r"tonight", r"today (?:at|between|from|since|around)", r"the (?:day|night) before",
)  # fmt: skip
_WINDOW = re.compile(
    rf"\b(?:between|from) (?P<start>{_CLOCK})(?: UTC)? (?:and|to|until) (?P<end>{_CLOCK}) UTC(?: on|,)? (?P<date>{_DATE.pattern})", re.I
)
_DAYS_OF_WINDOW = re.compile(
    rf"\b(?:between|from) (?P<first>{_ANY_DAY})(?:,? {_CLOCK})?(?: UTC)?,? (?:and|to|until|till) (?P<last>{_ANY_DAY})(?:,? {_CLOCK})?", re.I
)
"""A window that names its days."""
LEAP_YEAR = 2024  # in which every day exists
_LATER = pattern("will", "follows?", r"publish\w*", "is due", "comes", "appears?")
_A_REPORT = pattern(
    "reports?", "post-?mortem", "write-?up", "analysis", "diary", "details", "more", r"(?:long|full)\w* (?:version|account|story)"
)
_A_DAY = pattern("mondays?", "tuesdays?", "wednesdays?", "thursdays?", "fridays?", "saturdays?", "sundays?", "tomorrow")
_ABOUT_READERS = pattern(r"you|your|users?|customers?|anyone|everyone|people|patients?|affected")


def _relative_time(draft: Draft) -> Iterator[Spot]:
    for sentence in draft.english.sentences if draft.english else ():
        if not _ANY_DATE.search(sentence.text):
            for found in _RELATIVE.finditer(without_names(sentence.text, draft.known.products)):
                told = "Whoever reads this next week cannot tell when it was. Write the date and the time, with the zone."
                start = sentence.start + found.start()
                yield Spot(start, start + len(found[0]), told, severity="warn" if draft.kind is Kind.RESOLUTION else None)


def _time_zone_missing(draft: Draft) -> Iterator[Spot]:
    if draft.english is None or re.search(r"\btimes\b[^.\n]{0,30}\b(?:UTC|GMT|[A-Z]{3,4})\b", draft.text):
        return
    for sentence in draft.english.sentences:
        found = _A_CLOCK.search(sentence.text)
        if found and not _ZONE.search(sentence.text):
            start = sentence.start + found.start()
            yield Spot(start, start + len(found[0]), "Readers sit in every time zone. Add the zone, for example UTC.")


def _window_missing(draft: Draft) -> Iterator[Spot]:
    if draft.english is None:
        return
    told = " ".join(sentence.text for sentence in draft.english.sentences if not _is_announced(sentence.text))
    dates, clocks = sum(1 for _ in _ANY_DATE.finditer(told)), sum(1 for _ in _A_CLOCK.finditer(told))
    a_span = re.search(
        rf"\d ?[–-] ?\d{{1,2}} {_MONTH}|{_MONTH} \d{{1,2}} ?[–-] ?\d|\d{{1,2}}(?:st|nd|rd|th)? (?:to|and|until) \d{{1,2}}(?:st|nd|rd|th)? {_MONTH}",
        told,
        re.I,
    )
    if not (dates >= 2 or (dates and clocks >= 2) or a_span):
        lacks = "It does not say from when until when readers could be affected. Write both, with date, time and zone."
        yield Spot(len(draft.text), len(draft.text), lacks)


def _is_announced(sentence: str) -> bool:
    """Whether its one date is that of a report that is to come."""
    return bool(_LATER.search(sentence) and _A_REPORT.search(sentence)) and sum(1 for _ in _ANY_DATE.finditer(sentence)) < 2


def _contradicts_facts(draft: Draft) -> Iterator[Spot]:
    yield from _other_window(draft)
    if draft.english is None or draft.kind in (Kind.RESOLUTION, Kind.SUMMARY, Kind.POSTMORTEM):
        return
    for host in draft.known.affected_domains:
        cleared = rf"(?<![\w.-]){_as_written(host)}(?:/\S*)? (?:is|was) (?:now )?(?:clean|safe|fine|ok|okay|genuine|ours again|not affected|unaffected)\b(?! again)"
        for found in re.finditer(cleared, draft.text, re.I):
            yield Spot(*found.span(), f"The incident says that {host} is affected. Mend the text or the incident.")
    for product in draft.known.affected_products:
        named = rf"(?<!\w)(?:{re.escape(product)})(?: itself)? (?:is|are|was|were) (?:not (?:affected|impacted)|unaffected)\s*(?=[.;!\n]|$|,(?! (?:if|unless|except|as long|provided|but|as far)\b))"
        for found in re.finditer(named, draft.text, re.I):
            yield Spot(*found.span(), f"The incident says that {product} is affected. Mend the text or the incident.")


def _as_written(host: str) -> str:
    """A pattern for the host, defanged or not."""
    return r"(?:\.|\s?[\[({](?:\.|dot)[\])}]\s?| dot )".join(map(re.escape, host.split(".")))


def _other_window(draft: Draft) -> Iterator[Spot]:
    """A window that is narrower than the incident, or on another day: readers outside of it would believe themselves safe."""
    started, ended = _moment(draft.known.started), _moment(draft.known.ended)
    if started is None or ended is None or draft.english is None:
        return
    yield from _other_days(draft, started, ended)
    for sentence in draft.english.sentences:
        found = _WINDOW.search(sentence.text)
        date = _date(found, started.year) if found else None
        if found and date and _ABOUT_READERS.search(sentence.text):
            opens, closes = (datetime.fromisoformat(f"{date}T{found[name]:0>5}:00+00:00") for name in ("start", "end"))
            if closes < opens:
                closes += timedelta(days=1)
            if opens - started >= timedelta(minutes=1) or ended - closes >= timedelta(minutes=1):
                start = sentence.start + found.start()
                told = f"The incident says {_said(started)} to {_said(ended)} UTC. Mend the text or the incident."
                yield Spot(start, start + len(found[0]), told)


def _other_days(draft: Draft, started: datetime, ended: datetime) -> Iterator[Spot]:
    """A summary's first window that names its days, where neither it nor any other date is of the incident, in whatever zone it is read."""
    day = timedelta(days=1)
    named = [
        datetime.fromisoformat(f"{date}T00:00:00+00:00") for found in _DATE.finditer(draft.text) if (date := _date(found, started.year))
    ]
    found = _DAYS_OF_WINDOW.search(draft.text)
    if draft.kind is Kind.SUMMARY and found and not any(started - 2 * day < one < ended + day for one in named):
        yield Spot(*found.span(), f"The incident says {_said(started)} to {_said(ended)} UTC. Mend the text or the incident.")


def dates(prose: str) -> Iterator[tuple[str, int, int]]:
    """The days of a text, as MM-DD, with their places."""
    for found in _DATE.finditer(prose):
        if day := _date(found, LEAP_YEAR):
            yield day[5:], *found.span()


def _sealed_time(draft: Draft) -> Iterator[Spot]:
    wrong = "On the day on which this is unsealed, this will be wrong. Say it without a time, like “within the hour”."
    said = {found[0]: found for times in (_DATE, _A_CLOCK, _A_DAY, _RELATIVE) for found in times.finditer(draft.text)}
    for found in said.values():  # each once, however often it stands there
        yield Spot(*found.span(), wrong)
    if draft.known.started:
        yield Spot(0, 0, "The incident says when it began; what is sealed is for one that has not begun. Take an incident without a start.")


def _said(moment: datetime) -> str:
    return f"{moment:%H:%M} on {moment.day} {moment:%B %Y}"


def _moment(given: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def _date(found: re.Match[str], year: int) -> str:
    if found["iso"]:
        return str(found["iso"])
    month = (found["month"] or found["month2"]).lower().rstrip(".")[:3]
    number = next(place for place, name in enumerate(_MONTHS, 1) if name.startswith(month))
    written = f"{found['year'] or found['year2'] or year}-{number:02}-{int(found['day'] or found['day2']):02}"
    try:
        datetime.fromisoformat(written)
    except ValueError:
        return ""
    return written


_GUIDE = "guide to crisis communication of security incidents: absolute times in what is read later"

RELATIVE_TIME = Rule(
    "relative-time", "block", "A relative time where a date is needed; a warning only in a resolution.", _GUIDE,
    "Yesterday our site was hijacked.", "On 4 March 2026 our site was hijacked.",
    _relative_time, frozenset({Kind.RESOLUTION, Kind.SUMMARY, Kind.POSTMORTEM}),
)  # fmt: skip
TIME_ZONE_MISSING = Rule(
    "time-zone-missing", "warn", "A clock time without a zone.", _GUIDE,
    "The next update is here at 12:30.", "The next update is here at 12:30 UTC.", _time_zone_missing,
)  # fmt: skip
WINDOW_MISSING = Rule(
    "window-missing", "block", "There is no absolute start and end of who could be affected.", _GUIDE,
    "If you used Example Web that morning, change your password.", "If you used Example Web between 07:10 and 13:05 UTC on 4 March 2026, change your password.",
    _window_missing, frozenset({Kind.SUMMARY}), whole=True,
)  # fmt: skip
CONTRADICTS_FACTS = Rule(
    "contradicts-facts", "block", "A window or a product in the text contradicts the incident.", _GUIDE,
    "If you used Example Web between 09:10 and 11:05 UTC on 4 March 2026 …", "If you used Example Web between 07:10 and 13:05 UTC on 4 March 2026 …",
    _contradicts_facts,
)  # fmt: skip
SEALED_TIME = Rule(
    "sealed-time", "block", "A date, a clock time or a day in a text that is sealed; or the start of its incident.", "a sealed text goes out on a day that nobody knows yet",
    "Next update here at 10:00 UTC.", "Next update here within the hour.", _sealed_time, sealed=True,
)  # fmt: skip
RULES = (RELATIVE_TIME, TIME_ZONE_MISSING, WINDOW_MISSING, CONTRADICTS_FACTS, SEALED_TIME)
