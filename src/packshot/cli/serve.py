"""`packshot serve`: the service, with a first key and a line to paste."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from packshot.service.settings import Settings

EXAMPLE = Path("examples/bear.jpg")


@click.command()
@click.option("--host", help="Address to listen on; also PACKSHOT_HOST.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(1, 65535), help="Port; also PACKSHOT_PORT.  [default: 8000]")
def serve(host: str | None, port: int | None) -> None:
    """Run the service.

    Everything else is set by environment variables; docs/settings.md lists them. With nothing set it listens on this
    machine only and makes its own secret and a first key.
    """
    from packshot.api.server import bind, make_server, raise_descriptor_limit
    from packshot.engine.process import tune_process
    from packshot.service.build import build
    from packshot.service.logs import set_up_logging
    from packshot.service.settings import Settings

    options = {"PACKSHOT_HOST": host, "PACKSHOT_PORT": None if port is None else str(port)}
    settings = Settings.from_environment({**os.environ, **{name: text for name, text in options.items() if text}})
    tune_process()
    raise_descriptor_limit()
    set_up_logging(settings.log_level, settings.log_format)
    listening = bind(settings)
    service = build(settings)
    _welcome(settings, service.first_key.key if service.first_key else None)
    make_server(service).run(sockets=[listening])


def _welcome(settings: Settings, first_key: str | None) -> None:
    address = settings.base_url
    click.echo(f"packshot serves on {address}  (in a browser: the page; docs: {address}/docs)")
    if settings.public_base_url:
        click.echo(f"It listens on {settings.host}, port {settings.port}.")
    if first_key is None:
        command = _command()
        click.echo(f"Keys: `{command} keys list`, `{command} keys create NAME`.\n")
        return
    photo = EXAMPLE if EXAMPLE.exists() else Path("photo.jpg")
    click.echo(f"First API key, shown this once: {first_key}\nThe page asks for it. Or try it from another terminal:\n")
    click.echo(f"  curl -H 'x-api-market-key: {first_key}' -F image=@{photo} {address}/cutout/commodity/commodity\n")


def _command() -> str:
    """What to type for packshot: `make serve` and `uv run` keep it in a folder that is on no PATH but their own."""
    environment = Path(sys.prefix)
    return f"{environment.name}/bin/packshot" if environment.parent == Path.cwd() and os.name == "posix" else "packshot"
