"""A server for agents: the library's work as tools of the Model Context Protocol, on files of allowed folders only.

It needs what packshot[mcp] brings: importing it raises BadSettings where that is missing.
"""

from importlib.util import find_spec

from packshot.errors import BadSettings

if find_spec("mcp") is None:
    raise BadSettings(
        "The server for agents needs the package mcp, which the library alone does not bring.",
        hint="Install it: pip install 'packshot[mcp]'.",
    )
