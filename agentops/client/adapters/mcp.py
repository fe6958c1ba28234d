"""MCP: a server that stands in front of another one and lets through what the portal allows.

`tools/list` shows the tools of the run as they were reviewed: name, description and schema are the portal's, and nothing
else that the server says of them reaches the model. A tool that the server describes otherwise than was reviewed, or that
it defines otherwise than when the run first saw it, is left out, and its calls are refused; the log says which and why.
`tools/call` is asked for, forwarded with the arguments that came back and the permit in `_meta`, and its result told. A refusal is a result with `isError`, so
that the model plans anew; while people decide, the result says where, and the same call made again goes on from there.
What ends the run, or the portal's absence, is an error of the protocol. Only tools pass; nothing else of the other
server is shown.

    python -m agentops_client.adapters.mcp --agent NAME --agent-version VERSION --user USER [--scope JSON] -- COMMAND ARG…

serves the tools of a command over stdio, in one run (AGENTOPS_URL, AGENTOPS_KEY).
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from mcp import Client, MCPError, StdioServerParameters
from mcp.server import Server
from mcp.server.context import ServerRequestContext
from mcp.server.stdio import stdio_server
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    RequestParamsMeta,
    TextContent,
    Tool,
)

from ..aclient import AsyncClient, AsyncRun
from ..errors import Aborted, GuardError, Pending, Rejected
from ..verbs import log

PERMIT = "agentops/permit"  # in `_meta` of what is forwarded
_MOST_PAGES = 100
_EMPTY_SCHEMA = {"type": "object"}


def guarded(upstream: Client, run: AsyncRun, *, wait: float | None = 0, name: str = "agentops-guard") -> Server[Any]:
    """A server in front of `upstream` (connected), for one run. `wait`: seconds to wait for people before saying so."""
    return _Proxy(upstream, run, wait).server(name)


class _Proxy:
    def __init__(self, upstream: Client, run: AsyncRun, wait: float | None) -> None:
        self._upstream, self._run, self._wait = upstream, run, wait
        self._first: dict[str, Tool] = {}  # each definition as it was first seen
        self._told: set[str] = set()  # lines of the log

    def server(self, name: str) -> Server[Any]:
        return Server(name, on_list_tools=self._list, on_call_tool=self._call)

    async def _list(self, context: ServerRequestContext[Any], params: PaginatedRequestParams | None) -> ListToolsResult:
        defined = await self._defined()
        return ListToolsResult(tools=[self._as_reviewed(tool) for tool in defined if not self._changed(tool)])

    async def _defined(self) -> list[Tool]:
        """The tools of the run as the server defines them now."""
        found: list[Tool] = []
        cursor: str | None = None
        for _ in range(_MOST_PAGES):
            page = await self._upstream.list_tools(cursor=cursor, cache_mode="refresh")
            found += [tool for tool in page.tools if tool.name in self._run.tools]
            cursor = page.next_cursor
            if cursor is None:
                break
        return found

    def _as_reviewed(self, tool: Tool) -> Tool:
        reviewed = self._run.tools[tool.name]
        return Tool(
            name=tool.name,
            description=reviewed.description or None,
            input_schema=dict(reviewed.arguments_schema) or _EMPTY_SCHEMA,
        )

    def _changed(self, tool: Tool) -> str:
        """Why a tool is not the one that was reviewed, as far as its definition tells; "" where it is."""
        said, reviewed = (tool.description or "").strip(), self._run.tools[tool.name].description.strip()
        if said and reviewed and said != reviewed:
            why = "its server describes it otherwise than was reviewed"
        elif self._first.setdefault(tool.name, tool) != tool:
            why = "its server has changed its definition since this run first saw it"
        else:
            if said and not reviewed:
                self._log(f"shown without a description {tool.name}: none was reviewed; the manifest can have one")
            return ""
        self._log(f"left out {tool.name}: {why}; what it says now has to be reviewed first")
        return why

    def _log(self, line: str) -> None:
        if line not in self._told:
            self._told.add(line)
            log.warning("%s", line)

    async def _why_not(self, name: str) -> str:
        if name not in self._run.tools:
            return ""  # the portal says why not
        return next((self._changed(tool) for tool in await self._defined() if tool.name == name), "")

    async def _call(self, context: ServerRequestContext[Any], params: CallToolRequestParams) -> CallToolResult:
        why = await self._why_not(params.name)
        if why:
            return _refusal(
                f"Refused (tool_not_reviewed): {params.name} may not be called, as {why}. Plan without it.",
                {"code": "tool_not_reviewed"},
            )
        try:
            async with self._run.tool_call(params.name, params.arguments or {}, wait=self._wait) as call:
                meta = cast(RequestParamsMeta, {PERMIT: call.permit})
                result = await self._upstream.call_tool(params.name, call.arguments, meta=meta)
                if result.is_error:
                    call.failed(_text(result))
                return result
        except Rejected as refused:
            return _refusal(refused.for_model(), {"code": refused.code, "attempts_left": refused.attempts_left})
        except Pending as pending:
            asks = pending.confirmation
            said = {"id": asks.id, "tier": asks.tier, "url": asks.url, "expires_at": asks.expires_at.isoformat()}
            return _refusal(pending.for_model(), {"code": pending.code, "confirmation": said})
        except GuardError as error:
            number = INVALID_REQUEST if isinstance(error, Aborted) else INTERNAL_ERROR
            raise MCPError(number, f"{error.code}: {error.detail}") from error


def _refusal(text: str, said: dict[str, Any]) -> CallToolResult:
    return CallToolResult(content=[TextContent(text=text)], is_error=True, _meta={"agentops": said})


def _text(result: CallToolResult) -> str:
    return "\n".join(part.text for part in result.content if isinstance(part, TextContent))


async def serve(
    command: Sequence[str],
    *,
    agent: str,
    agent_version: str,
    user: str,
    scope: Mapping[str, Any] | None = None,
    wait: float | None = 0,
) -> None:
    """Serve a command's tools over this process's stdin and stdout, in one run, until the client leaves."""
    parameters = StdioServerParameters(command=command[0], args=list(command[1:]))
    async with (
        AsyncClient() as portal,
        Client(parameters) as upstream,
        portal.run(agent=agent, agent_version=agent_version, user=user, scope=scope) as run,
        stdio_server() as (read, write),
    ):
        server = guarded(upstream, run, wait=wait)
        await server.run(read, write, server.create_initialization_options())


def main() -> None:
    parser = argparse.ArgumentParser(prog="agentops_client.adapters.mcp", description=__doc__)
    for name in ("--agent", "--agent-version", "--user"):
        parser.add_argument(name, required=True)
    parser.add_argument(
        "--scope", type=_scope, help="""what the run is for, as JSON: {"user": {"order_ids": ["ord_1"]}}"""
    )
    parser.add_argument("--wait", type=float, default=0.0, help="seconds to wait for people before saying so")
    parser.add_argument("command", nargs="+")
    said = parser.parse_args()
    run = {"agent": said.agent, "agent_version": said.agent_version, "user": said.user, "scope": said.scope}
    asyncio.run(serve(said.command, **run, wait=said.wait))


def _scope(text: str) -> dict[str, Any]:
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError(text)
    return found


if __name__ == "__main__":
    main()
