"""Small shops over real sockets that respond as WooCommerce and Shopify do to the requests of examples/."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.kit.scripted import Asked

Answer = tuple[int, Mapping[str, str], bytes]


def as_json(said: object, status: int = 200, **headers: str) -> Answer:
    return status, {"Content-Type": "application/json", **headers}, json.dumps(said).encode()


@dataclass
class Fault:
    """A single fault in place of a response: before the request is executed, or after it (`done`)."""

    when: Callable[[Asked], bool]
    answer: Answer
    done: bool = False


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two packets; the second would wait 40 ms
    server: FakeShop

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        asked = Asked(self.command, self.path, self.headers, body)
        with self.server.lock:
            status, headers, data = self.server.hear(asked)
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - the names that http.server asks for

    def log_message(self, *_: object) -> None:
        pass


class FakeShop(ThreadingHTTPServer):
    """files: the content under /files/, by name. asked: all requests. faults: the next faults."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.files: dict[str, bytes] = {}
        self.asked: list[Asked] = []
        self.faults: list[Fault] = []

    def hear(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        fault = next((each for each in self.faults if each.when(asked)), None)
        if fault is None or fault.done:
            answer = self._file(asked) or self.answer(asked)
        if fault is None:
            return answer
        self.faults.remove(fault)
        return fault.answer

    def _file(self, asked: Asked) -> Answer | None:
        path = urlsplit(asked.path).path
        if not path.startswith("/files/"):
            return None
        assert not {"authorization", "x-shopify-access-token"} & {name.lower() for name in asked.headers}
        return 200, {"Content-Type": "image/jpeg"}, self.files[path.removeprefix("/files/")]

    def answer(self, asked: Asked) -> Answer:
        raise NotImplementedError

    @property
    def writes(self) -> list[Asked]:
        return [each for each in self.asked if each.method != "GET"]


@contextmanager
def serving(shop: FakeShop) -> Iterator[None]:
    thread = threading.Thread(target=shop.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        shop.shutdown()
        thread.join()
        shop.server_close()


USER, PASSWORD = "anna", "abcd efgh"
_BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


class FakeWooCommerce(FakeShop):
    """media: of the library, by id: name, alt and file. products: by id, the ids of their media in order."""

    def __init__(self, photos: Mapping[str, bytes], products: Mapping[int, list[str]]) -> None:
        super().__init__()
        self.media: dict[int, dict[str, str]] = {}
        numbers = {name: self._add(name, data, f"{name} name", f"{name} alt") for name, data in photos.items()}
        self.products = {each: [numbers[name] for name in names] for each, names in products.items()}

    def _add(self, file: str, data: bytes, name: str, alt: str) -> int:
        number = 100 + len(self.media) + len(self.files)
        stored = f"{number}-{file}"
        self.files[stored] = data
        self.media[number] = {"file": stored, "name": name, "alt": alt}
        return number

    def shown(self) -> dict[int, list[tuple[int, str, str, bytes]]]:
        """Everything that a visitor sees: per product the pictures in order, with names and texts."""
        return {
            product: [
                (each, self.media[each]["name"], self.media[each]["alt"], self.files[self.media[each]["file"]])
                for each in media
            ]
            for product, media in self.products.items()
        }

    def answer(self, asked: Asked) -> Answer:
        assert asked.headers["Authorization"] == _BASIC
        url = urlsplit(asked.path)
        match asked.method, url.path.split("/")[2:]:
            case "GET", ["wc", "v3", "products"]:
                query = parse_qs(url.query)
                page, size = int(query["page"][0]), 2  # a server may return fewer than requested
                ids = sorted(self.products)
                pages = str(-(-len(ids) // size))
                part = [self._product(each) for each in ids[(page - 1) * size : page * size]]
                return as_json(part, **{"X-WP-TotalPages": pages})
            case "GET", ["wc", "v3", "products", number] if int(number) in self.products:
                return as_json(self._product(int(number)))
            case "PUT", ["wc", "v3", "products", number]:
                images = json.loads(asked.body)["images"]
                for each in images:
                    assert each["id"] in self.media
                    self.media[each["id"]] |= {"name": each["name"], "alt": each["alt"]}
                self.products[int(number)] = [each["id"] for each in images]
                return as_json(self._product(int(number)))
            case "POST", ["wp", "v2", "media"]:
                parts = asked.parts()
                name, data = parts["file"]
                number = self._add(str(name), data, parts["title"][1].decode(), parts["alt_text"][1].decode())
                return as_json({"id": number}, 201)
            case "DELETE", ["wp", "v2", "media", number] if int(number) in self.media:
                assert not any(int(number) in media for media in self.products.values())
                del self.media[int(number)]
                return as_json({"deleted": True})
        return as_json({"code": "rest_no_route", "message": "No route", "data": {"status": 404}}, 404)

    def _product(self, number: int) -> dict[str, Any]:
        images = [
            {
                "id": each,
                "src": f"{self.address}/files/{self.media[each]['file']}",
                "name": self.media[each]["name"],
                "alt": self.media[each]["alt"],
            }
            for each in self.products[number]
        ]
        return {"id": number, "name": f"Product {number}", "images": images}


TOKEN = "shpat_test"


@dataclass
class _Media:
    file: str
    alt: str
    version: int = 1
    working: int = 0


@dataclass
class FakeShopify(FakeShop):
    """media: by id. products: by id, the ids of their media in order. New content is ready after one or two polls."""

    photos: Mapping[str, bytes]
    content: Mapping[str, list[str]]
    media: dict[str, _Media] = field(default_factory=dict)
    staged: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__()
        self.files = dict(self.photos)
        self.media = {f"gid://shopify/MediaImage/{name}": _Media(name, f"{name} alt") for name in self.photos}
        self.products = {
            f"gid://shopify/Product/{each}": [f"gid://shopify/MediaImage/{name}" for name in names]
            for each, names in self.content.items()
        }

    def shown(self) -> dict[str, list[tuple[str, str, bytes]]]:
        return {
            product: [(each, self.media[each].alt, self.files[self.media[each].file]) for each in media]
            for product, media in self.products.items()
        }

    def answer(self, asked: Asked) -> Answer:
        if asked.path.startswith("/staged/"):
            parts = asked.parts()
            assert list(parts) == ["key", "policy", "file"], "the file comes last"
            assert "X-Shopify-Access-Token" not in asked.headers
            self.staged[f"{self.address}{asked.path}"] = parts["file"][1]
            return 201, {}, b""
        assert asked.path == "/admin/api/2026-10/graphql.json"
        assert asked.headers["X-Shopify-Access-Token"] == TOKEN
        said = json.loads(asked.body)
        return as_json({"data": self._data(said["query"], said["variables"])})

    def _data(self, query: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        if "stagedUploadsCreate" in query:
            (wanted,) = variables["input"]
            assert (wanted["resource"], wanted["httpMethod"]) == ("IMAGE", "POST")
            address = f"{self.address}/staged/{len(self.asked)}/{wanted['filename']}"
            fields = [{"name": "key", "value": "tmp/1"}, {"name": "policy", "value": "abc"}]
            target = {"url": address, "resourceUrl": address, "parameters": fields}
            return {"stagedUploadsCreate": {"stagedTargets": [target], "userErrors": []}}
        if "fileUpdate" in query:
            return {"fileUpdate": self._update(variables["files"])}
        if "nodes(ids" in query:
            return {"nodes": [self._status(each) for each in variables["ids"]]}
        if "product(id" in query:
            found = variables["id"] in self.products
            return {"product": self._product(variables["id"]) if found else None}
        ids = list(self.products)
        at = 0 if variables["after"] is None else ids.index(variables["after"]) + 1
        page = {"hasNextPage": at + 1 < len(ids), "endCursor": ids[at]}
        return {"products": {"pageInfo": page, "nodes": [self._product(ids[at])]}}

    def _update(self, files: list[dict[str, str]]) -> dict[str, Any]:
        if any(self.media[each["id"]].working for each in files):
            return {"files": [], "userErrors": [{"field": ["files"], "message": "The file is locked."}]}
        for each in files:
            media = self.media[each["id"]]
            assert each["originalSource"].rpartition(".")[2] == media.file.rpartition(".")[2], "it keeps its suffix"
            self.files[media.file] = self.staged[each["originalSource"]]
            media.version, media.working = media.version + 1, 2
        return {"files": [], "userErrors": []}

    def _status(self, media: str) -> dict[str, str]:
        found = self.media[media]
        found.working = max(0, found.working - 1)
        return {"id": media, "fileStatus": "PROCESSING" if found.working else "READY"}

    def _product(self, product: str) -> dict[str, Any]:
        nodes: list[dict[str, Any]] = [
            {
                "id": each,
                "alt": self.media[each].alt,
                "image": {"url": f"{self.address}/files/{self.media[each].file}?v={self.media[each].version}"},
            }
            for each in self.products[product]
        ]
        video = {"id": "gid://shopify/Video/1", "alt": None}
        return {"id": product, "title": product.rpartition("/")[2], "media": {"nodes": [video, *nodes]}}
