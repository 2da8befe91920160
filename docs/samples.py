"""Make the page's sample photos from examples/: `python -m docs.samples`. Each in full, and small for a button."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parent.parent
SITE = ROOT / "src/packshot/api/page/site"
PHOTOS = ("mug", "teapot", "bear")
LONGEST_PX = 1000
BUTTON_PX = 160
QUALITY = 80


def main() -> None:
    for number, name in enumerate(PHOTOS, 1):
        photo = Image.open(ROOT / "examples" / f"{name}.jpg").convert("RGB")
        for longest_px, ending in ((LONGEST_PX, ""), (BUTTON_PX, "-small")):
            copy = photo.copy()
            copy.thumbnail((longest_px, longest_px), Image.Resampling.LANCZOS)
            target = SITE / f"sample-{number}{ending}.jpg"
            copy.save(target, quality=QUALITY, optimize=True, progressive=True)


if __name__ == "__main__":
    main()
