"""Parts of the documentation's charts."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape


def text(x: float, y: float, words: str, anchor: str = "start", *, size: int = 13, colour: str = "#333333") -> str:
    """Text at a point; anchor: start, middle or end."""
    look = f'text-anchor="{anchor}" font-size="{size}" fill="{colour}"'
    return f'<text x="{x:.0f}" y="{y:.0f}" {look}>{escape(words)}</text>'


def polyline(points: Sequence[tuple[float, float]], colour: str) -> str:
    """A curve through points."""
    joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="2.5"/>'


def document(parts: Sequence[str], width: int, height: int) -> str:
    """The picture as SVG, for light and dark pages."""
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">'
    return "\n".join([head, f'<rect width="{width}" height="{height}" fill="#ffffff"/>', *parts, "</svg>"]) + "\n"
