"""A batch under review: its outputs, and the server of `packshot review` in a thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from packshot.api.review.local import address, listen, make_server, new_token
from packshot.batch.review import Review
from packshot.engine.weights import embedded_model
from packshot.storage.blocking import open_storage
from tests.kit.server import PATIENCE_S, wait_until


@dataclass(frozen=True)
class Reviewed:
    """url: of the page. base: the common start of the endpoints' URLs. out: the folder of outputs."""

    url: str
    out: Path
    review: Review

    @property
    def base(self) -> str:
        return f"{self.url.removesuffix('/review')}/v1/reviews/here"

    @property
    def origin(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"


@contextmanager
def reviewing(photos: Path, out: Path, name: str | None = None) -> Iterator[Reviewed]:
    """Serve the review of a folder as `packshot review` does. name: displayed for the folder; its path by default."""
    review = Review(open_storage(str(out)), photos=str(photos), model=embedded_model())
    token = new_token()
    with listen(0) as listening:
        server = make_server(review, name=name or str(out), token=token, port=listening.getsockname()[1])
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="review")
        thread.start()
        try:
            wait_until(lambda: server.started or not thread.is_alive())
            yield Reviewed(address(listening, token), out, review)
        finally:
            server.should_exit = True
            thread.join(PATIENCE_S)
            assert not thread.is_alive(), "the server does not stop"
