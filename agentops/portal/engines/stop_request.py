"""A request to stop (Ctrl-C, SIGTERM, SIGHUP), kept until it is heeded.

The handler raises nothing. It may run inside a finalizer, a weak reference's callback or a callback that C code calls, and
there Python prints an exception and goes on: the request would be lost. Inside `Popen` it would lose the child instead. So
the handler only notes, and whoever waits calls `heed()`, where nothing is half done. Tidying never calls it.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_is_made = False


class StopRequested(BaseException):
    """Raised by `heed()`. Not an Exception, so that no retry takes it for a failure; who swallows it meets the next."""


def listen(when_made: Callable[[], None]) -> None:
    """From now on the signals make the request. `when_made` is called at each, anywhere: it may not raise or block."""

    def note(number: int, frame: FrameType | None) -> None:
        global _is_made
        _is_made = True
        when_made()

    for number in _SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # ignored under nohup
            signal.signal(number, note)


def stop_listening() -> None:
    """All is tidy. The signals are ignored: the interpreter, as it ends, would give them back their deadly default."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def is_made() -> bool:
    return _is_made


def heed() -> None:
    """Raise StopRequested if the request was made. Call it in every round of every wait that is not part of a stop."""
    if _is_made:
        raise StopRequested
