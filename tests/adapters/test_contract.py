"""The contract suite: one set of promises, tried on every adapter of the registry against its stand-in.

What a single platform does beyond that lies in its own test file. Whatever a case leaves out is pinned in `LEFT_OUT`.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from adapters import banner
from adapters.contract import (
    PERMALINK_SLOT,
    Adapter,
    Duplicate,
    Message,
    NeedsOperator,
    NeedsPerson,
    NotSent,
    OutcomeUnknown,
    Part,
    Receipt,
    Reconcile,
    Rendering,
    Role,
    Unsupported,
)
from adapters.registry import UnknownPlatform, load, platforms
from app.rehearsal.stand_ins import faults
from tests.adapters.cases import CASES, HTTP_FAULTS, NEVER, Case, Lack
from tests.adapters.conftest import KEY, Bench

LEFT_OUT = {
    ("banner", "credentials"),
    ("banner", "faults"),
    ("manual", "credentials"),
    ("manual", "faults"),
    ("manual", "posting"),
}
"""What does not apply to whom; the reasons stand in the cases."""

PROCESSED = frozenset({"cut-after", "junk", "truncated", "drip", "hang"})
"""Faults that lose the answer to a post that was made."""

TITLE = "Security incident: example wallet"
FULL = (
    "We have found that version 4.2 of the example wallet signs transfers to an address of an attacker.\n\n"
    "Who is affected: people who installed 4.2 after 2026-11-24 07:00 UTC.\n\n"
    "If you are: move your funds with a device that never ran it, see https://help.example/move. "
    "If you are not: do nothing, and install nothing for now.\n\n"
    "- We have taken 4.2 out of every store.\n- We will never ask for your seed phrase.\n\n"
    "The next update comes at 2026-11-24 09:00 UTC, here."
)
POINTER = f"People with version 4.2 are affected: do not open it.\n\nAll updates, only here: {PERMALINK_SLOT}\n\nNot monitored for now."
REWRITTEN = (
    "Do <not> sign & wait: **now** _or_ [never](x), 5 > 3, caf\u00e9 \U0001f6a8 snake_case.\n"
    "Move it: https://help.example/a_b?c=1&d=2 (or example.com), &amp; ask u/someone.\n\n> No #panic."
)
"""Has links, entities and markup, of which each platform makes something."""
PERMALINK = "https://primary.example/" + "p" * 96  # 120 characters, as much as is kept for it

EVERY = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
EVERYONE = pytest.mark.parametrize("bench", CASES.values(), ids=CASES, indirect=True)


def lately() -> datetime:
    return datetime.now(UTC) - timedelta(minutes=1)


@functools.cache
def pure(platform: str) -> Adapter:
    """An adapter for what needs no network; nothing listens where it points."""
    return load(platform)(CASES[platform].config("http://127.0.0.1:9"))


def able(lack: Lack) -> Iterable[Case]:
    return [case for case in CASES.values() if lack not in case.lacks]


def those(cases: Iterable[Case]) -> pytest.MarkDecorator:
    listed = list(cases)
    return pytest.mark.parametrize("bench", listed, ids=[case.platform for case in listed], indirect=True)


POSTING, CREDENTIALS = those(able("posting")), those(able("credentials"))
LOOKUP = those(case for case in able("posting") if pure(case.platform).limits.reconcile is Reconcile.LOOKUP)
FAULTS = pytest.mark.parametrize(
    ("bench", "fault"),
    [pytest.param(case, fault, id=f"{case.platform}-{fault}") for case in able("faults") for fault in case.faults],
    indirect=["bench"],
)


# The table of adapters


def test_every_platform_has_a_case_and_every_case_a_platform() -> None:
    assert sorted(CASES) == sorted(platforms())


def test_nothing_is_left_out_silently() -> None:
    assert {(case.platform, lack) for case in CASES.values() for lack in case.lacks} == LEFT_OUT
    assert all(reason for case in CASES.values() for reason in case.lacks.values())


def test_every_fault_of_the_stand_ins_is_tried() -> None:
    assert set(HTTP_FAULTS) == (faults.ONCE | faults.STANDING) - {"latency"}


@EVERY
def test_it_is_made_without_its_secrets_for_a_process_that_posts_nothing(case: Case) -> None:
    right = case.config(case.home)
    blanks = {one.name: SecretStr(one.blank) for one in load(case.platform).fields if one.secret}
    bare = load(case.platform)(replace(right, secrets=blanks))
    whole = load(case.platform)(right)
    message = Message(text=FULL if case.role is not Role.POINTER else POINTER, title=TITLE)
    assert bare.render(message) == whole.render(message)
    assert bare.limits.public == whole.limits.public
    for permalink in (case.official, *case.foreign):
        assert bare.owns(permalink) == whole.owns(permalink)


@EVERY
def test_docs_have_a_row_that_says_what_the_adapter_declares(case: Case) -> None:
    docs = Path(__file__).parents[2] / "docs"
    rows = [line for line in (docs / "adapters.md").read_text().splitlines() if line.startswith(f"| [{case.platform}](")]
    assert len(rows) == 1, "one row an adapter"
    limits = load(case.platform)(case.config(case.home)).limits
    cells = [cell.strip() for cell in rows[0].strip("|").split("|")[1:12]]
    settled, key, public, readable, replies, link, paces, at_once, longest, parts, names = cells
    assert settled == limits.reconcile.value
    lasts = {0: "none", banner.ALWAYS: "always"}.get(limits.key_lasts, f"{limits.key_lasts:g} s")
    assert key == lasts + ("" if limits.sends else "; nothing is sent")
    assert [cell.partition(",")[0] for cell in (public, readable, replies, link, names)] == [
        "yes" if can else "no" for can in (limits.public, limits.readable, limits.replies, limits.permalinks, limits.links_names)
    ]
    told = [f"{pace.posts:,} in {pace.seconds:,.0f} s" for pace in limits.paces] or ["none"]
    assert re.findall(r"[\d,]+ in [\d,]+ s|none", paces) == told
    assert at_once == (str(limits.at_once) if limits.at_once else "any")
    assert longest == ("as configured" if "max_length" in case.fields else f"{limits.max_length:,}")
    assert parts == str(limits.max_parts)
    (link,) = re.findall(r"\((adapters/[a-z_]+\.md)\)", rows[0])
    assert case.platform in (docs / link).read_text()


def test_an_unknown_platform_names_the_known_ones_and_the_likeliest() -> None:
    with pytest.raises(UnknownPlatform, match=r"'telegramm'; did you mean 'telegram'\?.*banner, .*, x\."):
        load("telegramm")
    with pytest.raises(UnknownPlatform, match="There is no platform ''; known are"):
        load("")


def test_the_registry_imports_no_platform_until_it_is_asked_for() -> None:
    code = "import sys, adapters.registry as r; r.platforms(); print([m for m in sys.modules if m.startswith('adapters.')])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert shown.stdout.strip() == "['adapters.contract', 'adapters.registry']"


# What an adapter declares


@EVERY
def test_declares_fields_and_limits_that_make_sense(case: Case) -> None:
    cls, limits = load(case.platform), pure(case.platform).limits
    assert cls.platform == case.platform
    names = [one.name for one in cls.fields]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in names)
    assert all(one.help for one in cls.fields)
    assert not [one.name for one in cls.fields if one.default and (one.secret or one.required)], "a required field has no default"
    assert set(case.fields) <= {one.name for one in cls.fields if not one.secret}
    assert {one.name for one in cls.fields if one.secret and one.required} <= set(case.secrets)
    assert limits.unit.strip()
    assert limits.max_length > 0
    assert limits.max_parts >= 1
    assert limits.settle >= 0
    assert limits.at_once >= 0
    assert limits.key_lasts > 0 if limits.reconcile is Reconcile.KEY else limits.key_lasts >= 0
    assert limits.permalinks == bool(case.official)
    assert limits.sends == (case.posting != NEVER)


@EVERY
def test_paces_are_buckets_that_hold_no_secret(case: Case) -> None:
    adapter = pure(case.platform)
    for pace in adapter.limits.paces:
        assert re.fullmatch(r"[a-z_]+(:[\w.-]+)+", pace.bucket)
        assert pace.posts > 0
        assert pace.seconds > 0
        assert not any(secret in pace.bucket for secret in (*case.secrets.values(), *case.hidden))
    assert adapter.limits.paces == load(case.platform)(case.config("http://127.0.0.1:9")).limits.paces


# Rendering


def fits(case: Case, adapter: Adapter, rendering: Rendering) -> None:
    limits = adapter.limits
    assert 1 <= len(rendering.parts) <= limits.max_parts
    for part in (replace(part.filled(PERMALINK), standalone=part.filled(case.official).standalone) for part in rendering.parts):
        assert 0 < case.length(part.text) <= limits.max_length
        assert case.length(part.standalone) <= limits.max_length, "its slot is for part one's permalink, which is our own"
        assert (0 < len(part.title) <= case.max_title) if case.max_title else not part.title
        (part.text + part.title + part.standalone).encode()  # no lone surrogate


@EVERY
def test_renders_the_same_every_time_and_within_the_limits(case: Case) -> None:
    adapter, message = pure(case.platform), Message(FULL, TITLE)
    rendering = adapter.render(message)
    fits(case, adapter, rendering)
    assert adapter.render(message) == rendering == load(case.platform)(case.config("http://127.0.0.1:9")).render(message)
    assert message == Message(FULL, TITLE)


@EVERY
def test_renders_every_word_in_order(case: Case) -> None:
    said = " ".join(part.text for part in pure(case.platform).render(Message(FULL, TITLE)).parts)
    words = iter(re.findall(r"\w+", said))
    assert all(word in words for word in re.findall(r"\w+", FULL))


@EVERY
def test_a_pointer_keeps_its_slot_once_and_room_for_the_permalink(case: Case) -> None:
    adapter = pure(case.platform)
    rendering = adapter.render(Message(POINTER, TITLE))
    fits(case, adapter, rendering)
    assert "".join(part.text for part in rendering.parts).count(PERMALINK_SLOT) == 1
    assert not any(PERMALINK_SLOT in part.title for part in rendering.parts)


@EVERY
def test_the_longest_pointer_that_renders_still_fits_with_its_permalink(case: Case) -> None:
    adapter, fitting, too_long = pure(case.platform), 1, pure(case.platform).limits.max_length // 2 + 1

    def rendered(words: int) -> Rendering | None:
        try:
            rendering = adapter.render(Message("w " * words + PERMALINK_SLOT, TITLE))
        except Unsupported:
            return None
        return rendering if len(rendering.parts) == 1 else None

    while too_long - fitting > 1:
        middle = (fitting + too_long) // 2
        fitting, too_long = (middle, too_long) if rendered(middle) else (fitting, middle)
    longest = rendered(fitting)
    assert longest
    assert fitting > 50
    fits(case, adapter, longest)


@EVERY
def test_a_drill_is_marked_wherever_the_platform_has_a_place_for_it(case: Case) -> None:
    rendering = pure(case.platform).render(Message(f"[DRILL] {FULL}", f"[DRILL] {TITLE}", drill=True))
    assert "DRILL" in rendering.parts[0].text
    assert all(part.title.count("DRILL") == 1 for part in rendering.parts if part.title)


@EVERY
def test_nothing_to_say_is_unsupported(case: Case) -> None:
    with pytest.raises(Unsupported):
        pure(case.platform).render(Message(" \n ", TITLE))


ODD = st.text(
    st.one_of(
        st.characters(exclude_categories=()),
        st.sampled_from("@#$/ur_*[]()<>&`~|\\\n\r\t.:{}\u200b\u200d\u202e\u2066\ufeff\u0301\ud83d\udc68🏳🌈👩🇩\x00"),
    ),
    max_size=400,
)


@EVERY
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=ODD, title=ODD.filter(lambda title: len(title) < 120))
def test_anything_renders_within_the_limits_or_is_unsupported(case: Case, text: str, title: str) -> None:
    adapter = pure(case.platform)
    try:
        rendering = adapter.render(Message(text, title))
    except Unsupported:
        return
    fits(case, adapter, rendering)
    assert adapter.render(Message(text, title)) == rendering


HUGE = {
    "words": "alert " * 17_000,
    "one word": "a" * 100_000,
    "emoji": "👩\u200d👩\u200d👧" * 14_000,
    "marks": "e" + "\u0301" * 100_000,
    "mentions": "@a " * 33_000,
    "brackets": "[(" * 50_000,
    "lines": "\n" * 100_000 + "x",
    "dots": "a." * 50_000,
    "slashes": "http://" * 14_000,
}


@EVERY
@pytest.mark.timeout(10, method="signal")
@pytest.mark.parametrize("text", HUGE.values(), ids=HUGE)
def test_a_huge_text_is_settled_quickly(case: Case, text: str) -> None:
    adapter, began = pure(case.platform), time.process_time()
    with contextlib.suppress(Unsupported):
        fits(case, adapter, adapter.render(Message(text, TITLE)))
    assert time.process_time() - began < 3.0


# Permalinks


@EVERY
def test_owns_its_own_permalinks_only(case: Case) -> None:
    adapter = load(case.platform)(case.config(case.home))
    assert not case.official or adapter.owns(case.official)
    host = re.sub(r"^https://([^/]*).*", r"\1", case.official)
    forged: list[Callable[[str], str]] = [
        lambda url: url.replace("https:", "http:"),
        lambda url: url.replace("https:", "javascript:"),
        lambda url: url.replace(host, f"{host}.evil.example"),
        lambda url: url.replace(host, f"{host}@evil.example"),
        lambda url: url.replace(host, f"{host}:8443"),
        lambda url: url.replace(host, host[:-1]),
        lambda url: url.replace(host, host.replace("o", "о").replace("e", "е")),  # Cyrillic
        lambda url: f"{url}\n",
        lambda url: f" {url}",
        lambda url: f"{url}\u202e",
        lambda url: f"{url}#@evil.example",
        lambda url: f"https://evil.example/?{url}",
        lambda url: url[:-1] + "/../../../",
    ]
    others = [*case.foreign, "", "https://", "https://evil.example/1", PERMALINK_SLOT]
    others += [forge(case.official) for forge in forged] if case.official else []
    assert [url for url in others if adapter.owns(url)] == []


@EVERY
@settings(max_examples=40, deadline=None)
@given(url=ODD)
def test_owns_no_noise(case: Case, url: str) -> None:
    assert not pure(case.platform).owns(url)


# Credentials and account


@EVERYONE
async def test_check_proves_the_configured_account_and_posts_nothing(bench: Bench) -> None:
    identity = await bench.adapter().check()
    assert identity.account == bench.config.account
    assert identity.name
    assert not (bench.stand_in and (bench.stand_in.posts or bench.requests()))


@CREDENTIALS
async def test_wrong_credentials_need_the_operator(bench: Bench) -> None:
    wrong = bench.case.wrong_config(bench.platform.base_url)
    await bench.fails(NeedsOperator, bench.adapter(wrong).check())
    await bench.fails(NeedsOperator, bench.adapter(wrong).publish(bench.part(), KEY, None))
    assert not bench.platform.posts


@CREDENTIALS
async def test_another_account_needs_the_operator(bench: Bench) -> None:
    for account in bench.case.others:
        await bench.fails(NeedsOperator, bench.adapter(replace(bench.config, account=account)).check())


@CREDENTIALS
async def test_a_check_that_reaches_nobody_is_not_the_operators_fault(bench: Bench) -> None:
    await bench.fault("refused")
    await bench.fails(NotSent, bench.adapter().check())


# Posting


@EVERYONE
async def test_a_connection_that_is_opened_ahead_sends_nothing_and_says_nothing(bench: Bench) -> None:
    adapter = bench.adapter()
    await adapter.connect()
    await adapter.connect()
    assert not (bench.stand_in and bench.stand_in.log)


@CREDENTIALS
async def test_a_connection_that_cannot_be_opened_ahead_is_for_the_post_to_tell(bench: Bench) -> None:
    await bench.fault("refused")
    adapter = bench.adapter()
    await adapter.connect()
    await bench.fails(NotSent, adapter.publish(bench.part(), KEY, None))


@POSTING
async def test_a_post_goes_out_once_over_a_connection_that_was_opened_ahead(bench: Bench) -> None:
    adapter = bench.adapter()
    await adapter.connect()
    await publish(bench, adapter, bench.part())
    assert len(bench.requests()) == (0 if bench.case.shown else 1)
    assert len(bench.platform.posts) == 1


async def publish(bench: Bench, adapter: Adapter, part: Part, reply_to: Receipt | None = None, key: str = KEY) -> Receipt:
    receipt = await adapter.publish(part, key, reply_to)
    if bench.case.shown:
        bench.case.shown(bench.platform, part, receipt)
    return receipt


@POSTING
async def test_a_post_is_held_as_rendered_and_its_permalink_is_owned(bench: Bench) -> None:
    adapter = bench.adapter()
    part = adapter.render(Message(FULL, TITLE)).parts[0]
    receipt = await publish(bench, adapter, part)
    (post,) = bench.platform.posts
    assert bench.case.same(post, part)
    assert receipt.remote_id
    assert (adapter.owns(receipt.permalink) and receipt.permalink == post.permalink) if bench.case.official else not receipt.permalink
    assert len(bench.requests()) == (0 if bench.case.shown else 1)


@those(case for case in able("posting") if pure(case.platform).limits.key_lasts)
async def test_the_same_key_gives_the_first_post_back(bench: Bench) -> None:
    adapter, part = bench.adapter(), bench.part()
    first = await publish(bench, adapter, part)
    held = len(bench.platform.posts)
    assert await adapter.publish(part, KEY, None) == first
    assert len(bench.platform.posts) == held
    if adapter.limits.sends:
        assert await adapter.publish(part, KEY[::-1], None) != first


@POSTING
async def test_nobody_is_pinged_and_nothing_is_tagged(bench: Bench) -> None:
    adapter = bench.adapter()
    await publish(bench, adapter, adapter.render(Message(bench.case.pings, TITLE)).parts[0])
    (post,) = bench.platform.posts
    assert not bench.case.pinged(post, bench.body(post))


@POSTING
async def test_parts_follow_each_other_as_replies(bench: Bench) -> None:
    adapter, receipt = bench.adapter(), None
    parts = adapter.render(Message(FULL, TITLE)).parts
    for number, part in enumerate(parts if len(parts) > 1 else (*parts, bench.part())):
        filled = part.filled(receipt.permalink if receipt else "")
        receipt = await publish(bench, adapter, filled, receipt, key=KEY[:-1] + "abcdefghij"[number])
    posts = bench.platform.posts
    expected = [post.id for post in posts[:-1]] if adapter.limits.replies else [""] * (len(posts) - 1)
    assert [bench.case.reply_to(post, bench.body(post)) for post in posts[1:]] == expected


@POSTING
async def test_what_follows_a_post_can_be_repeated(bench: Bench) -> None:
    adapter = bench.adapter()
    receipt = await publish(bench, adapter, bench.part())
    assert await adapter.finish(receipt) == await adapter.finish(receipt) == ""
    assert len(bench.platform.posts) == 1


@FAULTS
async def test_a_fault_posts_at_most_once_is_named_for_what_it_is_and_can_be_settled(bench: Bench, fault: str, impatient: None) -> None:
    adapter, part = bench.adapter(), bench.part()
    await bench.fault(fault, value=7.0 if fault == "429" else None)
    error = await bench.fails(bench.case.faults[fault], adapter.publish(part, KEY, None))
    held = bench.platform.posts[:]
    assert len(bench.requests()) <= 1
    assert len(held) == (1 if fault in PROCESSED else 0)
    if fault == "429":
        assert isinstance(error, NotSent)
        assert 5.0 < (error.retry_after or 0) < 10.0
    if isinstance(error, OutcomeUnknown) and fault != "junk":
        assert error.status == {"500": 500, "502-html": 502}.get(fault), "an answer that came tells something else than a lost one"
    await bench.platform.clear()
    match adapter.limits.reconcile:
        case Reconcile.LOOKUP:
            found = await adapter.find(part, KEY, lately())
            assert (found.permalink if found else None) == (held[0].permalink if held else None)
        case Reconcile.KEY:
            again = await adapter.publish(part, KEY, None)
            assert [post.permalink for post in bench.platform.posts] == [again.permalink]
        case Reconcile.NOBODY:
            await bench.fails(Unsupported, adapter.find(part, KEY, lately()))
    await adapter.publish(bench.part("The next one goes through."), KEY[::-1], None)
    assert len(bench.platform.posts) == len(held) + 1


@LOOKUP
async def test_find_sees_through_what_the_platform_makes_of_a_text_and_takes_no_other(bench: Bench) -> None:
    adapter = bench.adapter()
    part = adapter.render(Message(REWRITTEN, TITLE)).parts[0]
    receipt = await adapter.publish(part, KEY, None)
    assert await adapter.find(part, KEY[::-1], lately()) == receipt, "by its text alone"
    begin, end, links = part.text[:40], part.text[40:], part.text.replace("help.example", "evil.example")
    for text in (part.text[:-1], f"{part.text} 2", f"{begin}x{end}", f"{begin}\n\n\n{end}x", part.text.swapcase(), links, "Other words."):
        assert await adapter.find(replace(part, text=text), KEY[::-1], lately()) is None, text


@LOOKUP
async def test_find_takes_no_post_of_another_account(bench: Bench) -> None:
    adapter, part = bench.adapter(), bench.part()
    await adapter.publish(part, KEY, None)
    bench.platform.posts[0].extra |= bench.case.stranger
    assert await adapter.find(part, KEY, lately()) is None


@LOOKUP
async def test_find_is_not_fooled_by_an_older_identical_post(bench: Bench) -> None:
    adapter, part = bench.adapter(), bench.part()
    older = await adapter.publish(part, KEY, None)
    bench.platform.posts[0].at -= 3600
    assert await adapter.find(part, KEY[::-1], lately()) is None
    try:
        ours = await adapter.publish(part, KEY[::-1], None)
    except Duplicate:
        assert len(bench.platform.posts) == 1
        assert await adapter.find(part, KEY[::-1], lately()) is None, "that the platform refuses a duplicate proves nothing"
    else:
        assert older != ours == await adapter.find(part, KEY[::-1], lately())
        bench.platform.posts[0].at = bench.platform.posts[1].at - 30
        assert await adapter.find(part, KEY[::-1], lately()) == ours, "of two within the time, the newer"


@those(case for case in CASES.values() if pure(case.platform).limits.reconcile is not Reconcile.LOOKUP)
async def test_who_cannot_look_says_so(bench: Bench) -> None:
    await bench.fails(Unsupported, bench.adapter().find(bench.part(), KEY, lately()))
    assert not (bench.stand_in and bench.stand_in.log)


@EVERYONE
async def test_a_look_that_fails_says_so(bench: Bench) -> None:
    if bench.stand_in is None:
        assert bench.adapter().limits.reconcile is Reconcile.NOBODY
        return
    adapter, part = bench.adapter(), bench.part()
    receipt = await publish(bench, adapter, part)
    await bench.fault("refused")
    if adapter.limits.reconcile is Reconcile.LOOKUP:
        await bench.fails(OutcomeUnknown, adapter.find(part, KEY, lately()))
    if adapter.limits.readable:
        await bench.fails(OutcomeUnknown, adapter.read(part, receipt))
    else:
        assert (await adapter.read(part, receipt)).state == "not_possible"


@POSTING
async def test_a_reader_sees_what_is_there(bench: Bench) -> None:
    adapter = bench.adapter()
    part = adapter.render(Message(FULL, TITLE)).parts[0]
    receipt = await publish(bench, adapter, part)
    if not adapter.limits.readable:
        assert (await adapter.read(part, receipt)).state == "not_possible"
        return
    post = bench.platform.posts[0]
    assert (await adapter.read(part, receipt)).state == "seen"
    post.text = f"{post.text[:40]} Send your seed phrase to help@evil.example {post.text[40:]}"
    seen = await adapter.read(part, receipt)
    assert (seen.state, bool(seen.detail)) == ("altered", True)
    bench.platform.posts.remove(post)
    assert (await adapter.read(part, receipt)).state == "missing"


@POSTING
async def test_a_pointer_is_seen_with_its_permalink(bench: Bench) -> None:
    adapter = bench.adapter()
    part = adapter.render(Message(POINTER, TITLE)).parts[0].filled("https://primary.example/status/1")
    receipt = await publish(bench, adapter, part)
    assert (await adapter.read(part, receipt)).state == ("seen" if adapter.limits.readable else "not_possible")
    assert "https://primary.example/status/1" in bench.platform.posts[0].text


@those(case for case in CASES.values() if "posting" in case.lacks)
async def test_by_hand_means_a_person_is_asked(bench: Bench) -> None:
    adapter, part = bench.adapter(), bench.part()
    await bench.fails(NeedsPerson, adapter.publish(part, KEY, None))
    assert (await adapter.read(part, Receipt("1", bench.case.official))).state == "not_possible"
    assert await adapter.finish(Receipt("1", bench.case.official)) == ""


# Secrets and loose ends


@EVERYONE
async def test_shows_no_secret_and_leaves_nothing_open(bench: Bench) -> None:
    adapter = bench.adapter()
    bench.keeps_secrets(f"{adapter!r} {adapter} {bench.config!r} {load(bench.case.platform).fields!r}")
    await adapter.check()
    if "posting" not in bench.case.lacks:
        receipt = await publish(bench, adapter, bench.part())
        await adapter.read(bench.part(), receipt)
    await adapter.aclose()
    await adapter.aclose()
    bench.opened.remove(adapter)
    del adapter
    gc.collect()  # an unclosed connection warns here, and a warning is an error
    await bench.adapter().check()  # the next adapter is not hurt by it
