"""What differs between machines: typed environment variables, and where the engines are.

Settings read everything through here, before Django exists, so this module imports nothing but the standard library
and a wrong value stops the process with a sentence that names the variable::

    ENGINES = env.engines()
    DATABASES = {
        "default": _database(ENGINES.owner if IS_MAINTENANCE else ENGINES.database),
        "owner": _database(ENGINES.owner),
    }
    SECRET_KEY = env.secret_key()

where ``_database`` turns psycopg's words into Django's, and hands the rest (``sslmode``, …) on::

    def _database(params: dict[str, Any]) -> dict[str, Any]:
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": params["dbname"], "USER": params["user"], "PASSWORD": params["password"],
            "HOST": params["host"], "PORT": str(params["port"]),
            "OPTIONS": {"connect_timeout": 5, **env.connection_options(params)},
        }

The engines are, in this order: the servers of ``DATABASE_URL``, ``DATABASE_OWNER_URL`` and ``VALKEY_URL`` (all three or
none); the ones `manage.py up` started in the data directory (``AGENTOPS_DATA_DIR``, else ``.data``).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload
from urllib.parse import parse_qsl, unquote, urlsplit

OWNER_ROLE, APP_ROLE, STAFF_ROLE = "agentops_owner", "agentops_app", "agentops_staff"
DATABASE_NAME = "agentops"
POSTGRES_PORT = 5432  # of the embedded server: part of its socket's file name, no TCP port is opened
VALKEY_SOCKET = "valkey.sock"
STATE_FILE = "state.json"

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}
_URL_VARIABLES = ("DATABASE_URL", "DATABASE_OWNER_URL", "VALKEY_URL")
_CORE_PARAMS = {"host", "port", "dbname", "user", "password"}


class EnvError(ValueError):
    """An environment variable, or a file it points at, makes no sense; the message names it."""


# -- readers ----------------------------------------------------------------------------------------------------------


@overload
def env_str(name: str, default: str) -> str: ...
@overload
def env_str(name: str, default: None = None) -> str | None: ...
def env_str(name: str, default: str | None = None) -> str | None:
    """The text of `name`, stripped; unset and empty are the same, so ``FOO= manage.py …`` switches a variable off."""
    return os.environ.get(name, "").strip() or default


def env_int(name: str, default: int, *, at_least: int | None = None, at_most: int | None = None) -> int:
    """A whole number within its bounds."""
    text = env_str(name)
    if text is None:
        return default
    try:
        number = int(text)
    except ValueError:
        raise EnvError(f"{name} must be a whole number, not {text!r}") from None
    if (at_least is not None and number < at_least) or (at_most is not None and number > at_most):
        allowed = f"at least {at_least}" if at_most is None else f"from {at_least or 0} to {at_most}"
        raise EnvError(f"{name} must be {allowed}, not {number}")
    return number


def env_bool(name: str, default: bool = False) -> bool:
    """1, true, yes, on or their opposites; ``FLAG=flase`` must not quietly mean yes (or no)."""
    text = env_str(name)
    if text is None:
        return default
    if text.lower() not in _TRUE | _FALSE:
        raise EnvError(f"{name} must be true or false, not {text!r}")
    return text.lower() in _TRUE


def env_log_level(name: str, default: str) -> str:
    """One of the words of `logging`."""
    level = env_str(name, default).upper()
    if level not in _LEVELS:
        raise EnvError(f"{name} must be one of {', '.join(_LEVELS)}, not {level!r}")
    return level


def env_choice(name: str, choices: Sequence[str], default: str) -> str:
    """One of the words."""
    word = env_str(name, default).lower()
    if word not in choices:
        raise EnvError(f"{name} must be one of {', '.join(choices)}, not {word!r}")
    return word


def env_list(name: str, default: Sequence[str] = ()) -> list[str]:
    """Comma-separated words."""
    text = env_str(name)
    return list(default) if text is None else [word.strip() for word in text.split(",") if word.strip()]


def env_url(name: str, schemes: Collection[str], default: str | None = None) -> str | None:
    """A URL of one of the `schemes`. Its text never enters an error message: it may hold a password."""
    url = env_str(name, default) if default is not None else env_str(name)
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise EnvError(f"{name} is no URL: {error}") from None
    if parts.scheme not in schemes:
        raise EnvError(f"{name} must start with {' or '.join(sorted(f'{scheme}://' for scheme in schemes))}")
    return url


# -- engines ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Engines:
    """Where PostgreSQL and Valkey answer.

    `database` and `owner` are parameters of ``psycopg.connect``: host (a name, or the directory of a Unix socket),
    port, dbname, user, password ("" for peer authentication) and whatever else the URL carried.
    """

    database: dict[str, Any]
    owner: dict[str, Any]
    valkey_url: str
    broker_url: str
    data_dir: Path
    is_managed: bool

    @property
    def secrets_dir(self) -> Path:
        """Keys made once by `up`, readable by its user only."""
        return self.data_dir / "secrets"


def engines() -> Engines:
    """The engines to use. If none was ever started here, the address at which `up` would have put them.

    So commands that need no database work anywhere, and the others fail with the path of the missing socket.
    """
    return find_engines() or embedded_engines(data_dir(), run_dir=data_dir() / "run")


def find_engines() -> Engines | None:
    """The engines of the environment, else those of the data directory's state file, else None."""
    return _managed() or _started(data_dir())


def embedded_engines(directory: Path, *, run_dir: Path) -> Engines:
    """The engines that `up` runs on `directory`, with their Unix sockets in `run_dir`."""
    address = {"host": str(run_dir), "port": POSTGRES_PORT, "dbname": DATABASE_NAME, "password": ""}
    socket = run_dir / VALKEY_SOCKET
    return Engines(
        database=address | {"user": APP_ROLE},
        owner=address | {"user": OWNER_ROLE},
        valkey_url=f"unix://{socket}?db=0",
        broker_url=f"redis+socket://{socket}?virtual_host=1",
        data_dir=directory,
        is_managed=False,
    )


def data_dir() -> Path:
    """The data directory: ``AGENTOPS_DATA_DIR``, else ``.data`` where the command runs."""
    return Path(env_str("AGENTOPS_DATA_DIR", ".data")).absolute()


def take_data_dir(arguments: Sequence[str]) -> list[str]:
    """The command line without `--data-dir DIR`, which every command takes; its value becomes ``AGENTOPS_DATA_DIR``.

    Settings must know it before they are read, hence before any command parses its own arguments. `up` keeps it.
    """
    left = list(arguments)
    if left[1:2] == ["up"]:
        return left
    for place, word in enumerate(left):
        name, sign, value = word.partition("=")
        if word == "--":
            break
        if name == "--data-dir" and (sign or place + 1 < len(left)):
            os.environ["AGENTOPS_DATA_DIR"] = value if sign else left[place + 1]
            return left[:place] + left[place + (1 if sign else 2) :]
    return left


def secret_key() -> str:
    """Django's secret: ``AGENTOPS_SECRET_KEY``, else the one `up` made in the data directory.

    Empty when there is neither: Django then refuses at its first use, and never signs with a guessable key.
    """
    from_environment = env_str("AGENTOPS_SECRET_KEY")
    if from_environment is not None:
        if len(from_environment) < 32:
            raise EnvError("AGENTOPS_SECRET_KEY must have at least 32 characters")
        return from_environment
    try:
        return (data_dir() / "secrets" / "secret_key").read_text().strip()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise EnvError(f"The secret key of the data directory cannot be read: {error}") from None


def public_url(default: str) -> str:
    """``AGENTOPS_PUBLIC_URL`` without a slash at its end: scheme, host and port, and nothing behind them."""
    url = (env_url("AGENTOPS_PUBLIC_URL", {"http", "https"}, default) or default).rstrip("/")
    parts = urlsplit(url)
    if not parts.hostname or parts.path or parts.query or parts.fragment:
        raise EnvError("AGENTOPS_PUBLIC_URL must be a scheme and a host only, such as https://agentops.example.com")
    return url


def audit_origin(default: str) -> str:
    """``AGENTOPS_AUDIT_ORIGIN``, else the host of ``AGENTOPS_PUBLIC_URL``, else the default.

    Every process must find the same name, and `up` gives its programs a public URL that a command beside it does not
    have; so a name that means this machine only is none.
    """
    name = env_str("AGENTOPS_AUDIT_ORIGIN")
    if name is None:
        host = urlsplit(public_url(f"http://{default}")).hostname or default
        return default if host in ("localhost", "127.0.0.1", "::1") else host
    if not re.fullmatch(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*", name):
        raise EnvError("AGENTOPS_AUDIT_ORIGIN must be a host, with a path if need be, such as agentops.example.com")
    return name


def connection_options(params: dict[str, Any]) -> dict[str, Any]:
    """What a URL carries beyond host, port, dbname, user and password: ``sslmode``, ``sslrootcert``, …"""
    return {key: value for key, value in params.items() if key not in _CORE_PARAMS}


def database_params(name: str, url: str) -> dict[str, Any]:
    """psycopg's parameters out of ``postgresql://user:password@host:port/name?sslmode=…``; `name` is for errors."""
    parts = urlsplit(url)
    dbname = unquote(parts.path.lstrip("/"))
    options = dict(parse_qsl(parts.query))
    host = options.pop("host", None) or unquote(parts.hostname or "")
    if not (host and dbname and parts.username):
        raise EnvError(f"{name} must name a user, a host and a database: postgresql://user:password@host:5432/database")
    return {
        "host": host,
        "port": parts.port or POSTGRES_PORT,
        "dbname": dbname,
        "user": unquote(parts.username),
        "password": unquote(parts.password or ""),
        **options,
    }


def _managed() -> Engines | None:
    missing = [name for name in _URL_VARIABLES if env_str(name) is None]
    if len(missing) == len(_URL_VARIABLES):
        return None
    if missing:
        raise EnvError(f"{', '.join(_URL_VARIABLES)} belong together; missing: {', '.join(missing)}")
    database, owner = (env_url(name, {"postgres", "postgresql"}) or "" for name in _URL_VARIABLES[:2])
    valkey = env_url("VALKEY_URL", {"redis", "rediss", "valkey", "valkeys"}) or ""
    # Neither the client library nor kombu knows Valkey's own scheme; the protocol is the same.
    valkey = valkey.replace("valkeys://", "rediss://", 1).replace("valkey://", "redis://", 1)
    return Engines(
        database=database_params("DATABASE_URL", database),
        owner=database_params("DATABASE_OWNER_URL", owner),
        valkey_url=valkey,
        broker_url=valkey,
        data_dir=data_dir(),
        is_managed=True,
    )


def _started(directory: Path) -> Engines | None:
    path = directory / STATE_FILE
    try:
        run_dir = json.loads(path.read_text())["run_dir"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EnvError(f"{path} cannot be read ({error!r}); `manage.py up` writes it anew") from None
    return embedded_engines(directory, run_dir=Path(run_dir))
