"""Pieces of text as markup: what cannot be seen stands there by its name, for eyes and for screen readers alike."""

from __future__ import annotations

from collections.abc import Iterable

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from agentops.confirmations.rendering import Piece

register = template.Library()

_LINE = mark_safe('<span class="eol" aria-hidden="true">↵</span>\n')
_NAMED_ONLY = frozenset({"invisible", "bidirectional", "padding"})


@register.filter
def pieces(text: Iterable[Piece]) -> SafeString:
    """A value, isolated from the direction of the text around it."""
    return format_html("<bdi>{}</bdi>", format_html_join("", "{}", ((_piece(piece),) for piece in text)))


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
