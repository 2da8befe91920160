"""What lets a page of another origin call the form, as plug-ins that run in a browser do.

Nothing is sent along by a browser of its own accord here, no cookie and no login: who has a key may come from anywhere.
"""

from __future__ import annotations

ANY_ORIGIN = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "*"}
PREFLIGHT = ANY_ORIGIN | {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Accept, Authorization, Content-Type, X-Api-Key",
    "Access-Control-Max-Age": "86400",
}
