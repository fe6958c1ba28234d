"""A runbook's Markdown as people read it: HTML without anything raw in it, and its steps, the `- [ ]` lines. Pure.

CommonMark without HTML and images: what somebody writes is shown, never run, and loads nothing from elsewhere. Links lead to
https and mail addresses and to our own pages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.token import Token

BODY_MOST, STEPS_MOST = 40_000, 60
_STEP = re.compile(r"\[[ xX]\][ \t]+")
_LINK = re.compile(r"(https?://|mailto:|/(?!/)|#)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Step:
    """One `- [ ]` line, by its place in the text from 1 on."""

    number: int
    html: SafeString
    text: str


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of text, or steps that follow each other."""

    html: SafeString
    steps: tuple[Step, ...]


def read(body: str) -> list[Part]:
    """The whole text in its order."""
    found: list[Part] = []
    waiting: list[Token] = []
    number = 0
    for block in _blocks(_markdown().parse(body)):
        items = list(_items(block)) if block[0].type == "bullet_list_open" else []
        if not items or not all(_STEP.match(_inline(item).content) for item in items):
            waiting += block
            continue
        if waiting:
            found.append(Part(_html(waiting), ()))
            waiting = []
        steps = tuple(_step(item, number + place) for place, item in enumerate(items, 1))
        number += len(steps)
        found.append(Part(mark_safe(""), steps))
    if waiting:
        found.append(Part(_html(waiting), ()))
    return found


def steps(body: str) -> list[Step]:
    return [step for part in read(body) for step in part.steps]


def _markdown() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False}).enable("table").disable(["image", "html_block", "html_inline"])
    made.validateLink = lambda url: bool(_LINK.match(url.strip()))  # type: ignore[method-assign]
    return made


def _html(tokens: Sequence[Token]) -> SafeString:
    markdown = _markdown()
    html: str = markdown.renderer.render(tokens, markdown.options, {})
    return mark_safe(html)  # noqa: S308  the renderer escapes all text


def _blocks(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    """Each block at the top of the text, with all that is inside it."""
    block: list[Token] = []
    depth = 0
    for token in tokens:
        block.append(token)
        depth += token.nesting
        if depth == 0:
            yield block
            block = []


def _items(block: Sequence[Token]) -> Iterator[list[Token]]:
    """What stands inside each item of a list."""
    for item in _blocks(block[1:-1]):
        if any(token.type == "inline" for token in item[1:3]):
            yield item[1:-1]
        else:
            yield [Token("inline", "", 0, content="", children=[])]


def _inline(item: Sequence[Token]) -> Token:
    return next(token for token in item if token.type == "inline")


def _step(item: list[Token], number: int) -> Step:
    inline = _inline(item)
    mark = _STEP.match(inline.content)
    assert mark and inline.children is not None
    inline.content = inline.content[mark.end() :]
    if inline.children and inline.children[0].type == "text":
        inline.children[0].content = _STEP.sub("", inline.children[0].content, count=1)
    return Step(number, _html(item), inline.content)
