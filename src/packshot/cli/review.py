"""`packshot review`: reviews and corrects a batch's pictures in the browser."""

from __future__ import annotations

import threading

import click

from packshot.cli import work_begins
from packshot.cli.options import device_option, model_option
from packshot.cli.terminal import say


@click.command()
@click.argument("out", metavar="OUT")
@click.option("--photos", metavar="IN", help="Folder or bucket of the photos.  [default: from the batch's journal]")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port; 0 for any free port.  [default: 0]")
@click.option("--no-open", is_flag=True, help="Print the address, and do not open a browser.")
@model_option
@device_option
def review(out: str, photos: str | None, port: int, no_open: bool, model: str | None, device: str) -> None:
    """Review a batch in the browser, and correct its pictures.

    \b
    packshot review shop/                    the outputs of packshot batch photos/ shop/
    packshot review s3://shop/2026           object storage; also gs:// and az://

    Opens a page on this machine. Failed photos come first, then broken rules, then pictures of low confidence.
    Corrections are stored in OUT/packshot-review; another run of the same `packshot batch` keeps them. Ctrl-C ends
    the review. See "Review a catalogue" in the documentation.
    """
    from packshot.api.review.local import address, listen, make_server, new_token
    from packshot.batch.review import Review
    from packshot.engine.process import tune_process
    from packshot.storage.blocking import open_storage

    tune_process()
    place = open_storage(out)
    found = Review(place, photos=photos, model=model, device="cuda" if device == "cuda" else "cpu")
    count = len(found.photos())  # raises for an invalid OUT before a port or browser is opened
    listening, token = listen(port), new_token()
    url = address(listening, token)
    say(f"{count:,} photo{'s' * (count != 1)} to review: {url}", err=True)
    say(f"Decisions are stored in {out}. Ctrl-C ends the review.", err=True)
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
        say(f"No browser can be opened here. Open {url} in yours.", err=True)
