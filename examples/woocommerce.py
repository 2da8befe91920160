"""Makes packshots of a WooCommerce shop's pictures and writes them back; `undo` restores the old pictures.

    export WORDPRESS_USER=anna WORDPRESS_APP_PASSWORD="abcd efgh ijkl mnop qrst uvwx"
    python examples/woocommerce.py run https://shop.example.com            # makes them, without changing the shop
    python examples/woocommerce.py run https://shop.example.com --write
    python examples/woocommerce.py undo https://shop.example.com --write

The password is a shop manager's application password: in WordPress under Users, Profile, Application Passwords.
New pictures go into the media library, and products show them in the same order, with the same name and alternative
text. The old ones stay in the library until you delete them. Pictures of variations stay unchanged.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
from write_back import program
from write_back.shops import Http, Made, Picture, Product, ShopError

_PAGE = 50


class WooCommerce:
    """A shop through WooCommerce's REST API (wc/v3) and WordPress's for media (wp/v2)."""

    replaces_content = False

    def __init__(self, http: Http, address: str, user: str, password: str) -> None:
        self._http, self._root, self._auth = http, f"{address.rstrip('/')}/wp-json", (user, password)

    def products(self) -> Iterator[Product]:
        page, pages = 1, 1
        while page <= pages:
            query = {"per_page": _PAGE, "page": page, "orderby": "id", "order": "asc"}
            answer = self._send("GET", "wc/v3/products", params=query)
            pages = int(answer.headers.get("x-wp-totalpages", "1"))
            yield from map(_product, answer.json())
            page += 1

    def find(self, product_id: str) -> Product | None:
        try:
            return _product(self._send("GET", f"wc/v3/products/{product_id}").json())
        except ShopError as error:
            if error.status == 404:
                return None
            raise

    def output_format(self, picture: Picture) -> str | None:
        return None

    def upload(self, picture: Picture, made: Made) -> str:
        answer = self._send(
            "POST",
            "wp/v2/media",
            files={"file": (made.file_name, made.data, made.media_type)},
            data={"title": picture.name, "alt_text": picture.alt},
        )
        return str(answer.json()["id"])

    def write(self, product: Product, new: Mapping[str, str]) -> None:
        self._show(product, [(new.get(picture.id, picture.id), picture) for picture in product.pictures])

    def restore(self, before: Product, originals: Mapping[str, Path]) -> None:
        self._show(before, [(picture.id, picture) for picture in before.pictures])

    def discard(self, upload: str) -> None:
        try:
            self._send("DELETE", f"wp/v2/media/{upload}", params={"force": "true"})
        except ShopError as error:
            if error.status != 404:
                raise

    def _show(self, product: Product, pictures: list[tuple[str, Picture]]) -> None:
        """The first is the main picture, the others the gallery."""
        images = [{"id": int(number), "name": picture.name, "alt": picture.alt} for number, picture in pictures]
        self._send("PUT", f"wc/v3/products/{product.id}", json={"images": images})

    def _send(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self._http.send(method, f"{self._root}/{path}", auth=self._auth, **more)


def _product(said: Mapping[str, Any]) -> Product:
    pictures = (Picture(str(each["id"]), each["src"], each["alt"], each["name"]) for each in said["images"])
    return Product(str(said["id"]), said["name"], tuple(pictures))


def main() -> None:
    given = program.arguments(__doc__, preset="square").parse_args()
    user, password = os.environ["WORDPRESS_USER"], os.environ["WORDPRESS_APP_PASSWORD"]
    program.main(given, lambda http: WooCommerce(http, given.address, user, password))


if __name__ == "__main__":
    main()
