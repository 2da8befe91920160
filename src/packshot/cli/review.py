"""`packshot review`: a batch's pictures as a place to work, in the browser."""

from __future__ import annotations

import threading

import click

from packshot.cli import work_begins
from packshot.cli.options import device_option, model_option
from packshot.cli.terminal import say


@click.command()
@click.argument("out", metavar="OUT")
@click.option("--photos", metavar="IN", help="Where the photos are.  [default: as the batch's journal says]")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port; 0 for any that is free.  [default: 0]")
@click.option("--no-open", is_flag=True, help="Print the address only, and open no browser.")
@model_option
@device_option
def review(out: str, photos: str | None, port: int, no_open: bool, model: str | None, device: str) -> None:
    """Look through a batch, and correct what is not right.

    \b
    packshot review shop/                    the outputs of packshot batch photos/ shop/
    packshot review s3://shop/2026           object storage; also gs:// and az://

    Opens a page on this machine: what failed, breaks a rule or is least sure comes first. Corrections are kept in
    OUT/packshot-review; the same `packshot batch` again keeps them. Ctrl-C ends it. docs/review.md has the rest.
    """
    from packshot.api.review.local import address, listen, make_server, new_token
    from packshot.batch.review import Review
    from packshot.engine.process import tune_process
    from packshot.storage.blocking import open_storage

    tune_process()
    place = open_storage(out)
    found = Review(place, photos=photos, model=model, device="cuda" if device == "cuda" else "cpu")
    count = len(found.photos())  # an OUT that is none is told before anything is opened
    listening, token = listen(port), new_token()
    url = address(listening, token)
    say(f"{count:,} photo{'s' * (count != 1)} to review: {url}", err=True)
    say(f"Decisions are kept in {out}; Ctrl-C ends the review.", err=True)
    work_begins()

    def begin() -> None:
        threading.Thread(target=found.warm, daemon=True, name="warm").start()
        if not no_open:
            threading.Thread(target=_open, args=(url,), daemon=True, name="browser").start()

    port = listening.getsockname()[1]
    make_server(found, name=place.name, token=token, port=port, on_ready=begin).run(sockets=[listening])


def _open(url: str) -> None:
    from packshot.cli.serve import open_in_browser

    if not open_in_browser(url):
        say(f"No browser can be opened here: open {url} in yours.", err=True)
