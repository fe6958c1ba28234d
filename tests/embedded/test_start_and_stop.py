"""What a person does every day: start, stop, start again, start twice by mistake."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import psycopg
import pytest
import redis

from agentops import env
from agentops.portal.engines import embedded
from agentops.portal.engines.errors import EngineError
from tests.embedded.conftest import keep_a_row, kept_row, left_in, one


def test_data_is_there_after_a_restart_and_nothing_runs_after_a_stop(data: Path) -> None:
    with embedded.start(data) as running:
        keep_a_row(running)
        with redis.Redis.from_url(running.valkey_url) as valkey:
            valkey.set("word", "kept")
    assert left_in(data) == []

    with embedded.start(data) as running:
        assert kept_row(running) == "committed"
        with redis.Redis.from_url(running.valkey_url) as valkey:
            assert valkey.get("word") == b"kept"


def test_a_second_start_on_the_same_directory_is_refused_and_the_first_goes_on(data: Path) -> None:
    with embedded.start(data, durable=False) as running:
        with pytest.raises(EngineError, match=r"in use by another `up` \(process \d+\)"):
            embedded.start(data)
        assert one(running, "SELECT 1") == 1


def test_two_directories_work_side_by_side(place: Path) -> None:
    with embedded.start(place / "one", durable=False) as one_, embedded.start(place / "two", durable=False) as two:
        keep_a_row(one_)
        assert one(two, "SELECT count(*) FROM pg_tables WHERE tablename = 'kept'") == 0


def test_commands_find_the_engines_through_the_data_directory(
    data: Path, clean_environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTOPS_DATA_DIR", str(data))
    assert env.find_engines() is None
    with embedded.start(data, durable=False) as running:
        found = env.find_engines()
        assert found == running.engines
        with psycopg.connect(**found.database) as connection:
            assert connection.execute("SELECT current_user").fetchone() == ("agentops_app",)


def test_no_tcp_port_is_opened_and_strangers_cannot_reach_the_sockets(data: Path) -> None:
    with embedded.start(data, durable=False) as running:
        assert one(running, "SHOW listen_addresses") == ""
        with redis.Redis.from_url(running.valkey_url) as valkey:
            assert valkey.config_get("port") == {"port": "0"}
        assert stat.S_IMODE(Path(running.database["host"]).stat().st_mode) == 0o700


def test_what_was_promised_about_durability_is_set(data: Path) -> None:
    settings = "SELECT json_object_agg(name, setting) FROM pg_settings"
    with embedded.start(data) as running:
        set_now = one(running, settings)
        assert {set_now[name] for name in ("fsync", "synchronous_commit", "full_page_writes")} == {"on"}
        assert (set_now["jit"], set_now["TimeZone"], set_now["data_checksums"]) == ("off", "UTC", "on")
        with redis.Redis.from_url(running.valkey_url) as valkey:
            append_only = valkey.config_get("append*")
            assert (append_only["appendonly"], append_only["appendfsync"]) == ("yes", "everysec")
            assert valkey.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    with embedded.start(data, durable=False) as running:
        assert one(running, settings)["fsync"] == "off"


def test_files_of_another_major_version_are_refused_with_what_to_do(data: Path) -> None:
    (data / "postgres" / "PG_VERSION").write_text("14\n")
    with pytest.raises(EngineError, match=r"made by PostgreSQL 14; this is 18\.\d+\. Dump it"):
        embedded.start(data)
    assert left_in(data) == []


def test_a_full_disk_is_told_before_anything_is_written(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path) -> object:
        return type("Usage", (), {"free": 5 * 2**20})

    monkeypatch.setattr("shutil.disk_usage", full)
    with pytest.raises(EngineError, match=r"has 5 MB left, PostgreSQL needs 256 MB"):
        embedded.start(place / "data")
    assert not (place / "data" / "postgres").exists()


def test_a_server_that_refuses_to_start_says_its_last_words(data: Path) -> None:
    (data / "postgres" / "local.conf").write_text("shared_buffers = nonsense\n")
    with pytest.raises(EngineError, match=r"(?s)does not start.*invalid value for parameter"):
        embedded.start(data)


def test_a_damaged_state_file_is_written_anew(data: Path) -> None:
    (data / "state.json").write_text("{")
    with embedded.start(data, durable=False):
        assert json.loads((data / "state.json").read_text())["run_dir"] == str(data / "run")
