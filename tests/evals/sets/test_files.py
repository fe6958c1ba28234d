"""Cases as files: what is written is read as the same case."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentops.common.errors import InvalidInput, TooLarge
from evals.sets import files
from tests.evals.sets.made import case

_texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(-1e6, 1e6) | _texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_texts, inner, max_size=4),
    max_leaves=12,
)


@given(_json)
@settings(max_examples=300, deadline=None)
def test_whatever_is_in_a_case_is_read_back_to_the_digest(value: Any) -> None:
    made = case(input={"value": value}, notes="n")
    assert files.read_text(files.write_text(made).encode()).digest == made.digest


@pytest.mark.parametrize(
    "text",
    [
        "yes",
        "no",
        "1e5",
        "0x10",
        "2026-11-26",
        "null",
        "~",
        "",
        "-",
        "1_000",
        "a: b",
        "<<",
        "=",
        "|\n x",
        "a \nb",
        "\u2028",
        "\x85",
        "# c",
        " lead",
    ],
)
def test_texts_that_other_readers_take_for_something_else_stay_texts(text: str) -> None:
    made = case(input={"value": text, text: 1})
    assert files.read_text(files.write_text(made).encode()).input == {"value": text, text: 1}


def test_a_directory_is_written_and_read_as_the_same_cases(tmp_path: Path) -> None:
    found = {"first": case(), "second.case": case(title="Another", input="two\nlines\n")}
    done = files.write_directory(tmp_path, found)
    assert done == {"written": ["first", "second.case"], "kept": [], "removed": [], "left": []}
    assert files.read_directory(tmp_path) == found


def test_files_that_say_so_already_keep_their_comments(tmp_path: Path) -> None:
    files.write_directory(tmp_path, {"first": case()})
    file = tmp_path / "first.yaml"
    file.write_text("# why\n" + file.read_text())
    (tmp_path / "old.yaml").write_text("x: 1")
    assert files.write_directory(tmp_path, {"first": case()})["left"] == ["old"]
    assert file.read_text().startswith("# why")
    assert files.write_directory(tmp_path, {"first": case()}, prune=True)["removed"] == ["old"]
    assert files.write_directory(tmp_path, {"first": case(title="New")})["written"] == ["first"]
    assert not (tmp_path / "old.yaml").exists()


def test_every_problem_of_every_file_is_told_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(files.write_text(case()))
    (tmp_path / "twice.yaml").write_text("title: a\ntitle: b\n")
    (tmp_path / "bomb.yaml").write_text("a: &a [x]\nb: *a\n")
    (tmp_path / "Upper.yaml").write_text(files.write_text(case()))
    (tmp_path / "short.yaml").write_text("title: a\ninput: b\n")
    (tmp_path / "other.yml").write_text(files.write_text(case()))
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00a")
    with pytest.raises(InvalidInput, match="6 of 7") as refusal:
        files.read_directory(tmp_path)
    told = {problem.pointer: problem.detail for problem in refusal.value.problems}
    assert told["twice.yaml#/title"] and told["bomb.yaml#/a"] and told["short.yaml#/expect"]
    assert "beginning with a letter or digit" in told["Upper.yaml#"]
    assert "name it other.yaml" in told["other.yml#"]
    assert "UTF-8" in told["bytes.yaml#"]


def test_a_directory_without_cases_and_a_file_too_large_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="holds no"):
        files.read_directory(tmp_path)
    with pytest.raises(InvalidInput, match="no directory"):
        files.read_directory(tmp_path / "not")
    with pytest.raises(TooLarge):
        files.read_text(b"title: " + b"a" * 300_000)
