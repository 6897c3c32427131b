"""Text of strangers in Markdown of a forge: no markup, no link, no mention, whatever it contains."""

from __future__ import annotations

from tea_runner.present.visible_text import visible


def markdown_code(text: str, most: int = 80) -> str:
    """The text as inline code, at most so many characters.

    All but letters, digits and blanks become numeric entities, so that no parser of links, mentions,
    emoji or tables finds its signs; and forges look for none of them inside ``<code>``.
    """
    text = visible(" ".join(text.split()))
    text = text if len(text) <= most else f"{text[: most - 1]}…"
    return "<code>" + "".join(map(_entity, text)) + "</code>" if text else ""


def _entity(sign: str) -> str:
    return sign if sign.isalnum() or sign == " " else f"&#{ord(sign)};"
