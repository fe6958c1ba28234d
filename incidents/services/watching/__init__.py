"""The round of a detector: read all organisations, then write alerts as rows of our own."""

from incidents.services.watching.detectors import DETECTORS
from incidents.services.watching.rounds import look
from incidents.services.watching.usual import compute_usual, open_investigations

__all__ = ["DETECTORS", "compute_usual", "look", "open_investigations"]
