"""The two commands of both programs: `run` makes packshots of a shop's pictures, `undo` restores the old ones."""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import httpx

import packshot
from packshot.client import Client, ClientError
from write_back.journal import Journal, State
from write_back.shops import Http, Made, Picture, Product, Shop, ShopError

Maker = Callable[[bytes, str | None], "packshot.Result | packshot.client.Packshot"]


@dataclass
class Work:
    """writes: whether to change the shop. all_pictures: whether to write pictures that a human should check, too."""

    shop: Shop
    http: Http
    journal: Journal
    make: Maker
    writes: bool
    all_pictures: bool = False
    changed: int = 0

    def run(self) -> None:
        for product in self.shop.products():
            state = self.journal.states.get(product.id)
            if state is not None and state.after is not None:
                continue  # finished by an earlier run
            if state is not None and self.writes:  # started by an earlier run
                self._put_back(state)
            self._product(product if state is None else state.before, {} if state is None else state.originals)

    def _product(self, product: Product, kept: Mapping[str, Path]) -> None:
        """kept: picture files fetched by an earlier run, by the picture's id."""
        originals: dict[str, Path] = {}
        made: dict[str, Made] = {}
        for number, picture in enumerate(product.pictures, 1):
            if self.shop.replaces_content and picture.id in self._replaced():
                continue  # another product shows this picture too
            name = f"{_plain(product.id)}-{number}"
            try:
                file = kept.get(picture.id)
                data = self.http.download(picture.url) if file is None else file.read_bytes()
                result = self.make(data, self.shop.output_format(picture))
            except (packshot.PackshotError, ClientError, ShopError) as error:
                self._say(product, number, f"unchanged: {error}")
                continue
            suffix = f".{result.media_type.partition('/')[2].replace('jpeg', 'jpg')}"
            shown = self.journal.keep("packshots", name + suffix, result.data)
            self._say(product, number, f"{shown}{' - check it' * result.review}", *map(str, result.notes))
            if result.review and not self.all_pictures:
                continue
            if self.writes:  # the name is unique to the content: this may become the only copy
                name = f"{name}-{hashlib.sha256(data).hexdigest()[:8]}{_suffix_of(picture)}"
                originals[picture.id] = self.journal.keep("originals", name, data)
            made[picture.id] = Made(result.data, result.media_type, f"{_stem_of(picture)}-packshot{suffix}")
        if made and self.writes:
            self._write(product, originals, made)
        self.changed += bool(made)

    def _write(self, product: Product, originals: dict[str, Path], made: dict[str, Made]) -> None:
        self.journal.before(product, originals)
        new: dict[str, str] = {}
        for picture in product.pictures:
            if picture.id in made:
                new[picture.id] = self.shop.upload(picture, made[picture.id])
                self.journal.uploaded(product, new[picture.id])
        self.journal.writing(product)
        self.shop.write(product, new)
        now = self.shop.find(product.id)
        if now is None:
            raise ShopError(f"{product.title} no longer exists.")
        self.journal.written(product, [picture.id for picture in now.pictures])

    def undo(self, *, force: bool) -> None:
        """Restore the written products, the last one first. force: also where pictures have changed since."""
        for state in list(reversed(self.journal.states.values())):
            product = state.before
            now = self.shop.find(product.id)
            if now is None:
                print(f"{product.title}: no longer exists")
                continue
            ids = [picture.id for picture in now.pictures]
            if state.after is not None and ids != state.after and not force:
                print(f"{product.title}: its pictures have changed since; --force restores the old ones")
                continue
            print(f"{product.title}: {len(product.pictures)} pictures restored")
            if self.writes:
                self._put_back(state)
            self.changed += 1

    def _put_back(self, state: State) -> None:
        self.journal.undoing(state.before)
        if state.writing:
            self.shop.restore(state.before, state.originals)
        for upload in state.uploads:
            self.shop.discard(upload)
        self.journal.undone(state.before)

    def _replaced(self) -> set[str]:
        return {each for state in self.journal.states.values() for each in state.originals}

    @staticmethod
    def _say(product: Product, number: int, *lines: str) -> None:
        print(f"{product.title}, picture {number}: {'; '.join(lines)}")


def arguments(description: str | None, preset: str) -> argparse.ArgumentParser:
    """The common arguments of both programs."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["run", "undo"])
    parser.add_argument("address", help="address of the shop, such as https://shop.example.com")
    parser.add_argument("--write", action="store_true", help="change the shop; by default nothing is written there")
    parser.add_argument("--state", type=Path, help="folder of the journal and all pictures: keep it (default: by shop)")
    parser.add_argument("--preset", default=preset, help="what to make (default: %(default)s)")
    parser.add_argument("--all", action="store_true", help="also write pictures that a human should check")
    parser.add_argument("--force", action="store_true", help="also undo products whose pictures have changed since")
    parser.add_argument("--service", help="a packshot service for the work, with PACKSHOT_KEY; default: this machine")
    return parser


def main(given: argparse.Namespace, make_shop: Callable[[Http], Shop]) -> None:
    """Run the command of the arguments. Exits with code 1 if the shop rejects a request; the same command resumes."""
    state = given.state or Path(f"packshot-{urlsplit(given.address).hostname}")
    try:
        with httpx.Client(timeout=60) as client, _maker(given) as make:
            http = Http(client)
            work = Work(make_shop(http), http, Journal(state), make, given.write, given.all)
            if given.command == "run":
                work.run()
            else:
                work.undo(force=given.force)
    except (ShopError, httpx.TransportError) as error:
        sys.exit(f"Stopped: {error}\nRun the same command again to resume.")
    done = "changed" if given.write else "would be changed; --write does it"
    print(f"{work.changed} products {done}. The journal is in {state}.")


@contextmanager
def _maker(given: argparse.Namespace) -> Iterator[Maker]:
    if not given.service:
        yield lambda data, kind: packshot.remove(data, preset=given.preset, format=kind)
        return
    with Client(given.service, os.environ["PACKSHOT_KEY"]) as client:
        yield lambda data, kind: client.packshot(data, preset=given.preset, format=kind)


def _path_of(picture: Picture) -> PurePosixPath:
    return PurePosixPath(unquote(urlsplit(picture.url).path))


def _suffix_of(picture: Picture) -> str:
    return _plain(_path_of(picture).suffix)


def _stem_of(picture: Picture) -> str:
    return _plain(_path_of(picture).stem) or "picture"


def _plain(text: str) -> str:
    """A name that is safe as a file name, also for an id such as gid://shopify/Product/17."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", text.rpartition("/")[2])[:80]
