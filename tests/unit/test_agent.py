"""The signer's side: key files as ssh-keygen writes them, and an agent, one in this file that can misbehave and OpenSSH's own."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat, PublicFormat

from app.domain import sshsig
from app.domain.sshsig import SshKey, pack, unpack
from app.signing import Signer, SigningRefused, agent, keys

DATA = b'{"announcement":"an_1"}'
KEY, OTHER = (Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32) for seed in (1, 2))
RSA = rsa.generate_private_key(65537, 2048)


def public(key: Ed25519PrivateKey | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def blob(key: Ed25519PrivateKey | rsa.RSAPrivateKey) -> bytes:
    return SshKey.parse(public(key)).blob


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        reason = f"{name} is not installed, so nothing was compared with OpenSSH (package openssh-client)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


class TinyAgent:
    """Speaks the agent protocol over a socket: lists and signs with its keys, or gives the `answer` that a test orders."""

    def __init__(self, path: Path, *listed: Ed25519PrivateKey | rsa.RSAPrivateKey) -> None:
        self.path, self.keys, self.answer = path, {blob(key): key for key in listed}, b""
        self.silent = False
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as asked:
                message = asked.read(int.from_bytes(asked.read(4), "big"))
                if self.silent:
                    asked.read()  # until the other side gives up
                else:
                    connection.sendall(self.answer or pack(self._reply(message)))

    def _reply(self, message: bytes) -> bytes:
        if message == b"\x0b":
            known = [pack(b"\0\0\0\x0bssh-unknown", b"odd"), *(pack(each, b"lap\x1btop") for each in self.keys)]
            return b"\x0c" + struct.pack(">I", len(known)) + b"".join(known)
        asked, data = unpack(message[1:-4], 2)
        flags, key = int.from_bytes(message[-4:], "big"), self.keys.get(asked)
        if message[0] == 13 and isinstance(key, Ed25519PrivateKey) and flags == 0:
            return b"\x0e" + pack(pack(b"ssh-ed25519", key.sign(data)))
        if message[0] == 13 and isinstance(key, rsa.RSAPrivateKey) and flags == 4:
            return b"\x0e" + pack(pack(b"rsa-sha2-512", key.sign(data, padding.PKCS1v15(), hashes.SHA512())))
        return b"\x05"


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[TinyAgent]:
    running = TinyAgent(tmp_path / "agent", KEY, RSA)
    yield running
    running.close()


def test_the_agents_keys_sign(tiny: TinyAgent) -> None:
    found = agent.identities(tiny.path)
    assert [each.public.public for each in found] == [f"{public(KEY)} lap?top", f"{public(RSA)} lap?top"]
    for signer in found:
        assert sshsig.verify(signer.sign(DATA), DATA) == signer.public.blob
    assert found[0].sign(DATA) == sshsig.sign(DATA, KEY)


def test_a_security_key_signs_through_the_agent_if_its_owner_was_verified(tiny: TinyAgent) -> None:
    kind, application = b"sk-ssh-ed25519@openssh.com", b"ssh:"
    listed = pack(kind, KEY.public_key().public_bytes_raw(), application)
    tiny.answer = pack(b"\x0c\0\0\0\x01" + pack(listed, b"token"))
    (signer,) = agent.identities(tiny.path)
    assert signer.public.blob == listed
    for flags in (0x05, 0x01):
        tail, message = struct.pack(">BI", flags, 1), sshsig.message_to_sign(DATA)
        made = KEY.sign(hashlib.sha256(application).digest() + tail + hashlib.sha256(message).digest())
        tiny.answer = pack(b"\x0e" + pack(pack(kind, made) + tail))
        if flags == 0x05:
            assert sshsig.verify(signer.sign(DATA), DATA) == listed
        else:
            with pytest.raises(SigningRefused, match="-O verify-required"):
                signer.sign(DATA)


def test_the_agent_is_the_one_of_the_environment(tiny: TinyAgent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tiny.path))
    assert len(agent.identities()) == 2
    monkeypatch.delenv("SSH_AUTH_SOCK")
    with pytest.raises(SigningRefused, match="SSH_AUTH_SOCK is not set"):
        agent.identities()


def test_no_agent_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "nothing", tmp_path / "file", Path("a\0b"), Path("x" * 300)):
        with pytest.raises(SigningRefused, match=r"cannot be reached .* or name a key file"):
            agent.identities(path)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (pack(b"\x05"), "refused: it is locked"),
        (pack(b"\x63"), "answer of kind 99"),
        (pack(b""), "length of 0"),
        (b"\xff\xff\xff\xff", "length of 4294967295"),
        (b"\0\0\0\x09\x0c\0", "closed the connection"),
        (b"\0\0", "closed the connection"),
        (pack(b"\x0c"), "cannot be read"),
        (pack(b"\x0c\xff\xff\xff\xff"), "cannot be read"),
        (pack(b"\x0c\0\0\0\x01" + pack(b"key")), "cannot be read"),
        (pack(b"\x0c\0\0\0\x01" + pack(b"key", b"comment") + b"x"), "cannot be read"),
    ],
)
def test_an_agent_that_answers_nonsense_is_refused(tiny: TinyAgent, answer: bytes, said: str) -> None:
    tiny.answer = answer
    with pytest.raises(SigningRefused, match=said):
        agent.identities(tiny.path)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (pack(b"\x05"), "its owner declined"),
        (pack(b"\x0e"), "not valid"),
        (pack(b"\x0e" + pack(b"junk")), "not valid"),
        (pack(b"\x0e" + pack(pack(b"ssh-ed25519", bytes(64)))), "not valid"),
        (pack(b"\x0e" + pack(pack(b"ssh-ed25519", OTHER.sign(sshsig.message_to_sign(DATA))))), "not valid"),
        (pack(b"\x0e" + pack(pack(b"ssh-ed25519", KEY.sign(DATA)))), "not valid"),
    ],
)
def test_a_signature_that_is_none_is_not_given_on(tiny: TinyAgent, answer: bytes, said: str) -> None:
    signer = agent.identities(tiny.path)[0]
    tiny.answer = answer
    with pytest.raises(SigningRefused, match=said):
        signer.sign(DATA)


def test_an_agent_that_says_nothing_is_given_up(tiny: TinyAgent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent, "LIST_TIMEOUT", 0.1)
    tiny.silent = True
    with pytest.raises(SigningRefused, match="did not answer within"):
        agent.identities(tiny.path)


# --- key files


def written(path: Path, key: Ed25519PrivateKey | rsa.RSAPrivateKey, passphrase: str = "") -> Path:
    how = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, how))
    path.chmod(0o600)
    return path


def never() -> str:
    pytest.fail("a passphrase was asked for")


def answering(passphrase: str, asked: list[str]) -> Callable[[], str]:
    def ask() -> str:
        asked.append(passphrase)
        return passphrase

    return ask


def test_a_key_file_signs_and_shows_nothing_of_itself(tmp_path: Path) -> None:
    signer: Signer = keys.load(written(tmp_path / "key", KEY), never)
    assert signer.public.public == public(KEY)
    assert signer.sign(DATA) == sshsig.sign(DATA, KEY)
    assert "private" not in repr(signer)


def test_an_encrypted_key_file_asks_once(tmp_path: Path) -> None:
    if importlib.util.find_spec("bcrypt") is None:
        pytest.skip("bcrypt is not installed, so encrypted key files cannot be read (cryptography[ssh])")
    path, asked = written(tmp_path / "key", KEY, "correct horse"), list[str]()
    assert keys.load(path, answering("correct horse", asked)).sign(DATA) == sshsig.sign(DATA, KEY)
    assert asked == ["correct horse"]
    for wrong in ("wrong horse", ""):
        with pytest.raises(SigningRefused, match="passphrase is wrong or empty") as refused:
            keys.load(path, answering(wrong, asked))
        assert not wrong or wrong not in str(refused.value)


@pytest.mark.parametrize("cipher", ["aes256-ctr", "aes256-gcm@openssh.com"])
def test_an_encrypted_file_of_ssh_keygen_is_read(tmp_path: Path, cipher: str) -> None:
    command = [tool("ssh-keygen"), "-q", "-t", "ed25519", "-Z", cipher, "-N", "correct horse", "-f", f"{tmp_path}/key"]
    subprocess.run(command, check=True, timeout=30)
    asked: list[str] = []
    if importlib.util.find_spec("bcrypt") is None:
        with pytest.raises(SigningRefused, match="use `ssh-add` and the agent"):
            keys.load(tmp_path / "key", answering("correct horse", asked))
        return
    signer = keys.load(tmp_path / "key", answering("correct horse", asked))
    assert sshsig.verify(signer.sign(DATA), DATA) == SshKey.parse((tmp_path / "key.pub").read_text()).blob


def test_files_that_are_no_private_key_say_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "public").write_text(public(KEY))
    (tmp_path / "junk").write_bytes(b"junk")
    (tmp_path / "broken").write_bytes(written(tmp_path / "good", KEY).read_bytes()[:200] + b"\n-----END OPENSSH PRIVATE KEY-----\n")
    written(tmp_path / "rsa", RSA)
    refused = {
        tmp_path / "nothing": "cannot be read",
        tmp_path: "cannot be read",
        tmp_path / "public": "is a public key; give the private one",
        tmp_path / "junk": "no private key in OpenSSH's format",
        tmp_path / "broken": "no private key in OpenSSH's format",
        tmp_path / "rsa": "no Ed25519 key; add it to ssh-agent",
    }
    for path, said in refused.items():
        with pytest.raises(SigningRefused, match=said):
            keys.load(path, never)


# --- OpenSSH's own agent


@pytest.fixture
def real_agent(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "real-agent"
    process = subprocess.Popen([tool("ssh-agent"), "-D", "-a", str(path)], stdout=subprocess.DEVNULL)
    until = time.monotonic() + 10
    while not path.exists() and time.monotonic() < until:
        time.sleep(0.01)
    yield path
    process.terminate()
    process.wait(10)


def test_opensshs_agent_signs(real_agent: Path, tmp_path: Path) -> None:
    assert agent.identities(real_agent) == ()
    keys_to_add: list[tuple[str, Ed25519PrivateKey | rsa.RSAPrivateKey]] = [("first", KEY), ("second", RSA)]
    for name, key in keys_to_add:
        environment = os.environ | {"SSH_AUTH_SOCK": str(real_agent)}
        subprocess.run([tool("ssh-add"), "-q", str(written(tmp_path / name, key))], check=True, timeout=30, env=environment)
    found = agent.identities(real_agent)
    assert [each.public.blob for each in found] == [blob(KEY), blob(RSA)]
    for signer in found:
        assert sshsig.verify(signer.sign(DATA), DATA) == signer.public.blob
    with pytest.raises(SigningRefused, match="no longer there"):
        agent.AgentKey(SshKey.parse(public(OTHER)), real_agent).sign(DATA)
