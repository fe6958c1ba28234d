"""Checkpoints as text: C2SP's tlog-checkpoint in its signed-note, and tlog-proof. Pure: no storage, no keys' files.

A note is a text of lines and, after an empty line, one line for each signature: an em dash, the key's name, and base64
of four bytes that are the key's hash and of the 64 bytes of an Ed25519 signature over the text.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from audit.errors import NotANote
from audit.keys import PublicKey, SignsAs
from audit.tree import HASH_BYTES

_ED25519 = b"\x01"  # C2SP signed-note, signature types
_SIGNATURE = "— "
_HASH_BYTES, _SIGNATURE_BYTES = 4, 64
PROOF_FORMAT = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True, slots=True)
class TreeHead:
    """What a checkpoint says: which log, how many leaves, which root."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The text that is signed, three lines."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def key_hash(name: str, public: bytes) -> bytes:
    """The four bytes by which a signature line names its key."""
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:_HASH_BYTES]


def signed(head: TreeHead, key: SignsAs) -> str:
    """The note of a head, with one signature."""
    text = head.text
    value = key_hash(key.name, key.public) + key.sign(text.encode())
    return f"{text}\n{_SIGNATURE}{key.name} {base64.b64encode(value).decode()}\n"


def read(note: str) -> TreeHead:
    """What a note says, whoever signed it. Raises NotANote."""
    text, _ = _parts(note)
    lines = text.split("\n")
    if len(lines) < 4 or not lines[0] or not lines[1].isascii() or not lines[1].isdigit():
        raise NotANote("a checkpoint is three lines: origin, size, root")
    root = _base64(lines[2])
    if len(root) != HASH_BYTES or (lines[1] != "0" and lines[1].startswith("0")):
        raise NotANote("the root or the size of the checkpoint is not well formed")
    return TreeHead(origin=lines[0], size=int(lines[1]), root=root)


def is_signed_by(note: str, key: PublicKey) -> bool:
    """Does a signature of this key stand under the note, and is it right? Raises NotANote."""
    text, lines = _parts(note)
    wanted = (key.name, key_hash(key.name, key.public))
    for name, value in lines:
        if (name, value[:_HASH_BYTES]) == wanted and len(value) == _HASH_BYTES + _SIGNATURE_BYTES:
            try:
                Ed25519PublicKey.from_public_bytes(key.public).verify(value[_HASH_BYTES:], text.encode())
            except InvalidSignature:
                return False
            return True
    return False


def signer_of(note: str, keys: Iterable[PublicKey]) -> PublicKey | None:
    """The first of the keys that signed the note; None where no one of them did. Raises NotANote."""
    return next((key for key in keys if is_signed_by(note, key)), None)


def proof_text(*, index: int, path: Sequence[bytes], note: str, extra: bytes = b"") -> str:
    """C2SP's tlog-proof: an inclusion proof and the checkpoint it leads to, as one text.

    `extra` is the format's place for what a log adds; the proof does not cover it.
    """
    lines = [PROOF_FORMAT]
    if extra:
        lines.append(f"extra {base64.b64encode(extra).decode()}")
    lines.append(f"index {index}")
    lines += [base64.b64encode(one).decode() for one in path]
    return "\n".join(lines) + "\n\n" + note


def _parts(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    """The text with its last line break, and (name, value) of each signature."""
    text, gap, rest = note.rpartition("\n\n")
    if not gap or not rest.endswith("\n"):
        raise NotANote("a note is a text, an empty line, and signatures")
    found = []
    for line in rest[:-1].split("\n"):
        name, space, value = line.removeprefix(_SIGNATURE).partition(" ")
        if not line.startswith(_SIGNATURE) or not name or not space:
            raise NotANote("a line of the signatures is not well formed")
        found.append((name, _base64(value)))
    return text + "\n", found


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NotANote("what should be base64 is none") from None
