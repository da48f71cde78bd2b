"""SSH keys on security keys: signatures in the form that OpenSSH's own tool accepts, and every other form refused.

The security key is played by the tests: the private key lies here, the bytes that it signs and sends are made by hand.
"""

from __future__ import annotations

import base64
import hashlib
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from app.domain import sshsig
from app.domain.approval import Approval, ApprovalRefused, Decision, SshSignature, Statement, verify
from app.domain.roster import Roster, RosterError
from app.domain.sshsig import SignatureRefused, SshKey, SshKeyRefused, armor, message_to_sign, pack
from app.domain.sshsk import ECDSA_P256, ED25519
from app.signing import SigningRefused, keys

DATA = b'{"announcement":"an_1"}'
OK = 0x05
EDWARDS = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
CURVE = ec.derive_private_key(2**200 + 7, ec.SECP256R1())


def edwards_blob(application: bytes = b"ssh:", key: Ed25519PrivateKey = EDWARDS) -> bytes:
    return pack(ED25519, key.public_key().public_bytes_raw(), application)


def curve_blob(application: bytes = b"ssh:", curve: bytes = b"nistp256", form: PublicFormat = PublicFormat.UncompressedPoint) -> bytes:
    return pack(ECDSA_P256, curve, CURVE.public_key().public_bytes(Encoding.X962, form), application)


def signed(application: bytes, flags: int, counter: int, data: bytes = DATA) -> bytes:
    """What a security key signs."""
    message = hashlib.sha256(message_to_sign(data)).digest()
    return hashlib.sha256(application).digest() + struct.pack(">BI", flags, counter) + message


def mpint(number: int) -> bytes:
    return number.to_bytes(number.bit_length() // 8 + 1)


def edwards(flags: int = OK, counter: int = 7, application: bytes = b"ssh:", said: int | None = None) -> bytes:
    """A signature; `said` are the flags that it claims, where others were signed."""
    made = EDWARDS.sign(signed(application, flags, counter))
    return pack(ED25519, made) + struct.pack(">BI", flags if said is None else said, counter)


def numbers(flags: int = OK, counter: int = 7, application: bytes = b"ssh:") -> tuple[int, int]:
    return decode_dss_signature(CURVE.sign(signed(application, flags, counter), ec.ECDSA(SHA256())))


def curve(flags: int = OK, counter: int = 7, application: bytes = b"ssh:") -> bytes:
    return pack(ECDSA_P256, pack(*map(mpint, numbers(flags, counter, application)))) + struct.pack(">BI", flags, counter)


KINDS: dict[str, tuple[bytes, Callable[..., bytes]]] = {"ed25519-sk": (edwards_blob(), edwards), "ecdsa-sk": (curve_blob(), curve)}
both = pytest.mark.parametrize(("blob", "sign"), KINDS.values(), ids=KINDS)


@both
@pytest.mark.parametrize(("flags", "counter"), [(OK, 0), (OK, 2**32 - 1), (0x0D, 1), (0x1D, 1)])
def test_a_signature_of_a_verified_person_names_its_key(blob: bytes, sign: Callable[..., bytes], flags: int, counter: int) -> None:
    assert sshsig.verify(armor(blob, sign(flags, counter)), DATA) == blob


@both
@pytest.mark.parametrize(
    ("flags", "told"),
    [(0x00, "not touched"), (0x04, "not touched"), (0x01, "PIN or fingerprint"), (0x45, "more data"), (0x85, "more data")],
)
def test_who_was_not_there_or_not_verified_signed_nothing(blob: bytes, sign: Callable[..., bytes], flags: int, told: str) -> None:
    with pytest.raises(SignatureRefused, match=told):
        sshsig.verify(armor(blob, sign(flags)), DATA)


@both
def test_flags_and_counter_are_under_the_signature(blob: bytes, sign: Callable[..., bytes]) -> None:
    good, weak = sign(OK, 7), sign(0x01, 7)
    for changed in (weak[:-5] + good[-5:], good[:-4] + struct.pack(">I", 8), good[:-5] + b"\x0d" + good[-4:]):
        with pytest.raises(SignatureRefused, match="not its key's signature"):
            sshsig.verify(armor(blob, changed), DATA)


@both
@pytest.mark.parametrize("application", [b"", b"ssh:other", b"SSH:", b"https://tocsin.example"])
def test_a_signature_for_another_application_is_refused(blob: bytes, sign: Callable[..., bytes], application: bytes) -> None:
    with pytest.raises(SignatureRefused):
        sshsig.verify(armor(blob, sign(application=application)), DATA)


def test_a_key_of_another_application_is_another_key() -> None:
    other = edwards_blob(b"ssh:other")
    assert sshsig.verify(armor(other, edwards(application=b"ssh:other")), DATA) == other != edwards_blob()


@both
def test_any_changed_byte_is_refused(blob: bytes, sign: Callable[..., bytes]) -> None:
    raw = base64.b64decode("".join(armor(blob, sign()).splitlines()[1:-1]))
    for at in range(len(raw)):
        for bit in (0, 3, 7):
            text = base64.b64encode(raw[:at] + bytes([raw[at] ^ (1 << bit)]) + raw[at + 1 :]).decode()
            with pytest.raises(SignatureRefused):
                sshsig.verify(f"{sshsig.BEGIN}\n{text}\n{sshsig.END}\n", DATA)


@both
def test_a_byte_more_or_less_is_refused(blob: bytes, sign: Callable[..., bytes]) -> None:
    good = sign()
    kind, made = sshsig.unpack(good[:-5], 2)
    tail = good[-5:]
    for wrong in (
        good + b"\0",
        good[:-1],
        good[:-5],
        b"",
        tail,
        pack(kind, made + b"\0") + tail,
        pack(kind, made, b"") + tail,
        b"\0" + good,
    ):
        with pytest.raises(SignatureRefused):
            sshsig.verify(armor(blob, wrong), DATA)
    for key in (blob + b"\0", blob[:-1], blob + pack(b"")):
        with pytest.raises(SignatureRefused):
            sshsig.verify(armor(key, good), DATA)


@both
def test_another_message_or_namespace_is_refused(blob: bytes, sign: Callable[..., bytes]) -> None:
    with pytest.raises(SignatureRefused):
        sshsig.verify(armor(blob, sign()), DATA + b"\n")
    with pytest.raises(SignatureRefused):
        sshsig.verify(armor(blob, sign(), "git"), DATA)


def test_the_kinds_are_not_mixed() -> None:
    plain = pack(b"ssh-ed25519", EDWARDS.public_key().public_bytes_raw())
    bare = pack(b"ssh-ed25519", EDWARDS.sign(message_to_sign(DATA)))
    webauthn = curve().replace(pack(ECDSA_P256), pack(b"webauthn-sk-ecdsa-sha2-nistp256@openssh.com"))
    mixed = [(edwards_blob(), curve()), (curve_blob(), edwards()), (edwards_blob(), bare), (plain, edwards()), (curve_blob(), webauthn)]
    for key, signature in mixed:
        with pytest.raises(SignatureRefused):
            sshsig.verify(armor(key, signature), DATA)
    assert sshsig.verify(armor(plain, bare), DATA) == plain, "the same private key in a file is another key"


def test_the_numbers_of_an_ecdsa_signature_have_one_form() -> None:
    r, s = numbers()
    tail = struct.pack(">BI", OK, 7)
    der = CURVE.sign(signed(b"ssh:", OK, 7), ec.ECDSA(SHA256()))
    wrong = [
        der,
        pack(b"\0" + mpint(r), mpint(s)),
        pack(mpint(r), mpint(s)[1:] if s >> 255 else b"\0" + mpint(s)),
        pack(b"", mpint(s)),
        pack(b"\0", mpint(s)),
        pack(mpint(r)),
        pack(mpint(r), mpint(s), b""),
        mpint(r).rjust(32, b"\0") + mpint(s).rjust(32, b"\0"),
    ]
    assert sshsig.verify(armor(curve_blob(), pack(ECDSA_P256, pack(mpint(r), mpint(s))) + tail), DATA)
    for made in wrong:
        with pytest.raises(SignatureRefused):
            sshsig.verify(armor(curve_blob(), pack(ECDSA_P256, made) + tail), DATA)


@given(st.binary(max_size=200), st.binary(max_size=200), st.sampled_from([edwards_blob(), curve_blob()]))
def test_nothing_else_is_raised(key: bytes, signature: bytes, blob: bytes) -> None:
    kind = sshsig.unpack(blob[: 4 + int.from_bytes(blob[:4])], 1)[0]
    for armored in (
        armor(pack(kind) + key, pack(kind, signature)),
        armor(blob, pack(kind, signature) + b"\5\0\0\0\1"),
        armor(blob, signature),
    ):
        with pytest.raises(SignatureRefused):
            sshsig.verify(armored, DATA)


# In a roster


def line(blob: bytes) -> str:
    return SshKey.from_blob(blob, "token").public


@both
def test_a_line_of_a_pub_file_is_its_key(blob: bytes, sign: Callable[..., bytes]) -> None:
    key = SshKey.parse(line(blob))
    assert (key.blob, key.public.split()[2]) == (blob, "token")
    assert key.fingerprint == sshsig.fingerprint(blob)


@pytest.mark.parametrize(
    "blob",
    {
        "made for a website": edwards_blob(b"https://tocsin.example"),
        "for nothing": curve_blob(b""),
        "no application": pack(ED25519, EDWARDS.public_key().public_bytes_raw()),
        "more": edwards_blob() + pack(b""),
        "another curve": curve_blob(curve=b"nistp384"),
        "a compressed point": curve_blob(form=PublicFormat.CompressedPoint),
        "no point": pack(ECDSA_P256, b"nistp256", b"\4" + b"\1" * 64, b"ssh:"),
        "a short key": pack(ED25519, b"\1" * 31, b"ssh:"),
        "a certificate": pack(b"sk-ssh-ed25519-cert-v01@openssh.com", b"", b"ssh:"),
    }.values(),
)
def test_another_key_is_refused(blob: bytes) -> None:
    with pytest.raises(SshKeyRefused):
        SshKey.from_blob(blob)
    with pytest.raises(SignatureRefused):
        sshsig.verify(armor(blob, edwards()), DATA)


def test_a_line_has_one_form() -> None:
    kind, text, _ = line(edwards_blob()).split()
    for wrong in (f"{ECDSA_P256.decode()} {text}", f"{kind} {text[:-1]}", f"{kind} {text.replace('A', '-', 1)}", f"{kind} {text}===", kind):
        with pytest.raises(SshKeyRefused):
            SshKey.parse(wrong)


def roster(*blobs: bytes) -> Roster:
    people = (
        f'[person.reviewer-{at}]\nname = "Reviewer {at}"\nemail = "r{at}@status.example"\nroles = ["reviewer"]\n'
        f'[[person.reviewer-{at}.ssh]]\npublic = "{line(blob)}"\n'
        for at, blob in enumerate(blobs, 1)
    )
    return Roster.parse("version = 1\n" + "".join(people))


@both
def test_an_approval_by_a_security_key_counts(blob: bytes, sign: Callable[..., bytes]) -> None:
    statement = Statement("an_1", 1, "live", "sha256:" + "0" * 64, "reviewer-1", Decision.APPROVE, "A" * 22)
    raw, approve = statement.to_bytes(), Approval.from_json

    def approval(flags: int) -> Approval:
        challenge = signed(b"ssh:", flags, 9, raw)
        if sign is edwards:
            made = pack(ED25519, EDWARDS.sign(challenge))
        else:
            made = pack(ECDSA_P256, pack(*map(mpint, decode_dss_signature(CURVE.sign(challenge, ec.ECDSA(SHA256()))))))
        return approve(Approval(raw, SshSignature(armor(blob, made + struct.pack(">BI", flags, 9)))).to_json())

    found = verify(approval(OK), roster(blob), origin="https://tocsin.example", rp_id="tocsin.example")
    assert (found.person.id, found.key_kind, found.key_id) == ("reviewer-1", "ssh", sshsig.fingerprint(blob))
    with pytest.raises(ApprovalRefused, match="PIN or fingerprint"):
        verify(approval(0x01), roster(blob), origin="https://tocsin.example", rp_id="tocsin.example")


def test_one_key_in_two_forms_is_not_two_people() -> None:
    for other in (edwards_blob(b"ssh:other"), pack(b"ssh-ed25519", EDWARDS.public_key().public_bytes_raw())):
        with pytest.raises(RosterError, match="the same key as"):
            roster(edwards_blob(), other)


# Beside OpenSSH itself


def ran(*command: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, input=data, capture_output=True, timeout=30, check=False)


@both
def test_ssh_keygen_accepts_the_same_signatures(blob: bytes, sign: Callable[..., bytes], ssh_keygen: str, tmp_path: Path) -> None:
    (tmp_path / "key.pub").write_text(line(blob) + "\n")
    assert sshsig.fingerprint(blob).encode() in ran(ssh_keygen, "-l", "-f", f"{tmp_path}/key.pub").stdout
    (tmp_path / "allowed_signers").write_text(f'reviewer namespaces="tocsin-approval" {line(blob)}\n')
    command = [ssh_keygen, "-Y", "verify", "-n", "tocsin-approval", "-f", f"{tmp_path}/allowed_signers", "-I", "reviewer"]
    untouched = (sign(0x00), True)  # which it takes, so that nobody may rely on it for that
    for signature, good in ((sign(), True), (sign(application=b"ssh:other"), False), (sign()[:-1] + b"\xff", False), untouched):
        (tmp_path / "signature").write_text(armor(blob, signature))
        said = ran(*command, "-s", f"{tmp_path}/signature", data=DATA)
        assert (said.returncode == 0) == good, said.stderr


def test_the_file_of_a_security_key_says_to_use_the_agent(tmp_path: Path) -> None:
    private = b"same" * 2 + edwards_blob() + b"\5" + pack(b"handle", b"", b"token")
    private += bytes(range(1, 1 + -len(private) % 8))
    raw = b"openssh-key-v1\0" + pack(b"none", b"none", b"") + struct.pack(">I", 1) + pack(edwards_blob(), private)
    text = base64.b64encode(raw).decode()
    path = tmp_path / "id_ed25519_sk"
    path.write_text(f"-----BEGIN OPENSSH PRIVATE KEY-----\n{text}\n-----END OPENSSH PRIVATE KEY-----\n")
    with pytest.raises(SigningRefused, match="`ssh-add`"):
        keys.load(path, lambda: "")
