"""`packshot serve` and `packshot health`: the service, with a first key and a line to paste, and the probe of it."""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from packshot.cli.errors import NotHealthy

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
    try:
        make_server(service).run(sockets=[listening])
    finally:
        if service.admission.running:  # a thread that cannot be stopped, which Python would wait for
            logging.shutdown()
            os._exit(1)


@click.command()
@click.option("--ready", is_flag=True, help="Ask whether it would serve a request, not only whether it is alive.")
@click.option("--timeout", "timeout_s", type=float, default=3.0, show_default=True, help="Seconds to wait.")
def health(ready: bool, timeout_s: float) -> None:
    """Ask the service of this environment whether it is well; exit code 0 or 69."""
    from http.client import HTTPConnection, HTTPException

    from packshot.service.settings import Settings

    settings = Settings.from_environment(os.environ)
    path = "/readyz" if ready else "/healthz"
    host = "127.0.0.1" if settings.host in {"0.0.0.0", "::"} else settings.host  # noqa: S104 - compared, not bound
    connection = HTTPConnection(host, settings.port, timeout=timeout_s)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read().decode(errors="replace")
    except TimeoutError as error:
        raise NotHealthy(
            f"{host}:{settings.port} did not answer within {timeout_s:g} s.",
            hint="Its log says what it waits for; --timeout waits longer.",
        ) from error
    except (OSError, HTTPException) as error:
        raise NotHealthy(f"{host}:{settings.port} does not answer: {error}.", hint="Is it running?") from error
    finally:
        connection.close()
    if answer.status != 200:
        raise NotHealthy(f"{path} answered {answer.status}: {_said(body)}", hint="Its log says why.")
    click.echo("ok")


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


def _said(body: str) -> str:
    """The problem details in words for people; else the start of whatever came."""
    try:
        problem = json.loads(body)
        return f"{problem['detail']} {problem['hint']}".strip()
    except (ValueError, LookupError, TypeError):
        return body[:200]
