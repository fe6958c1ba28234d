"""The one error of this package."""


class EngineError(RuntimeError):
    """An engine cannot be started or used. The message is a sentence for the operator, with what to do."""
