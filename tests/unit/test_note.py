"""Signed notes and checkpoints: ours are those of other implementations to the byte, and whatever is changed is none."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.checkpoint import Checkpoint, Tree, notes_of
from app.domain.note import NoteRefused, Signer, Verifier, opened
from tests.support import witness

# The example of Go's golang.org/x/mod/sumdb/note
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_SEED = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
GO_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
GO_NOTE = f"{GO_TEXT}\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"

# The leaves and roots by which implementations of certificate transparency are tried
LEAVES = [
    bytes.fromhex(leaf) for leaf in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SIGNER = Signer("tocsin.example/timeline", KEY)
CHECKPOINT = Checkpoint("tocsin.example/timeline", 3, bytes(range(32)))
NOTE = CHECKPOINT.note(SIGNER)


def test_another_implementations_note_is_ours_to_the_byte() -> None:
    signer, verifier = Signer("PeterNeumann", Ed25519PrivateKey.from_private_bytes(GO_SEED)), Verifier.parse(GO_KEY)
    assert (signer.verifier, str(verifier)) == (verifier, GO_KEY)
    assert signer.sign(GO_TEXT) == GO_NOTE
    assert opened(GO_NOTE, verifier) == GO_TEXT


def test_no_part_of_a_key_is_a_key() -> None:
    for at in range(len(GO_KEY)):
        for end in range(at + 1, len(GO_KEY) + 1):
            if (at, end) != (0, len(GO_KEY)):
                with pytest.raises(NoteRefused):
                    Verifier.parse(GO_KEY[at:end])


def test_the_tree_is_that_of_certificate_transparency() -> None:
    tree = Tree()
    roots = [tree.root.hex()]
    for leaf in LEAVES:
        tree.add(leaf)
        roots.append(tree.root.hex())
    assert roots == ROOTS


@given(st.lists(st.binary(max_size=40), max_size=70))
@settings(deadline=None)
def test_the_root_is_the_definitions(leaves: list[bytes]) -> None:
    tree = Tree()
    for leaf in leaves:
        tree.add(leaf)
    assert (tree.size, tree.root) == (len(leaves), witness.root_of(leaves))


def test_a_witness_reads_our_checkpoint_and_we_one_that_others_signed_too() -> None:
    assert witness.verified(NOTE, str(SIGNER.verifier)) == ("tocsin.example/timeline", 3, bytes(range(32)))
    other = Signer("witness.example/w1", Ed25519PrivateKey.generate())
    cosigned = NOTE + other.sign(opened(NOTE, SIGNER.verifier)).rpartition("\n\n")[2]
    assert Checkpoint.opened(cosigned, SIGNER.verifier) == Checkpoint.opened(cosigned, SIGNER.verifier) == CHECKPOINT
    with pytest.raises(NoteRefused, match="not signed by"):
        opened(NOTE, other.verifier)


@given(st.integers(0, len(NOTE) - 1), st.characters())
@settings(deadline=None)
def test_any_changed_character_is_refused(at: int, other: str) -> None:
    if other != NOTE[at]:
        with pytest.raises(NoteRefused):
            Checkpoint.opened(NOTE[:at] + other + NOTE[at + 1 :], SIGNER.verifier)


@given(st.one_of(st.text(), st.text().map(lambda text: text + NOTE), st.text().map(lambda text: NOTE + text), st.text().map(SIGNER.sign)))
@settings(deadline=None)
def test_no_text_raises_anything_else_or_is_taken(text: str) -> None:
    if text != NOTE:
        with pytest.raises(NoteRefused):
            Checkpoint.opened(text, SIGNER.verifier)


@given(st.one_of(st.text(), st.tuples(st.integers(0, len(GO_KEY)), st.text()).map(lambda found: GO_KEY[: found[0]] + found[1])))
def test_no_text_but_a_key_is_a_key(text: str) -> None:
    if text.strip() != GO_KEY:
        with pytest.raises(NoteRefused):
            Verifier.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "tocsin.example/timeline\n03\n{root}\n",
        "tocsin.example/timeline\n-1\n{root}\n",
        "tocsin.example/timeline\n٣\n{root}\n",
        "tocsin.example/timeline\n3\n{root}\nmore\n",
        "other.example/timeline\n3\n{root}\n",
        "tocsin.example/timeline\n3\nAAAA\n",
        "tocsin.example/timeline\n3\n",
        "",
    ],
)
def test_a_signed_note_that_is_no_checkpoint_of_this_record_is_refused(text: str) -> None:
    with pytest.raises(NoteRefused):
        Checkpoint.opened(SIGNER.sign(text.format(root=base64.b64encode(bytes(32)).decode())), SIGNER.verifier)


@pytest.mark.parametrize("name", ["", "two words", "a+b", "line\n"])
def test_a_name_that_would_not_be_read_back_signs_nothing(name: str) -> None:
    with pytest.raises(NoteRefused, match="cannot name a key"):
        Signer(name, KEY)


def test_notes_of_a_file_are_found_beside_what_was_cut_off() -> None:
    second = Checkpoint("tocsin.example/timeline", 4, bytes(32)).note(SIGNER)
    assert notes_of(f"{NOTE}\n{second}\n") == [NOTE, second]
    assert notes_of(NOTE) == [NOTE]
    assert notes_of("") == []
    for end in range(len(NOTE) - 1):  # with all but its last newline it is whole
        found = notes_of(f"{NOTE}\n{NOTE[:end]}\n\n{second}\n")
        good = [note for note in found if note in {NOTE, second}]
        assert good == [NOTE, second], end


def test_the_documents_checkpoint_verifies_with_its_key() -> None:
    page = (Path(__file__).parents[2] / "docs/record-format.md").read_text()
    note, key = page.split("```\n")[1], page.split("--key '")[1].split("'")[0]
    assert Checkpoint.opened(note, Verifier.parse(key)).size == 128
    assert witness.verified(note, key)[:2] == ("tocsin.example.com/timeline", 128)
