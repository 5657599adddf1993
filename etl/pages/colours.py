"""Every colour of a chart twice, light and dark: it is drawn with the light ones, style sheets swap them."""

from __future__ import annotations

from itertools import product

TEXT, GRID = ("#525c69", "#a9b3c0"), ("#e1e5ea", "#2d343d")
SERIES = [
    ("#2b6a99", "#74b3e3"),
    ("#b4590f", "#eb9a57"),
    ("#24806b", "#5cc4aa"),
    ("#9a4a86", "#d893c6"),
    ("#77701a", "#c9bf5e"),
    ("#6b6f78", "#a3a9b5"),
]


def style(scope: str = "") -> str:
    """The rules that give charts their colours in the dark; `scope` is a selector before each."""
    pairs = product(("fill", "stroke"), [TEXT, GRID, *SERIES])
    rules = "".join(f'{scope}[{part}="{light}"]{{{part}:{dark}}}' for part, (light, dark) in pairs)
    return f"@media screen and (prefers-color-scheme:dark){{{rules}}}"


def alone(svg: str) -> str:
    """The SVG as a file of its own: it brings its dark colours along."""
    head, end, rest = svg.partition(">")
    return f"{head}{end}<style>{style()}</style>{rest}\n"
