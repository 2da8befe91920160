"""`packshot serve` and `packshot health`: runs the service and prints the link to its page; probes the service."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from packshot.cli import work_begins
from packshot.cli.errors import NotHealthy

if TYPE_CHECKING:
    from packshot.service.settings import Settings
    from packshot.service.state import Link

EXAMPLE = Path("examples/bear.jpg")
# These would take over the terminal, which shows the log.
TEXT_BROWSERS = frozenset({"www-browser", "links", "links2", "elinks", "lynx", "w3m", "browsh"})


@click.command()
@click.option("--host", help="Address to listen on; also PACKSHOT_HOST.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(1, 65535), help="Port; also PACKSHOT_PORT.  [default: 8000]")
@click.option(
    "--open",
    "open_page",
    is_flag=True,
    help="Open the page in a browser; only if no other machine can reach the service.",
)
def serve(host: str | None, port: int | None, open_page: bool) -> None:
    """Run the service.

    Environment variables set all other options; see "Settings" in the
    documentation. By default the service listens on this
    machine only, and prints a link that opens its page with a key.
    """
    from packshot.api.server import bind, make_server, raise_descriptor_limit
    from packshot.engine.process import tune_process
    from packshot.service.build import build
    from packshot.service.logs import set_up_logging
    from packshot.service.settings import Settings

    options = {"PACKSHOT_HOST": host, "PACKSHOT_PORT": None if port is None else str(port)}
    settings = Settings.from_environment({**os.environ, **{name: text for name, text in options.items() if text}})
    if open_page and not settings.only_here:
        raise click.UsageError(
            f"--open needs a service that only this machine can reach: {why_others_reach(settings)}."
        )
    tune_process()
    raise_descriptor_limit()
    set_up_logging(settings.log_level, settings.log_format)
    listening = bind(settings)
    service = build(settings)
    _welcome(settings, service.link)
    work_begins()
    try:
        make_server(service, _opening(service.link if open_page else None)).run(sockets=[listening])
    finally:
        if service.admission.running:  # Python would wait for this thread, which cannot be stopped
            logging.shutdown()
            os._exit(1)


@click.command()
@click.option("--ready", is_flag=True, help="Check that the service can serve requests, not only that it is alive.")
@click.option("--timeout", "timeout_s", type=float, default=3.0, show_default=True, help="Seconds to wait.")
def health(ready: bool, timeout_s: float) -> None:
    """Check that the service is healthy.

    Uses the address in this environment's settings. The exit code is 0 if the service is healthy, else 69.
    """
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
            hint="Look in the service's log, or wait longer with --timeout.",
        ) from error
    except (OSError, HTTPException) as error:
        raise NotHealthy(
            f"{host}:{settings.port} does not answer: {error}.", hint="Check that the service runs."
        ) from error
    finally:
        connection.close()
    if answer.status != 200:
        raise NotHealthy(
            f"{path} answered {answer.status}: {_said(body)}", hint="See the service's log for the reason."
        )
    click.echo("ok")


def usable(link: Link | None) -> bool:
    """Whether the link's key works. A key without credits works too: the page reports the missing credits."""
    return link is not None and link.info.state == "active"


def why_not(link: Link) -> str:
    """The limitation of a link and its remedy; "" for a link without limitation."""
    if link.info.state == "locked":
        return f"The key of this machine's link is locked. To unlock it: `{command()} keys unlock {link.info.id}`."
    if link.info.credits == 0:
        return f"The key has no credits left. To add some: `{command()} keys credits add {link.info.id} COUNT`."
    return ""


def why_others_reach(settings: Settings) -> str:
    """The setting that lets other machines reach the service, with its value."""
    if settings.is_loopback:
        return f"PACKSHOT_PUBLIC_BASE_URL is {settings.public_base_url}"
    return f"PACKSHOT_HOST is {settings.host}"


def command() -> str:
    """The command to type for packshot. `make serve` and `uv run` install it in a folder outside the user's PATH."""
    environment = Path(sys.prefix)
    return f"{environment.name}/bin/packshot" if environment.parent == Path.cwd() and os.name == "posix" else "packshot"


def _welcome(settings: Settings, link: Link | None) -> None:
    from packshot.api.limits import WIDEST, in_words
    from packshot.service.build import contract_limits

    address = settings.base_url
    click.echo(f"packshot serves on {address}  (docs: {address}/docs)")
    if settings.public_base_url:
        click.echo(f"It listens on {settings.host}, port {settings.port}.")
    if link is None or not usable(link):
        said = f"{why_not(link)}\n" if link else ""
        click.echo(f"{said}Keys: `{command()} keys list`, `{command()} keys create NAME`.\n")
        return
    photo = EXAMPLE if EXAMPLE.exists() else Path("photo.jpg")
    click.echo(f"Open the page, with its key:  {link.url}")
    if why_not(link):
        click.echo(why_not(link))
    click.echo(f"To show this link again: `{command()} keys link`. Or send a photo from another terminal:\n")
    click.echo(f"  curl -H 'x-api-market-key: {link.key}' -F image=@{photo} {address}/cutout/commodity/commodity\n")
    click.echo(f"This endpoint accepts {in_words(contract_limits(settings))}. For other photos use {WIDEST}.\n")


def _opening(link: Link | None) -> Callable[[], object]:
    """A function that opens the link, if it is usable, and returns at once.

    It opens the link in a thread: the search for a browser takes time, and some browsers block until closed.
    """
    if link is None or not usable(link):
        return lambda: None
    return threading.Thread(target=_open, args=(link,), daemon=True, name="browser").start


def _open(link: Link) -> None:
    """Open the link in a graphical browser, or print that no browser exists."""
    if not open_in_browser(link.url):
        click.echo(f"No browser can be opened here. Open {link.url} in yours.\n")


def open_in_browser(url: str) -> bool:
    """Open an address in a graphical browser. Returns whether one took it; may block until the browser closes."""
    import webbrowser

    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return False
    return Path(str(getattr(browser, "name", ""))).name not in TEXT_BROWSERS and browser.open(url)


def _said(body: str) -> str:
    """The detail and hint of a problem-details body; for any other body, its first 200 characters."""
    try:
        problem = json.loads(body)
        return f"{problem['detail']} {problem['hint']}".strip()
    except (ValueError, LookupError, TypeError):
        return body[:200]
