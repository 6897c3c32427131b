"""A badge: two words on a small picture, for the README of a repository."""

from __future__ import annotations

from collections.abc import Mapping
from xml.sax.saxutils import escape, quoteattr

from tea_runner.core.planning.states import State
from tea_runner.present.visible_text import visible

#: Colours behind the word, dark enough for white text.
_COLOURS: Mapping[State, str] = {
    "done": "#2a7a4b",
    "reused": "#2a7a4b",
    "recovered": "#7d6212",
    "running": "#1f6fb2",
    "waiting": "#64686f",
    "failed": "#b3261e",
    "cancelled": "#8a5a00",
    "blocked": "#7a3e8e",
    "superseded": "#64686f",
}
_UNKNOWN = "#64686f"
#: Width of a character and of the blank around a word, in pixels; characters that are shown.
_CHARACTER, _BLANK, _SHOWN = 7, 12, 40


def badge_svg(label: str, state: State | None) -> str:
    """The picture for a state; None for a branch without a run.

    It has neither links, scripts nor style sheets.
    """
    label, word = _short(label), state or "no run"
    left, right = _width(label), _width(word)
    colour = _COLOURS[state] if state else _UNKNOWN
    name = f"{label}: {word}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" '
        f"aria-label={quoteattr(name)}><title>{escape(name)}</title>"
        f'<rect width="{left}" height="20" rx="3" fill="#444a52"/>'
        f'<rect x="{left - 3}" width="{right + 3}" height="20" rx="3" fill="{colour}"/>'
        f'<rect x="{left - 3}" width="6" height="20" fill="{colour}"/>'
        '<g fill="#ffffff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" '
        'text-anchor="middle">'
        f"{_text(label, left / 2, left)}{_text(word, left + right / 2, right)}</g></svg>\n"
    )


def _text(text: str, middle: float, width: int) -> str:
    """Text that fits, whatever font there is."""
    return (
        f'<text x="{middle:g}" y="14" textLength="{width - _BLANK}" '
        f'lengthAdjust="spacingAndGlyphs">{escape(text)}</text>'
    )


def _short(text: str) -> str:
    text = visible(text)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _width(text: str) -> int:
    return _CHARACTER * len(text) + _BLANK
