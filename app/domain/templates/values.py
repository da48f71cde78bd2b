"""What stands in a gap: how a value of each type may be written, and how it is shown. No value can leave its place or add a link.

A domain is shown with its dots broken; a time is shown in UTC, with its date unless it lies ahead on the same day.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from app.domain.templates.template import Type, Variable
from app.domain.wording.links import links, plain
from app.domain.wording.names import bare_host, registrable

MOST_NAMES = 20
_JOINERS = str.maketrans("", "", "\u200c\u200d")  # some scripts need them; the wording checks judge where they stand
_NEXT_SENTENCE = re.compile(r"[.?!…]\s|[。！？]")
_INITIAL = re.compile(r"\b(?:[A-Z]|Dr|Mr|Mrs|Ms|Jr|Sr|St|Prof)\. ")
_CLOCK = re.compile(r"(?:(?P<date>\d{4}-\d\d-\d\d)[T ]+)?(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::\d\d)?(?: ?(?P<zone>[A-Za-z][\w/+-]*))?")
_LATER = re.compile(r"\+ ?(\d{1,4}) ?([mhd])[a-z]*")
_DURATION = re.compile(r"(\d{1,4}) ?(minute|min|m|hour|h|day|d|week|w)s?")
_UNITS = {"m": "minute", "h": "hour", "d": "day", "w": "week"}
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
)  # fmt: skip


class Unfit(ValueError):
    """A value that its gap cannot hold; the message says why and what to write."""


@dataclass(frozen=True, slots=True)
class Hour:
    """When and where values are read: the time (UTC), the zone of clock times, whether dates need their year, and the language."""

    now: datetime
    zone: str = "UTC"
    years: bool = False
    english: bool = True


def shown(variable: Variable, given: str, hour: Hour) -> str:
    """The words that a value becomes. Raises `Unfit`."""
    given = given.strip()
    if not given.translate(_JOINERS).isprintable():
        raise Unfit("holds a line break or a character that nobody sees; delete it")
    return _SHOWN[variable.type](variable, given, hour)


def items(given: str) -> tuple[str, ...]:
    """The single products, domains or people of a value, parted by commas."""
    return tuple(filter(None, (one.strip() for one in given.split(","))))


def moment(given: str, hour: Hour, *, ahead: bool = False) -> datetime:
    """The instant (UTC) that is meant: `now`, `+60m`, `07:10`, `07:10 Europe/Berlin`, or ISO 8601 with a zone. Raises `Unfit`."""
    at = _relative(given, hour) or _clock(given, hour, ahead) or _iso(given)
    if at is None:
        raise Unfit("is no time; write 07:10 (in the incident's zone), 07:10 UTC, 2026-03-04 07:10 UTC" + (" or +60m" if ahead else ""))
    if ahead and at <= hour.now:
        raise Unfit("has to lie ahead")
    if not ahead and at > hour.now + timedelta(minutes=1):
        raise Unfit("lies ahead; write when it was, with the date")
    return at


def _phrase(variable: Variable, given: str, hour: Hour) -> str:
    """Words within a sentence: no end of it, no bracket but a broken dot."""
    words = re.sub(r"\s+", " ", given)
    words = words.rstrip(".。") if variable.type is Type.WORDS else words
    if _NEXT_SENTENCE.search(_INITIAL.sub("", words) if variable.type is Type.PEOPLE else words):
        raise Unfit("goes on where its sentence stands; leave out the full stop and what follows it")
    if re.search(r"[\[\]{}<>]", words.replace("[.]", "")):
        raise Unfit("holds a bracket; only a broken dot [.] may stand there")
    if len(words) > variable.most:
        raise Unfit(f"has {len(words)} characters; up to {variable.most} fit")
    return words


def _list(variable: Variable, given: str, hour: Hour) -> str:
    names = items(given)
    if not 1 <= len(names) <= MOST_NAMES:
        raise Unfit(f"names 1 to {MOST_NAMES}, between commas")
    return _joined([_phrase(variable, name, hour) for name in names], hour)


def _domains(variable: Variable, given: str, hour: Hour) -> str:
    hosts = [bare_host(name) for name in items(given)]
    if not 1 <= len(hosts) <= MOST_NAMES or not all(_is_host(host) for host in hosts):
        raise Unfit("must be a domain, like example.com")
    return _joined([host.replace(".", "[.]").replace(":", "[:]") for host in hosts], hour)


def _is_host(host: str) -> bool:
    return bool(registrable(host) or re.fullmatch(r"[\d.]+|[\da-f:]+", host)) and not re.search(r"[\s\[\]{}<>@]", host)


def _link(variable: Variable, given: str, hour: Hour) -> str:
    found = [(link.start, link.end) for link in links(plain(given))]
    if not given.startswith("https://") or not found or found[0] != (0, len(given)) or re.search(r"[\s\[\]{}<>()]", given):
        raise Unfit("must be one link that begins with https:// and holds no bracket")
    return given


def _time(variable: Variable, given: str, hour: Hour) -> str:
    return _said(moment(given, hour, ahead=variable.ahead), hour, today=variable.ahead)


def _window(variable: Variable, given: str, hour: Hour) -> str:
    """`START to END`: a clock time at the end is the first one after the start."""
    start, to, end = given.partition(" to ")
    if not to:
        raise Unfit("is a start and an end; write 07:10 to 13:05, or both with date and zone")
    opens = moment(start.strip(), hour)
    closes = _clock(end.strip(), Hour(opens, hour.zone), True) or moment(end.strip(), hour)
    if closes <= opens:
        raise Unfit("ends before it starts")
    if closes > hour.now + timedelta(minutes=1):
        raise Unfit("ends ahead; write it once it is over")
    if not hour.english:
        return f"{_said(opens, hour)} – {_said(closes, hour)}"
    if opens.date() == closes.date():
        return f"between {opens:%H:%M} and {_said(closes, hour)}"
    return f"between {_said(opens, hour)} and {_said(closes, hour)}"


def _duration(variable: Variable, given: str, hour: Hour) -> str:
    found = _DURATION.fullmatch(given.lower())
    if not found or not int(found[1]):
        raise Unfit("is no duration; write 45 minutes, 2 hours or 3 days")
    count, unit = int(found[1]), _UNITS[found[2][0]]
    return f"{count} {unit}{'s' if count > 1 else ''}" if hour.english else f"{count} {found[2][0].replace('m', 'min')}"


def _relative(given: str, hour: Hour) -> datetime | None:
    """`now`, or from now on, on the next full five minutes."""
    if given == "now":
        return hour.now
    found = _LATER.fullmatch(given)
    if not found:
        return None
    wait = int(found[1]) * {"m": 60, "h": 3600, "d": 86_400}[found[2]]
    at = (hour.now + timedelta(seconds=wait)).timestamp()
    return datetime.fromtimestamp(at - at % -300, UTC)


def _clock(given: str, hour: Hour, ahead: bool) -> datetime | None:
    """A clock time, in the incident's zone unless it names one; without a date it is the last such time, or the next one."""
    found = _CLOCK.fullmatch(given)
    if not found:
        return None
    zone = _zone(found["zone"] or hour.zone)
    here = hour.now.astimezone(zone)
    try:
        day = datetime.fromisoformat(found["date"]).date() if found["date"] else here.date()
        at = datetime(day.year, day.month, day.day, int(found["hour"]), int(found["minute"]), tzinfo=zone)
    except ValueError as error:
        raise Unfit(f"is no time ({error})") from error
    if not found["date"] and ahead and at <= here:
        at += timedelta(days=1)
    elif not found["date"] and not ahead and at > here + timedelta(minutes=1):
        at -= timedelta(days=1)
    return at.astimezone(UTC)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo("UTC" if name in ("Z", "GMT") else name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Unfit(f"names the zone {name}, which is none; write UTC or one like Europe/Berlin") from error


def _iso(given: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(given)
    except ValueError:
        return None
    return at.astimezone(UTC) if at.tzinfo else None


def _said(at: datetime, hour: Hour, *, today: bool = False) -> str:
    if not hour.english:
        return f"{at:%Y-%m-%d %H:%M} UTC"
    if today and at.date() == hour.now.date():
        return f"{at:%H:%M} UTC"
    return f"{at:%H:%M} UTC on {at.day} {_MONTHS[at.month - 1]}" + (f" {at.year}" if hour.years else "")


def _joined(words: Iterable[str], hour: Hour) -> str:
    *most, last = words
    return f"{', '.join(most)}{' and ' if hour.english else ', '}{last}" if most else last


_SHOWN: dict[Type, Callable[[Variable, str, Hour], str]] = {
    Type.PRODUCT: _list,
    Type.DOMAIN: _domains,
    Type.TIME: _time,
    Type.WINDOW: _window,
    Type.DURATION: _duration,
    Type.LINK: _link,
    Type.PEOPLE: _list,
    Type.WORDS: _phrase,
}
