"""What the command line says and reads without a server: texts made safe, times, tables, words, chains, approvals, the roster."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import pytest
import rfc8785
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from app.cli import announce, output, signing, tocsin, words
from app.cli.chain import Chain
from app.cli.client import Client, route
from app.cli.decide import _LINK, told
from app.cli.destinations import held
from app.cli.output import finding, lines, one_line, safe, span, when, width
from app.cli.posts import said
from app.cli.status import next_steps
from app.cli.watch import event
from app.domain.approval import Decision, Statement
from app.domain.manifest import Manifest, digest
from app.domain.roster import Roster
from app.services.views import entry as shown
from app.store.timeline import GENESIS, Entry

DOCUMENT = (Path(__file__).parents[2] / "docs" / "approval-format.md").read_text()


def run(*arguments: str, stdin: str | bytes | None = None, env: dict[str, str] | None = None) -> Result:
    """One command in this process."""
    return CliRunner().invoke(tocsin, arguments, input=stdin, env=env)


@pytest.fixture
def zone(request: pytest.FixtureRequest) -> Iterator[None]:
    """This machine's time zone, for one test."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = request.param
    time.tzset()
    yield
    os.environ.pop("TZ")
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


@given(st.text())
def test_nothing_that_is_printed_can_steer_a_terminal(text: str) -> None:
    shown_text = safe(text)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]", shown_text)
    assert "\n" not in one_line(text)


def test_a_hidden_character_is_shown_and_an_ordinary_one_stays() -> None:
    assert safe("a\x1b[2Jb\u202ec") == "a\\u001b[2Jb\\u202ec"
    assert safe("Grüße, 世界 🎉\tund\u00a0mehr\n") == "Grüße, 世界 🎉\tund\u00a0mehr\n"


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("UTC", "2026-11-24 15:51 UTC"),
        ("Europe/Berlin", "2026-11-24 15:51 UTC (16:51 CET)"),
        ("Asia/Tokyo", "2026-11-24 15:51 UTC (2026-11-25 00:51 JST)"),
    ],
    indirect=["zone"],
)
@pytest.mark.usefixtures("zone")
def test_a_time_is_told_in_utc_with_the_local_one_beside_it(expected: str) -> None:
    assert when("2026-11-24T15:51:00.000000Z") == expected


@pytest.mark.parametrize("zone", ["Asia/Tokyo"], indirect=True)
@pytest.mark.usefixtures("zone")
def test_a_window_names_a_day_once() -> None:
    assert span("2026-11-24T08:53:00Z", "2026-11-24T09:53:00Z") == "2026-11-24 08:53 to 09:53 UTC (17:53 to 18:53 JST)"
    assert span("2026-11-24T15:51:00Z", "2026-11-24T19:51:00Z") == "2026-11-24 15:51 to 19:51 UTC (2026-11-25 00:51 to 04:51 JST)"


def test_a_text_that_is_no_time_is_shown_as_it_is() -> None:
    assert when("soon\x1b") == "soon\\u001b"
    assert when(None) == "-"


def test_a_table_lines_up_and_folds_where_it_has_no_room() -> None:
    rows = [["x", "posted", "https://x.example/1"], ["電報", click.style("by hand", fg="red"), ""]]
    wide = lines(rows, None)
    assert wide[0] == "  x     posted   https://x.example/1"
    assert click.unstyle(wide[1]) == "  電報  by hand"
    assert [click.unstyle(line) for line in lines(rows, 20)] == ["  x  posted", "    https://x.example/1", "  電報  by hand"]
    assert width(click.style("電報", fg="red")) == 4
    assert lines([], 10) == []


@given(st.lists(st.lists(st.text("abc 電", max_size=9), min_size=3, max_size=3), max_size=5), st.integers(20, 60))
def test_no_cell_is_lost_in_a_narrow_terminal(rows: list[list[str]], room: int) -> None:
    told_in = "\n".join(lines(rows, room))
    assert all(cell.rstrip() in told_in for row in rows for cell in row)


def given_words(**changes: Any) -> dict[str, Any]:
    """The options of a wording, nothing given but these."""
    empty: dict[str, Any] = {"source": "", "text": None, "file": None, "author": None, "correction": None, "language": None}
    lists = dict.fromkeys(("destinations", "texts", "overrides", "translations"), ())
    return empty | dict.fromkeys((*words.ANSWERS, "sealed_until")) | lists | {"clear_banner": False} | changes


def test_only_what_was_given_is_in_the_wording() -> None:
    assert words.wording(given_words()) == {}
    asked = given_words(text="Now.", affected="You.", destinations=("x", "team"), texts=("x=A=B",), overrides=("placeholder=It is meant.",))
    assert words.wording(asked) == {
        "text": "Now.",
        "affected": "You.",
        "destinations": ["x", "team"],
        "texts": {"x": "A=B"},
        "overrides": [{"rule": "placeholder", "reason": "It is meant."}],
    }
    assert words.filled(words.wording(given_words(text="Now.", if_affected="", correction=" "))) == {"text": "Now."}
    assert words.wording(given_words(correction="We were wrong. "))["correction"] == "We were wrong."


@pytest.mark.parametrize(("typed", "sent"), [("2027-03-01", "2027-03-01T23:59:59Z"), ("2027-03-01T12:00+01:00", "2027-03-01T12:00+01:00")])
def test_a_day_is_meant_to_its_end(typed: str, sent: str) -> None:
    assert words.wording(given_words(sealed_until=typed)) == {"sealed_until": sent}
    for wrong in ("soon", "2027-03-01T12:00", "20270301", "2027-13-01"):
        with pytest.raises(click.BadParameter, match="Write a day"):
            words.wording(given_words(sealed_until=wrong))


@pytest.mark.parametrize(
    "wrong",
    [{"text": "a", "file": "b"}, {"text": "a", "source": "-"}, {"text": " \n"}, {"overrides": ("rule",)}, {"texts": ("=text",)}],
)
def test_words_that_contradict_are_a_usage_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(click.UsageError):
        words.wording(given_words(**wrong))


def test_a_file_is_read_as_its_author_means_it(tmp_path: Path) -> None:
    file = tmp_path / "update.txt"
    file.write_bytes(b"\xef\xbb\xbfOne.\r\nTwo: \xc3\xbc.\r\n\r\n")
    assert words.wording(given_words(source=str(file))) == {"text": "One.\nTwo: ü."}
    file.write_bytes(b"One\xff")
    with pytest.raises(click.ClickException, match="byte 4"):
        words.wording(given_words(file=str(file)))
    file.write_bytes(b"x" * 100_000)
    with pytest.raises(click.ClickException, match="right file"):
        words.wording(given_words(file=str(file)))


def test_what_a_revision_keeps_is_what_its_manifest_says(manifest: Manifest) -> None:
    kept = announce._current(manifest)
    assert kept == {"text": manifest.text, "affected": "You are.", "destinations": ["x", "team"], "author": "first-reviewer"}


@pytest.mark.parametrize("other", [{"text": "T."}, {"kind": "initial"}, {"id_": "an_2"}, {"sealed_until": "2027-03-01T23:59:59Z"}])
def test_what_comes_back_to_be_signed_must_be_what_was_handed_in(manifest: Manifest, other: dict[str, str]) -> None:
    given_in = {"text": " T\r\n", "kind": "update"}
    announce._same(manifest, "an_1", given_in)
    with pytest.raises(click.ClickException, match="Nothing was signed"):
        announce._same(manifest, other.pop("id_", "an_1"), given_in | other)


@pytest.fixture
def manifest() -> Manifest:
    """One with answers, two destinations of which one has two posts, and an author of its own."""
    planned = {"account": "1", "full": {"parts": [{"text": "T", "title": "", "standalone": True}]}, "pointer": None, "reply_to": None}
    names = (("x", "x", "primary"), ("team", "email", "internal"), ("x", "x", "primary"))
    posts = [planned | {"id": id_, "platform": platform, "role": role, "on_unknown": "ask"} for id_, platform, role in names]
    data: dict[str, Any] = {
        "format": "tocsin-manifest/1",
        "environment": "drill",
        "announcement": "an_1",
        "revision": 2,
        "kind": "update",
        "incident": {"id": "in_1", "name": "N", "slug": "n", "started": "", "time_zone": "UTC"}
        | {name: [] for name in ("products", "affected_products", "own_domains", "affected_domains", "safe_links")},
        "author": "first-reviewer",
        "submitted_by": "token:ops",
        "text": "T",
        "answers": {"affected": "You are.", "if_affected": "", "if_not_affected": ""},
        "destinations": posts,
        "primaries": ["x"],
        "overrides": [],
        "not_before": "",
        "not_after": "2026-11-25T07:51:00.000000Z",
        "banner_until": "2026-11-27T07:51:00.000000Z",
        "roster_version": 1,
        "created_at": "2026-11-24T07:51:00.000000Z",
    }
    return Manifest.parse(rfc8785.dumps(data))


def row(name: str, **data: Any) -> dict[str, Any]:
    """A row of the timeline as the API shows it."""
    return {"event": name, "actor": "first-reviewer", "data": data}


def test_events_are_told_in_sentences() -> None:
    assert event(row("delivery-posted", destination="x", permalink="https://x.example/1", part=1)) == "x: posted part 2 https://x.example/1"
    assert event(row("decision-reject", comment="No.")) == "first-reviewer rejected it: No."
    assert event(row("read-back-not_possible", destination="team", detail="")) == "team: read back, not possible."
    left_out = row("delivery-skipped", destination="x", why="It posts of a giveaway.")
    assert event(left_out) == "x: first-reviewer left it out. It posts of a giveaway."
    led = row("fallback-leads", **{"from": "x", "to": "telegram", "state": "failed", "why": "It was refused."})
    assert event(led) == "telegram carries the full text in place of x. It was refused."
    assert event(row("posted-after-all", destination="x", problem="Look there.")) == "x: LOOK. Look there."
    assert event(row("something-new", colour="red\x1b")) == "something-new colour=red\\u001b"


def form(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"text": text, "title": "", "standalone": ""}]}


def test_what_a_delivery_says_follows_who_leads() -> None:
    x = form("primary", "All of it.") | {"destination": "x", "otherwise": form("pointer", "Only there: {{permalink}}")}
    telegram = form("pointer", "Look: {{permalink}}") | {"destination": "telegram", "otherwise": form("primary", "All of it, here.")}
    announcement: dict[str, Any] = {"renderings": [x, telegram], "primaries": {"leads": "x"}}
    there = {"destination": "x", "role": "primary", "permalink": "https://x.example/1"}
    here = {"destination": "telegram", "role": "pointer", "permalink": None}
    announcement["deliveries"] = [there, here]
    assert [said(announcement, d)[0]["text"] for d in (there, here)] == ["All of it.", "Look: https://x.example/1"]
    announcement["primaries"] = {"leads": "telegram"}
    there, here = there | {"role": "pointer"}, here | {"role": "primary", "permalink": "https://t.example/1"}
    announcement["deliveries"] = [there, here]
    assert [said(announcement, d)[0]["text"] for d in (there, here)] == ["Only there: https://t.example/1", "All of it, here."]
    announcement["deliveries"] = [there, here | {"permalink": None}]
    assert said(announcement, there)[0]["text"] == "Only there: {{permalink}}", "nobody has posted yet"
    assert said(announcement, there | {"destination": "y"}) == []


def test_what_is_held_names_the_command_that_ends_it() -> None:
    hold = {"destination": "x", "kind": "excluded", "why": "It posts\nof a giveaway.", "by": "first-reviewer"}
    assert held(hold) == "x is excluded by first-reviewer: It posts of a giveaway.  (yours again: tocsin include x)"
    assert held(hold | {"kind": "paused"}) == "x is paused: It posts of a giveaway.  (mended: tocsin resume x)"


def test_an_older_manifest_is_signed_by_the_digest_of_its_own_bytes(manifest: Manifest, tmp_path: Path) -> None:
    older = json.loads(manifest.to_bytes())
    for entry in older["destinations"]:
        del entry["resend_after"]
    del older["fallback_after"], older["correction"]
    raw = rfc8785.dumps(older)
    request = {"manifest": raw.decode(), "digest": digest(raw), "nonce": "n" * 22}

    read = signing.read(request)
    assert digest(read.to_bytes()) != request["digest"], "its bytes are not those that we would write today"
    private = tmp_path / "key"
    private.write_bytes(Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    signed = signing.approval(request, read, Decision.APPROVE, "first-reviewer", signing.signer(str(private)))
    assert Statement.parse(signed.statement_bytes).digest == request["digest"]


def test_a_finding_names_what_it_found() -> None:
    found = {"severity": "block", "rule": "placeholder", "message": "Fill it.", "excerpt": "[who]", "destination": "x"}
    assert finding(found) == "block placeholder on x: Fill it.  «[who]»"


def test_next_steps_say_who_has_to_do_what() -> None:
    announcement: dict[str, Any] = {"id": "an_1", "state": "awaiting_approval", "deliveries": []}
    announcement["missing"] = {"approvals": 1, "reviewers": ["second-reviewer"], "overrides": ["placeholder"]}
    steps = "\n".join(next_steps(announcement))
    assert "1 signature missing" in steps
    assert "--override placeholder=REASON" in steps
    announcement |= {"state": "incomplete", "deliveries": [{"destination": "forum", "state": "by_hand"}]}
    assert next_steps(announcement) == ["A person has to act on forum: tocsin status an_1"]


def test_what_a_decision_led_to() -> None:
    assert told({"decision": "approve", "missing": 2, "state": "awaiting_approval"}) == "Signed. 2 more signatures are needed."
    assert told({"decision": "reject", "missing": 2, "state": "returned"}).startswith("Signed. This revision is over")


@pytest.mark.parametrize(
    ("link", "base"),
    [
        ("https://status.example/approve/AbC-_1", "https://status.example"),
        ("<https://status.example/tocsin/approve/AbC-_1/>", "https://status.example/tocsin"),
        ("http://localhost:8400/approve/AbC-_1.", "http://localhost:8400"),
        ("https://evil.example/?x=/approve/a", ""),
        ("an_123", ""),
    ],
)
def test_a_link_is_told_from_an_id(link: str, base: str) -> None:
    found = _LINK.fullmatch(link)
    assert (found[1] if found else "") == base


def test_an_id_cannot_leave_its_place_in_the_path() -> None:
    assert route("announcements", "../x?y#z", "cancel") == "/v1/announcements/..%2Fx%3Fy%23z/cancel"


def test_an_address_that_is_none_is_said_to_be_none() -> None:
    with pytest.raises(click.ClickException, match="must begin with"):
        Client("localhost:8400")


# The chain of a timeline.


def chain(count: int) -> list[dict[str, Any]]:
    """Rows as the API shows them."""
    rows, previous = [], GENESIS
    for seq in range(1, count + 1):
        at = datetime(2026, 11, 24, 7, seq, tzinfo=UTC)
        data = rfc8785.dumps({"ü": seq, "n": None}).decode()
        first = Entry(seq, at, "tocsin", "e", "in_1", "", data, previous, "")
        whole = Entry(seq, at, "tocsin", "e", "in_1", "", data, previous, first.computed_hash())
        rows.append(shown(whole))
        previous = whole.hash
    return rows


def test_a_whole_chain_holds_in_every_form() -> None:
    rows = chain(4)
    forms = ["\n".join(map(json.dumps, rows)), json.dumps({"items": rows, "next": None}), json.dumps(rows), json.dumps(rows, indent=1)]
    for form in forms:
        found = run("verify", "-", stdin=form)
        assert (found.exit_code, found.stdout[:23]) == (0, "The chain holds: 4 rows"), found.output
        assert rows[-1]["hash"] in found.stdout


def changed(rows: list[dict[str, Any]], which: int, **values: Any) -> list[dict[str, Any]]:
    """With one row changed."""
    return [item | values if number == which else item for number, item in enumerate(rows)]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (changed(chain(4), 1, actor="somebody"), "Row 2 does not hold: it was changed"),
        (changed(chain(4), 1, data={"ü": 3, "n": None}), "Row 2 does not hold: it was changed"),
        (changed(chain(4), 2, at="2026-11-24T07:03:00Z"), "row after 2 does not hold: its time"),
        (changed(chain(4), 2, note="not hashed"), "row after 2 does not hold: it has not exactly the fields"),
        (changed(chain(4), 2, seq="3"), "of another kind"),
        (changed(chain(4), 3, data={"a": 1e400}), "cannot be read"),
        ([*chain(4)[:1], *chain(4)[2:]], "Row 3 does not hold: row 2 is missing"),
        (chain(6)[3:], "Row 4 does not hold: rows 1 to 3 are missing"),
        ([chain(2)[0], chain(2)[0]], "out of order, or twice"),
        ([*chain(2), *changed(chain(3), 2, previous=GENESIS)[2:]], "Row 3 does not hold"),
        ([1], "row after 0"),
        ([], "There is no row"),
    ],
)
def test_a_broken_chain_is_broken_where_it_breaks(rows: list[Any], says: str) -> None:
    assert says in Chain(rows).check().problem


def test_a_broken_chain_ends_with_1_and_says_so_as_json() -> None:
    rows = chain(3)
    found = run("verify", "-", "--json", stdin="\n".join(map(json.dumps, changed(rows, 2, event="x"))))
    assert found.exit_code == 1
    assert json.loads(found.stdout) | {"problem": ""} == {"ok": False, "rows": 2, "last_hash": rows[1]["hash"], "problem": ""}
    assert "Rows 1 to 2 hold" in found.stderr


@pytest.mark.parametrize("junk", [b"\xff\xfe", b"nope", b"[" * 100_000, b"", b'{"a":1}', b"\x00" * 50, "\u2028\n{}".encode()])
def test_junk_is_no_timeline(junk: bytes) -> None:
    found = run("verify", "-", stdin=junk)
    assert found.exit_code == 1
    assert found.stderr.startswith("Error: ")
    assert isinstance(found.exception, SystemExit)


# Approvals, by the examples of their own document.


def example(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOCUMENT, re.S)


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    """The roster and both approvals of the document, as files."""
    (tmp_path / "roster.toml").write_text(example("toml")[0])
    for number, text in enumerate(example("json"), 1):
        (tmp_path / f"approval-{number}.json").write_text(text)
    return tmp_path


def test_an_approval_says_who_stands_behind_which_digest(documents: Path) -> None:
    one, roster = str(documents / "approval-1.json"), str(documents / "roster.toml")
    found = run("verify", one, "--roster", roster, "--json")
    assert found.exit_code == 0, found.output
    verdict = json.loads(found.stdout)
    assert [(a["person"], a["decision"], a["key"]) for a in verdict["approvals"]] == [("first-reviewer", "approve", "ssh")]
    assert (verdict["missing"], verdict["complete"]) == (1, False)
    assert verdict["digest"] in DOCUMENT
    assert "was not checked" in found.stderr
    both = run("verify", one, str(documents / "approval-2.json"), "--roster", roster, "--origin", "https://status.example")
    assert both.exit_code == 0, both.output
    assert "Enough people" in both.stdout


def test_an_approval_of_another_manifest_or_person_is_refused(documents: Path, manifest: Manifest) -> None:
    one, roster = documents / "approval-1.json", documents / "roster.toml"
    (documents / "manifest.json").write_bytes(manifest.to_bytes())
    other = run("verify", str(one), "--roster", str(roster), "--manifest", str(documents / "manifest.json"))
    assert (other.exit_code, "not for" in other.stderr) == (1, True)
    one.write_text(one.read_text().replace('\\"first-reviewer\\"', '\\"second-reviewer\\"'))
    forged = run("verify", str(one), "--roster", str(roster), "--json")
    assert forged.exit_code == 1
    assert json.loads(forged.stdout)["ok"] is False


def test_a_passkey_counts_only_for_its_own_origin(documents: Path) -> None:
    two, roster = str(documents / "approval-2.json"), str(documents / "roster.toml")
    assert run("verify", two, "--roster", roster, "--origin", "https://status.example").exit_code == 0
    assert run("verify", two, "--roster", roster, "--origin", "https://evil.example").exit_code == 1


# The roster.

PUBLIC = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4 laptop\n"


def test_a_roster_is_begun_and_added_to_by_what_is_printed(tmp_path: Path) -> None:
    file, key = tmp_path / "roster.toml", tmp_path / "key.pub"
    key.write_text(PUBLIC)
    person = ("--name", "First Reviewer", "--email", "first-reviewer@status.example", "--role", "author", "--role", "reviewer")
    asked = ("roster", "enrol", "first-reviewer", "--roster", str(file), "--ssh", str(key))
    unknown = run(*asked)
    assert (unknown.exit_code, unknown.stdout) == (1, "")
    begun = run(*asked, *person)
    assert begun.exit_code == 0, begun.output
    file.write_text(begun.stdout)
    assert Roster.parse(file.read_text()).persons[0].keys
    twice = run(*asked)
    assert (twice.exit_code, "same key twice" in twice.stderr) == (1, True)
    seen = run("roster", "--roster", str(file), "--json")
    assert json.loads(seen.stdout)["people"][0]["ssh_keys"][0].startswith("SHA256:")
    assert run("roster", "show", "--roster", str(file)).stdout == run("roster", "--roster", str(file)).stdout
    assert "enrol the keys of more reviewers" in run("roster", "--roster", str(file)).stdout


@pytest.mark.parametrize("wrong", ["-----BEGIN OPENSSH PRIVATE KEY-----\n", "", "ecdsa-sha2-nistp256 AAAA\n", PUBLIC + PUBLIC])
def test_what_is_no_public_key_is_not_enrolled(tmp_path: Path, wrong: str) -> None:
    file = tmp_path / "roster.toml"
    file.write_text(example("toml")[0])
    found = run("roster", "enrol", "second-reviewer", "--roster", str(file), "--ssh", "-", stdin=wrong)
    assert (found.exit_code, found.stdout) == (1, "")


@pytest.mark.parametrize("content", [b"[", b"\xff", b"version = 2", b"a = 1"])
def test_a_roster_that_cannot_be_read_is_said_so(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "roster.toml").write_bytes(content)
    found = run("roster", "--roster", str(tmp_path / "roster.toml"))
    assert (found.exit_code == 0) == (content == b"version = 2")
    assert found.exit_code == 0 or found.stderr.startswith("Error: ")


# The command line as a whole.


def all_commands(group: click.Group, context: click.Context, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name in group.list_commands(context):
        yield (*before, name)
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from all_commands(command, context, (*before, name))


@pytest.mark.parametrize("command", [(), *all_commands(tocsin, click.Context(tocsin))], ids=" ".join)
def test_every_command_has_help(command: tuple[str, ...]) -> None:
    found = run(*command, "--help")
    assert found.exit_code == 0
    assert "Usage: " in found.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_the_script_and_how_to_install_it(shell: str) -> None:
    found = run("completion", shell)
    assert found.exit_code == 0
    assert "_TOCSIN_COMPLETE" in found.stdout
    assert f"# Install: tocsin completion {shell}" in found.stdout
    assert shell != "zsh" or found.stdout.startswith("#compdef tocsin")


def test_help_and_completion_load_nothing_heavy() -> None:
    """Start-up in 0.3 s rests on this."""
    code = (
        "import sys; from app.cli import tocsin; tocsin(['--help'], standalone_mode=False);"
        "print(sorted({'httpx','rich','sqlalchemy','pydantic','fastapi','cryptography','asyncio'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr.strip() == "[]"
    words_given = {"_TOCSIN_COMPLETE": "bash_complete", "COMP_WORDS": "tocsin re", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "app.cli"], capture_output=True, text=True, env=os.environ | words_given
    )
    assert done.stdout.split() == [
        f"plain,{name}" for name in ("rehearse", "revise", "reject", "request-changes", "resolve", "retry", "resume")
    ]
    assert "app.cli.client" not in done.stderr


def test_json_is_written_whole_in_a_terminal_of_another_alphabet() -> None:
    code = "from app.cli.output import put_json; put_json({'ü': '世界'})"
    environment = os.environ | {"PYTHONIOENCODING": "latin-1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=True, env=environment)
    assert json.loads(done.stdout) == {"ü": "世界"}


def test_colours_are_for_states_that_are_known() -> None:
    assert output.coloured("sent") == click.style("sent", fg="green")
    assert output.coloured("not_known_yet") == "not known yet"
