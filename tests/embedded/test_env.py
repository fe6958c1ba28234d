"""Environment variables: typed, loud about nonsense, and silent about passwords."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agentops import env

pytestmark = pytest.mark.usefixtures("clean_environment")

DATABASE = "postgresql://agentops_app:s%40crt@db.example:6432/agentops?sslmode=require"
OWNER = "postgresql://agentops_owner:s@db.example/agentops"


@pytest.mark.parametrize(("text", "value"), [("1", True), ("True", True), ("off", False), ("no", False), ("", True)])
def test_a_flag_says_yes_or_no(monkeypatch: pytest.MonkeyPatch, text: str, value: bool) -> None:
    monkeypatch.setenv("AGENTOPS_FLAG", text)
    assert env.env_bool("AGENTOPS_FLAG", default=True) is value


def test_a_misspelt_flag_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTOPS_FLAG", "flase")
    with pytest.raises(env.EnvError, match="AGENTOPS_FLAG must be true or false, not 'flase'"):
        env.env_bool("AGENTOPS_FLAG")


@pytest.mark.parametrize(
    ("text", "message"), [("many", "a whole number"), ("0", "at least 1"), ("2.5", "a whole number")]
)
def test_a_number_keeps_its_bounds(monkeypatch: pytest.MonkeyPatch, text: str, message: str) -> None:
    monkeypatch.setenv("AGENTOPS_NUMBER", text)
    with pytest.raises(env.EnvError, match=f"AGENTOPS_NUMBER must be {message}"):
        env.env_int("AGENTOPS_NUMBER", 5, at_least=1)


@pytest.mark.parametrize(
    ("given", "left", "place"),
    [
        (["ledger", "check", "--data-dir", "/d", "--json"], ["ledger", "check", "--json"], "/d"),
        (["--data-dir=/d", "ledger", "check"], ["ledger", "check"], "/d"),
        (["up", "--data-dir", "/d"], ["up", "--data-dir", "/d"], "before"),
        (["create_tenant", "--", "--data-dir", "/d"], ["create_tenant", "--", "--data-dir", "/d"], "before"),
        (["ledger", "check", "--data-dir"], ["ledger", "check", "--data-dir"], "before"),
    ],
)
def test_every_command_takes_a_data_directory(
    monkeypatch: pytest.MonkeyPatch, given: list[str], left: list[str], place: str
) -> None:
    monkeypatch.setenv("AGENTOPS_DATA_DIR", "before")
    assert env.take_data_dir(["manage.py", *given]) == ["manage.py", *left]
    assert env.env_str("AGENTOPS_DATA_DIR") == place


def test_a_wrong_setting_stops_a_command_with_a_sentence() -> None:
    settings = {**os.environ, "DJANGO_SETTINGS_MODULE": "agentops.settings", "AGENTOPS_LOG_LEVEL": "loud"}
    done = subprocess.run([sys.executable, "manage.py", "check"], env=settings, capture_output=True, text=True)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert "AGENTOPS_LOG_LEVEL must be one of DEBUG" in done.stderr


def test_a_command_without_a_running_up_says_so_in_a_sentence(tmp_path: Path) -> None:
    command = [sys.executable, "manage.py", "ledger", "check", "--data-dir", str(tmp_path)]
    settings = {**os.environ, "DJANGO_SETTINGS_MODULE": "agentops.settings"}
    done = subprocess.run(command, env=settings, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert str(tmp_path) in done.stderr
    assert "Is `manage.py up` running?" in done.stderr


def test_a_list_is_made_of_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTOPS_LIST", "one, two,,")
    assert env.env_list("AGENTOPS_LIST") == ["one", "two"]


def test_managed_engines_come_from_three_urls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", DATABASE)
    monkeypatch.setenv("DATABASE_OWNER_URL", OWNER)
    monkeypatch.setenv("VALKEY_URL", "valkeys://:pw@cache.example:6380/0")
    found = env.engines()
    assert found.is_managed
    assert found.database == {
        "host": "db.example",
        "port": 6432,
        "dbname": "agentops",
        "user": "agentops_app",
        "password": "s@crt",
        "sslmode": "require",
    }
    assert env.connection_options(found.database) == {"sslmode": "require"}
    assert found.owner["port"] == 5432
    assert found.valkey_url == found.broker_url == "rediss://:pw@cache.example:6380/0"


def test_a_socket_directory_may_stand_in_the_query() -> None:
    found = env.database_params("DATABASE_URL", "postgresql://me@/agentops?host=%2Fvar%2Frun%2Fpostgresql")
    assert (found["host"], found["user"]) == ("/var/run/postgresql", "me")


def test_two_of_three_urls_are_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", DATABASE)
    monkeypatch.setenv("VALKEY_URL", "redis://cache.example")
    with pytest.raises(env.EnvError, match="missing: DATABASE_OWNER_URL"):
        env.engines()


@pytest.mark.parametrize(
    ("name", "url"), [("DATABASE_URL", "mysql://me:secret@db/x"), ("VALKEY_URL", "http://:secret@cache")]
)
def test_a_wrong_url_is_refused_without_showing_its_password(
    monkeypatch: pytest.MonkeyPatch, name: str, url: str
) -> None:
    for each, value in (("DATABASE_URL", DATABASE), ("DATABASE_OWNER_URL", OWNER), ("VALKEY_URL", "redis://cache")):
        monkeypatch.setenv(each, url if each == name else value)
    with pytest.raises(env.EnvError, match=f"{name} must start with") as refusal:
        env.engines()
    assert "secret" not in str(refusal.value)


def test_without_engines_the_address_of_the_ones_to_come_is_given(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTOPS_DATA_DIR", str(place))
    assert env.find_engines() is None
    assert env.engines().database["host"] == str(place / "run")


def test_the_secret_key_is_long_or_refused(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTOPS_DATA_DIR", str(place))
    assert env.secret_key() == "", "Django refuses an empty key at its first use"
    monkeypatch.setenv("AGENTOPS_SECRET_KEY", "short")
    with pytest.raises(env.EnvError, match="at least 32 characters"):
        env.secret_key()


@pytest.mark.parametrize(
    ("url", "origin", "found"),
    [
        (None, None, "agentops.local"),
        ("http://localhost:8001", None, "agentops.local"),  # `up` gives its programs one, a command beside it has none
        ("https://agentops.example:8443", None, "agentops.example"),
        ("https://agentops.example", "audit.example/eu", "audit.example/eu"),
    ],
)
def test_checkpoints_have_one_name_in_every_process(
    monkeypatch: pytest.MonkeyPatch, url: str | None, origin: str | None, found: str
) -> None:
    for name, value in (("AGENTOPS_PUBLIC_URL", url), ("AGENTOPS_AUDIT_ORIGIN", origin)):
        monkeypatch.delenv(name, raising=False)
        if value:
            monkeypatch.setenv(name, value)
    assert env.audit_origin(default="agentops.local") == found


@pytest.mark.parametrize("name", ["https://agentops.example", "a b", "a+b", "/x", "x/"])
def test_a_name_that_no_checkpoint_may_have_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("AGENTOPS_AUDIT_ORIGIN", name)
    with pytest.raises(env.EnvError, match="AGENTOPS_AUDIT_ORIGIN must be"):
        env.audit_origin(default="agentops.local")
