"""`evalset check|export|import|diff …`: eval sets as files of a git repository.

Exit codes: 0 done (of `diff`: nothing differs), 1 refused or files that are no cases (of `diff`: something differs), 2 wrong usage.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from agentops.common import clock
from agentops.common.errors import DomainError
from agentops.common.scope import tenant_scope
from evals import queries, services
from evals.errors import Unknown
from evals.models import EvalSet
from evals.sets import difference, files
from evals.sets.difference import SetDifference, StatusChange
from tenants import queries as tenants
from tenants.commands import DomainCommand

Answer = tuple[dict[str, Any], str]


class Command(DomainCommand):
    help = "Check, import, export and compare eval sets."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="check|import|export|diff")
        check = verbs.add_parser("check", help="read the files of a directory and tell everything that is wrong")
        check.add_argument("directory", type=Path)
        take = verbs.add_parser("import", help="make a directory's files the cases of a set, as its next revision")
        take.add_argument("directory", type=Path)
        take.add_argument("--set", required=True, metavar="SET", help="made where it is not there")
        take.add_argument("--note", default="", help="why, for the list of revisions")
        give = verbs.add_parser("export", help="write the cases of a set, one file each")
        give.add_argument("set", metavar="SET")
        give.add_argument("--out", required=True, type=Path, metavar="DIR")
        give.add_argument("--revision", type=int, help="the newest where left out")
        give.add_argument("--prune", action="store_true", help="delete the files of cases that are not in it")
        diff = verbs.add_parser("diff", help="which cases differ between two revisions, or change between two versions")
        diff.add_argument("what", nargs="+", metavar="SET A B | --versions AGENT V1 V2")
        diff.add_argument("--versions", action="store_true", help="compare the newest runs of two agent versions")
        diff.add_argument("--set", metavar="SET", help="with --versions: only this set")
        for verb in (take, give, diff):
            verb.add_argument("--tenant", required=True, metavar="SLUG", help="the organisation's short name")
        for verb in (check, take, give, diff):
            verb.add_argument("--json", action="store_true", help="the last line of stdout is one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        if getattr(self, "differs", False):
            raise SystemExit(1)

    def run(self, **options: Any) -> Answer:
        verb = {"check": self._check, "import": self._import, "export": self._export, "diff": self._diff}
        return verb[options["verb"]](options)

    def _check(self, options: dict[str, Any]) -> Answer:
        found = self._files(options["directory"])
        return {"cases": len(found)}, f"{len(found)} cases are in order."

    def _import(self, options: dict[str, Any]) -> Answer:
        found = self._files(options["directory"])
        tenant, at = tenants.tenant_called(options["tenant"]).id, clock.now()
        with tenant_scope(tenant):
            try:
                eval_set = queries.eval_set(tenant=tenant, name=options["set"])
            except Unknown:
                eval_set = services.create_set(tenant=tenant, name=options["set"], description="", by=self.by(), at=at)
            written = services.replace_cases(
                tenant=tenant, eval_set=eval_set.id, found=found, note=options["note"], by=self.by(), at=at
            )
        changes = written.difference
        answer = {"set": eval_set.name, "revision": written.revision.number, "digest": written.revision.digest}
        answer |= {"new": written.is_new} | asdict(changes)
        if not written.is_new:
            return answer, f"{eval_set.name} stands so already, as revision {written.revision.number}."
        return answer, f"{eval_set.name} is at revision {written.revision.number}: {_counted(changes)}."

    def _export(self, options: dict[str, Any]) -> Answer:
        tenant = tenants.tenant_called(options["tenant"]).id
        with tenant_scope(tenant):
            eval_set = queries.eval_set(tenant=tenant, name=options["set"])
            revision = queries.revision(tenant=tenant, eval_set=eval_set.id, number=options["revision"])
            found = {each.key: each.case for each in queries.cases_of(tenant=tenant, revision=revision.id)}
        done = files.write_directory(options["out"], found, prune=options["prune"])
        for key in done["left"]:
            self.stderr.write(f"{key}.yaml is no case of {eval_set.name}; --prune deletes it")
        said = f"{len(done['written'])} files written, {len(done['kept'])} stood so already"
        if done["removed"]:
            said += f", {len(done['removed'])} deleted"
        answer = {"set": eval_set.name, "revision": revision.number, "digest": revision.digest, **done}
        return answer, f"{eval_set.name}, revision {revision.number}: {said}."

    def _diff(self, options: dict[str, Any]) -> Answer:
        if len(options["what"]) != 3:
            raise CommandError("SET A B (two revisions), or --versions AGENT V1 V2, is expected", returncode=2)
        tenant = tenants.tenant_called(options["tenant"]).id
        with tenant_scope(tenant):
            if options["versions"]:
                agent, old, new = options["what"]
                return self._diff_versions(tenant, agent, old, new, options["set"] or "")
            eval_set = queries.eval_set(tenant=tenant, name=options["what"][0])
            before, after = (self._digests(eval_set, number) for number in options["what"][1:])
        changes = difference.of_sets(before, after)
        self.differs = not changes.is_empty
        lines = [
            f"{sign} {key}"
            for sign, keys in (("+", changes.added), ("-", changes.removed), ("~", changes.changed))
            for key in keys
        ]
        return {"set": eval_set.name, **asdict(changes)}, "\n".join([*lines, f"{_counted(changes)}."])

    def _diff_versions(self, tenant: Any, agent: str, before: str, after: str, name: str) -> Answer:
        runs = queries.newest_suite_runs(tenant=tenant, agent=agent, versions=(before, after), name=name)
        answer: dict[str, Any] = {"agent": agent, "versions": [before, after], "sets": []}
        lines: list[str] = []
        for one in runs:
            found = difference.of_statuses(one.before, one.after)
            self.differs = self.differs or bool(found)
            answer["sets"].append({"set": one.name, "changes": [asdict(each) for each in found]})
            lines += [_line(one.name, each) for each in found]
        return answer, "\n".join(lines) or f"No case of {agent} changed its status from {before} to {after}."

    differs = False

    def _digests(self, eval_set: EvalSet, number: str) -> dict[str, str]:
        tenant = eval_set.tenant_id
        if not number.isascii() or not number.isdigit() or len(number) > 6:
            raise CommandError(f"{number!r} is no revision: a whole number is expected", returncode=2)
        revision = queries.revision(tenant=tenant, eval_set=eval_set.id, number=int(number))
        return queries.digests_of(tenant=tenant, revision=revision.id)

    @staticmethod
    def _files(directory: Path) -> dict[str, Any]:
        try:
            return dict(files.read_directory(directory))
        except DomainError as refusal:
            told = [f"{problem.pointer}: {problem.detail}" for problem in refusal.problems]
            raise CommandError("\n".join([refusal.detail, *told])) from refusal


def _counted(changes: SetDifference) -> str:
    return f"{len(changes.added)} added, {len(changes.changed)} changed, {len(changes.removed)} removed, {changes.same} as before"


def _line(name: str, change: StatusChange) -> str:
    edited = " (the case was edited)" if change.is_edited else ""
    return f"{name}/{change.key}: {change.before or 'not run'} -> {change.after or 'not run'}{edited}"
