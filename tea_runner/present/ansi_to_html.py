"""Lines that a command printed for a terminal, as HTML: colours are classes, everything else is escaped.

Other control sequences (ECMA-48), among them titles and links (OSC), are left out; of a line that was
written over (carriage return) the last state is shown.
"""

from __future__ import annotations

import re
from xml.sax.saxutils import escape

from tea_runner.present.visible_text import visible

#: A colour or weight (SGR), any other control sequence, a string such as a title, or a short one.
_SEQUENCE = re.compile(
    "\x1b\\[(?P<sgr>[0-9;:]{0,60})m|\x1b\\[[0-?]{0,60}[ -/]{0,10}[@-~]"
    "|\x1b[\\]PX^_][^\x07\x1b]{0,4000}(?:\x07|\x1b\\\\)|\x1b[ -/]{0,10}(?![\\[\\]PX^_])[0-~]"
)
_STYLES = {"1": "b", "2": "d", "3": "i", "4": "u", "7": "r"}
_OFF = {"22": "bd", "23": "i", "24": "u", "27": "r"}
#: What a state looks like as text: styles, then colour of letters and of the ground.
STATE = re.compile(r"[bdiur]{0,5}(?:f(?:[0-9]|1[0-5]))?(?:g(?:[0-9]|1[0-5]))?")


class TerminalText:
    """Renders lines one after the other; a colour stays until it is changed.

    :param state: that after an earlier line.
    """

    def __init__(self, state: str = "") -> None:
        self._styles = ""
        self._front = self._ground = ""
        if STATE.fullmatch(state):
            match = re.fullmatch("([bdiur]*)(f[0-9]+)?(g[0-9]+)?", state)
            assert match is not None
            self._styles, self._front, self._ground = (each or "" for each in match.groups())

    @property
    def state(self) -> str:
        """As text that :data:`STATE` matches."""
        return f"{self._styles}{self._front}{self._ground}"

    def html(self, line: str) -> str:
        """One line without its end."""
        written, at = [], 0
        # What was written over counts for its colours only.
        shown = line.rstrip("\r").rpartition("\r")[0]
        for match in _SEQUENCE.finditer(shown):
            self._change(match["sgr"])
        line = line.rstrip("\r").rpartition("\r")[2]
        for match in _SEQUENCE.finditer(line):
            written.append(self._span(line[at : match.start()]))
            self._change(match["sgr"])
            at = match.end()
        written.append(self._span(line[at:]))
        return "".join(written)

    def _span(self, text: str) -> str:
        if not text:
            return ""
        plain = escape("\t".join(visible(part) for part in text.split("\t")))
        classes = [f"t{style}" for style in self._styles]
        classes += [f"t{each}" for each in (self._front, self._ground) if each]
        return f'<span class="{" ".join(classes)}">{plain}</span>' if classes else plain

    def _change(self, codes: str | None) -> None:
        """Apply one SGR sequence; None is another kind of sequence."""
        if codes is None:
            return
        rest = codes.replace(":", ";").split(";")
        while rest:
            code = rest.pop(0).lstrip("0")
            if not code:
                self._styles = self._front = self._ground = ""
            elif code in _STYLES:
                self._styles = "".join(sorted({*self._styles, _STYLES[code]}))
            elif code in _OFF:
                self._styles = "".join(s for s in self._styles if s not in _OFF[code])
            elif code in ("38", "48"):
                colour = _extended(rest)
                if code == "38":
                    self._front = f"f{colour}" if colour else self._front
                else:
                    self._ground = f"g{colour}" if colour else self._ground
            elif code == "39":
                self._front = ""
            elif code == "49":
                self._ground = ""
            elif code.isdigit() and code.isascii():
                self._colour(int(code))

    def _colour(self, code: int) -> None:
        for first, bright in ((30, 0), (90, 8)):
            if first <= code < first + 8:
                self._front = f"f{code - first + bright}"
            elif first + 10 <= code < first + 18:
                self._ground = f"g{code - first - 10 + bright}"


def _extended(rest: list[str]) -> str:
    """The parameters behind 38 and 48 are taken; of 256 colours, the first sixteen are known."""
    kind = rest.pop(0) if rest else ""
    if kind == "5":
        number = rest.pop(0) if rest else ""
        known = number.isascii() and number.isdigit() and int(number[:4]) < 16
        return str(int(number)) if known else ""
    del rest[: 3 if kind == "2" else 0]
    return ""
