"""`audit export TENANT --out DIR|FILE.zip`, `audit verify BUNDLE`, `audit check TENANT|--all`, `audit new-key`, `audit rotate-key`"""

from __future__ import annotations

import json
import sys
import time
import uuid
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from agentops.common import clock
from agentops.common.errors import DomainError
from agentops.common.scope import tenant_scope
from agentops.confirmations import queries as confirmations
from audit import bundles, checking, keys, services, verifier
from audit.bundles import Plan, Sink
from audit.errors import KeyMissing, NotSealedYet
from audit.queries.exports import first_vote, until
from audit.searching import NAMES, Filters
from audit.services.sealing import key_name
from audit.types import Outcome, Target
from audit.verifier import NotABundle, Report
from tenants import queries as tenants
from tenants.commands import DomainCommand

CHECK_FAILED = "check_failed"
_PATIENCE_SECONDS = 60  # for an erasure that is just being sealed


class Command(BaseCommand):
    help = "Export the audit log, verify an export, check the log in the database, and keep the keys that sign it."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="verb", required=True)
        export = actions.add_parser("export", help="write a bundle that anybody can verify")
        export.add_argument("tenant", metavar="TENANT", help="the organisation's short name")
        export.add_argument("--out", required=True, metavar="PLACE", help="a directory that is made, or a .zip")
        _add_checkpoint(export, "a checkpoint that the reader has: its proof goes with the bundle")
        for name in NAMES:
            export.add_argument(f"--{name.replace('_', '-')}", dest=f"filter_{name}", metavar="VALUE")
        verify = actions.add_parser("verify", help="verify a bundle; exit 0 only if it is sound")
        verify.add_argument("bundle", metavar="DIR|ZIP")
        verify.add_argument("--keys", metavar="FILE", help="public keys (JSON); else those of this installation")
        verify.add_argument("--origin", default="", help="the log that it must be: the first line of its checkpoints")
        verify.add_argument("--jobs", type=int, help="how many processes read")
        _add_checkpoint(verify, "a checkpoint that you hold")
        check = actions.add_parser("check", help="check the log in the database; exit 0 only if it is sound")
        check.add_argument("tenant", metavar="TENANT", nargs="?")
        check.add_argument("--all", action="store_true", help="of every organisation")
        _add_checkpoint(check, "a checkpoint that you hold")
        new_key = actions.add_parser("new-key", help="make a key for signing; nothing is signed with it yet")
        rotate = actions.add_parser("rotate-key", help="have all organisations' checkpoints signed by the newest key")
        for one in (export, verify, check, new_key, rotate):
            one.add_argument("--json", action="store_true", help="the last line of stdout is one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        verbs = {
            "export": self._export,
            "verify": self._verify,
            "check": self._check,
            "new-key": self._new_key,
            "rotate-key": self._rotate_key,
        }
        try:
            answer, is_sound = verbs[options["verb"]](**options)
        except DomainError as refusal:
            details = [f"{problem.pointer} {problem.detail}" for problem in refusal.problems]
            raise CommandError("\n".join([refusal.detail, *details])) from refusal
        except KeyMissing as missing:
            raise CommandError(str(missing)) from missing
        if options["json"]:
            self.stdout.write(json.dumps(answer))
        if not is_sound:
            sys.exit(1)

    # the verbs

    def _export(self, **options: Any) -> tuple[dict[str, Any], bool]:
        tenant = tenants.tenant_called(options["tenant"])
        asked = {name: options[f"filter_{name}"] for name in NAMES if options[f"filter_{name}"]}
        filters, held = Filters.parse(asked), _held(options)
        fixed = until(filters, clock.now())
        with tenant_scope(tenant.id):
            made = bundles.plan(tenant=tenant.id, slug=tenant.slug, filters=fixed, before_leaf=_held_back(tenant.id))
            _tell(made, filters)
        with _sink(Path(options["out"])) as sink:
            manifest = _write(made, sink, held)
        what = f"{manifest['leaf_count']} entries of {tenant.slug}"
        self.stdout.write(self.style.SUCCESS(f"{options['out']}: {what}, proves {manifest['proves']}"))
        if manifest["is_cut"]:
            self.stdout.write("It ends early: there, one of two has agreed and the other has not yet.")
        if made.only:
            self.stdout.write("Filtered: it proves that these entries are genuine, not that no other one fits.")
        return manifest, True

    def _verify(self, **options: Any) -> tuple[dict[str, Any], bool]:
        try:
            given = options["keys"]
            trusted = verifier.public_keys(json.loads(Path(given).read_text())) if given else checking.trusted_keys()
            report = verifier.verify(
                options["bundle"],
                keys=trusted,
                held=_held(options),
                origin=options["origin"],
                jobs=options["jobs"],
            )
        except (NotABundle, OSError, ValueError, zipfile.BadZipFile) as error:
            self.stderr.write(f"Nothing was checked: {error}")
            sys.exit(2)
        self._say(report)
        return report.as_json(), report.is_sound

    def _check(self, **options: Any) -> tuple[dict[str, Any], bool]:
        if bool(options["tenant"]) == options["all"]:
            raise CommandError("Name an organisation, or give --all.")
        one = options["tenant"]
        wanted = [tenants.tenant_called(one).id] if one else tenants.active_tenant_ids()
        found: dict[str, Any] = {}
        for tenant in wanted:
            report = self._checked(tenant, _held(options))
            self._say(report)
            found[str(tenant)] = report.as_json()
        is_sound = all(report["is_sound"] for report in found.values())
        return {"is_sound": is_sound, "tenants": found}, is_sound

    def _checked(self, tenant: uuid.UUID, held: list[str]) -> Report:
        report, now = checking.check(tenant=tenant, held=held), clock.now()
        if report.is_sound:
            services.end_finding(tenant=tenant, kind=CHECK_FAILED, at=now)
        else:
            first = report.findings[0]
            detail = (
                f"{len(report.findings) + report.more_findings} findings; the first is {first.kind}: {first.detail}"
            )
            services.note_finding(tenant=tenant, kind=CHECK_FAILED, detail=detail, at=now)
        return report

    def _new_key(self, **options: Any) -> tuple[dict[str, Any], bool]:
        made = keys.make(name=key_name(), at=clock.now())
        services.publish_keys(at=clock.now())
        self.stdout.write(self.style.SUCCESS(f"{made.id} in {keys.directory()}"))
        self.stdout.write("Publish it, and when customers have it: `manage.py audit rotate-key`.")
        return keys.as_json(made), True

    def _rotate_key(self, **options: Any) -> tuple[dict[str, Any], bool]:
        newest = keys.newest()
        count = services.rotate_keys(new_key_id=newest.id, at=clock.now())
        self.stdout.write(
            self.style.SUCCESS(f"{count} organisations' checkpoints are signed by {newest.id} from now on")
        )
        return {"key_id": newest.id, "tenants": count}, True

    def _say(self, report: Report) -> None:
        style = self.style.SUCCESS if report.is_sound else self.style.ERROR
        *lines, last = verifier.in_words(report).split("\n")
        self.stdout.write("\n".join(lines))
        self.stdout.write(style(last))


def _add_checkpoint(parser: CommandParser, what: str) -> None:
    parser.add_argument("--checkpoint", metavar="FILE", action="append", default=[], help=what)


def _held(options: dict[str, Any]) -> list[str]:
    try:
        return [verifier.kept_checkpoint(name) for name in options["checkpoint"]]
    except (OSError, ValueError) as error:
        raise CommandError(f"a checkpoint cannot be read: {error}") from error


def _held_back(tenant: uuid.UUID) -> int | None:
    """What one of two people said is told to nobody before the other has spoken."""
    return first_vote(tenant=tenant, confirmations=confirmations.half_agreed(tenant=tenant))


def _tell(made: Plan, asked: Filters) -> None:
    """To export is an act that the log tells of, like any other."""
    services.record(
        tenant=made.tenant,
        action="audit.exported",
        actor=DomainCommand.by(),
        target=Target("audit_log", made.slug),
        outcome=Outcome.SUCCESS,
        data={"export": "", "format": "bundle", "filters": asked.as_json()},
        at=clock.now(),
    )


def _write(made: Plan, sink: Sink, held: list[str]) -> dict[str, Any]:
    """Part by part, each in a transaction of its own: a long one would keep the database from cleaning up."""
    files = []
    for number in range(made.parts):
        with tenant_scope(made.tenant):
            files += bundles.write_part(made, number, sink)
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            with tenant_scope(made.tenant):
                before = _held_back(made.tenant)
                return bundles.finish(made, files, sink, at=clock.now(), held=held, before_leaf=before)
        except NotSealedYet:
            if time.monotonic() > until:
                raise
            time.sleep(1)


@contextmanager
def _sink(place: Path) -> Iterator[Sink]:
    """A directory or a .zip that is there only if it is whole."""
    if place.exists() and (place.is_file() or any(place.iterdir())):
        raise CommandError(f"{place} is there already")
    if place.suffix != ".zip":
        place.mkdir(parents=True, exist_ok=True)
        yield _Directory(place)
        return
    draft = place.with_suffix(".part")
    try:
        with zipfile.ZipFile(draft, "w", zipfile.ZIP_STORED) as archive:
            yield _Zip(archive)
        draft.rename(place)
    finally:
        draft.unlink(missing_ok=True)


class _Directory:
    def __init__(self, place: Path) -> None:
        self.place = place

    def put(self, name: str, content: bytes) -> None:
        (self.place / name).write_bytes(content)


class _Zip:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive

    def put(self, name: str, content: bytes) -> None:
        self.archive.writestr(name, content)
