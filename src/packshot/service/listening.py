"""What to do about an address that cannot be listened on."""

from __future__ import annotations

import errno

from packshot.errors import BadSettings
from packshot.service.environment import variable_of


def cannot_listen(error: OSError, host: str, port: int, *, host_setting: str, port_setting: str) -> BadSettings:
    """The system's reason, and which of the two settings mends it."""
    another = f"Choose another port with {variable_of(port_setting)}"
    hint = {
        errno.EADDRINUSE: f"{another}, or stop what uses this one.",
        errno.EACCES: f"{another}, above 1023.",
    }.get(error.errno or 0, f"{variable_of(host_setting)} must be an address of this machine, or a name of one.")
    return BadSettings(f"{host}:{port} cannot be listened on: {error.strerror}.", hint=hint)
