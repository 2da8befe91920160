"""The state folder: where accounts and results lie, and what a first start on a loopback address makes by itself."""

from __future__ import annotations

import secrets
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from packshot.errors import BadSettings
from packshot.service.settings import SECRET_CHARACTERS

if TYPE_CHECKING:
    from packshot.service.accounts import Accounts, NewKey
    from packshot.service.settings import Settings


class State:
    """Paths in the state folder, which is made when it is missing, and the secret that signs result links."""

    def __init__(self, settings: Settings) -> None:
        """Raises BadSettings when the folder cannot be made."""
        self._settings = settings
        self._folder = settings.state_dir
        self.database: Path | str = settings.database_url or self._folder / "accounts.sqlite3"
        self.results = self._folder / "results"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise _unusable(self._folder, error) from error

    @cached_property
    def url_secrets(self) -> tuple[str, ...]:
        """The configured secrets; with none, on a loopback address, one that was made here and is kept.

        Raises: BadSettings when the secret cannot be kept, or when there is none and others can reach the service.
        """
        if self._settings.url_secrets:
            return self._settings.url_secrets
        if not self._settings.is_loopback:
            raise BadSettings(f"PACKSHOT_URL_SECRETS is needed to listen on {self._settings.host}.")
        path = self._folder / "url-secret"
        try:
            return (_kept_secret(path),)
        except OSError as error:
            raise _unusable(path, error) from error

    def first_key(self, accounts: Accounts) -> NewKey | None:
        """A key to begin with: on a loopback address, when there never was one. Its text is not kept: show it."""
        if not self._settings.is_loopback:
            return None
        return accounts.create_first("first", credits=self._settings.first_credits)


def _kept_secret(path: Path) -> str:
    """The secret in a file of mode 0600, which is made whole or not at all; of two processes, one makes it."""
    if not path.exists():
        draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        draft.touch(mode=0o600, exist_ok=False)
        try:
            draft.write_text(secrets.token_hex(32), encoding="ascii")
            path.hardlink_to(draft)
        except FileExistsError:
            pass  # another process was quicker: its secret counts
        finally:
            draft.unlink()
    secret = path.read_text(encoding="utf-8", errors="replace").strip()
    if len(secret) < SECRET_CHARACTERS:
        raise BadSettings(f"The secret in {path} is cut.", hint="Remove the file; the next start makes another.")
    return secret


def _unusable(path: Path, error: OSError) -> BadSettings:
    return BadSettings(
        f"PACKSHOT_STATE_DIR: {path} cannot be used: {error.strerror}.",
        hint="Name a folder that the service may write to. See docs/settings.md#packshot_state_dir.",
    )
