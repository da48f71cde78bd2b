"""The plot of `docs/performance.md`: seconds against the number of pointers, both on a scale of powers of ten, as an SVG.

Drawn by hand so that it needs no library. Readable on light and dark pages: no background, middle tones, and a text colour that follows
the reader's preference where the page lets it. Each point is a median with a bar from minimum to maximum.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from html import escape
from typing import Any

WIDTH, HEIGHT = 720, 440
LEFT, RIGHT, TOP, BOTTOM = 64, 150, 24, 56
Pick = Callable[[dict[str, Any]], Any]
SERIES: tuple[tuple[str, str, Pick], ...] = (
    ("Tocsin, durable", "#d1495b", lambda one: one["tocsin"]["durable"]),
    ("Tocsin, answered", "#e39b3b", lambda one: one["tocsin"]["last_answered"]),
    ("bare aiohttp", "#3a86c8", lambda one: one["others"].get("aiohttp")),
    ("httpx's own pool", "#8f7ac9", lambda one: one["others"].get("httpx")),
    ("Apprise 2.2", "#3f9f6f", lambda one: one["others"].get("apprise")),
)
STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#57606a}.grid{stroke:#808a94;stroke-opacity:.25}.axis{stroke:#808a94}"
    "@media(prefers-color-scheme:dark){text{fill:#adb6bf}}"
)


def svg(scale: dict[str, Any]) -> str:
    """The whole file, from what `fan_out.scale` gave."""
    sizes = {int(size): one for size, one in scale["sizes"].items()}
    seconds = [of[key] for one in sizes.values() for _, _, pick in SERIES if (of := pick(one)) for key in ("min", "max")]
    axes = _Axes(min(sizes), max(sizes), min(seconds), max(seconds))
    title = "Seconds from the second approval to the last of N pointers, each answer after 100 ms"
    drawn = [f"<title>{escape(title)}</title><style>{STYLE}</style>", *axes.drawn()]
    labels: list[tuple[float, str, str]] = []
    for name, colour, pick in SERIES:
        points = [(axes.x(size), of) for size, one in sorted(sizes.items()) if (of := pick(one))]
        if points:
            drawn += _line(points, axes, colour)
            labels.append((axes.y(points[-1][1]["median"]), name, f'x="{points[-1][0] + 12:.1f}" fill="{colour}" style="fill:{colour}"'))
    drawn += _labels(labels)
    box = f'xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
    return f"<svg {box}>\n" + "\n".join(drawn) + "\n</svg>\n"


class _Axes:
    def __init__(self, least_n: int, most_n: int, least_s: float, most_s: float) -> None:
        self.decades_n = (math.floor(math.log10(least_n)), math.ceil(math.log10(most_n)))
        self.decades_s = (math.floor(math.log10(least_s)), math.ceil(math.log10(most_s)))

    def x(self, n: float) -> float:
        low, high = self.decades_n
        return LEFT + (math.log10(n) - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def y(self, seconds: float) -> float:
        low, high = self.decades_s
        return HEIGHT - BOTTOM - (math.log10(seconds) - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    def drawn(self) -> Iterator[str]:
        right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
        for power in range(self.decades_n[0], self.decades_n[1] + 1):
            x = self.x(10**power)
            yield f'<path class="grid" d="M{x:.1f} {TOP}V{bottom}"/>'
            yield f'<text x="{x:.1f}" y="{bottom + 20}" text-anchor="middle">{10**power:,}</text>'
        for power in range(self.decades_s[0], self.decades_s[1] + 1):
            y = self.y(10.0**power)
            shown = f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{10.0**power:g} s</text>'
            yield f'<path class="grid" d="M{LEFT} {y:.1f}H{right}"/>{shown}'
        yield f'<path class="axis" fill="none" d="M{LEFT} {TOP}V{bottom}H{right}"/>'
        yield f'<text x="{(LEFT + right) / 2:.0f}" y="{HEIGHT - 12}" text-anchor="middle">pointers in one broadcast (N)</text>'
        middle = (TOP + bottom) / 2
        yield f'<text transform="translate(14 {middle:.0f}) rotate(-90)" text-anchor="middle">seconds to the last one</text>'


def _line(points: list[tuple[float, dict[str, float]]], axes: _Axes, colour: str) -> Iterator[str]:
    path = "L".join(f"{x:.1f} {axes.y(of['median']):.1f}" for x, of in points)
    yield f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
    for x, of in points:
        low, high, middle = axes.y(of["min"]), axes.y(of["max"]), axes.y(of["median"])
        yield f'<path d="M{x - 4:.1f} {low:.1f}h8m-4 0V{high:.1f}m-4 0h8" stroke="{colour}" fill="none"/>'
        yield f'<circle cx="{x:.1f}" cy="{middle:.1f}" r="3.5" fill="{colour}"/>'


def _labels(labels: list[tuple[float, str, str]]) -> Iterator[str]:
    """Beside the end of each line, moved apart where two would overlap."""
    below = -math.inf
    for y, name, attributes in sorted(labels):
        below = max(y + 4, below + 16)
        yield f'<text {attributes} y="{below:.1f}">{escape(name)}</text>'
