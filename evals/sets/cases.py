"""The form of a case: what goes in, which calls are recorded, and what must come of it.

A case is one JSON value, in files written as YAML (files.py). It is read strictly and at once: everything that is wrong is
told with its pointer. What is kept is `content`, with nothing in it that says no more than its absence, so that the same
case has one digest.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from agentops.common import strictjson
from agentops.common.errors import InputProblem, InvalidInput
from agentops.common.reading import Reading
from evals.sets import expectations, recordings

KEY_FORM = "1 to 120 of a-z, 0-9, dot, hyphen and underscore are expected, beginning with a letter or digit"
_KEY = re.compile(r"[a-z0-9][a-z0-9._-]{0,119}")
_TAG = re.compile(r"[a-z0-9_.:/-]{1,60}")
TAGS_MOST, EXPECT_MOST, NOTES_MOST, PROBLEMS_MOST = 20, 50, 4_000, 50
MOST_BYTES = 262_144
ORIGINS = ("curated", "trace", "incident", "drift", "queue", "customer")
MEMBERS = ("title", "tags", "agent", "input", "offers", "tools", "expect", "provenance", "notes")


@dataclass(frozen=True)
class Case:
    """A case that was read. `content` is what is kept and what its digest is over."""

    content: Mapping[str, Any]

    @cached_property
    def text(self) -> str:
        """RFC 8785."""
        return strictjson.canonical(self.content).decode()

    @cached_property
    def digest(self) -> str:
        return digest_of(self.text)

    @property
    def title(self) -> str:
        return str(self.content["title"])

    @property
    def tags(self) -> list[str]:
        return list(self.content.get("tags", ()))

    @property
    def agent(self) -> str:
        return str(self.content.get("agent", ""))

    @property
    def input(self) -> Any:
        return self.content["input"]

    @property
    def tools(self) -> Sequence[Mapping[str, Any]]:
        return list(self.content.get("tools", ()))

    @property
    def expect(self) -> Sequence[Mapping[str, Any]]:
        return list(self.content["expect"])

    @property
    def provenance(self) -> Mapping[str, Any]:
        return dict(self.content.get("provenance", {}))


def read(value: Any) -> Case:
    """A case from plain values. Raises InvalidInput with every problem."""
    read = Reading(value)
    title = read.text("title", required=True)
    tags = _tags(read)
    agent = read.text("agent", most=100)
    given = read.anything("input", required=True)
    problems: list[InputProblem] = []
    offers = recordings.read_offers(read.anything("offers"), problems)
    tools = recordings.read_tools(read.anything("tools"), problems)
    expect = _expect(read, problems)
    provenance = _provenance(read.anything("provenance"), problems)
    notes = read.text("notes", most=NOTES_MOST)
    problems = read.all_problems() + problems
    if problems:
        first = problems[0]
        raise InvalidInput(
            f"the case is not acceptable: {first.pointer or '/'}: {first.detail}",
            problems=tuple(problems[:PROBLEMS_MOST]),
        )
    said = {
        "tags": tags,
        "agent": agent,
        "offers": offers,
        "tools": tools,
        "provenance": provenance,
        "notes": notes,
    }
    content = {"title": title, "input": given, "expect": expect} | {name: part for name, part in said.items() if part}
    case = Case(json.loads(strictjson.canonical_checked(content)))  # as it will be read back: 1.0 is 1
    if len(case.text.encode()) > MOST_BYTES:
        raise InvalidInput(f"the case is larger than {MOST_BYTES} bytes")
    return case


def kept(text: str) -> Case:
    """A case as it was stored, which was read before."""
    return Case(json.loads(text))


def key_problem(key: str) -> str:
    """Why a text is no case's key; "" when it is one."""
    return "" if _KEY.fullmatch(key) else KEY_FORM


def digest_of(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def revision_digest(cases: Mapping[str, str]) -> str:
    """The digest of a set: over its cases' keys and digests, so the same files are the same revision."""
    return digest_of(strictjson.canonical(dict(cases)).decode())


def is_tag(text: str) -> bool:
    return _TAG.fullmatch(text) is not None


def _tags(read: Reading) -> list[str]:
    value = read.anything("tags")
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > TAGS_MOST:
        read.problem("tags", "type", f"a list of at most {TAGS_MOST} texts is expected")
        return []
    for place, tag in enumerate(value):
        if not isinstance(tag, str) or not is_tag(tag):
            read.problem(f"tags/{place}", "tag", "1 to 60 of a-z, 0-9 and _ . : / - are expected")
        elif tag in value[:place]:
            read.problem(f"tags/{place}", "duplicate", "this tag is there already")
    return [tag for tag in value if isinstance(tag, str)]


def _expect(read: Reading, problems: list[InputProblem]) -> list[dict[str, Any]]:
    value = read.anything("expect")
    if not isinstance(value, list) or not 1 <= len(value) <= EXPECT_MOST:
        read.problem("expect", "required", f"a list of 1 to {EXPECT_MOST} expectations is expected")
        return []
    return [
        found
        for place, each in enumerate(value)
        if (found := expectations.read(each, pointer=f"/expect/{place}", problems=problems)) is not None
    ]


def _provenance(value: Any, problems: list[InputProblem]) -> dict[str, str]:
    if value is None:
        return {}
    read = Reading(value, pointer="/provenance")
    kind = read.choice("kind", ORIGINS)
    said = {"id": read.text("id"), "label": read.text("label", most=500)}
    problems += read.all_problems()
    return {"kind": kind} | {name: text for name, text in said.items() if text}
