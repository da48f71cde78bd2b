"""Passkeys (WebAuthn): checking that one signed a challenge. Enrolling one lies in `app.domain.enrolment`.

Rules kept here: the user was verified (fingerprint, face or PIN), not only present; the page was ours and not in a frame of another
site; base64url has one form. The counter of signatures is not enforced, because a stored assertion is verified again and again.
The checks of the specification are the `webauthn` package's; its import takes 0.3 s, so it waits for the first use. Which challenge
stands for which statement lies in `app.domain.approval`, whose passkey it is in `app.domain.roster`.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass

ALGORITHMS = (-7, -8, -257)
"""COSE: ES256, EdDSA (Ed25519), RS256: what platforms and security keys really make."""

MAX_BYTES = {"credential_id": 1023, "authenticator_data": 2048, "client_data_json": 4096, "signature": 1024, "public_key": 2048}
"""Of each field after decoding, generously; WebAuthn itself bounds only the credential id."""

_RP_ID = re.compile(r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*(?=[a-z0-9-]*[a-z])[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_MIN_RSA_BITS = 2048


class PasskeyRefused(ValueError):
    """This is no usable passkey, or not its signature; the message says why and what to do."""


def decode(text: str, name: str) -> bytes:
    """The bytes of unpadded base64url, at most `MAX_BYTES[name]`. Raises `PasskeyRefused` on any other way of writing them."""
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)) if len(text) <= 2 * MAX_BYTES[name] else b""
    except ValueError as error:
        raise PasskeyRefused(f"{name} is not base64url") from error
    if not raw or encode(raw) != text or len(raw) > MAX_BYTES[name]:
        raise PasskeyRefused(f"{name} is not base64url without padding, of 1 to {MAX_BYTES[name]} bytes")
    return raw


def encode(raw: bytes) -> str:
    """Unpadded base64url."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class Passkey:
    """One credential: its id and its public key (COSE), both base64url; the RP id that it is bound to; what its owner calls it.

    Making one checks it: raises `PasskeyRefused` naming the field.
    """

    credential_id: str
    public_key: str
    rp_id: str
    label: str

    def __post_init__(self) -> None:
        decode(self.credential_id, "credential_id")
        if not _RP_ID.fullmatch(self.rp_id):
            raise PasskeyRefused("rp_id is not a host name in lower case, like status.example; take the one of the page where it was made")
        if not self.material:
            raise PasskeyRefused("public_key is empty")

    @property
    def material(self) -> bytes:
        """The bare public key (DER SubjectPublicKeyInfo), the same for every way of writing the same key."""
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
        from webauthn.helpers import decode_credential_public_key, decoded_public_key_to_cryptography

        raw = decode(self.public_key, "public_key")
        try:
            decoded = decode_credential_public_key(raw)
            algorithm, key = int(decoded.alg), decoded_public_key_to_cryptography(decoded)
        except Exception as error:  # a parser of foreign bytes: whatever it raises, they are no key
            raise PasskeyRefused(f"public_key is not a COSE key ({error}); enrol again with `tocsin roster enrol`") from error
        if algorithm not in ALGORITHMS or (isinstance(key, RSAPublicKey) and key.key_size < _MIN_RSA_BITS):
            raise PasskeyRefused(f"public_key is of COSE algorithm {algorithm} or too short; enrol another authenticator")
        return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@dataclass(frozen=True, slots=True)
class Assertion:
    """A passkey's signature as the browser gives it, each field base64url without padding."""

    credential_id: str
    authenticator_data: str
    client_data_json: str
    signature: str


def verify_assertion(assertion: Assertion, passkey: Passkey, *, challenge: bytes, origin: str, rp_id: str) -> None:
    """Returns if this passkey signed `challenge` on a page of `origin` after it had verified its user. Raises `PasskeyRefused`."""
    from webauthn import verify_authentication_response
    from webauthn.helpers.structs import AuthenticationCredential, AuthenticatorAssertionResponse

    if assertion.credential_id != passkey.credential_id:
        raise PasskeyRefused("the signature names another passkey")
    if passkey.rp_id != rp_id:
        raise PasskeyRefused(f"the passkey belongs to {passkey.rp_id}, this service to {rp_id}; enrol it here")
    client_data = decode(assertion.client_data_json, "client_data_json")
    refuse_frames(client_data)
    credential = AuthenticationCredential(
        id=assertion.credential_id,
        raw_id=decode(assertion.credential_id, "credential_id"),
        response=AuthenticatorAssertionResponse(
            client_data_json=client_data,
            authenticator_data=decode(assertion.authenticator_data, "authenticator_data"),
            signature=decode(assertion.signature, "signature"),
        ),
    )
    try:
        verify_authentication_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=rp_id,
            expected_origin=origin,
            credential_public_key=decode(passkey.public_key, "public_key"),
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    except Exception as error:  # a parser of foreign bytes: whatever it raises, they are no signature
        raise PasskeyRefused(f"{reason(error)}; open the link at {origin} and sign again") from error


def refuse_frames(client_data_json: bytes) -> None:
    """The package leaves `crossOrigin` unchecked: another site could show our page in a frame under its own words."""
    try:
        client_data = json.loads(client_data_json)
    except (ValueError, RecursionError) as error:
        raise PasskeyRefused("client_data_json is not JSON") from error
    if not isinstance(client_data, dict) or client_data.get("crossOrigin", False) is not False or "topOrigin" in client_data:
        raise PasskeyRefused("it was made inside a frame of another site; open the approval link itself")


def reason(error: Exception) -> str:
    """What the package found, short: it may quote the foreign bytes."""
    text = str(error) or type(error).__name__
    return "".join(character if character.isprintable() else "?" for character in text[:300])
