"""Makes packshots of a Shopify shop's product pictures and writes them back; `undo` restores the old pictures.

    export SHOPIFY_TOKEN=shpat_...
    python examples/shopify.py run https://your-shop.myshopify.com            # makes them, without changing the shop
    python examples/shopify.py run https://your-shop.myshopify.com --write
    python examples/shopify.py undo https://your-shop.myshopify.com --write

The token belongs to a custom app with the scopes read_products, read_files and write_files. The content of each picture
is replaced (fileUpdate); its place, its alternative text and its variants stay. So a picture keeps its format, and only
the journal's folder has the old content: keep this folder. Videos and 3D models stay unchanged.
"""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from write_back import program
from write_back.shops import TRIES, Http, Made, Picture, Product, ShopError

API = "2026-10"
_FORMATS = {".jpg": "jpeg", ".jpeg": "jpeg", ".png": "png", ".webp": "webp"}
_POLLS, _POLL_S = 60, 1.0

_PRODUCT = """
  id title media(first: 250) { nodes { id alt ... on MediaImage { image { url } } } }
"""
_PRODUCTS = f"""
query ($after: String) {{
  products(first: 10, after: $after, sortKey: ID) {{ pageInfo {{ hasNextPage endCursor }} nodes {{ {_PRODUCT} }} }}
}}"""
_FIND = f"query ($id: ID!) {{ product(id: $id) {{ {_PRODUCT} }} }}"
_STAGE = """
mutation ($input: [StagedUploadInput!]!) {
  stagedUploadsCreate(input: $input) {
    stagedTargets { url resourceUrl parameters { name value } }
    userErrors { field message }
  }
}"""
_UPDATE = """
mutation ($files: [FileUpdateInput!]!) {
  fileUpdate(files: $files) { files { id fileStatus } userErrors { field message } }
}"""
_STATUS = "query ($ids: [ID!]!) { nodes(ids: $ids) { id ... on MediaImage { fileStatus } } }"


class Shopify:
    """A shop through Shopify's Admin API, GraphQL."""

    replaces_content = True

    def __init__(self, http: Http, address: str, token: str, version: str = API) -> None:
        self._http, self._token = http, token
        self._endpoint = f"{address.rstrip('/')}/admin/api/{version}/graphql.json"

    def products(self) -> Iterator[Product]:
        after, more = None, True
        while more:
            page = self._ask(_PRODUCTS, after=after)["products"]
            yield from map(_product, page["nodes"])
            after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]

    def find(self, product_id: str) -> Product | None:
        said = self._ask(_FIND, id=product_id)["product"]
        return None if said is None else _product(said)

    def output_format(self, picture: Picture) -> str | None:
        suffix = PurePosixPath(urlsplit(picture.url).path).suffix.lower()
        if suffix not in _FORMATS:
            raise ShopError(f"a file {suffix or 'without an ending'} keeps its format, which packshot does not write")
        return _FORMATS[suffix]

    def upload(self, picture: Picture, made: Made) -> str:
        """Upload to a place that Shopify assigns; returns the address there."""
        wanted = {
            "filename": made.file_name,
            "mimeType": made.media_type,
            "httpMethod": "POST",
            "resource": "IMAGE",
            "fileSize": str(len(made.data)),
        }
        (target,) = self._do(_STAGE, "stagedUploadsCreate", input=[wanted])["stagedTargets"]
        fields = {each["name"]: each["value"] for each in target["parameters"]}
        file = {"file": (made.file_name, made.data, made.media_type)}
        self._http.send("POST", target["url"], data=fields, files=file)  # without the token: this is another server
        address: str = target["resourceUrl"]
        return address

    def write(self, product: Product, new: Mapping[str, str]) -> None:
        self._do(_UPDATE, "fileUpdate", files=[{"id": each, "originalSource": new[each]} for each in new])
        self._wait_for(list(new))

    def restore(self, before: Product, originals: Mapping[str, Path]) -> None:
        pictures = [picture for picture in before.pictures if picture.id in originals]
        # Shopify locks a file while it works on it. A file whose new content was rejected is not locked.
        self._wait_for([picture.id for picture in pictures], ends={"READY", "FAILED"})
        new = {picture.id: self.upload(picture, _original(originals[picture.id])) for picture in pictures}
        self.write(before, new)

    def discard(self, upload: str) -> None:
        """Nothing to do: Shopify deletes unused uploads."""

    def _wait_for(self, ids: list[str], ends: frozenset[str] | set[str] = frozenset({"READY"})) -> None:
        """Wait until Shopify no longer works on any of them."""
        for _ in range(_POLLS):
            states = {each["fileStatus"] for each in self._ask(_STATUS, ids=ids)["nodes"] if each}
            if states <= ends:
                return
            if states <= {"READY", "FAILED"}:
                raise ShopError("Shopify could not process a picture.")
            self._http.pause(_POLL_S)
        raise ShopError("Shopify did not process a picture in time.")

    def _do(self, mutation: str, name: str, **variables: Any) -> Any:
        said = self._ask(mutation, **variables)[name]
        if said["userErrors"]:
            raise ShopError("; ".join(error["message"] for error in said["userErrors"]))
        return said

    def _ask(self, query: str, **variables: Any) -> Any:
        """The data of a response. If the shop's points are used up, waits for enough points and sends again."""
        for _ in range(TRIES):
            headers = {"X-Shopify-Access-Token": self._token}
            body = {"query": query, "variables": variables}
            said = self._http.send("POST", self._endpoint, json=body, headers=headers).json()
            errors = said.get("errors") or []
            if not errors:
                return said["data"]
            if not any(error.get("extensions", {}).get("code") == "THROTTLED" for error in errors):
                raise ShopError("; ".join(error["message"] for error in errors))
            self._http.pause(_points_after_s(said))
        raise ShopError("Shopify has throttled this program for too long.")


def _points_after_s(said: Mapping[str, Any]) -> float:
    """Seconds until the shop has the points for a request."""
    cost = said.get("extensions", {}).get("cost")
    if cost is None:
        return 1.0
    lacking = cost["requestedQueryCost"] - cost["throttleStatus"]["currentlyAvailable"]
    return max(0.0, lacking / cost["throttleStatus"]["restoreRate"])


def _original(file: Path) -> Made:
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    return Made(file.read_bytes(), kind, file.name)


def _product(said: Mapping[str, Any]) -> Product:
    images = [each for each in said["media"]["nodes"] if each.get("image")]
    pictures = (Picture(each["id"], each["image"]["url"], each["alt"] or "") for each in images)
    return Product(said["id"], said["title"], tuple(pictures))


def main() -> None:
    parser = program.arguments(__doc__, preset="shopify")
    parser.add_argument("--api-version", default=API, help="version of the Admin API (default: %(default)s)")
    given = parser.parse_args()
    token = os.environ["SHOPIFY_TOKEN"]
    program.main(given, lambda http: Shopify(http, given.address, token, given.api_version))


if __name__ == "__main__":
    main()
