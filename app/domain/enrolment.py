"""Enrolling a passkey: what the browser is asked for, and what came back. Whoever keeps the roster puts the entry there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.domain.passkey import ALGORITHMS, Passkey, PasskeyRefused, decode, encode, reason, refuse_frames
from app.domain.roster import Person

RP_NAME = "Tocsin"


def registration_options(person: Person, rp_id: str, challenge: bytes) -> dict[str, Any]:
    """The `publicKey` options for `navigator.credentials.create()`, in WebAuthn's JSON form. `challenge`: 16 fresh random bytes or more.

    A person's passkeys of this RP id are excluded, so that one authenticator is not enrolled twice.
    """
    from webauthn import generate_registration_options
    from webauthn.helpers import options_to_json_dict
    from webauthn.helpers.cose import COSEAlgorithmIdentifier
    from webauthn.helpers.structs import (
        AuthenticatorSelectionCriteria,
        PublicKeyCredentialDescriptor,
        ResidentKeyRequirement,
        UserVerificationRequirement,
    )

    if len(challenge) < 16:
        raise ValueError("a challenge has at least 16 random bytes")
    known = [key for key in person.passkeys if key.rp_id == rp_id]
    options = generate_registration_options(
        rp_id=rp_id,
        rp_name=RP_NAME,
        user_id=person.id.encode(),
        user_name=person.email,
        user_display_name=person.name,
        challenge=challenge,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.PREFERRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=decode(key.credential_id, "credential_id")) for key in known],
        supported_pub_key_algs=[COSEAlgorithmIdentifier(algorithm) for algorithm in ALGORITHMS],
    )
    return options_to_json_dict(options)


def verify_registration(response: str | Mapping[str, Any], *, challenge: bytes, origin: str, rp_id: str, label: str) -> Passkey:
    """The new passkey out of what `navigator.credentials.create()` gave (`toJSON()`). Raises `PasskeyRefused`.

    The attestation is not judged: the roster's owner knows the person, not the make of the authenticator.
    """
    from webauthn import verify_registration_response
    from webauthn.helpers import parse_registration_credential_json
    from webauthn.helpers.cose import COSEAlgorithmIdentifier

    try:
        credential = parse_registration_credential_json(response if isinstance(response, str) else dict(response))
        refuse_frames(credential.response.client_data_json)
        verified = verify_registration_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=rp_id,
            expected_origin=origin,
            require_user_verification=True,
            supported_pub_key_algs=[COSEAlgorithmIdentifier(algorithm) for algorithm in ALGORITHMS],
        )
    except PasskeyRefused:
        raise
    except Exception as error:  # a parser of foreign bytes: whatever it raises, they are no registration
        raise PasskeyRefused(f"{reason(error)}; enrol again at {origin}") from error
    return Passkey(encode(verified.credential_id), encode(verified.credential_public_key), rp_id, label)
