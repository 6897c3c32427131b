"""The style sheet inside of pictures that are files: light and dark by the reader's setting."""

from __future__ import annotations

_COLOURS = {
    "done": ("#2a7a4b", "#6cc48d"),
    "reused": ("#37706c", "#7cc3bb"),
    "running": ("#1f6fb2", "#72b4ee"),
    "waiting": ("#686c73", "#9aa0a9"),
    "failed": ("#b3261e", "#f28b82"),
    "cancelled": ("#8a5a00", "#e0b060"),
    "blocked": ("#7a3e8e", "#cf9be0"),
    "recovered": ("#7d6212", "#d9bd6a"),
    "superseded": ("#686c73", "#989da6"),
    "plain": ("#686c73", "#989da6"),
}


def _states(index: int) -> str:
    return " ".join(f".{name} {{ color: {pair[index]}; }}" for name, pair in _COLOURS.items())


#: Contents of the ``style`` element.
STYLE = f"""
svg {{ background: #fbfbfa; color: #22252a; }}
text {{ font: 550 13px system-ui, "DejaVu Sans", sans-serif; fill: #22252a; }}
text.note {{ font-weight: 400; font-size: 11.5px; fill: #5f636a; }}
.box rect {{ fill: #ffffff; stroke: #c9c8c2; }}
.box rect.edge {{ fill: currentColor; stroke: none; }}
.arrow {{ fill: none; stroke: #686c73; stroke-width: 1.2; }}
.tip {{ fill: #686c73; }}
{_states(0)}
@media (prefers-color-scheme: dark) {{
svg {{ background: #16181b; color: #dfe1e4; }}
text {{ fill: #dfe1e4; }}
text.note {{ fill: #989da6; }}
.box rect {{ fill: #1d2024; stroke: #33373d; }}
.arrow {{ stroke: #989da6; }}
.tip {{ fill: #989da6; }}
{_states(1)}
}}
"""
