"""The review queue: writes."""

from evals.services.queue.filling import fill_queue
from evals.services.queue.reviewing import ask_review, note_led_to, review, set_sampling

__all__ = ["ask_review", "fill_queue", "note_led_to", "review", "set_sampling"]
