"""Passkeys: enrolment and signatures of a software authenticator, and everything about them that must be refused."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.enrolment import registration_options, verify_registration
from app.domain.passkey import (
    Assertion,
    Passkey,
    PasskeyRefused,
    decode,
    encode,
    verify_assertion,
)
from app.domain.roster import Person, PersonRole
from tests.support.soft_passkey import SoftPasskey

ORIGIN, RP_ID = "https://status.example", "status.example"
SOFT = SoftPasskey.create(RP_ID)
PHONE = SOFT.passkey()
CHALLENGE = bytes(range(32))
PERSON = Person("first-reviewer", "First Reviewer", "first-reviewer@status.example", frozenset({PersonRole.REVIEWER}), (PHONE,))


def signed(challenge: bytes = CHALLENGE, origin: str = ORIGIN, **options: Any) -> Assertion:
    fields = SOFT.assertion(challenge, origin, **options)
    del fields["kind"]
    return Assertion(**fields)


def check(assertion: Assertion, key: Passkey = PHONE, rp_id: str = RP_ID, origin: str = ORIGIN) -> None:
    verify_assertion(assertion, key, challenge=CHALLENGE, origin=origin, rp_id=rp_id)


def test_a_signature_verifies_again_and_again() -> None:
    first, second = signed(), signed()
    for assertion in (first, second, first):  # the counter is 7 each time
        check(assertion)
    with pytest.raises(PasskeyRefused):
        check(dataclasses.replace(first, signature=encode(bytes(70))))


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "another challenge": ({"challenge": bytes(32)}, "challenge"),
    "another origin": ({"origin": "https://status.example.evil.example"}, "origin"),
    "the same origin in the clear": ({"origin": "http://status.example"}, "origin"),
    "a person that was present, not verified": ({"user_verified": False}, "user was not verified"),
    "a frame of another site": ({"crossOrigin": True}, "frame"),
    "a frame said in another way": ({"crossOrigin": "false"}, "frame"),
    "a frame with its top": ({"topOrigin": "https://evil.example"}, "frame"),
    "a registration": ({"type": "webauthn.create"}, "type"),
    "a payment": ({"type": "payment.get"}, "type"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_was_signed_for_something_else_is_refused(case: str) -> None:
    options, said = REFUSED[case]
    with pytest.raises(PasskeyRefused, match=said):
        check(signed(**options))


def test_a_browser_that_says_nothing_of_frames_is_taken() -> None:
    assertion = signed(crossOrigin=None)
    assert b"crossOrigin" not in decode(assertion.client_data_json, "client_data_json")
    check(assertion)


def test_another_key_or_service_is_refused() -> None:
    other = SoftPasskey.create(RP_ID)
    with pytest.raises(PasskeyRefused, match="names another passkey"):
        check(signed(), other.passkey())
    with pytest.raises(PasskeyRefused, match="signature"):
        check(signed(), dataclasses.replace(PHONE, public_key=other.public_key))
    with pytest.raises(PasskeyRefused, match=r"belongs to status\.example, this service to other\.example"):
        check(signed(), rp_id="other.example")
    with pytest.raises(PasskeyRefused, match="RP ID hash"):
        check(signed(), dataclasses.replace(PHONE, rp_id="other.example"), "other.example")


FIELDS = ["authenticator_data", "client_data_json", "signature", "credential_id"]


@given(st.sampled_from(FIELDS), st.integers(0, 10_000), st.integers(1, 255))
@settings(deadline=None)
def test_any_changed_byte_is_refused(field: str, at: int, flip: int) -> None:
    assertion = signed()
    raw = bytearray(decode(getattr(assertion, field), field))
    raw[at % len(raw)] ^= flip
    with pytest.raises(PasskeyRefused):
        check(dataclasses.replace(assertion, **{field: encode(bytes(raw))}))


@given(st.sampled_from(FIELDS), st.one_of(st.text(), st.binary(min_size=1, max_size=200).map(encode)))
@settings(deadline=None)
def test_no_field_raises_anything_else(field: str, value: str) -> None:
    with pytest.raises(PasskeyRefused):
        check(dataclasses.replace(signed(), **{field: value}))


@pytest.mark.parametrize(
    "raw", [b"[" * 3000, b"null", b"{}", b'{"type":1,"challenge":[],"origin":{}}', b"\xff", json.dumps({"challenge": 1}).encode("utf-16")]
)
def test_hostile_client_data_is_refused(raw: bytes) -> None:
    with pytest.raises(PasskeyRefused):
        check(dataclasses.replace(signed(), client_data_json=encode(raw)))


@given(st.binary(min_size=1, max_size=60))
@settings(deadline=None)
def test_base64url_has_one_form(raw: bytes) -> None:
    text = encode(raw)
    assert decode(text, "signature") == raw
    for other in (text + "=", text + "\n", " " + text, text + "A===", text.replace("-", "+").replace("_", "/") + "==" * 2, ""):
        with pytest.raises(PasskeyRefused):
            decode(other, "signature")
    with pytest.raises(PasskeyRefused, match="of 1 to 1024 bytes"):
        decode(encode(bytes(1025)), "signature")


def test_the_options_ask_for_a_verified_person_and_leave_known_keys_out() -> None:
    options = registration_options(PERSON, RP_ID, CHALLENGE)
    assert options["rp"] == {"name": "Tocsin", "id": RP_ID}
    assert options["user"] == {"id": encode(b"first-reviewer"), "name": PERSON.email, "displayName": PERSON.name}
    assert options["challenge"] == encode(CHALLENGE)
    assert options["attestation"] == "none"
    assert options["authenticatorSelection"]["userVerification"] == "required"
    assert options["authenticatorSelection"]["residentKey"] == "preferred"
    assert [entry["id"] for entry in options["excludeCredentials"]] == [PHONE.credential_id]
    assert [entry["alg"] for entry in options["pubKeyCredParams"]] == [-7, -8, -257]
    assert json.loads(json.dumps(options)) == options
    assert registration_options(PERSON, "other.example", CHALLENGE)["excludeCredentials"] == []
    with pytest.raises(ValueError, match="16 random bytes"):
        registration_options(PERSON, RP_ID, b"short")


def register(soft: SoftPasskey, origin: str = ORIGIN, challenge: bytes = CHALLENGE, **options: Any) -> Passkey:
    response = soft.register(registration_options(PERSON, RP_ID, challenge), origin, **options)
    as_text = verify_registration(json.dumps(response), challenge=CHALLENGE, origin=ORIGIN, rp_id=RP_ID, label="phone")
    assert verify_registration(response, challenge=CHALLENGE, origin=ORIGIN, rp_id=RP_ID, label="phone") == as_text
    return as_text


def test_an_enrolled_passkey_can_sign() -> None:
    soft = SoftPasskey.create(RP_ID)
    enrolled = register(soft)
    assert enrolled == soft.passkey()
    fields = soft.assertion(CHALLENGE, ORIGIN)
    del fields["kind"]
    check(Assertion(**fields), enrolled)
    with pytest.raises(PasskeyRefused):
        check(Assertion(**fields), PHONE)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"origin": "https://evil.example"}, "origin"),
        ({"challenge": bytes(32)}, "challenge"),
        ({"user_verified": False}, "user was not verified"),
        ({"crossOrigin": True}, "frame"),
        ({"type": "webauthn.get"}, "type"),
    ],
)
def test_enrolment_elsewhere_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(PasskeyRefused, match=said):
        register(SoftPasskey.create(RP_ID), **options)


@given(st.one_of(st.text(), st.dictionaries(st.sampled_from(["id", "rawId", "type", "response"]), st.text())))
@settings(deadline=None)
def test_no_registration_raises_anything_else(response: str | dict[str, Any]) -> None:
    with pytest.raises(PasskeyRefused):
        verify_registration(response, challenge=CHALLENGE, origin=ORIGIN, rp_id=RP_ID, label="phone")


def cose(**changed: Any) -> str:
    key = cbor2.loads(decode(PHONE.public_key, "public_key"))
    names = {"kty": 1, "alg": 3, "crv": -1, "x": -2, "y": -3}
    return encode(cbor2.dumps(key | {names[name]: value for name, value in changed.items()}))


@pytest.mark.parametrize(
    ("public_key", "said"),
    [
        (cose(alg=-65535), "not a COSE key|algorithm -65535"),
        (cose(alg=-36), "algorithm -36"),
        (cose(x=bytes(32)), "not a COSE key"),
        (cose(crv=9), "not a COSE key"),
        (cose(kty=4), "not a COSE key"),
        (encode(cbor2.dumps([1, 2])), "not a COSE key"),
        (encode(cbor2.dumps({1: 3, 3: -257, -1: b"\xc1" + bytes(62) + b"\x01", -2: b"\1\0\1"})), "too short|not a COSE key"),
    ],
)
def test_keys_that_prove_nothing_are_refused(public_key: str, said: str) -> None:
    with pytest.raises(PasskeyRefused, match=said):
        dataclasses.replace(PHONE, public_key=public_key)


@pytest.mark.parametrize(
    "rp_id", ["", "Status.example", "https://status.example", "status.example:8443", "192.0.2.1", "-a.example", "a..b", "localhost\n"]
)
def test_an_rp_id_is_a_host_name(rp_id: str) -> None:
    with pytest.raises(PasskeyRefused, match="rp_id"):
        dataclasses.replace(PHONE, rp_id=rp_id)
    assert dataclasses.replace(PHONE, rp_id="localhost").rp_id == "localhost"


def test_what_the_package_quotes_is_made_harmless() -> None:
    with pytest.raises(PasskeyRefused) as refused:
        check(signed(origin="https://evil.example/\x1b[2J" + "x" * 900))
    assert len(str(refused.value)) < 420
    assert "\x1b" not in str(refused.value)


def test_a_refusal_says_what_to_do() -> None:
    with pytest.raises(PasskeyRefused, match=r"open the link at https://status\.example and sign again"):
        check(signed(challenge=bytes(32)))
