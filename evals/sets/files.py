"""Cases as files of a git repository: one YAML each, its name is the case's key.

What is written is read back as the same case, to the digest: texts that YAML readers take for something else are quoted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from agentops.common import documents
from agentops.common.errors import DomainError, InputProblem, InvalidInput
from evals.sets import cases
from evals.sets.cases import MEMBERS, Case

SUFFIX = ".yaml"
CASES_MOST = 5_000
_WIDTH = 120
_FIRST = ("kind", "name", "tool", "description", "path", "arguments", "arguments_include")
_FLOW_MOST = 80  # characters of a list of plain values on one line
_BREAKS = re.compile(
    "[\r\x85\u2028\u2029\x00-\x08\x0b-\x1f\x7f\ufeff]"
)  # ends of lines to YAML, and what is not printed
# What documents.py reads as something other than a text when it stands plain.
_NOT_PLAIN = re.compile(r"-?[0-9].*|null|true|false|~|")


def read_text(raw: bytes) -> Case:
    """A case from YAML (or JSON, which is part of it). Raises InvalidInput, TooLarge."""
    return cases.read(documents.load_yaml(raw, what="case"))


def read_directory(directory: Path) -> dict[str, Case]:
    """The cases of a directory by key. Raises InvalidInput with every problem of every file; pointers begin with the file."""
    if not directory.is_dir():
        raise InvalidInput(f"{directory} is no directory; one that holds a {SUFFIX} file per case is expected")
    files = sorted(file for file in directory.iterdir() if file.suffix in (SUFFIX, ".yml") and file.is_file())
    if not files:
        raise InvalidInput(f"{directory} holds no {SUFFIX} file")
    if len(files) > CASES_MOST:
        raise InvalidInput(f"{directory} holds {len(files)} cases; at most {CASES_MOST} are taken in one set")
    found: dict[str, Case] = {}
    problems: list[InputProblem] = []
    for file in files:
        try:
            found[key_of(file)] = read_file(file)
        except DomainError as refusal:
            told = refusal.problems or (InputProblem("", "invalid", refusal.detail),)
            problems += [InputProblem(f"{file.name}#{each.pointer}", each.code, each.detail) for each in told]
    if problems:
        names = {problem.pointer.split("#")[0] for problem in problems}
        raise InvalidInput(f"{len(names)} of {len(files)} files are no cases", problems=tuple(problems))
    return found


def read_file(file: Path) -> Case:
    """Raises InvalidInput, TooLarge."""
    if file.suffix != SUFFIX:
        raise InvalidInput(f"{file.name}: name it {file.stem}{SUFFIX}")
    if wrong := cases.key_problem(key_of(file)):
        raise InvalidInput(f"{file.name}: the name is the case's key: {wrong}")
    try:
        with file.open("rb") as opened:
            raw = opened.read(documents.MAX_BYTES + 1)
    except OSError as error:
        raise InvalidInput(f"{file.name} cannot be read: {error.strerror}") from error
    return read_text(raw)


def key_of(file: Path) -> str:
    return file.name.removesuffix(SUFFIX)


def write_directory(directory: Path, found: Mapping[str, Case], *, prune: bool = False) -> dict[str, list[str]]:
    """Write the cases; files that say the same already are left alone, with the comments that people wrote into them.

    Answers the keys that were `written` and `kept`, and those whose files belong to no case: `removed` with `prune`,
    else `left`. Raises InvalidInput where the directory cannot be written.
    """
    done: dict[str, list[str]] = {"written": [], "kept": [], "removed": [], "left": []}
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for key, case in sorted(found.items()):
            done["kept" if _write(directory / f"{key}{SUFFIX}", case) else "written"].append(key)
        for file in sorted(directory.glob(f"*{SUFFIX}")):
            if key_of(file) in found:
                continue
            if prune:
                file.unlink()
            done["removed" if prune else "left"].append(key_of(file))
    except OSError as error:
        raise InvalidInput(f"{directory} cannot be written: {error.strerror}") from error
    return done


def _write(file: Path, case: Case) -> bool:
    """True where the file says so already."""
    try:
        if read_file(file).digest == case.digest:
            return True
    except DomainError:
        pass  # not there, or no case
    file.write_text(write_text(case), encoding="utf-8")
    return False


def write_text(case: Case) -> str:
    """YAML that `read_text` reads as this case, its members in the order of the form."""
    ordered = {name: _named_first(case.content[name], name) for name in MEMBERS if name in case.content}
    text: str = yaml.dump(ordered, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH)
    return text


def _named_first(value: Any, member: str) -> Any:
    """What an entry is stands before what it says."""
    if member not in ("offers", "tools", "expect"):
        return value
    return [{name: each[name] for name in sorted(each, key=lambda name: (_rank(name), name))} for each in value]


def _rank(name: str) -> int:
    return _FIRST.index(name) if name in _FIRST else len(_FIRST)


class _Dumper(yaml.SafeDumper):
    """Block style, long texts as blocks, no aliases; what our reader would not take for the text it is, in quotes."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None
    if _BREAKS.search(text):
        style = '"'
    elif "\n" in text and not any(line.endswith((" ", "\t")) for line in text.split("\n")):
        style = "|"
    elif _NOT_PLAIN.fullmatch(text):
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _represent_list(dumper: yaml.SafeDumper, values: list[Any]) -> yaml.SequenceNode:
    is_short = all(isinstance(each, str | int | float | None) for each in values) and (
        sum(len(str(each)) + 2 for each in values) <= _FLOW_MOST
    )
    return dumper.represent_sequence("tag:yaml.org,2002:seq", values, flow_style=is_short)


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(list, _represent_list)
