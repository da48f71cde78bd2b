"""What is particular to X: weights and threads, refused replies, duplicates, and answers that try to pass for a post."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from twitter_text import parse_tweet

from adapters import http
from adapters.contract import (
    PERMALINK_SLOT,
    AdapterError,
    Config,
    Duplicate,
    Message,
    NeedsOperator,
    NotSent,
    OutcomeUnknown,
    Part,
    Receipt,
    Rejected,
    Role,
    Unsupported,
)
from adapters.x.adapter import THREAD, XAdapter
from adapters.x.text import embedded_text, same_text, weight
from app.rehearsal.stand_ins import accounts
from app.rehearsal.stand_ins.server import Running
from app.rehearsal.stand_ins.stand_in import StandIn
from tests.adapters.hostile import Hostile, hostile_host

ACCOUNT = accounts.X["accounts"][0]
SECRETS = {name: accounts.X[name] for name in ("consumer_key", "consumer_secret")}
SECRETS |= {name: ACCOUNT[name] for name in ("access_token", "access_token_secret")}
KEY = "abcdefghijklmnopqrst"
OFFICIAL = f"https://x.com/{ACCOUNT['handle']}/status/1700000000000000001"


def config(base_url: str = "") -> Config:
    secrets = {name: SecretStr(value) for name, value in SECRETS.items()}
    return Config("x-main", "x", Role.PRIMARY, ACCOUNT["user_id"], base_url, {"handle": ACCOUNT["handle"]}, secrets)


@pytest.fixture
async def x(running: Running) -> AsyncIterator[XAdapter]:
    adapter = XAdapter(config(running.urls["x"]))
    yield adapter
    await adapter.aclose()


@pytest.fixture
def stand_in(running: Running) -> StandIn:
    return running.stand_ins["x"]


@pytest.fixture
async def host() -> AsyncIterator[Hostile]:
    async with hostile_host() as host:
        yield host


@pytest.fixture
async def hostile_x(host: Hostile) -> AsyncIterator[XAdapter]:
    adapter = XAdapter(config(host.base_url))
    yield adapter
    await adapter.aclose()


def posts_asked(stand_in: StandIn) -> int:
    return sum(entry.method == "POST" for entry in stand_in.log)


def lately() -> datetime:
    return datetime.now(UTC) - timedelta(minutes=1)


# Rendering

WORDS = st.sampled_from(
    [
        "word ",
        "Sentence. ",
        "\n\n",
        "\n- item ",
        "次の更新 ",
        "👩‍👩‍👧",
        "🇩🇪",
        "e\u0301",
        "https://help.company.com/a?b=c ",
        "company.com ",
        "@name ",
    ]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=200).map("".join).filter(str.strip))
def test_every_part_and_every_standalone_is_within_280_by_twitters_own_count(text: str) -> None:
    try:
        parts = XAdapter(config()).render(Message(text, "")).parts
    except Unsupported:
        assert parse_tweet(text).weightedLength > 280
        return
    first = parts[0]
    assert first.standalone == ""
    for part in parts:
        assert parse_tweet(part.text).valid
    for part in parts[1:]:
        assert part.standalone == f"{part.text}\n\n{PERMALINK_SLOT}"
        assert parse_tweet(part.filled(OFFICIAL).standalone).valid


@settings(max_examples=150, deadline=None)
@given(st.lists(WORDS | st.text(max_size=4), max_size=25).map("".join))
def test_weighing_word_by_word_gives_twitters_weight(text: str) -> None:
    assert weight(text) == parse_tweet(text).weightedLength


def test_280_stay_one_post_and_281_become_two() -> None:
    x = XAdapter(config())
    assert len(x.render(Message("a" * 139 + " " + "b" * 140, "")).parts) == 1
    assert len(x.render(Message("a" * 139 + " " + "b" * 141, "")).parts) == 2
    assert len(x.render(Message("次" * 140, "")).parts) == 1


def test_a_pointer_weighs_its_link_23_on_xs_own_hosts_and_the_room_elsewhere() -> None:
    text = "a" * 256 + f" {PERMALINK_SLOT}"
    (part,) = XAdapter(config()).render(Message(text, "")).parts
    assert parse_tweet(part.filled("https://www.reddit.com/r/company/comments/abc/a_long_title_of_it/").text).weightedLength == 280
    parts = XAdapter(config("http://127.0.0.1:9")).render(Message(text, "", permalink_room=60)).parts
    assert [PERMALINK_SLOT in part.text for part in parts] == [False, True]
    assert parts[1].standalone == parts[1].text, "one link is enough"


def test_too_long_for_a_thread_is_unsupported() -> None:
    with pytest.raises(Unsupported, match=f"{THREAD} posts"):
        XAdapter(config()).render(Message("word " * 1500, ""))


@pytest.mark.parametrize("text", ["", "  \n", "a\ufeffb", "a\uffffb", "a\ud800b", "a." * 200])
def test_what_x_cannot_take_is_unsupported(text: str) -> None:
    with pytest.raises(Unsupported):
        XAdapter(config()).render(Message(text, ""))


@pytest.mark.parametrize(("account", "handle"), [("12", ""), ("12", "sixteen_letters_"), ("12", "a/b"), ("12\n", "a"), ("acme", "a")])
def test_a_handle_or_account_that_cannot_be_one_stops_the_start(account: str, handle: str) -> None:
    with pytest.raises(ValueError, match=r"x-main: (handle|account)"):
        XAdapter(replace(config(), account=account, fields={"handle": handle}))


@pytest.mark.parametrize(
    "url",
    [
        "https://x.com/tocsin_drill/status/1?s=20",
        "https://x.com/tocsin_drill/status/1/",
        "https://x.com/tocsin_drill/status/１",
        "https://x.com/tocsin_drill/status/" + "1" * 20,
        "https://x.com/i/web/status/1",
        "https://twitter.com/tocsin_drill/status/1",
        "http://x.com/tocsin_drill/status/1",
        "https://x.com\\@evil.example/tocsin_drill/status/1",
        "https://x.com/tocsin_drill/status/1\n",
    ],
)
def test_owns_nothing_else(url: str) -> None:
    assert not XAdapter(config()).owns(url)


def test_owns_its_posts_whatever_the_case_of_the_handle() -> None:
    assert XAdapter(config()).owns("https://x.com/Tocsin_Drill/status/1")


# Comparing


@pytest.mark.parametrize(
    ("wanted", "shown", "links", "same"),
    [
        ("a <b> & c", "a &lt;b&gt; &amp; c", {}, True),
        ("a &amp; b", "a &amp;amp; b", {}, True),
        ("a &amp; b", "a &amp; b", {}, True),
        ("see https://a.com/x.", "see https://t.co/1aB.", {}, True),
        ("see https://a.com/x", "see https://t.co/1", {"https://t.co/1": "https://a.com/x"}, True),
        ("see HTTPS://A.com", "see https://t.co/1", {"https://t.co/1": "https://a.com/"}, True),
        ("see a.com now", "see https://t.co/1 now", {"https://t.co/1": "http://a.com"}, True),
        ("see https://a.com/x", "see https://t.co/1", {"https://t.co/1": "https://evil.com/x"}, False),
        ("see https://a.com/x now", "see https://t.co/1 later", {}, False),
        ("see https://a.com/x", "see https://t.co/1 https://t.co/2", {}, False),
        ("caf\u00e9\r\nx ", "cafe\u0301\nx", {}, True),
        ("text", "@acme text", {}, True),
        ("text", "@other text", {}, False),
        ("text", "text.", {}, False),
    ],
)
def test_words_are_compared_exactly_and_links_as_far_as_x_tells_them(wanted: str, shown: str, links: dict[str, str], same: bool) -> None:
    assert same_text(wanted, shown, links, "acme") is same


def test_oembed_markup_becomes_the_words_of_its_paragraph() -> None:
    markup = '<blockquote><p lang="en">a<br>b &amp; <a href="https://t.co/1">https://t.co/1</a></p>&mdash; Name (@acme)</blockquote>'
    assert embedded_text(markup) == "a\nb & https://t.co/1"


# Posting


async def test_a_duplicate_is_unknown_until_found(x: XAdapter) -> None:
    receipt = await x.publish(Part("Do not sign anything."), KEY, None)
    with pytest.raises(Duplicate, match="posted before"):
        await x.publish(Part("Do not sign anything."), KEY, None)
    assert await x.find(Part("Do not sign anything."), KEY, lately()) == receipt


async def test_a_refused_reply_goes_out_once_as_the_standalone_form(x: XAdapter, running: Running, stand_in: StandIn) -> None:
    first = await x.publish(Part("Part one."), KEY, None)
    await running.fault("x", "refuse-replies")
    part = Part("Part two.", standalone=f"Part two.\n\n{PERMALINK_SLOT}").filled(first.permalink)
    receipt = await x.publish(part, KEY, first)
    assert posts_asked(stand_in) == 3
    assert [(post.text, post.reply_to) for post in stand_in.posts[1:]] == [(f"Part two.\n\n{first.permalink}", "")]
    assert await x.find(part, KEY, lately()) == receipt
    assert (await x.read(part, receipt)).state == "seen"


async def test_a_refused_reply_without_a_standalone_form_goes_out_as_it_is(x: XAdapter, running: Running, stand_in: StandIn) -> None:
    first = await x.publish(Part("Part one."), KEY, None)
    await running.fault("x", "refuse-replies")
    await x.publish(Part("It is over."), KEY, first)
    assert (stand_in.posts[1].text, stand_in.posts[1].reply_to) == ("It is over.", "")


async def test_a_parent_too_young_to_be_seen_is_tried_again_later(x: XAdapter, running: Running, stand_in: StandIn) -> None:
    first = await x.publish(Part("Part one."), KEY, None)
    await running.fault("x", "young-parent", value=60)
    with pytest.raises(NotSent) as caught:
        await x.publish(Part("Part two."), KEY, first)
    assert caught.value.retry_after == 5
    assert len(stand_in.posts) == 1


async def test_a_post_given_by_hand_can_be_replied_to_by_its_permalink(x: XAdapter, stand_in: StandIn) -> None:
    first = await x.publish(Part("Part one."), KEY, None)
    await x.publish(Part("Part two."), KEY, Receipt("", first.permalink))
    assert stand_in.posts[1].reply_to == first.remote_id
    with pytest.raises(Unsupported):
        await x.publish(Part("Part three."), KEY, Receipt("", "https://x.com/other/status/1"))


async def test_an_empty_slot_is_never_sent(x: XAdapter, stand_in: StandIn) -> None:
    with pytest.raises(Unsupported):
        await x.publish(Part(f"See {PERMALINK_SLOT}"), KEY, None)
    assert not stand_in.log


async def test_find_sees_through_links_and_knows_neither_older_posts_nor_other_links(x: XAdapter, stand_in: StandIn) -> None:
    part = Part("Read <this> & https://help.company.com/move now")
    receipt = await x.publish(part, KEY, None)
    assert await x.find(part, KEY, lately()) == receipt
    assert await x.find(Part("Read <this> & https://evil.company.com/move now"), KEY, lately()) is None
    assert await x.find(part, KEY, datetime.now(UTC) + timedelta(seconds=1)) is None


async def test_find_reads_on_through_the_pages(x: XAdapter, stand_in: StandIn) -> None:
    receipt = await x.publish(Part("The first."), KEY, None)
    first = stand_in.posts[0]
    stand_in.posts += [replace(first, id=str(int(first.id) + number), text=f"Other {number}.") for number in range(1, 240)]
    assert await x.find(Part("The first."), KEY, lately()) == receipt
    assert await x.find(Part("Nowhere."), KEY, lately()) is None
    stand_in.posts += [replace(first, id=str(int(first.id) + number), text=f"Other {number}.") for number in range(240, 600)]
    with pytest.raises(OutcomeUnknown, match="too many"):
        await x.find(Part("Nowhere."), KEY, lately())


async def test_concurrent_posts_do_not_wait_for_each_other(x: XAdapter, running: Running) -> None:
    await running.fault("x", "latency", value=0.2)
    began = time.monotonic()
    await asyncio.gather(*(x.publish(Part(f"Number {number}."), KEY, None) for number in range(20)))
    assert time.monotonic() - began < 2.0


# Answers that try to pass for a post

GOOD = {"data": {"id": "1700000000000000009", "text": "x"}}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, GOOD),
        (202, GOOD),
        (201, {}),
        (201, {"data": None}),
        (201, []),
        (201, {"data": {"id": 1700000000000000009}}),
        (201, {"data": {"id": "17\n"}}),
        (201, {"data": {"id": "1/../../evil"}}),
        (201, {"data": {"id": "１７"}}),
        (201, {"data": {"id": "1" * 20}}),
        (201, "<html>Created</html>"),
        (201, b"\xff\xfe\x00"),
        (201, "[" * 100_000),
        (201, b"x" * (http.MAX_ANSWER + 1)),
        (301, GOOD),
        (307, GOOD),
        (403, ""),
        (403, "<html>blocked</html>"),
        (403, []),
        (400, "<html>Bad Request</html>"),
        (404, {"title": "Not Found", "status": 404}),
        (409, {"title": "Conflict"}),
        (451, "gone"),
        (500, {"errors": "all", "detail": 7}),
        (503, "<html>Over capacity</html>"),
        (429, {"detail": "x"}),
    ],
)
async def test_what_is_not_clearly_a_post_is_none(host: Hostile, hostile_x: XAdapter, status: int, body: object) -> None:
    host.say("/2/tweets", body, status, location=f"{host.base_url}/2/elsewhere")
    with pytest.raises(NotSent if status == 429 else OutcomeUnknown):
        await hostile_x.publish(Part("text"), KEY, None)
    assert len(host.asked) == 1


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"title": "Invalid Request", "detail": "Text is too long.", "status": 400}, Rejected),
        (401, "<html>", NeedsOperator),
        (402, {"title": "CreditsDepleted", "detail": "no credits"}, NeedsOperator),
        (403, {"title": "Forbidden", "detail": "Your account is suspended."}, NeedsOperator),
        (403, {"errors": [{"message": "Status is a duplicate content thing: duplicate content."}]}, OutcomeUnknown),
    ],
)
async def test_refusals_are_named_for_what_has_to_happen(
    host: Hostile, hostile_x: XAdapter, status: int, body: object, kind: type[AdapterError]
) -> None:
    host.say("/2/tweets", body, status)
    with pytest.raises(kind):
        await hostile_x.publish(Part("text"), KEY, None)
    assert host.posts("/2/tweets") == 1


@pytest.mark.parametrize(("reset", "least", "most"), [("+30", 25, 31), ("0", 1, 1), ("9999999999", 86400, 86400)])
async def test_a_rate_limit_says_when(host: Hostile, hostile_x: XAdapter, reset: str, least: float, most: float) -> None:
    at = str(int(time.time()) + int(reset)) if reset.startswith("+") else reset
    host.say("/2/tweets", {"detail": "Too Many Requests"}, 429, x_rate_limit_reset=at)
    with pytest.raises(NotSent) as caught:
        await hostile_x.publish(Part("text"), KEY, None)
    assert least <= (caught.value.retry_after or 0) <= most


def told(**limits: tuple[int, int]) -> dict[str, str]:
    """X's headers: what is left of each limit, and in how many seconds it begins anew."""
    heads = {"rate": "x_rate_limit", "app": "x_app_limit_24hour", "user": "x_user_limit_24hour"}
    return {
        f"{heads[one]}_{name}": str(value)
        for one, (left, reset) in limits.items()
        for name, value in (("limit", 100), ("remaining", left), ("reset", int(time.time()) + reset))
    }


@pytest.mark.parametrize(
    ("limits", "wait"),
    [
        ({"rate": (0, 300)}, 300),
        ({"rate": (57, 300), "app": (0, 7000)}, 7000),
        ({"rate": (0, 300), "user": (0, 7000), "app": (0, 900)}, 7000),
        ({"rate": (57, 300), "app": (9, 7000)}, 0),
        ({}, 0),
    ],
)
async def test_the_last_post_of_a_limit_says_when_the_next_may_come(
    host: Hostile, hostile_x: XAdapter, limits: dict[str, tuple[int, int]], wait: float
) -> None:
    headers = told(**limits)
    host.say("/2/tweets", GOOD, 201, **headers)
    receipt = await hostile_x.publish(Part("text"), KEY, None)
    assert wait - 60 < receipt.rest <= wait + 1
    assert bool(receipt.rest) == bool(wait)
    if wait:
        host.answers.clear()
        host.say("/2/tweets", {"detail": "Too Many Requests"}, 429, **headers)
        with pytest.raises(NotSent) as caught:
            await hostile_x.publish(Part("text"), KEY, None)
        assert wait - 60 < (caught.value.retry_after or 0) <= wait + 1


async def test_without_headers_of_its_own_the_retry_after_counts(host: Hostile, hostile_x: XAdapter) -> None:
    host.say("/2/tweets", "<html>", 429, retry_after="120")
    with pytest.raises(NotSent) as caught:
        await hostile_x.publish(Part("text"), KEY, None)
    assert caught.value.retry_after == 120


@pytest.mark.parametrize("reset", ["soon", "-1", "１", ""])
async def test_a_rate_limit_that_makes_no_sense_says_nothing(host: Hostile, hostile_x: XAdapter, reset: str) -> None:
    host.say("/2/tweets", {"detail": "Too Many Requests"}, 429, x_rate_limit_reset=reset)
    with pytest.raises(NotSent) as caught:
        await hostile_x.publish(Part("text"), KEY, None)
    assert caught.value.retry_after is None


async def test_a_refusal_of_the_standalone_form_too_needs_the_operator(host: Hostile, hostile_x: XAdapter) -> None:
    host.say("/2/tweets", {"detail": "Reply to this conversation is not allowed because …"}, 403)
    with pytest.raises(NeedsOperator):
        await hostile_x.publish(Part("text", standalone="text alone"), KEY, Receipt("17", ""))
    assert host.posts("/2/tweets") == 2


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"data": "none"},
        {"data": [{"id": "17", "text": "text"}], "meta": {"result_count": 1}},
        {"data": [{"id": "17", "text": "text", "created_at": "never"}], "meta": {"result_count": 1}},
        {"data": [{"id": "evil/17", "text": "text", "created_at": "2999-01-01T00:00:00.000Z"}]},
        "<html>",
    ],
)
async def test_a_timeline_that_makes_no_sense_proves_nothing(host: Hostile, hostile_x: XAdapter, answer: object) -> None:
    host.say("/2/users/", answer)
    with pytest.raises(OutcomeUnknown):
        await hostile_x.find(Part("text"), KEY, lately())


async def test_find_reads_long_posts_whole_and_passes_over_those_of_others(host: Hostile, hostile_x: XAdapter) -> None:
    at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", ".000Z")
    other = {"id": "16", "text": "text", "created_at": at, "author_id": "1"}
    note = {"text": "text https://t.co/1", "entities": {"urls": [{"url": "https://t.co/1", "expanded_url": "https://a.com/"}]}}
    long = {"id": "17", "text": "te…", "created_at": at, "note_post": note}
    host.say("/2/users/", {"data": [other, long], "meta": {"result_count": 2}})
    receipt = await hostile_x.find(Part("text https://a.com"), KEY, datetime.now(UTC))
    assert receipt == Receipt("17", f"{host.base_url}/{ACCOUNT['handle']}/status/17")
    assert await hostile_x.find(Part("text"), KEY, lately()) is None


# Whose account, and how it is read


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"data": {"id": ACCOUNT["user_id"], "username": "somebody"}}, NeedsOperator),
        ({"data": {"id": "1", "username": ACCOUNT["handle"]}}, NeedsOperator),
        ({"data": {"id": 1, "username": None}}, NotSent),
        ("<html>", NotSent),
    ],
)
async def test_check_is_strict_about_the_account(host: Hostile, hostile_x: XAdapter, answer: object, kind: type[AdapterError]) -> None:
    host.say("/2/users/me", answer)
    with pytest.raises(kind) as caught:
        await hostile_x.check()
    if kind is NeedsOperator:
        assert all(name in str(caught.value) for name in (ACCOUNT["handle"], ACCOUNT["user_id"]))


async def test_the_handle_may_differ_in_case(host: Hostile, hostile_x: XAdapter) -> None:
    host.say("/2/users/me", {"data": {"id": ACCOUNT["user_id"], "username": ACCOUNT["handle"].upper()}})
    assert (await hostile_x.check()).name == ACCOUNT["handle"].upper()


async def test_a_post_shown_under_another_name_is_altered(host: Hostile, hostile_x: XAdapter) -> None:
    host.say("/oembed", {"author_url": f"{host.base_url}/evil", "html": "<p>text</p>"})
    seen = await hostile_x.read(Part("text"), Receipt("17", f"{host.base_url}/{ACCOUNT['handle']}/status/17"))
    assert (seen.state, "evil" in seen.detail) == ("altered", True)


async def test_reading_sends_no_credentials_and_asks_for_our_own_posts_only(host: Hostile, hostile_x: XAdapter) -> None:
    host.say("/oembed", {"author_url": f"{host.base_url}/{ACCOUNT['handle']}", "html": "<p>text</p>"})
    assert (await hostile_x.read(Part("text"), Receipt("17", f"{host.base_url}/{ACCOUNT['handle']}/status/17"))).state == "seen"
    assert "Authorization" not in host.asked[0].headers
    with pytest.raises(OutcomeUnknown):
        await hostile_x.read(Part("text"), Receipt("17", "https://evil.example/17"))
    assert len(host.asked) == 1


@pytest.mark.parametrize("answer", ["<html>", {}, {"author_url": 1, "html": []}, "[" * 100_000])
async def test_an_oembed_that_makes_no_sense_is_not_a_look(host: Hostile, hostile_x: XAdapter, answer: object) -> None:
    host.say("/oembed", answer)
    with pytest.raises(OutcomeUnknown):
        await hostile_x.read(Part("text"), Receipt("17", f"{host.base_url}/{ACCOUNT['handle']}/status/17"))
