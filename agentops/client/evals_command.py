"""`python -m agentops_client.evals run|replay|serve …`: suites and replays from a shell or a pipeline.

Exit codes: 0 all cases passed (the replay is the same), 1 not, 2 nothing could be run.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from . import evals
from .client import Client
from .errors import GuardError
from .evals_serve import SECRET_VARIABLE, serve


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        call, tools = _found(options.call), _found(options.tools) if options.tools else ()
        if options.verb == "serve":
            serve(call, tools=tools, secret=os.environ.get(SECRET_VARIABLE, ""), port=options.port)
            return 0
        with Client() as client:
            result = (
                _run(client, options, call, tools) if options.verb == "run" else _replay(client, options, call, tools)
            )
    except (GuardError, ValueError) as error:
        print(f"nothing could be run: {error}", file=sys.stderr)
        for problem in getattr(error, "errors", ()):
            print(f"  {problem.pointer}: {problem.expected or problem.hint}", file=sys.stderr)
        return 2
    print(json.dumps(result.said) if options.json else result)
    is_good = result.passed if isinstance(result, evals.SuiteResult) else result.is_same
    return 0 if is_good else 1


def _run(client: Client, options: Any, call: Any, tools: Any) -> evals.SuiteResult:
    return evals.run_suite(
        client,
        agent=options.agent,
        version=options.version,
        set=options.set,
        call=call,
        tools=tools,
        revision=options.revision,
        mode=options.mode,
        tags=options.tag,
        repeats=options.repeats,
        workers=options.workers,
        trigger="ci" if os.environ.get("CI") else "api",
    )


def _replay(client: Client, options: Any, call: Any, tools: Any) -> evals.ReplayResult:
    return evals.replay(client, options.run_id, call=call, tools=tools, version=options.version)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m agentops_client.evals", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    run = verbs.add_parser("run", help="run a set on an agent version")
    run.add_argument("--agent", required=True)
    run.add_argument("--set", required=True)
    run.add_argument("--revision", type=int)
    run.add_argument("--mode", choices=["plain", "chaos"], default="plain")
    run.add_argument("--tag", action="append", default=[], help="only cases that have one of these")
    run.add_argument("--repeats", type=int, default=1)
    run.add_argument("--workers", type=int, default=1)
    run.add_argument("--version", required=True)
    replay = verbs.add_parser("replay", help="run a recorded run again, and compare")
    replay.add_argument("run_id")
    replay.add_argument("--version", default="")
    serving = verbs.add_parser("serve", help=f"answer the portal's own runs; the secret is in {SECRET_VARIABLE}")
    serving.add_argument("--port", type=int, default=8900)
    for verb in (run, replay, serving):
        verb.add_argument("--call", required=True, metavar="MODULE:NAME", help="the agent, call(case, session)")
        verb.add_argument("--tools", metavar="MODULE:NAME", help="its tools: functions, or functions by name")
        verb.add_argument("--json", action="store_true", help="print the portal's answer as one JSON object")
    return parser


def _found(place: str) -> Any:
    """What a MODULE:NAME names; modules of the current directory first. Raises ValueError."""
    module, _, name = place.partition(":")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"{place} is not there: {error}; MODULE:NAME is expected") from error
    return found
