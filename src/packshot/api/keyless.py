"""Rejects requests without a key that a browser may have sent for a foreign page.

From any page, a form or an <img> can reach a service on this machine without a preflight. With DNS rebinding, the
browser even treats a foreign page as the service's own origin.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.requests import Request

from packshot.api.errors import ForeignPage
from packshot.api.http import is_among
from packshot.service.environment import variable_of
from packshot.service.setting_types import is_loopback_name
from packshot.service.settings import Settings

# Values of Sec-Fetch-Site. For requests without Origin, such as those of an <img>. Programs send neither header, and
# for a user's own navigation the value is "none".
_OF_A_PAGE = frozenset({"cross-site", "same-site"})

# Tunnels and most proxies send one of these. A proxy that sends none and changes the Host looks like this machine.
_OF_A_PROXY = ("forwarded", "x-forwarded-for", "x-real-ip", "via")


def refuse_foreign_pages(request: Request, settings: Settings) -> None:
    """Raises: ForeignPage for a Host that is not the service's, for a page of another origin, and for a proxy.

    Proxies are rejected only without the setting keyless_key. Then the link's key pays, which is for local users only.
    """
    if settings.keyless_key is None and any(name in request.headers for name in _OF_A_PROXY):
        raise ForeignPage(
            "The request came through a proxy and has no key.",
            hint=f"Send a key, or ask the operator to set {variable_of('public_base_url')} and "
            f"{variable_of('keyless_key')}.",
        )
    host = request.headers.get("host", "").lower()
    if not _is_ours(host, settings):
        raise ForeignPage(
            f"The request is for {host[:100] or 'no host'}, which is not a name of this service.",
            hint=f"Without a key, use {settings.base_url} (set by {variable_of('public_base_url')}) or a loopback "
            f"name. With a key, any name works.",
        )
    origin = request.headers.get("origin")
    if origin is None:
        foreign = request.headers.get("sec-fetch-site") in _OF_A_PAGE and "*" not in settings.cors_origins
    else:
        own = {
            "{0.scheme}://{0.netloc}".format(urlsplit(settings.base_url.lower())),
            f"http://{host}",
            f"https://{host}",
        }
        foreign = origin not in own and not is_among(origin, settings.cors_origins)
    if foreign:
        raise ForeignPage(
            f"A page of {origin[:100] if origin else 'another site'} sent this request without a key.",
            hint=f"Send a key. The operator can allow pages with {variable_of('cors_origins')}.",
        )


def _is_ours(host: str, settings: Settings) -> bool:
    """Whether a Host header names the service. Ignores ports: proxies drop them, and DNS rebinding keeps them."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return is_loopback_name(name) or name == urlsplit(settings.base_url).hostname
