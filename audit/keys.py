"""The keys that sign checkpoints: Ed25519, each in a file of its own, never in the database.

Whoever can write the tables cannot sign, and so cannot make up a history that customers' tools would believe. Only the
maintenance worker and commands read the files; the public halves are rows (`SigningKey`) and are served to everybody.

A file is a PEM (PKCS#8) with three lines before it: the name under which the key signs, when it was made, and its id.
"""

from __future__ import annotations

import base64
import fcntl
import functools
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from django.conf import settings

from audit.errors import KeyMissing

_SUFFIX = ".pem"
_PEM = "-----BEGIN"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """What others need to check a signature: `public` are the 32 bytes of RFC 8032."""

    id: str
    name: str
    public: bytes
    created_at: datetime
    retired_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SignsAs(PublicKey):
    """A key whose private half is here."""

    private: Ed25519PrivateKey | None = None

    def sign(self, message: bytes) -> bytes:
        assert self.private is not None
        return self.private.sign(message)


def id_of(public: bytes) -> str:
    """How a key is called: the first 16 hexadecimal digits of SHA-256 over its public half."""
    return hashlib.sha256(public).hexdigest()[:16]


def directory() -> Path:
    """Where the files are."""
    return Path(settings.AUDIT_KEY_DIR)


def all_keys(where: Path | None = None) -> list[SignsAs]:
    """Every key that is here, the oldest first."""
    found = [_read(path) for path in (where or directory()).glob(f"*{_SUFFIX}")]
    return sorted(found, key=lambda key: (key.created_at, key.id))


def newest(where: Path | None = None) -> SignsAs:
    """The key with which a new tenant's tree begins. Raises KeyMissing where there is none."""
    found = all_keys(where)
    if not found:
        raise KeyMissing(f"there is no key in {where or directory()}; `manage.py audit new-key` makes one")
    return found[-1]


def get(key_id: str) -> SignsAs:
    """One key. Raises KeyMissing where its file is not here: nothing is sealed then, and nothing lost."""
    path = directory() / f"{key_id}{_SUFFIX}"
    if not key_id.isalnum() or not path.is_file():
        raise KeyMissing(f"the key {key_id} is not in {directory()}")
    return _read_once(path, path.stat().st_mtime_ns)


def make(*, name: str, at: datetime, where: Path | None = None) -> SignsAs:
    """A new key, written for our user only, and wholly or not at all."""
    where = where or directory()
    where.mkdir(mode=0o700, parents=True, exist_ok=True)
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    key_id = id_of(public)
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    draft = where / f"{key_id}.new"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"name: {name}\ncreated_at: {at.isoformat()}\nkey_id: {key_id}\n{pem}")
        file.flush()
        os.fsync(file.fileno())
    draft.rename(where / f"{key_id}{_SUFFIX}")
    return SignsAs(id=key_id, name=name, public=public, created_at=at, private=private)


def ensure(*, name: str, at: datetime, where: Path | None = None) -> SignsAs:
    """The newest key; the first one is made. Two who start at once make one key, not two."""
    where = where or directory()
    where.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone(where):
        found = all_keys(where)
        return found[-1] if found else make(name=name, at=at, where=where)


def as_json(key: PublicKey) -> dict[str, str | None]:
    """How a public key is handed out, and how a verifier takes it (`--keys`)."""
    return {
        "key_id": key.id,
        "name": key.name,
        "public_key": base64.b64encode(key.public).decode(),
        "created_at": key.created_at.isoformat(),
        "retired_at": key.retired_at.isoformat() if key.retired_at else None,
    }


@functools.lru_cache(maxsize=16)
def _read_once(path: Path, changed_ns: int) -> SignsAs:
    return _read(path)


def _read(path: Path) -> SignsAs:
    """Raises KeyMissing for a file that is no key of ours, or another one than its name says."""
    head, mark, pem = path.read_text().partition(_PEM)
    said = dict(line.split(": ", 1) for line in head.splitlines() if ": " in line)
    try:
        private = load_pem_private_key((mark + pem).encode(), password=None)
        created_at = datetime.fromisoformat(said["created_at"])
        name = said["name"]
    except (ValueError, KeyError) as error:
        raise KeyMissing(f"{path} holds no signing key ({error!r})") from None
    if not isinstance(private, Ed25519PrivateKey):
        raise KeyMissing(f"{path} holds a key of another kind than Ed25519")
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    if id_of(public) != path.stem:
        raise KeyMissing(f"{path} holds the key {id_of(public)}")
    return SignsAs(id=path.stem, name=name, public=public, created_at=created_at, private=private)


@contextmanager
def _alone(where: Path) -> Iterator[None]:
    with (where / "lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
