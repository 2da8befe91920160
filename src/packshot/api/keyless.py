"""Requests without a key: those that a browser may have sent for a page of somebody else are refused.

A form reaches a service of this machine from any page, without a preflight, and an <img> does so for a GET. A page
whose name leads here by DNS is even of the service's own origin, as the browser sees it.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.requests import Request

from packshot.api.errors import ForeignPage
from packshot.api.http import is_among
from packshot.service.environment import variable_of
from packshot.service.setting_types import is_loopback_name
from packshot.service.settings import Settings

# Of a request that has no Origin, as an <img> has none. Programs send neither, and a user's own doing is "none".
_OF_A_PAGE = frozenset({"cross-site", "same-site"})

# Tunnels send one, and most proxies. One that does neither this nor pass the Host on is taken for this machine.
_OF_A_PROXY = ("forwarded", "x-forwarded-for", "x-real-ip", "via")


def refuse_foreign_pages(request: Request, settings: Settings) -> None:
    """Raises: ForeignPage for a Host that is not the service's, for a page that is not let in, and for a proxy.

    Where the operator named no key, that of the link pays, and it is for the people at this machine.
    """
    if settings.keyless_key is None and any(name in request.headers for name in _OF_A_PROXY):
        raise ForeignPage(
            "The request came through a proxy, and has no key.",
            hint=f"Send a key, or let the operator set {variable_of('public_base_url')} and "
            f"{variable_of('keyless_key')}.",
        )
    host = request.headers.get("host", "").lower()
    if not _is_ours(host, settings):
        raise ForeignPage(
            f"The request is for {host[:100] or 'no host'}, which is not a name of this service.",
            hint=f"Requests without a key are answered under {settings.base_url}, which "
            f"{variable_of('public_base_url')} sets, and under loopback names. With a key any name does.",
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
            hint=f"Send a key. The operator can let pages in with {variable_of('cors_origins')}.",
        )


def _is_ours(host: str, settings: Settings) -> bool:
    """Whether a Host header names the service. Ports do not matter: proxies drop them, and DNS leads to none."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return is_loopback_name(name) or name == urlsplit(settings.base_url).hostname
