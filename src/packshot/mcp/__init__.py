"""A server for agents: the library's functions as Model Context Protocol tools, for files in allowed folders only.

Needs packshot[mcp]. Importing this package raises BadSettings if it is not installed.
"""

from importlib.util import find_spec

from packshot.errors import BadSettings

if find_spec("mcp") is None:
    raise BadSettings(
        "The server for agents needs the package mcp, which is not installed.",
        hint="Install it: pip install 'packshot[mcp]'.",
    )
