"""`manage.py evalset`: sets go out to files and come back, and what changed is told with an exit code."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from evals.sets import files
from tests.evals.sets.made import case, make_set, replace
from tests.world import World


def run(*args: Any) -> tuple[int, Any]:
    """Exit code and the JSON object."""
    out, code = io.StringIO(), 0
    try:
        call_command("evalset", *args, "--json", stdout=out, stderr=io.StringIO())
    except SystemExit as left:
        code = int(str(left.code))
    return code, json.loads(out.getvalue().splitlines()[-1])


def test_a_set_goes_out_to_files_and_comes_back_as_the_same_revision(world: World, tmp_path: Path) -> None:
    make_set(world.acme, a=case(), b=case(title="B"))
    _, told = run("export", "refunds", "--tenant", "acme", "--out", str(tmp_path))
    assert told["written"] == ["a", "b"] and told["revision"] == 1
    _, again = run("import", str(tmp_path), "--tenant", "acme", "--set", "refunds")
    assert again["new"] is False and again["digest"] == told["digest"]
    _, elsewhere = run("import", str(tmp_path), "--tenant", "globex", "--set", "refunds")
    assert elsewhere["new"] is True and elsewhere["digest"] == told["digest"] and elsewhere["added"] == ["a", "b"]


def test_an_old_revision_is_written_and_a_file_too_many_deleted_only_when_asked(world: World, tmp_path: Path) -> None:
    made = make_set(world.acme, a=case())
    replace(world.acme, made.id, {"b": case(title="B")})
    run("export", "refunds", "--tenant", "acme", "--out", str(tmp_path))
    _, told = run("export", "refunds", "--tenant", "acme", "--out", str(tmp_path), "--revision", "1")
    assert told["left"] == ["b"] and sorted(files.read_directory(tmp_path)) == ["a", "b"]
    _, told = run("export", "refunds", "--tenant", "acme", "--out", str(tmp_path), "--revision", "1", "--prune")
    assert told["removed"] == ["b"]


def test_diff_names_the_cases_and_its_exit_code_says_whether_there_are_any(world: World) -> None:
    made = make_set(world.acme, a=case(), b=case(title="B"))
    replace(world.acme, made.id, {"a": case(title="A2"), "c": case(title="C")})
    code, told = run("diff", "refunds", "1", "2", "--tenant", "acme")
    assert code == 1
    assert (told["added"], told["removed"], told["changed"], told["same"]) == (["c"], ["b"], ["a"], 0)
    code, told = run("diff", "refunds", "2", "2", "--tenant", "acme")
    assert code == 0 and told["same"] == 2


def test_files_that_are_no_cases_change_nothing_and_are_all_named(world: World, tmp_path: Path) -> None:
    make_set(world.acme, a=case())
    (tmp_path / "a.yaml").write_text(files.write_text(case(title="New")))
    (tmp_path / "b.yaml").write_text("title: b")
    for verb in (["check", str(tmp_path)], ["import", str(tmp_path), "--tenant", "acme", "--set", "refunds"]):
        with pytest.raises(CommandError, match=r"b\.yaml#/input"):
            run(*verb)
    assert world.acme.actions() == ["eval_set.created", "eval_set.changed"]


@pytest.mark.parametrize("number", ["x", "1.5", "٣", "9999999"])
def test_what_is_no_revision_is_wrong_usage(world: World, number: str) -> None:
    make_set(world.acme, a=case())
    with pytest.raises(CommandError) as refusal:
        run("diff", "refunds", "1", number, "--tenant", "acme")
    assert refusal.value.returncode == 2
