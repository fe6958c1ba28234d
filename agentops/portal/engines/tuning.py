"""The configuration files of the embedded PostgreSQL, written anew at every start."""

from __future__ import annotations

from pathlib import Path

from agentops import env

_MIB = 1024 * 1024

_CONF = """\
# Written by `manage.py up` at every start; put your own settings into local.conf beside this file.
listen_addresses = ''
port = {port}
unix_socket_directories = '{run_dir}'
max_connections = 100
timezone = 'UTC'
log_timezone = 'UTC'
lc_messages = 'C'

# Memory: one small machine, shared with web, workers and Valkey.
shared_buffers = {shared_mib}MB
effective_cache_size = {cache_mib}MB
work_mem = 16MB
maintenance_work_mem = 128MB
max_wal_size = {max_wal}
checkpoint_timeout = 15min
wal_compression = {wal_compression}
default_toast_compression = {toast_compression}
random_page_cost = 1.1
jit = off
track_io_timing = on
shared_preload_libraries = 'pg_stat_statements'

# Statements and their DETAIL lines carry customers' content: the log names the error, the caller gets the details.
log_min_error_statement = panic
log_error_verbosity = terse
log_checkpoints = off
log_line_prefix = '%m [%p] %u '
{durability}
include_if_exists = 'local.conf'
"""

_FOR_TESTS = """
# A cluster for tests: a crash of the machine may ruin it.
fsync = off
synchronous_commit = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
"""

_HBA = """\
# Unix sockets only; the kernel says who is there. pg_ident.conf names the one system user who may come in.
local all all peer map=agentops
"""


def write_configuration(
    data: Path, *, run_dir: Path, own_user: str, roles: tuple[str, ...], has_lz4: bool, durable: bool
) -> None:
    """Write postgresql.conf, pg_hba.conf and pg_ident.conf into the data directory `data`."""
    memory_mib = _memory_bytes() // _MIB
    (data / "postgresql.conf").write_text(
        _CONF.format(
            port=env.POSTGRES_PORT,
            run_dir=str(run_dir).replace("'", "''"),
            shared_mib=max(32, min(512 if durable else 128, memory_mib // 8)),
            cache_mib=max(128, memory_mib // 2),
            max_wal="4GB" if durable else "1GB",
            wal_compression="lz4" if has_lz4 else "pglz",
            toast_compression="lz4" if has_lz4 else "pglz",
            durability="" if durable else _FOR_TESTS,
        )
    )
    (data / "pg_hba.conf").write_text(_HBA)
    (data / "pg_ident.conf").write_text("".join(f'agentops "{own_user}" "{role}"\n' for role in roles))


def _memory_bytes() -> int:
    """The machine's memory, or the container's share of it where that is less."""
    found = [int(line.split()[1]) * 1024 for line in _lines("/proc/meminfo") if line.startswith("MemTotal:")]
    limits = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
    found += [int(line) for path in limits for line in _lines(path) if line.strip().isdigit()]
    return min(found, default=1024 * _MIB)


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
