"""Guarded functions. They run inside a run only, sync functions in a Client's, coroutines in an AsyncClient's; in an eval
(evals.py) tools answer from the recording instead, and model calls are noted."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from .aclient import AsyncRun
from .client import Run
from .errors import NoRun
from .evals_session import current_session
from .run import current_run

F = TypeVar("F", bound=Callable[..., Any])


def tool(
    name: str = "",
    *,
    reason: str = "",
    tainted: bool = False,
    wait: float | None = None,
    resource_version: Callable[..., str] | None = None,
) -> Callable[[F], F]:
    """Ask the portal before each call of a function, and run it with the arguments that come back.

    `name` is the tool's, the function's own by default. Arguments must be JSON values. `resource_version` tells, from the
    same arguments, the version of what they act on (see Run.tool_call). Raises what Run.tool_call does, and TypeError for
    generator functions.
    """

    def decorate(function: F) -> F:
        said = name or function.__name__
        parameters = inspect.signature(function)
        options: dict[str, Any] = {"reason": reason, "tainted": tainted, "wait": wait}

        def asked(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
            arguments = arguments_of(parameters, args, kwargs)
            version = functools.partial(resource_version, **arguments) if resource_version else ""
            return {"arguments": arguments, "resource_version": version, **options}

        @functools.wraps(function)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            if (session := current_session.get()) is not None:
                return session.call(said, arguments_of(parameters, args, kwargs))
            with _sync_run(said).tool_call(said, **asked(args, kwargs)) as call:
                return function(**call.arguments)

        @functools.wraps(function)
        async def guarded_async(*args: Any, **kwargs: Any) -> Any:
            if (session := current_session.get()) is not None:
                return session.call(said, arguments_of(parameters, args, kwargs))
            async with _async_run(said).tool_call(said, **asked(args, kwargs)) as call:
                return await function(**call.arguments)

        return _either(function, guarded, guarded_async)

    return decorate


def model_call(
    *,
    max_output_tokens: int,
    input_tokens: Callable[..., int],
    model: str = "",
    provider: str = "",
    task_class: str = "",
) -> Callable[[F], F]:
    """Reserve before each call of a function, settle after it. The function gets the ModelCall as its first argument.

    `input_tokens` counts, from the same arguments, what will be sent. Raises what Run.model_call does.
    """

    def decorate(function: F) -> F:
        options: dict[str, Any] = {
            "max_output_tokens": max_output_tokens,
            "model": model,
            "provider": provider,
            "task_class": task_class,
        }

        @functools.wraps(function)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            if (session := current_session.get()) is not None:
                with session.unguarded(model, max_output_tokens) as call:
                    return function(call, *args, **kwargs)
            run = _sync_run(function.__name__)
            with run.model_call(input_tokens=input_tokens(*args, **kwargs), **options) as call:
                return function(call, *args, **kwargs)

        @functools.wraps(function)
        async def guarded_async(*args: Any, **kwargs: Any) -> Any:
            if (session := current_session.get()) is not None:
                with session.unguarded(model, max_output_tokens) as call:
                    return await function(call, *args, **kwargs)
            run = _async_run(function.__name__)
            async with run.model_call(input_tokens=input_tokens(*args, **kwargs), **options) as call:
                return await function(call, *args, **kwargs)

        return _either(function, guarded, guarded_async)

    return decorate


def arguments_of(signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Arguments by name. Defaults stay out: what is not said is not asked for. Raises TypeError for positional-only ones."""
    bound = signature.bind(*args, **kwargs)
    found: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        match signature.parameters[name].kind:
            case inspect.Parameter.VAR_KEYWORD:
                found.update(value)
            case inspect.Parameter.VAR_POSITIONAL | inspect.Parameter.POSITIONAL_ONLY:
                raise TypeError(f"a guarded function takes arguments by name, and {name} cannot be given so")
            case _:
                found[name] = value
    return found


def _either(function: F, guarded: Any, guarded_async: Any) -> F:
    """Raises TypeError for generators: their end would be told before they have begun."""
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(
            f"{function.__name__} is a generator, which would run after its end was told; "
            "let it return its result, or yield inside `with run.tool_call(…)` or `run.model_call(…)`"
        )
    chosen: F = guarded_async if inspect.iscoroutinefunction(function) else guarded
    return chosen


def _sync_run(what: str) -> Run:
    run = current_run.get()
    if not isinstance(run, Run):
        raise NoRun(what)
    return run


def _async_run(what: str) -> AsyncRun:
    run = current_run.get()
    if not isinstance(run, AsyncRun):
        raise NoRun(what)
    return run
