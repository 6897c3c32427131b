"""Completion in bash: names with colons and spaces arrive whole.

bash cuts words at colons (COMP_WORDBREAKS), and labels of datums have some.  So the script passes the whole
line, what is read is cut as a shell would, and an answer begins behind the last colon that is typed, which is
what bash replaces.
"""

from __future__ import annotations

import os

from click.shell_completion import (
    BashComplete,
    CompletionItem,
    add_completion_class,
    split_arg_string,
)

_SOURCE = """\
%(complete_func)s() {
    local -a lines
    local line value
    mapfile -t lines < <(
        env COMP_LINE="$COMP_LINE" COMP_POINT="$COMP_POINT" COMP_WORDBREAKS="$COMP_WORDBREAKS" \\
            %(complete_var)s=bash_complete "$1" 2>/dev/null
    )
    COMPREPLY=()
    for line in "${lines[@]}"; do
        printf -v value %%q "${line#*,}"
        case ${line%%%%,*} in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            part) compopt -o nospace; COMPREPLY+=("$value") ;;
            plain) COMPREPLY+=("$value") ;;
        esac
    done
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""


class LineComplete(BashComplete):
    """bash, asked with the whole line."""

    source_template = _SOURCE

    def get_completion_args(self) -> tuple[list[str], str]:
        """The whole words before the cursor, and the one that it is in."""
        self._cut = 0
        if "COMP_LINE" not in os.environ:  # the script of an earlier version
            return super().get_completion_args()
        line = os.environ["COMP_LINE"].encode()[: int(os.environ["COMP_POINT"])]
        words = split_arg_string(line.decode("utf-8", "replace"))
        in_word = not line[-1:].isspace()
        incomplete = words.pop() if in_word and words else ""
        breaks = set(os.environ.get("COMP_WORDBREAKS", "")) & {":", "="}
        self._cut = max((incomplete.rfind(each) + 1 for each in breaks), default=0)
        return words[1:], incomplete

    def format_completion(self, item: CompletionItem) -> str:
        """Its type, and what replaces the part of the word that bash sees."""
        kind = "part" if item.type == "plain" and item.value.endswith("=") else item.type
        return f"{kind},{item.value[self._cut :]}"


add_completion_class(LineComplete)
