"""Reads of quality, by area. Every function runs inside a scope and filters by tenant besides."""

# gates
from evals.queries import gates

__all__ = [
    # gates
    "gates",
]
