"""SSH signatures: ours are OpenSSH's, both ways, and a signature with any byte changed is none."""

from __future__ import annotations

import base64
import hashlib
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain import sshsig
from app.domain.sshsig import BEGIN, END, SignatureRefused, SshKey, SshKeyRefused, armor, message_to_sign, pack, unpack

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = SshKey.parse(KEY.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode() + " laptop")
DATA = b'{"announcement":"an_1"}'
ARMORED = sshsig.sign(DATA, KEY)
RAW = base64.b64decode("".join(ARMORED.splitlines()[1:-1]))


def rearmored(raw: bytes) -> str:
    return f"{BEGIN}\n{base64.b64encode(raw).decode()}\n{END}\n"


def made(public_key: bytes, namespace: bytes, reserved: bytes, hash_name: bytes, signature: bytes, version: int = 1) -> str:
    return rearmored(b"SSHSIG" + version.to_bytes(4, "big") + pack(public_key, namespace, reserved, hash_name, signature))


def run(*command: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, input=data, capture_output=True, timeout=30, check=False)


@given(st.binary(max_size=300), st.sampled_from([sshsig.NAMESPACE, "file"]))
@settings(deadline=None)
def test_what_was_signed_verifies_and_names_its_key(data: bytes, namespace: str) -> None:
    assert sshsig.verify(sshsig.sign(data, KEY, namespace), data, namespace) == PUBLIC.blob


@given(st.integers(0, len(ARMORED) - 1), st.integers(1, 255))
@settings(deadline=None)
def test_any_changed_byte_of_the_armour_is_refused(at: int, flip: int) -> None:
    changed = ARMORED[:at] + chr(ord(ARMORED[at]) ^ flip) + ARMORED[at + 1 :]
    with pytest.raises(SignatureRefused):
        sshsig.verify(changed, DATA)


@pytest.mark.parametrize("at", range(len(RAW)))
def test_any_changed_byte_of_the_signature_is_refused(at: int) -> None:
    for bit in range(8):
        changed = RAW[:at] + bytes([RAW[at] ^ (1 << bit)]) + RAW[at + 1 :]
        with pytest.raises(SignatureRefused):
            sshsig.verify(rearmored(changed), DATA)


@given(st.integers(0, len(DATA) - 1), st.integers(1, 255))
@settings(deadline=None)
def test_any_changed_byte_of_the_message_is_refused(at: int, flip: int) -> None:
    with pytest.raises(SignatureRefused):
        sshsig.verify(ARMORED, DATA[:at] + bytes([DATA[at] ^ flip]) + DATA[at + 1 :])


@given(st.one_of(st.text(), st.binary(max_size=400).map(rearmored), st.binary(max_size=400).map(lambda tail: rearmored(RAW[:10] + tail))))
@settings(deadline=None)
def test_no_text_raises_anything_else(armored: str) -> None:
    with pytest.raises(SignatureRefused):
        sshsig.verify(armored, DATA)


@given(st.lists(st.binary(max_size=80), min_size=5, max_size=5))
@settings(deadline=None)
def test_no_fields_raise_anything_else(fields: list[bytes]) -> None:
    with pytest.raises(SignatureRefused):
        sshsig.verify(rearmored(RAW[:10] + pack(*fields)), DATA)


def test_another_namespace_is_refused() -> None:
    with pytest.raises(SignatureRefused, match="namespace b'git'"):
        sshsig.verify(sshsig.sign(DATA, KEY, "git"), DATA)


def test_forms_that_the_package_would_pass_are_refused() -> None:
    public, _, _, _, signature = unpack(RAW[10:], 5)
    namespace = sshsig.NAMESPACE.encode()
    sha256 = b"SSHSIG" + pack(namespace, b"", b"sha256", hashlib.sha256(DATA).digest())
    weaker = pack(b"ssh-ed25519", KEY.sign(sha256))
    refused = {
        "another hash": made(public, namespace, b"", b"sha256", weaker),
        "something reserved": made(public, namespace, b"x", b"sha512", signature),
        "another version": made(public, namespace, b"", b"sha512", signature, version=2),
        "more at the end": rearmored(RAW + b"x"),
        "more behind the signature": made(public, namespace, b"", b"sha512", signature + b"x"),
        "more behind the key": made(public + b"x", namespace, b"", b"sha512", signature),
        "words before": "Signed by me\n" + ARMORED,
        "words after": ARMORED + "\n",
        "a space": ARMORED.replace("\n", " \n", 2),
        "too long": ARMORED.replace("\n", "\n" * 9000, 1),
    }
    assert sshsig.verify(made(public, namespace, b"", b"sha512", signature), DATA) == PUBLIC.blob
    for case, armored in refused.items():
        with pytest.raises(SignatureRefused):
            pytest.fail(f"accepted: {case}, {sshsig.verify(armored, DATA)!r}")


def test_the_kind_of_signature_must_fit_the_key() -> None:
    public, namespace, reserved, hashed, signature = unpack(RAW[10:], 5)
    inner = unpack(signature, 2)[1]
    for kind in (b"rsa-sha2-512", b"ssh-rsa", b"sk-ssh-ed25519@openssh.com"):
        with pytest.raises(SignatureRefused, match="is not accepted"):
            sshsig.verify(made(public, namespace, reserved, hashed, pack(kind, inner)), DATA)


def test_rsa_signatures_verify_but_not_over_sha1() -> None:
    key = rsa.generate_private_key(65537, 2048)
    public = SshKey.parse(key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode())
    message = message_to_sign(DATA)
    good = pack(b"rsa-sha2-512", key.sign(message, padding.PKCS1v15(), hashes.SHA512()))
    old = pack(b"ssh-rsa", key.sign(message, padding.PKCS1v15(), hashes.SHA1()))
    assert sshsig.verify(armor(public.blob, good), DATA) == public.blob
    with pytest.raises(SignatureRefused):
        sshsig.verify(armor(public.blob, old), DATA)


@given(st.lists(st.binary(max_size=20), max_size=4))
@settings(deadline=None)
def test_wire_strings_are_read_back(strings: list[bytes]) -> None:
    assert unpack(pack(*strings), len(strings)) == strings
    with pytest.raises(ValueError, match=r"after the end|too early"):
        unpack(pack(*strings) + b"\0", len(strings))
    with pytest.raises(ValueError, match="too early"):
        unpack(pack(*strings), len(strings) + 1)


@given(st.one_of(st.text(), st.binary(max_size=100).map(lambda raw: "ssh-ed25519 " + base64.b64encode(raw).decode())))
@settings(deadline=None)
def test_no_line_but_a_key_is_a_key(line: str) -> None:
    with pytest.raises(SshKeyRefused):
        SshKey.parse(line)


def test_base64_has_one_form() -> None:
    last = ARMORED[ARMORED.index("=") - 1]  # some of its bits are not used
    changed = ARMORED.replace(f"{last}=", f"{chr(ord(last) + 1)}=")
    assert base64.b64decode("".join(changed.splitlines()[1:-1])) == RAW
    with pytest.raises(SignatureRefused, match="canonical"):
        sshsig.verify(changed, DATA)
    with pytest.raises(SshKeyRefused):
        SshKey.parse(PUBLIC.public.replace("AAAAC3", "AAAA-C3"))


def test_a_key_is_one_line() -> None:
    with pytest.raises(SshKeyRefused):
        SshKey.parse(f"{PUBLIC.public}\nssh-ed25519 AAAA")
    assert SshKey.from_blob(PUBLIC.blob, " two\n words ").public.endswith(" two words")


def test_ssh_keygen_accepts_what_we_sign(ssh_keygen: str, tmp_path: Path) -> None:
    (tmp_path / "allowed_signers").write_text(f'first-reviewer namespaces="tocsin-approval" {PUBLIC.public}\n')
    (tmp_path / "statement.sig").write_text(ARMORED)
    command = [ssh_keygen, "-Y", "verify", "-n", "tocsin-approval", "-f", f"{tmp_path}/allowed_signers", "-s", f"{tmp_path}/statement.sig"]
    said = run(*command, "-I", "first-reviewer", data=DATA)
    assert said.returncode == 0, said.stderr
    assert PUBLIC.fingerprint.encode() in said.stdout
    assert run(*command, "-I", "first-reviewer", data=DATA + b"\n").returncode != 0
    assert run(*command, "-I", "second-reviewer", data=DATA).returncode != 0


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_we_accept_what_ssh_keygen_signs(ssh_keygen: str, tmp_path: Path, kind: str) -> None:
    made_key = run(ssh_keygen, "-q", "-t", kind, "-N", "", "-C", "first-reviewer", "-f", f"{tmp_path}/key")
    assert made_key.returncode == 0, made_key.stderr
    public = SshKey.parse((tmp_path / "key.pub").read_text())
    (tmp_path / "statement").write_bytes(DATA)
    said = run(ssh_keygen, "-Y", "sign", "-n", "tocsin-approval", "-f", f"{tmp_path}/key", f"{tmp_path}/statement")
    assert said.returncode == 0, said.stderr
    armored = (tmp_path / "statement.sig").read_text()
    assert sshsig.verify(armored, DATA) == public.blob
    assert public.fingerprint.encode() in run(ssh_keygen, "-l", "-f", f"{tmp_path}/key.pub").stdout


def test_our_signature_is_ssh_keygens_to_the_byte(ssh_keygen: str, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    path.chmod(0o600)
    said = run(ssh_keygen, "-Y", "sign", "-n", "tocsin-approval", "-f", str(path), data=DATA)
    assert said.returncode == 0, said.stderr
    assert said.stdout.decode() == ARMORED
