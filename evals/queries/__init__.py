"""Reads of quality, by area. Every function runs inside a scope and filters by tenant besides."""

from evals.queries import judging

__all__ = [
    "judging",
]
