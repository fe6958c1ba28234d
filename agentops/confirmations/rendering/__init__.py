"""From bound bytes to what a person is shown: pure, and versioned, so that the same bytes always show the same.

A view is made of pieces of text. What an eye cannot tell (nothing to see, another direction, a letter of another script)
is a piece of its own that has a name. `View.digest` covers the canonical text of everything that is shown; whoever
changes a word here that a person agrees to raises `VERSION`.
"""

from agentops.confirmations.rendering.phrases import accepts
from agentops.confirmations.rendering.pieces import pieces
from agentops.confirmations.rendering.types import Difference, Leaf, Piece, Pieces, View, Warning, visible
from agentops.confirmations.rendering.views import VERSION, headline, render

__all__ = [
    "VERSION",
    "Difference",
    "Leaf",
    "Piece",
    "Pieces",
    "View",
    "Warning",
    "accepts",
    "headline",
    "pieces",
    "render",
    "visible",
]
