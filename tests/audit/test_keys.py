"""Keys are files for our user only; notes are what C2SP says, so that others' tools can check them."""

from __future__ import annotations

import base64
import os
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from audit import keys, notes, tree
from audit.errors import KeyMissing, NotANote
from audit.keys import PublicKey, SignsAs
from audit.notes import TreeHead

NAME = "agentops.example/audit"
AT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
# The key and the note that the documentation of Go's golang.org/x/mod/sumdb/note signs and checks.
PETER = PublicKey(
    id="",
    name="PeterNeumann",
    public=base64.b64decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")[1:],
    created_at=AT,
)
PETERS_HASH = "c74f20a3"
PETERS_NOTE = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


@pytest.fixture
def key(tmp_path: Path) -> SignsAs:
    return keys.make(name=NAME, at=AT, where=tmp_path)


def head(size: int = 3) -> TreeHead:
    return TreeHead(origin="agentops.example/acme", size=size, root=tree.node_hash(b"a" * 32, b"b" * 32))


def test_a_key_is_a_file_for_our_user_only_and_reads_back(tmp_path: Path) -> None:
    where = tmp_path / "secrets" / "audit"
    made = keys.make(name=NAME, at=AT, where=where)
    [path] = where.iterdir()
    assert path.name == f"{made.id}.pem" and made.id == keys.id_of(made.public)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(where.stat().st_mode) == 0o700
    [read] = keys.all_keys(where)
    assert (read.id, read.name, read.public, read.created_at) == (made.id, NAME, made.public, AT)
    assert read.sign(b"x") == made.sign(b"x")


def test_openssl_reads_the_file(key: SignsAs, tmp_path: Path) -> None:
    done = subprocess.run(
        ["openssl", "pkey", "-in", tmp_path / f"{key.id}.pem", "-pubout", "-outform", "DER"],
        capture_output=True,
        check=True,
    )
    assert done.stdout[-32:] == key.public


def test_the_newest_key_is_the_one_that_was_made_last(tmp_path: Path) -> None:
    with pytest.raises(KeyMissing):
        keys.newest(tmp_path)
    later = keys.make(name=NAME, at=AT + timedelta(days=1), where=tmp_path)
    keys.make(name=NAME, at=AT, where=tmp_path)
    assert keys.newest(tmp_path).id == later.id


def test_two_who_start_at_once_make_one_key(tmp_path: Path) -> None:
    work = (
        "import sys; from datetime import UTC, datetime; from pathlib import Path; from audit import keys; "
        "print(keys.ensure(name='a', at=datetime.now(UTC), where=Path(sys.argv[1])).id)"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", work, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    said = {one.communicate(timeout=60)[0].strip() for one in running}
    assert len(said) == 1 and said == {found.id for found in keys.all_keys(tmp_path)}


@pytest.mark.parametrize("key_id", ["0" * 16, "../secret_key", ""])
def test_a_key_that_is_not_there_is_missing(key_id: str) -> None:
    with pytest.raises(KeyMissing):
        keys.get(key_id)


def test_a_file_that_is_no_key_of_its_name_is_refused(key: SignsAs, tmp_path: Path) -> None:
    path = tmp_path / f"{key.id}.pem"
    text = path.read_text()
    path.rename(tmp_path / f"{'0' * 16}.pem")
    with pytest.raises(KeyMissing, match=key.id):
        keys.all_keys(tmp_path)
    for broken in ("", text.partition("-----")[0], text.replace("created_at", "made_at")):
        (tmp_path / f"{'0' * 16}.pem").write_text(broken)
        with pytest.raises(KeyMissing):
            keys.all_keys(tmp_path)


def test_a_key_that_was_half_written_is_none(tmp_path: Path) -> None:
    """`kill -9` between the two steps of making one."""
    (tmp_path / "abc.new").write_text("name: x\n")
    assert keys.all_keys(tmp_path) == []
    assert keys.ensure(name=NAME, at=AT, where=tmp_path).id


def test_the_hash_of_a_key_and_a_signature_are_those_of_others() -> None:
    assert notes.key_hash(PETER.name, PETER.public).hex() == PETERS_HASH
    assert notes.is_signed_by(PETERS_NOTE, PETER)
    assert not notes.is_signed_by(PETERS_NOTE.replace("answer", "anwser"), PETER)


def test_a_checkpoint_is_three_lines_and_a_signature(key: SignsAs) -> None:
    note = notes.signed(head(), key)
    lines = note.split("\n")
    assert lines[:4] == ["agentops.example/acme", "3", base64.b64encode(head().root).decode(), ""]
    assert lines[4].startswith(f"— {NAME} ") and lines[5:] == [""]
    assert notes.read(note) == head()
    assert notes.is_signed_by(note, key)


def test_another_text_or_another_key_is_not_signed(key: SignsAs, tmp_path: Path) -> None:
    note, other = notes.signed(head(), key), keys.make(name=NAME, at=AT, where=tmp_path)
    assert not notes.is_signed_by(note.replace("\n3\n", "\n4\n"), key)
    assert not notes.is_signed_by(note, other)
    renamed = PublicKey(id=key.id, name="elsewhere.example/audit", public=key.public, created_at=AT)
    assert not notes.is_signed_by(note, renamed)
    assert notes.signer_of(note, [other, key]) is key
    assert notes.signer_of(note, [other]) is None


def test_signatures_of_witnesses_stand_beside_ours(key: SignsAs) -> None:
    note = notes.signed(head(), key) + PETERS_NOTE.rpartition("\n\n")[2]
    assert notes.is_signed_by(note, key) and notes.read(note) == head()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "one line",
        "a\n1\n" + "A" * 43 + "=\n",
        "a\n1\nAAAA\n\n— k AAAA\n",
        "a\n01\n" + "A" * 43 + "=\n\n— k AAAA\n",
        "a\n-1\n" + "A" * 43 + "=\n\n— k AAAA\n",
        "\n1\n" + "A" * 43 + "=\n\n— k AAAA\n",
        "a\n1\n" + "A" * 43 + "=\n\n- k AAAA\n",
        "a\n1\n" + "A" * 43 + "=\n\n— k !!\n",
        "a\n1\n" + "A" * 43 + "=\n\n— k AAAA",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(NotANote):
        notes.read(text)


def test_a_proof_is_one_text_with_its_checkpoint(key: SignsAs) -> None:
    note, path = notes.signed(head(), key), [b"l" * 32, b"r" * 32]
    lines = notes.proof_text(index=2, path=path, note=note, extra=b"id").split("\n")
    assert lines[:3] == ["c2sp.org/tlog-proof@v1", "extra aWQ=", "index 2"]
    assert [base64.b64decode(line) for line in lines[3:5]] == path
    assert lines[5] == "" and "\n".join(lines[6:]) == note


def test_keys_of_the_tests_are_not_those_of_an_installation() -> None:
    assert keys.newest().name == "tests.example/audit"
    assert str(keys.directory()).startswith(os.environ["AGENTOPS_DATA_DIR"])
