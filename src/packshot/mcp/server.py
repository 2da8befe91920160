"""Serves the tools over the Model Context Protocol on stdin and stdout. The SDK reserves stdout for the protocol."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from packshot import __version__
from packshot.engine.job import Cancellation, Cancelled
from packshot.errors import InvalidOption, PackshotError
from packshot.mcp.folders import Folders
from packshot.mcp.tools import TOOLS, Answer, Call, Tool

Context = ServerRequestContext[Any, Any]
_ROOTS = "roots"


class AgentServer:
    """Serves one client. Processes one photo at a time, with all processors."""

    def __init__(
        self,
        folders: Folders,
        *,
        model: str | None = None,
        device: Literal["cpu", "cuda"] = "cpu",
        ignore_roots: bool = False,
    ) -> None:
        """ignore_roots: ignore the client's roots instead of narrowing `folders` to them."""
        self._folders, self._model, self._device = folders, model, device
        self._ignore_roots = ignore_roots
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="packshot")

    async def run(self) -> None:
        """Serve on stdin and stdout until stdin ends."""
        server: Server[Any] = Server(
            "packshot",
            version=__version__,
            title="packshot",
            instructions=(
                "Removes backgrounds of product photos and makes pictures that follow marketplaces' rules. Give files "
                f"by path, within {self._folders}. If a result has `review` true, ask the user to check that "
                "picture."
            ),
            on_list_tools=self._list_tools,
            on_call_tool=self._call_tool,
        )
        try:
            async with stdio_server() as (read, write):
                await server.run(read, write, server.create_initialization_options())
        finally:
            self._worker.shutdown()

    async def _list_tools(
        self, _context: Context, _params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(tools=list(map(_described, TOOLS.values())))

    async def _call_tool(
        self, context: Context, params: types.CallToolRequestParams
    ) -> types.CallToolResult | types.InputRequiredResult:
        try:
            tool = TOOLS.get(params.name)
            if tool is None:
                raise InvalidOption(f"The tool {params.name[:40]!r} does not exist.", hint=f"Use {', '.join(TOOLS)}.")
            arguments = tool.check(params.arguments or {})
            folders = await self._allowed(context, params)
            if isinstance(folders, types.InputRequiredResult):
                return folders
            return _result(await self._work(tool, arguments, folders))
        except PackshotError as error:
            return _failure(error)

    async def _work(self, tool: Tool, arguments: Mapping[str, Any], folders: Folders) -> Answer:
        """Run a tool off the event loop. If the client cancels, it stops at its next stage and writes nothing."""
        cancellation = Cancellation()
        call = Call(arguments, folders, cancellation, self._model, self._device)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._worker, _quietly, tool, call)
        except asyncio.CancelledError:
            cancellation.cancel()
            raise

    async def _allowed(
        self, context: Context, params: types.CallToolRequestParams
    ) -> Folders | types.InputRequiredResult:
        """The folders for this call: the allowed ones, narrowed to the client's roots if it has any."""
        capabilities = context.session.client_capabilities
        if self._ignore_roots or capabilities is None or capabilities.roots is None:
            return self._folders
        if context.protocol_version in MODERN_PROTOCOL_VERSIONS:  # such a client answers with a second call
            answered = (params.input_responses or {}).get(_ROOTS)
            if not isinstance(answered, types.ListRootsResult):
                return types.InputRequiredResult(input_requests={_ROOTS: types.ListRootsRequest()})
        else:
            answered = await context.session.send_request(types.ListRootsRequest(), types.ListRootsResult)
        roots = [_path(str(root.uri)) for root in answered.roots]
        return self._folders.narrowed(roots) if roots else self._folders


def _quietly(tool: Tool, call: Call) -> Answer:
    """Run a call's work. Returns an empty answer if it was cancelled, because the client no longer waits."""
    try:
        call.cancellation.check()
        return tool.work(call)
    except Cancelled:
        return Answer({})


def _path(uri: str) -> Path:
    return Path(unquote(urlsplit(uri).path))


def _described(tool: Tool) -> types.Tool:
    return types.Tool(
        name=tool.name,
        title=tool.title,
        description=tool.about,
        input_schema=tool.schema,
        annotations=types.ToolAnnotations(
            read_only_hint=tool.reads_only, destructive_hint=not tool.reads_only, open_world_hint=False
        ),
    )


def _result(answer: Answer) -> types.CallToolResult:
    pictures = [
        types.ImageContent(data=base64.b64encode(each).decode(), mime_type="image/jpeg") for each in answer.previews
    ]
    return types.CallToolResult(content=[_text(answer.facts), *pictures], structured_content=answer.facts)


def _failure(error: PackshotError) -> types.CallToolResult:
    """An error result that the agent can read and act on."""
    facts = {"error": {"slug": error.slug, "message": error.message, "hint": error.hint}}
    return types.CallToolResult(content=[types.TextContent(text=str(error))], structured_content=facts, is_error=True)


def _text(facts: Mapping[str, Any]) -> types.TextContent:
    """The facts as text, for clients that read only text."""
    return types.TextContent(text=json.dumps(facts, ensure_ascii=False))
