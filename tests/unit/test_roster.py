"""The roster: one person is one entry, and whatever is wrong is refused with the person and the field named."""

from __future__ import annotations

import base64
import dataclasses

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain import passkey, sshsig
from app.domain.roster import HIDDEN, Passkey, Person, PersonRole, Roster, RosterError, SshKey, key_entry, person_entry
from tests.support.soft_passkey import SoftPasskey


def ssh_line(seed: int, comment: str = "laptop") -> str:
    key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32).public_key()
    return f"{key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()} {comment}".strip()


FIRST, SECOND = ssh_line(1), ssh_line(2)
PHONE = SoftPasskey.create("status.example").passkey()
BOTH = f"""
version = 3

[person.first-reviewer]
name = "First Reviewer"
email = "first-reviewer@status.example"
roles = ["author", "reviewer"]

[person.second-reviewer]
name = "Second Reviewer"
email = "second-reviewer@status.example"
roles = ["reviewer", "admin"]

[[person.first-reviewer.ssh]]
public = "{FIRST}"

[[person.second-reviewer.ssh]]
public = "{SECOND}"

{key_entry("second-reviewer", PHONE)}
"""


def test_a_roster_is_read() -> None:
    roster = Roster.parse(BOTH)
    assert (roster.version, roster.threshold) == (3, 2)
    assert [person.id for person in roster.persons] == ["first-reviewer", "second-reviewer"]
    second = roster.person("second-reviewer")
    assert second is not None
    assert second.roles == {"reviewer", "admin"}
    assert second.ssh_keys == (SshKey.parse(SECOND),)
    assert second.passkeys == (PHONE,)
    assert roster.reviewers == roster.persons
    assert roster.person("nobody") is None
    assert roster.gaps == ()


def test_entries_are_read_back_as_they_were() -> None:
    roster = Roster.parse(BOTH)
    named = dataclasses.replace(roster.persons[0], name='Quote " and \\ and ü 🙂')
    again = Roster.parse("version = 3\n" + person_entry(named) + "\n" + person_entry(roster.persons[1]))
    assert again.persons == (named, roster.persons[1])


def test_a_new_key_may_be_appended_at_the_end_of_the_file() -> None:
    added = SoftPasskey.create("status.example").passkey("security key")
    roster = Roster.parse(BOTH + "\n" + key_entry("first-reviewer", added))
    assert roster.persons[0].passkeys == (added,)


def test_what_it_says_does_not_depend_on_how_it_is_written() -> None:
    roster = Roster.parse(BOTH)
    turned = "# another order\nversion=3\n" + person_entry(roster.persons[1]) + person_entry(roster.persons[0])
    assert Roster.parse(turned).data == roster.data
    assert Roster.of(roster.data).data == roster.data
    for old, new in [
        ("version = 3", "version = 4"),
        ('"admin"', '"author"'),
        ("laptop", "desktop"),
        ("version = 3", "version = 3\nthreshold = 3"),
    ]:
        assert Roster.parse(BOTH.replace(old, new, 1)).data != roster.data


SAME_KEY = FIRST.removesuffix("laptop") + "another-comment"
REFUSED = {
    "an unknown field of the roster": ("version = 3", "version = 3\ncolour = 1", "unknown field 'colour'"),
    "an unknown field of a person": ('name = "First Reviewer"', 'name = "F"\nphone = "1"', "'first-reviewer' has an unknown field 'phone'"),
    "an unknown field of a key": (f'public = "{FIRST}"', f'public = "{FIRST}"\nkind = "x"', "ssh key 1 has an unknown field 'kind'"),
    "no version": ("version = 3", "", "'version' must be a whole number"),
    "a version that is no number": ("version = 3", "version = true", "'version' must be a whole number"),
    "one person alone": ("version = 3", "version = 3\nthreshold = 1", "'threshold' must be a whole number of at least 2"),
    "an id that is not kebab-case": (
        "[person.second-reviewer]",
        "[person.Second]\nname='x'\nemail='x@y'\nroles=['admin']\n[person.second-reviewer]",
        "'Second': the id",
    ),
    "an id twice": ("[person.second-reviewer]", "[person.first-reviewer]", "declared only once"),
    "no name": ('name = "First Reviewer"', "", "'first-reviewer': 'name' is missing"),
    "an invisible character": ("First Reviewer", "First\u202eReviewer", "'name' holds an invisible"),
    "the same name": ("Second Reviewer", "FIRST  reviewer", "same 'name' as 'first-reviewer'"),
    "two addresses in one": ("first-reviewer@status.example", "a@status.example,b@status.example", "'email' is not one plain address"),
    "the same mailbox": ("second-reviewer@", "First-Reviewer+two@", "same 'email'"),
    "an unknown role": ('["author", "reviewer"]', '["author", "king"]', "'roles' must be"),
    "a role that is no text": ('["author", "reviewer"]', "[{}]", "'roles' must be"),
    "no role": ('["author", "reviewer"]', "[]", "'roles' must be"),
    "the same key with two persons": (SECOND, SAME_KEY, "same key as 'first-reviewer'"),
    "a key that is not in a list": (
        "[[person.second-reviewer.ssh]]",
        "[person.second-reviewer.ssh]",
        "must be written as [[person.<id>.ssh]]",
    ),
    "a key that is none": (SECOND, "ssh-ed25519 AAAA", "'second-reviewer', ssh key 1: 'public' cannot be read"),
    "a key with options": (SECOND, f"no-pty {SECOND}", "ssh key 1: 'public' is not a line"),
    "another kind of key": (SECOND, "ecdsa-sha2-nistp256 AAAA", "ssh key 1: 'public' is not a line"),
    "a passkey that is none": (PHONE.public_key, "AAAA", "passkey 1: public_key is not a COSE key"),
    "padded base64url": (PHONE.credential_id, PHONE.credential_id + "=", "passkey 1: credential_id is not base64url"),
    "an address as RP id": ('"status.example"', '"192.0.2.1"', "passkey 1: rp_id is not a host name"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_is_refused_by_name(case: str) -> None:
    old, new, said = REFUSED[case]
    assert old in BOTH
    with pytest.raises(RosterError) as refused:
        Roster.parse(BOTH.replace(old, new, 1))
    assert said in str(refused.value)


def test_one_key_cannot_be_two_people_even_when_written_in_another_way() -> None:
    decoded = cbor2.loads(passkey.decode(PHONE.public_key, "public_key"))
    turned = passkey.encode(cbor2.dumps(dict(reversed(decoded.items()))))
    assert turned != PHONE.public_key
    other = dataclasses.replace(PHONE, public_key=turned, credential_id="AAAA")
    with pytest.raises(RosterError, match="same key as 'first-reviewer'"):
        Roster.parse(BOTH + key_entry("first-reviewer", other))
    other_key = dataclasses.replace(SoftPasskey.create("status.example").passkey(), credential_id=PHONE.credential_id)
    with pytest.raises(RosterError, match="same 'credential_id'"):
        Roster.parse(BOTH + key_entry("first-reviewer", other_key))
    with pytest.raises(RosterError, match="the same key twice"):
        Roster.parse(BOTH + key_entry("second-reviewer", other))


def test_an_ssh_key_and_a_passkey_may_not_be_one_key_either() -> None:
    raw = ed25519.Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32).public_key().public_bytes_raw()
    same = Passkey("AAAA", passkey.encode(cbor2.dumps({1: 1, 3: -8, -1: 6, -2: raw})), "status.example", "copy")
    with pytest.raises(RosterError, match="same key as 'first-reviewer'"):
        Roster.parse(BOTH + key_entry("second-reviewer", same))


@pytest.mark.parametrize(("bits", "accepted"), [(1024, False), (2048, True)])
def test_rsa_keys_are_taken_when_long_enough(bits: int, accepted: bool) -> None:
    key = rsa.generate_private_key(65537, bits).public_key()
    text = BOTH.replace(SECOND, key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode())
    if accepted:
        assert Roster.parse(text).persons[1].ssh_keys[0].fingerprint.startswith("SHA256:")
    else:
        with pytest.raises(RosterError, match="RSA key of 1024 bits"):
            Roster.parse(text)


def test_an_encoding_with_more_behind_the_key_is_refused() -> None:
    blob = SshKey.parse(FIRST).blob
    with pytest.raises(sshsig.SshKeyRefused):
        SshKey.parse(f"ssh-ed25519 {base64.b64encode(blob + b'more').decode()}")


def test_an_entry_that_would_not_be_read_back_is_not_written() -> None:
    with pytest.raises(RosterError, match="'label' holds an invisible"):
        key_entry("first-reviewer", dataclasses.replace(PHONE, label="phone\n[person.third]"))
    with pytest.raises(RosterError, match="not a person's id"):
        key_entry("first]", PHONE)


def test_gaps_say_what_is_missing_before_it_is_needed() -> None:
    keyless = Person("first-reviewer", "First", "first@status.example", frozenset({PersonRole.REVIEWER}))
    roster = Roster.parse("version = 1\n" + person_entry(keyless))
    assert len(roster.gaps) == 2
    authors = BOTH.replace('"author", "reviewer"', '"author"').replace('"reviewer", "admin"', '"author"')
    assert "at most one of them not a reviewer" in Roster.parse(authors).gaps[0]


def test_allowed_signers_are_bound_to_our_namespace() -> None:
    assert Roster.parse(BOTH).allowed_signers.splitlines()[0] == f'first-reviewer namespaces="tocsin-approval" {FIRST}'


@given(st.one_of(st.text(), st.text(alphabet='[]{}".=\n ab1_-', max_size=80)))
@settings(deadline=None)
def test_no_text_raises_anything_else(text: str) -> None:
    with pytest.raises(RosterError):
        Roster.parse(text)


@given(st.integers(0, len(BOTH) - 1), st.sampled_from(['"', "\n", "[", "]", "=", "\\", "\x00", "é", "\ud800", "0"]))
@settings(deadline=None)
def test_no_slip_of_the_pen_raises_anything_else(at: int, character: str) -> None:
    text = BOTH[:at] + character + BOTH[at + 1 :]
    try:
        roster = Roster.parse(text)
    except RosterError:
        return
    assert len(roster.persons) == 2
    assert not any(HIDDEN.search(person.name) for person in roster.persons)


@pytest.mark.parametrize(
    "text", ["a = " + "[" * 100_000, "version = " + "9" * 10_000, "a" * 10 + ".a" * 2_000 + " = 1", "\ufeffversion = 1", "#" * 1_000_000]
)
def test_hostile_toml_is_refused(text: str) -> None:
    with pytest.raises(RosterError):
        Roster.parse(text)
