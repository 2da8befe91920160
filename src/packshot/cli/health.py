"""`packshot health`: the probe of a container's HEALTHCHECK."""

from __future__ import annotations

import json
import os

import click

from packshot.cli.errors import NotHealthy


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


def _said(body: str) -> str:
    """What the problem details say to people; else the start of whatever came."""
    try:
        problem = json.loads(body)
        return f"{problem['detail']} {problem['hint']}".strip()
    except (ValueError, LookupError, TypeError):
        return body[:200]
