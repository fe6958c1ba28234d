"""As root the engines run as a user of their own; this makes that user, and lets it reach what it needs.

PostgreSQL refuses to run as root. Its user must pass every parent of the data directory, which under /root (0700) it
cannot. We never widen a directory's mode, which would open it to everybody: one access control entry lets this one
user pass, and no more (execute without read: it cannot list).
"""

from __future__ import annotations

import errno
import os
import pwd
import shutil
import struct
from pathlib import Path

from agentops.portal.engines import processes
from agentops.portal.engines.errors import EngineError
from agentops.portal.engines.processes import Account

ENGINE_USER = "agentops"

_ACL = "system.posix_acl_access"
_ACL_VERSION = 2
_USER_OBJ, _USER, _GROUP_OBJ, _GROUP, _MASK, _OTHER = 1, 2, 4, 8, 16, 32
_NOBODY_ID = 0xFFFFFFFF  # the id field of entries that name nobody
_EXECUTE = 1


def engine_account() -> Account | None:
    """The user that the engines run as: our own (None) for ordinary people, a system user when we are root."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(ENGINE_USER)
    except KeyError:
        entry = _make_user()
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def own_user_name() -> str:
    """The name that peer authentication will see for us."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        raise EngineError(
            f"User id {os.geteuid()} has no name in /etc/passwd, and PostgreSQL needs one. "
            "Run as a named user, or set DATABASE_URL, DATABASE_OWNER_URL and VALKEY_URL."
        ) from None


def can_reach(account: Account, path: Path) -> bool:
    """May the account pass into the directory, or execute the file, `path`. Asked of the kernel, as that user."""
    return processes.run(["test", "-x", path], account=account).returncode == 0


def open_way(account: Account, directory: Path) -> list[str]:
    """Let the account pass `directory` and its parents; returns those that got an entry.

    Raises EngineError where the file system keeps no access control lists.
    """
    opened: list[str] = []
    if can_reach(account, directory):
        return opened
    for step in (*reversed(directory.parents), directory):
        if can_reach(account, step):
            continue
        try:
            allow_passing(account.uid, step)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EPERM, errno.EROFS):
                raise
            raise EngineError(
                f"{step} is closed to the user {account.name!r}, which runs the engines, and cannot be opened to it "
                f"({error.strerror}). Choose --data-dir elsewhere, e.g. /var/lib/agentops, or run as an ordinary user."
            ) from error
        opened.append(str(step))
    return opened


def allow_passing(uid: int, directory: Path) -> None:
    """Add "user:`uid`: execute" to the directory's access control list (acl(5)); nobody else's rights change."""
    try:
        entries = _parse(os.getxattr(directory, _ACL))
    except OSError as error:
        if error.errno != errno.ENODATA:
            raise
        mode = directory.stat().st_mode
        entries = {
            (_USER_OBJ, _NOBODY_ID): mode >> 6 & 7,
            (_GROUP_OBJ, _NOBODY_ID): mode >> 3 & 7,
            (_OTHER, _NOBODY_ID): mode & 7,
        }
    mask = entries.get((_MASK, _NOBODY_ID), 7)
    for tag, who in entries:
        # Widening the mask must not wake rights that it held down.
        if tag in (_USER, _GROUP_OBJ, _GROUP):
            entries[tag, who] &= mask
    entries[_USER, uid] = entries.get((_USER, uid), 0) | _EXECUTE
    union = 0
    for (tag, _), rights in entries.items():
        union |= rights if tag in (_USER, _GROUP_OBJ, _GROUP) else 0
    entries[_MASK, _NOBODY_ID] = union
    os.setxattr(directory, _ACL, _pack(entries))


def _parse(raw: bytes) -> dict[tuple[int, int], int]:
    return {(tag, who): rights for tag, rights, who in struct.iter_unpack("<HHI", raw[4:])}


def _pack(entries: dict[tuple[int, int], int]) -> bytes:
    packed = (struct.pack("<HHI", tag, rights, who) for (tag, who), rights in sorted(entries.items()))
    return struct.pack("<I", _ACL_VERSION) + b"".join(packed)


def _make_user() -> pwd.struct_passwd:
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    manual = f"Make a system user {ENGINE_USER!r}, or run as an ordinary user: PostgreSQL refuses to run as root."
    if useradd is None:
        raise EngineError(f"There is no `useradd` here. {manual}")
    command = [useradd, "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    made = processes.run([*command, "--shell", "/usr/sbin/nologin", ENGINE_USER])
    try:
        return pwd.getpwnam(ENGINE_USER)  # also when another `up` was faster than ours
    except KeyError:
        raise EngineError(f"{manual} (useradd: {made.stderr.strip()})") from None
