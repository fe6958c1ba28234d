"""Reads of quality, by area: `from evals.queries import queue, signals`."""
