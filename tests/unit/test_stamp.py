"""The stamp: a standard signature that anybody can check, the same for the same bytes, and no word of the key in an error."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from app.cli import tocsin
from app.services.stamp import Stamp
from app.web.pages import static_file


def pem(key: Any, encryption: Any = None) -> str:
    return str(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption()).decode())


KEY = ec.generate_private_key(ec.SECP256R1())
DATA = {"text": "Do not use our website. ü", "active": True}


def test_anybody_can_check_it_with_the_public_key_alone() -> None:
    stamp = Stamp(pem(KEY))
    made = stamp.over("tocsin-banner/1", DATA)
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), base64.b64decode(stamp.public))
    raw = base64.b64decode(made["signature"])
    signature = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    assert len(raw) == 64
    public.verify(signature, made["bytes"].encode(), ec.ECDSA(SHA256()))
    with pytest.raises(InvalidSignature):
        public.verify(signature, made["bytes"].replace("not", "now").encode(), ec.ECDSA(SHA256()))
    assert json.loads(made["bytes"]) == DATA | {"format": "tocsin-banner/1"}


def test_the_same_bytes_get_the_same_signature() -> None:
    assert Stamp(pem(KEY)).over("a", DATA) == Stamp(pem(KEY)).over("a", dict(reversed(DATA.items())))


@pytest.mark.parametrize(
    "given",
    [
        "",
        "secret-word",
        "-----BEGIN PRIVATE KEY-----\nc2VjcmV0LXdvcmQ=\n-----END PRIVATE KEY-----\n",
        pem(ed25519.Ed25519PrivateKey.generate()),
        pem(ec.generate_private_key(ec.SECP384R1())),
        pem(KEY, BestAvailableEncryption(b"secret-word")),
    ],
)
def test_any_other_key_is_refused_and_not_quoted(given: str) -> None:
    with pytest.raises(ValueError, match="openssl genpkey") as refused:
        Stamp(given)
    assert "secret-word" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_embed_prints_the_tag_from_the_files_and_the_key() -> None:
    integrity = f'integrity="{static_file("banner.js").integrity}" crossorigin="anonymous"'
    environ = {"TOCSIN_PUBLIC_URL": "https://tocsin.example"}
    plain = CliRunner().invoke(tocsin, ["embed"], env=environ)
    assert plain.stdout == f'<script src="https://tocsin.example/banner.js" {integrity} defer></script>\n'
    assert "No TOCSIN_PUBLISHING_KEY" in plain.stderr
    pinned = CliRunner().invoke(tocsin, ["embed"], env=environ | {"TOCSIN_PUBLISHING_KEY": pem(KEY)})
    assert f'{integrity} data-key="{Stamp(pem(KEY)).public}" defer' in pinned.stdout
    wrong = CliRunner().invoke(tocsin, ["embed"], env=environ | {"TOCSIN_PUBLISHING_KEY": "secret-word"})
    assert wrong.exit_code == 1
    assert "secret-word" not in wrong.output
