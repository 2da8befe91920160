"""The state folder: accounts, results, and the files that a start on a loopback address creates automatically.

These are a secret for result links, and the machine's link: it opens the page with a key. Only the files' owner may
read them. The link is for people at this machine, so it is not created if other machines may reach the service.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from packshot.errors import BadSettings
from packshot.service.settings import SECRET_CHARACTERS

if TYPE_CHECKING:
    from packshot.service.accounts import Accounts, KeyInfo, NewKey
    from packshot.service.settings import Settings


LINK_NAME = "link of this machine"
"""Name of the link's key in `packshot keys list`."""
_FRAGMENT = "/#key="
_KEPT = re.compile(rf"(http://[0-9A-Za-z.:_\[\]-]+){_FRAGMENT}([0-9A-Za-z_]+)\s*", re.ASCII)


@dataclass(frozen=True)
class Link:
    """The link that opens the page with its key. address: of the service, such as http://127.0.0.1:8000.

    The key is in the fragment, which browsers never send: no log, Referer or proxy sees it.
    """

    address: str
    key: str = field(repr=False)
    info: KeyInfo

    @property
    def url(self) -> str:
        return f"{self.address}{_FRAGMENT}{self.key}"


class State:
    """Paths in the state folder, and the secret that signs result links. Creates a missing folder."""

    def __init__(self, settings: Settings) -> None:
        """Raises BadSettings if the folder cannot be created."""
        self.settings = settings
        self._folder = settings.state_dir
        self.database: Path | str = settings.database_url or self._folder / "accounts.sqlite3"
        self.results = self._folder / "results"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise _unusable(self._folder, error) from error

    @cached_property
    def url_secrets(self) -> tuple[str, ...]:
        """The configured secrets; without any, on a loopback address, a secret created and stored here.

        Raises: BadSettings if the secret cannot be stored, or if none is set and other machines can reach the service.
        """
        if self.settings.url_secrets:
            return self.settings.url_secrets
        if not self.settings.is_loopback:
            raise BadSettings(f"PACKSHOT_URL_SECRETS is needed to listen on {self.settings.host}.")
        path = self._folder / "url-secret"
        try:
            return (_kept_secret(path),)
        except OSError as error:
            raise _unusable(path, error) from error

    def link(self, accounts: Accounts, address: str | None = None) -> Link | None:
        """The machine's link, the same at each start; None if other machines may reach the service.

        Creates a missing link, and a new one if its key is revoked, expired or unknown to the accounts.

        Parameters: address, of a service that starts; without it, the address of the last start.
        Raises: BadSettings if the link cannot be stored.
        """
        if not self.settings.only_here:
            return None
        kept_address, _ = self._kept_link()
        address = address or kept_address or self.settings.base_url
        kept = accounts.keep(
            LINK_NAME,
            self.settings.first_credits,
            read=lambda: self._kept_link()[1],
            write=lambda text: self._keep_link(address, text),
        )
        if kept_address != address:
            self._keep_link(address, kept.key)
        return Link(address, kept.key, kept.info)

    def rotate(self, accounts: Accounts, key_id: str, grace_s: float) -> NewKey:
        """Give a key a new text, as Accounts.rotate does. If it is the link's key, update the link too."""
        address, text = self._kept_link()
        info = accounts.find(text) if text is not None else None
        new = accounts.rotate(key_id, grace_s)
        if address is not None and info is not None and info.id == key_id:
            self._keep_link(address, new.key)
        return new

    @property
    def _link_path(self) -> Path:
        return self._folder / "link"

    def _kept_link(self) -> tuple[str | None, str | None]:
        """The address and the key of the stored link; None for both without one."""
        try:
            found = _KEPT.fullmatch(self._link_path.read_text(encoding="utf-8", errors="replace"))
        except FileNotFoundError:
            return None, None
        except OSError as error:
            raise _unusable(self._link_path, error) from error
        return (found[1], found[2]) if found else (None, None)

    def _keep_link(self, address: str, key: str) -> None:
        try:
            with _draft(self._link_path, f"{address}{_FRAGMENT}{key}\n") as draft:
                draft.replace(self._link_path)
        except OSError as error:
            raise _unusable(self._link_path, error) from error


@contextmanager
def _draft(path: Path, content: str) -> Iterator[Path]:
    """A complete file of mode 0600 next to `path`, for the caller to move into place. Removed if not moved."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    draft.touch(mode=0o600, exist_ok=False)
    try:
        draft.write_text(content, encoding="ascii")
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def _kept_secret(path: Path) -> str:
    """The secret in a file of mode 0600. A missing file is created atomically, by one of several processes."""
    if not path.exists():
        with suppress(FileExistsError), _draft(path, secrets.token_hex(32)) as draft:
            path.hardlink_to(draft)  # fails if another process was faster, whose secret then counts
    secret = path.read_text(encoding="utf-8", errors="replace").strip()
    if len(secret) < SECRET_CHARACTERS:
        raise BadSettings(
            f"The secret in {path} is incomplete.", hint="Remove the file. The next start creates another."
        )
    return secret


def _unusable(path: Path, error: OSError) -> BadSettings:
    return BadSettings(
        f"PACKSHOT_STATE_DIR: {path} cannot be used: {error.strerror}.",
        hint="Name a folder that the service may write to. See PACKSHOT_STATE_DIR in the documentation.",
    )
