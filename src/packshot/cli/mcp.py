"""`packshot mcp`: a server that lets agents process files in allowed folders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from packshot.cli import work_begins
from packshot.cli.options import device_option, model_option
from packshot.cli.terminal import say

if TYPE_CHECKING:
    from packshot.engine.session import Device


@click.command()
@click.option(
    "--allow",
    "folders",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Folder that the agent may read and write; may be repeated.  [default: the current folder]",
)
@click.option(
    "--ignore-roots",
    is_flag=True,
    help="Allow these folders even if the agent's program has not opened them.",
)
@model_option
@device_option
def mcp(folders: tuple[Path, ...], ignore_roots: bool, model: str | None, device: Device) -> None:
    """Serve agents through MCP on stdin and stdout.

    \b
    packshot mcp --allow photos/ --allow shop/

    An agent's program starts this command and uses it through the Model Context Protocol. See "Connect an agent (MCP)"
    in the documentation for Claude, Cursor and VS Code. Tools: remove_background, make_packshot, check_picture,
    list_presets, batch_status. They use only files in the allowed folders, also when links are followed, and replace a
    file only if the call requests it. Needs packshot[mcp].
    """
    import asyncio

    from packshot.engine.process import keep_memory
    from packshot.engine.weights import default_model, find_card, verify
    from packshot.mcp.folders import Folders
    from packshot.mcp.server import AgentServer

    keep_memory()
    model = model or default_model(None, device)
    verify(*find_card(model))
    allowed = Folders.of(folders or (Path(),))
    say(f"packshot serves an agent on stdin and stdout, with access to {allowed}.", err=True)
    server = AgentServer(allowed, model=model, device=device, ignore_roots=ignore_roots)
    work_begins()
    asyncio.run(server.run())
