"""Pieces of text as markup: what cannot be seen stands there by its name, for eyes and for screen readers alike."""

from __future__ import annotations

from collections.abc import Sequence

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from agentops.confirmations.rendering import Leaf, Piece

register = template.Library()

_LINE = mark_safe('<span class="eol" aria-hidden="true">↵</span>\n')
_EMPTY = mark_safe('<span class="what">empty text</span>')
_NAMED_ONLY = frozenset({"invisible", "bidirectional", "padding"})


@register.filter
def pieces(text: Sequence[Piece]) -> SafeString:
    """A value, isolated from the direction of the text around it."""
    if len(text) == 1 and not text[0].kind:  # nearly always
        return format_html("<bdi>{}</bdi>", text[0].text)
    return format_html("<bdi>{}</bdi>", format_html_join("", "{}", ((_piece(piece),) for piece in text)))


@register.filter
def leaf_line(leaf: Leaf) -> SafeString:
    """One value of the payload as a line of its list. In Python, because a payload may have thousands of them."""
    classes = "leaf" + (" is-long" if leaf.is_long else "") + (" is-odd" if leaf.is_odd else "")
    path = format_html_join(" › ", "{}", ((pieces(name),) for name in leaf.path)) if leaf.path else "the value"
    role = format_html('<span class="role">{}</span>', leaf.role) if leaf.role else ""
    return format_html(
        '<div class="{}"><dt title="{}">{}{}</dt><dd>{}</dd></div>\n', classes, _pointer(leaf), path, role, _value(leaf)
    )


def _pointer(leaf: Leaf) -> str:
    """Where it is, with nothing hidden in it."""
    return leaf.pointer if leaf.pointer.isascii() and leaf.pointer.isprintable() else leaf.label


def _value(leaf: Leaf) -> SafeString:
    if leaf.kind == "empty text":
        return _EMPTY
    reads = format_html('<span class="reads">{}</span>', leaf.reads) if leaf.reads else ""
    what = "" if leaf.kind in ("text", "number") else format_html(' <span class="what">{}</span>', leaf.kind)
    return format_html('{}<span class="value">{}</span>{}', reads, pieces(leaf.value), what)


def _piece(piece: Piece) -> SafeString:
    if not piece.kind:
        return format_html("{}", piece.text)
    if piece.kind == "line":
        return _LINE
    if piece.kind in ("space", "tab"):
        return format_html('<span class="odd is-blank">{}</span>', piece.name)
    if piece.kind in _NAMED_ONLY:
        return format_html('<span class="odd">{}</span>', piece.name)
    if piece.kind == "mixed_script" and piece.text.isascii():
        return format_html('<span class="of-mixed" title="{}">{}</span>', piece.name, piece.text)
    return format_html('<span class="odd is-glyph"><b>{}</b> {}</span>', piece.text, piece.name)
