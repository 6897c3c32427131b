"""Checks of a pipeline's inputs: kinds, names, globs and templates."""

from __future__ import annotations

import re

from tea_runner.core.glob.matcher import Glob, GlobError, references
from tea_runner.core.spec.field_reader import ParsedMapping, SpecReader
from tea_runner.core.spec.forbidden_variables import forbidden_variable
from tea_runner.core.spec.input_fields import INPUT
from tea_runner.core.spec.schedule import ScheduleError, parse_schedule, parse_time

MAX_GLOBS = 50
MAX_INPUTS = 200

_KINDS = tuple(known.name for known in INPUT if known.support not in ("refused", "renamed"))
_NAME = re.compile(r"[A-Za-z0-9_-]{1,63}")


def default_name(repo: str) -> str:
    """The default name of an input: the last part of its repo."""
    last = repo.strip("/").rpartition("/")[2]
    return re.sub(r"[^A-Za-z0-9_-]", "_", last) if last.strip(".") else "dataset"


def check_input(reader: SpecReader, mapping: ParsedMapping) -> dict[str, ParsedMapping]:
    """Check an input and all inputs below it.

    :returns: the inputs below it by name, to check that names are unique.
    """
    given = [kind for kind in _KINDS if kind in mapping.marks]
    if len(given) != 1:
        refused = any(problem.key.startswith(mapping.path) for problem in reader.problems)
        if given or not refused:
            got = f"got {' and '.join(given)}" if given else "got none"
            reader.report(
                "error",
                mapping.mark,
                mapping.path,
                f"expected exactly one kind of input, {got}",
                f"write one of {', '.join(_KINDS)}; combine several inputs with cross, union, join or "
                "group",
            )
    found: dict[str, ParsedMapping] = {}
    for kind in given:
        found |= _check_kind(reader, mapping, kind)
    return found


def _check_kind(reader: SpecReader, mapping: ParsedMapping, kind: str) -> dict[str, ParsedMapping]:
    if kind not in mapping.values:
        if not any(problem.key == mapping.key(kind) for problem in reader.problems):
            reader.report("error", mapping.place(kind), mapping.key(kind), f"{kind} is empty")
        return {}
    if kind == "pfs":
        return _check_pfs(reader, mapping.mapping("pfs"))
    if kind == "cron":
        return _check_cron(reader, mapping.mapping("cron"))
    return _check_combined(reader, mapping, kind)


def _check_combined(
    reader: SpecReader, mapping: ParsedMapping, kind: str
) -> dict[str, ParsedMapping]:
    children = mapping.mappings(kind)
    mark, key = mapping.place(kind), mapping.key(kind)
    if not children:
        reader.report("error", mark, key, f"{kind} has no inputs", "list at least one")
    names: dict[str, ParsedMapping] = {}
    for child in children:
        for name, leaf in check_input(reader, child).items():
            other = names.setdefault(name, leaf)
            if other is not leaf and kind != "union":
                reader.report(
                    "error",
                    leaf.place("name" if "name" in leaf.marks else "repo"),
                    leaf.key("name"),
                    f"two inputs of this {kind} have the name {name}, the other in line "
                    f"{other.mark.line}",
                    "give each its own name",
                )
    template = {"join": "join_on", "group": "group_by"}.get(kind)
    leaves = [child.mapping("pfs") for child in children if "pfs" in child.values]
    if template and leaves and len(leaves) == len(children):
        _check_template_given(reader, leaves, kind, template)
    return names


def _check_template_given(
    reader: SpecReader, leaves: list[ParsedMapping], kind: str, template: str
) -> None:
    lacking = [leaf for leaf in leaves if not leaf.text(template)]
    if len(lacking) == len(leaves) and kind == "group":
        return  # Everything in one datum, probably intended.
    effect = (
        "its files are joined with all other files without join_on"
        if kind == "join"
        else "its files reader one group"
    )
    for leaf in lacking:
        reader.report(
            "warning",
            leaf.mark,
            leaf.key(template),
            f"no {template}: {effect}",
            f'write {template}: "$1" and a capture in the glob',
        )


def _check_pfs(reader: SpecReader, mapping: ParsedMapping) -> dict[str, ParsedMapping]:
    glob = _check_glob(reader, mapping)
    for template in ("join_on", "group_by"):
        missing = [n for n in references(mapping.text(template)) if glob and n > glob.captures]
        for number in missing[:1]:
            assert glob is not None
            reader.report(
                "warning",
                mapping.place(template),
                mapping.key(template),
                f"${number} is always empty: the glob has {_counted(glob.captures)}",
                f"enclose the part of the glob for ${number} in ( )",
            )
    repo = mapping.text("repo")
    _check_repo(reader, mapping, repo)
    branch = mapping.text("branch")
    if branch not in ("", "master", "main"):
        reader.report(
            "ignored",
            mapping.place("branch"),
            mapping.key("branch"),
            f"branch {branch} is ignored",
            "files are read from the pushed commit, whatever its branch",
        )
    if "trigger" in mapping.values:
        _check_trigger(reader, mapping)
    name = mapping.text("name") or (default_name(repo) if repo else "")
    if not name:
        return {}
    _check_name(reader, mapping, name)
    return {name: mapping}


def _check_trigger(reader: SpecReader, mapping: ParsedMapping) -> None:
    trigger = mapping.mapping("trigger")
    for field in ("cron_spec", "rate_limit_spec"):
        try:
            if trigger.text(field):
                parse_schedule(trigger.text(field))
        except ScheduleError as error:
            reader.report("error", trigger.place(field), trigger.key(field), str(error))
    conditions = ("commits", "size", "cron_spec", "rate_limit_spec", "debounce")
    if not any(trigger.values.get(field) or field in trigger.marks for field in conditions):
        reader.report(
            "error",
            mapping.place("trigger"),
            mapping.key("trigger"),
            "trigger has no condition",
            f"write one of {', '.join(conditions)}",
        )
    if mapping.flag("track"):
        reader.report(
            "error",
            mapping.place("trigger"),
            mapping.key("trigger"),
            "trigger and track cannot be combined",
            "leave one of them out",
        )


def _check_cron(reader: SpecReader, mapping: ParsedMapping) -> dict[str, ParsedMapping]:
    for field, check in (("spec", parse_schedule), ("start", parse_time)):
        if not mapping.text(field):
            continue
        try:
            check(mapping.text(field))
        except ScheduleError as error:
            reader.report("error", mapping.place(field), mapping.key(field), str(error))
    if mapping.flag("overwrite") and mapping.text("catch_up") == "all":
        reader.report(
            "error",
            mapping.place("catch_up"),
            mapping.key("catch_up"),
            "catch_up: all has no meaning with overwrite, which keeps the newest tick only",
            "leave one of them out",
        )
    name = mapping.text("name")
    if not name:
        return {}
    _check_name(reader, mapping, name)
    return {name: mapping}


def _check_name(reader: SpecReader, mapping: ParsedMapping, name: str) -> None:
    where = "name" if "name" in mapping.values else "repo"
    if problem := _name_problem(name):
        reader.report(
            "error",
            mapping.place(where),
            mapping.key("name"),
            problem,
            "give the input another name",
        )
    elif not name.isidentifier():
        reader.report(
            "warning",
            mapping.place(where),
            mapping.key("name"),
            f"a shell cannot read the variable ${name}",
            f"write name: {re.sub('[^A-Za-z0-9_]', '_', name)}",
        )


def _name_problem(name: str) -> str:
    if name == "out":
        return "the name out is reserved for the results"
    if not _NAME.fullmatch(name):
        return f"expected a name of 1 to 63 of A-Z a-z 0-9 _ -, got {name!r}"
    return forbidden_variable(name)


def _counted(captures: int) -> str:
    return "no capture" if captures == 0 else f"{captures} capture{'s' if captures > 1 else ''}"


def count_inputs(mapping: ParsedMapping) -> tuple[int, int]:
    """The number of inputs in the tree, and how many of them have a glob."""
    nodes, globs = 1, int("pfs" in mapping.values)
    for kind in ("cross", "union", "join", "group"):
        for child in mapping.mappings(kind):
            inner = count_inputs(child)
            nodes, globs = nodes + inner[0], globs + inner[1]
    return nodes, globs


def _check_glob(reader: SpecReader, mapping: ParsedMapping) -> Glob | None:
    if "glob" not in mapping.values:
        return None
    text = mapping.text("glob")
    try:
        if not text:
            raise GlobError("glob is empty; write '/*' for one datum per entry, or '/' for all")
        return Glob(text)
    except GlobError as error:
        reader.report("error", mapping.place("glob"), mapping.key("glob"), error.message)
        return None


def _check_repo(reader: SpecReader, mapping: ParsedMapping, repo: str) -> None:
    if not repo:
        if "repo" in mapping.values:
            reader.report(
                "error",
                mapping.place("repo"),
                mapping.key("repo"),
                "repo is empty",
                "write a path in this dataset, a pipeline's name, or . for the whole dataset",
            )
        return
    parts = repo.strip("/").split("/")
    inner = parts[1:] if parts[0] in (".", "") else parts
    if any(part in ("", ".", "..", ".git") for part in inner) or "\n" in repo:
        reader.report(
            "error",
            mapping.place("repo"),
            mapping.key("repo"),
            f"{repo!r} is not a path in this dataset",
            "write it relative to the dataset's root, such as raw/t1",
        )
