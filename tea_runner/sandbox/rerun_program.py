"""Repeats the datums of a run record on any computer with git and Python 3.9; it needs no tea-runner.

Results commits have a copy in ``.datalad/tea-runner``, and their run records execute it by its git blob, so
that nothing in the work tree can replace it.  It runs in the root of the dataset:

1. Where tea-runner is on PATH, it calls ``tea-runner exec``, with that one's sandbox and limits.
2. Otherwise it copies the inputs of a datum below ``/pfs`` and its code to ``/dataset``, runs the command
   there in bubblewrap, without a network unless the pipeline asks for one, and copies what the command left
   in ``/pfs/out`` to its place in the dataset.
3. Without bubblewrap, ``$PFS`` leads to the inputs; ``/pfs`` is a link to them if it can be made.
4. A command with an image runs in podman or docker, and one with secrets gets them from the environment.

Arguments, of which those before the first ``--datum`` are for all datums::

    --spec BLOB:N --pipeline NAME       for tea-runner
    --code PATH …    --set NAME VALUE …    --stdin LINE …    --workdir DIR    --network
    --accept CODE …    --tries N    --error WORD …    --error-stdin LINE …
    --image IMAGE [--tagged]    --secret VARIABLE …    --secret-file NAME …
    --datum LABEL --to DIR [--set NAME VALUE …] [--without PATH …] [--in SEEN PATH | --empty SEEN PATH] …
    -- COMMAND

SEEN is a path below ``/pfs``; PATH is a file or directory of the dataset.  ``--datums BLOB`` stands for the
words of a git blob, with a null character between each two.
"""

from __future__ import annotations

import functools
import os
import shlex
import shutil
import subprocess  # noqa: TID251 - it runs where there is no tea_runner.host
import sys
import tempfile
from collections.abc import Iterator
from typing import Any, NoReturn

#: Options to the number of words after each.
_OPTIONS = {"network": 0, "tagged": 0, "set": 2, "in": 2, "empty": 2}
#: Labels in one call of tea-runner: the kernel limits all arguments of a process together.
_LABELS = 500
_HOUSEKEEPING = (".gitattributes", ".gitignore", ".gitmodules")
#: Of each command; those of the pipeline come from the record.
VARIABLES = {
    "HOME": "/tmp",  # noqa: S108 - the sandbox's own
    "LANG": "C.UTF-8",
    "PPS_NAMESPACE": "default",
    "PACH_NAMESPACE": "default",
    "PPS_POD_NAME": "sandbox",
    "PACH_JOB_ID": "rerun",
    "PACH_OUTPUT_COMMIT_ID": "rerun",
}
Options = dict[str, list[Any]]
_PLAIN = (
    "rerun: without bubblewrap the inputs are in $PFS only; a command that names /pfs itself needs "
    "bubblewrap (apt install bubblewrap), or the right to make the link /pfs"
)


def main(words: list[str]) -> int:
    """Repeat all datums, up to the first that fails."""
    shared, datums, command = parse(words)
    if shutil.which("tea-runner"):
        return with_tea_runner(shared, datums)
    require_secrets(shared)
    alone = bool(engine(shared)) or has_bubblewrap()
    for datum in datums:
        with tempfile.TemporaryDirectory(prefix="rerun-") as folder, Place(folder, alone) as place:
            code = repeat(shared, datum, command, place)
        if code:
            return code
    return 0


def parse(words: list[str]) -> tuple[Options, list[Options], list[str]]:
    """Options of all datums, those of each, and the command."""
    shared: Options = {}
    datums: list[Options] = []
    current = shared
    position = 0
    if "--datums" in words[: words.index("--")]:
        at = words.index("--datums")
        argv = ["git", "cat-file", "blob", words[at + 1]]
        text = subprocess.run(argv, stdout=subprocess.PIPE, check=True).stdout
        words[at : at + 2] = map(os.fsdecode, text.split(b"\0"))
    while words[position] != "--":
        name = words[position][2:]
        if name == "datum":
            current = {}
            datums.append(current)
        count = _OPTIONS.get(name, 1)
        given = words[position + 1 : position + 1 + count]
        current.setdefault(name, []).append(given[0] if count == 1 else given)
        position += 1 + count
    return shared, datums, words[position + 1 :]


def with_tea_runner(shared: Options, datums: list[Options]) -> int:
    """Let tea-runner do it."""
    argv = ["tea-runner", "exec", "--spec", shared["spec"][0], "--pipeline", shared["pipeline"][0]]
    argv += ["--image", shared["image"][0]] if "tagged" in shared else []
    labels = [datum["datum"][0] for datum in datums]
    code = 0
    for start in range(0, len(labels), _LABELS):
        code = code or run([*argv, "--", *labels[start : start + _LABELS]])
    return code


def require_secrets(shared: Options) -> None:
    """End unless the environment has the secrets of the command."""
    for name in shared.get("secret-file", []):
        fail(f"this command needs the file of the secret {name}; install tea-runner")
    for name in shared.get("secret", []):
        if name not in os.environ:
            fail(f"this command needs the secret {name}; set the variable {name}")


def engine(shared: Options) -> str:
    """The program that runs the command's image; empty without an image."""
    image = shared.get("image", [""])[0]
    if image and "sha256:" not in image:
        fail(f"this command runs in {image}; install tea-runner and apptainer")
    found = next(filter(shutil.which, ("podman", "docker")), "")
    if image and not found:
        fail(f"this command runs in {image}; install podman, docker or tea-runner")
    return found if image else ""


def repeat(shared: Options, datum: Options, command: list[str], place: Place) -> int:
    """Make the view of one datum, run the command, and put its outputs into the dataset."""
    accepted = {0, *map(int, shared.get("accept", []))}
    code = 0
    for _ in range(int(shared.get("tries", ["3"])[0])):
        stands_for = make_view(shared, datum, place)
        code = in_view(shared, datum, command, shared.get("stdin", []), place)
        if code in accepted:
            take(datum, place, stands_for)
            return 0
    if "error" in shared:
        make_view(shared, datum, place)
        if in_view(shared, datum, shared["error"], shared.get("error-stdin", []), place) == 0:
            return 0
    return code


class Place:
    """The folders of one datum, and the paths at which the command finds them."""

    def __init__(self, folder: str, isolated: bool) -> None:
        self.isolated = isolated
        self.folder = os.path.realpath(folder)
        self.pfs, self.dataset = "/pfs", "/dataset"
        self._link = ""

    def __enter__(self) -> Place:
        """Without bubblewrap, make /pfs a link, if possible."""
        if not self.isolated:
            self.pfs, self.dataset = self.at("pfs"), self.at("dataset")
            try:
                os.symlink(self.pfs, "/pfs")
            except OSError:
                print(_PLAIN, file=sys.stderr)  # noqa: T201
            else:
                self.pfs = self._link = "/pfs"
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the link."""
        if self._link:
            os.unlink(self._link)

    def at(self, *parts: str) -> str:
        """A path in the folder."""
        return os.path.join(self.folder, *parts)


def make_view(shared: Options, datum: Options, place: Place) -> dict[str, str]:
    """Make ``pfs`` with the inputs, and ``dataset`` with the code.

    :returns: placeholders: paths below ``pfs`` to the files of the dataset that they stand for.
    """
    for name in ("pfs", "dataset", "tmp"):
        shutil.rmtree(place.at(name), ignore_errors=True)
        os.mkdir(place.at(name))
    os.mkdir(place.at("pfs/out"))
    for path in shared.get("code", []):
        copy(path, place.at("dataset", path))
    if not os.path.lexists(place.at("dataset/pfs")):
        os.symlink(place.pfs, place.at("dataset/pfs"))
    stands_for = {}
    for kind in ("in", "empty"):
        for seen, source in datum.get(kind, []):
            if os.path.isdir(source):
                os.makedirs(place.at("pfs", seen), exist_ok=True)
            for path in files(source, datum.get("without", [])):
                rest = path if source == "." else path[len(source) :].lstrip("/")
                shown = os.path.join(seen, rest) if rest else seen
                if kind == "in":
                    copy(path, place.at("pfs", shown))
                else:
                    os.makedirs(os.path.dirname(place.at("pfs", shown)), exist_ok=True)
                    open(place.at("pfs", shown), "w").close()
                    stands_for[shown] = path
    return stands_for


def files(source: str, without: list[str]) -> Iterator[str]:
    """The file, or all files that git knows below the directory."""
    if not os.path.isdir(source):
        yield source
    elif os.path.islink(source):
        yield from below(source)
    else:
        argv = ["git", "ls-files", "-z", "--recurse-submodules", "--", f":(literal){source}"]
        found = subprocess.run(argv, stdout=subprocess.PIPE, check=True).stdout
        for path in map(os.fsdecode, found.split(b"\0")[:-1]):
            if is_bookkeeping(path, source) or any(
                path == left or path.startswith(left + "/") for left in without
            ):
                continue
            if os.path.isdir(path) and not os.path.islink(path):
                fail(f"subdataset {path} is not here; run: datalad get -n {shlex.quote(path)}")
            yield from below(path) if os.path.isdir(path) else [path]


def below(folder: str) -> Iterator[str]:
    """All files below a folder that a link leads to."""
    for parent, _, names in os.walk(folder):
        yield from (os.path.join(parent, name) for name in sorted(names))


def is_bookkeeping(path: str, source: str) -> bool:
    """Whether a file belongs to git or DataLad, and is no input."""
    front, found, _ = f"/{path}".rpartition("/.datalad/")
    if found and os.path.lexists(os.path.join(front[1:], ".git")):
        return True
    keep = ".gitkeep" if source == "." else f"{source}/.gitkeep"
    return os.path.basename(path) in _HOUSEKEEPING or path == keep


def copy(source: str, target: str) -> None:
    """Copy a file with its content, never a link."""
    os.makedirs(os.path.dirname(target), exist_ok=True)
    try:
        with open(source, "rb") as file:
            is_here = not file.read(15).startswith(b"/annex/objects/")
    except FileNotFoundError:
        is_here = False
    if not is_here:
        fail(f"the content of {source} is not here; run: datalad get {shlex.quote(source)}")
    shutil.copyfile(source, target)
    os.chmod(target, 0o755 if os.stat(source).st_mode & 0o100 else 0o644)


def in_view(
    shared: Options, datum: Options, command: list[str], stdin: list[str], place: Place
) -> int:
    """Run a command in the view; returns its exit code."""
    env = {**VARIABLES, "PFS": place.pfs, "TEA_DATASET": place.dataset}
    for seen, _ in [*datum.get("in", []), *datum.get("empty", [])]:
        # The variable of an input is the path of its last entry.
        env[seen.split("/")[0]] = os.path.join(place.pfs, seen)
    env.update(dict([*shared.get("set", []), *datum.get("set", [])]))
    with open(place.at("pfs/.env"), "wb") as file:
        file.write(os.fsencode("".join(f"{name}={value}\n" for name, value in env.items())))
    env.update({name: os.environ[name] for name in shared.get("secret", [])})
    begin = os.path.join(place.dataset, *shared.get("workdir", []))
    data = os.fsencode("".join(line + "\n" for line in stdin)) if stdin else None
    if engine(shared):
        return run([*container(shared, env, begin, place, data), *command], None, None, data)
    env.setdefault("PATH", os.environ.get("PATH", os.defpath))
    if not has_bubblewrap():
        return run(command, env, begin, data)
    return run(
        [*bubblewrap(place, "network" in shared), "--chdir", begin, *command], env, None, data
    )


def container(
    shared: Options, env: dict[str, str], begin: str, place: Place, data: bytes | None
) -> list[str]:
    """A new container of the image, which is removed at the end, with the view at its paths."""
    name = engine(shared)
    argv = [name, "run", "--rm", "--entrypoint=", "--cap-drop=all", f"--workdir={begin}"]
    argv += [f"--user={os.getuid()}:{os.getgid()}"]
    argv += ["--userns=keep-id"] if name == "podman" and os.getuid() else []
    argv += [] if "network" in shared else ["--network=none"]
    argv += ["--interactive"] if data is not None else []
    for path, end in (("pfs", ",readonly"), ("pfs/out", ""), ("dataset", ""), ("tmp", "")):
        argv += [f"--mount=type=bind,source={place.at(path)},target=/{path}{end}"]
    secret = shared.get("secret", [])
    # The engine takes the values of secrets from its own environment: no other user sees them.
    argv += [f"--env={name}" + ("" if name in secret else f"={env[name]}") for name in sorted(env)]
    return [*argv, shared["image"][0]]


@functools.cache
def has_bubblewrap() -> bool:
    """Whether bubblewrap is here and may make namespaces."""
    if not shutil.which("bwrap"):
        return False
    argv = ["bwrap", "--unshare-all", "--ro-bind", "/", "/", "true"]
    return subprocess.run(argv, stderr=subprocess.DEVNULL, check=False).returncode == 0


def bubblewrap(place: Place, network: bool) -> list[str]:
    """The host's files, read-only, with the view at its paths."""
    argv = ["bwrap", "--unshare-all", "--die-with-parent"]
    argv += ["--share-net"] if network else []
    for name in sorted(os.listdir("/")):
        path = f"/{name}"
        if os.path.islink(path):
            argv += ["--symlink", os.readlink(path), path]
        elif name not in ("proc", "dev", "tmp", "pfs", "dataset"):
            argv += ["--ro-bind-try", path, path]
    argv += ["--proc", "/proc", "--dev", "/dev", "--bind", place.at("tmp"), "/tmp"]  # noqa: S108
    for path in os.environ.get("PATH", "").split(":"):
        argv += ["--ro-bind-try", path, path] if path.startswith("/tmp/") else []  # noqa: S108
    argv += ["--ro-bind", place.at("pfs"), "/pfs", "--bind", place.at("pfs/out"), "/pfs/out"]
    return [*argv, "--bind", place.at("dataset"), "/dataset"]


def run(
    argv: list[str],
    env: dict[str, str] | None = None,
    cwd: str | None = None,
    data: bytes | None = None,
) -> int:
    """Run a program; returns its exit code, as a shell does."""
    given = {"input": data} if data is not None else {"stdin": subprocess.DEVNULL}
    try:
        code = subprocess.run(argv, env=env, cwd=cwd, check=False, **given).returncode
    except OSError as error:
        print(f"{argv[0]}: {error.strerror}", file=sys.stderr)  # noqa: T201
        return 127
    return int(code) if code >= 0 else 128 - int(code)


def take(datum: Options, place: Place, stands_for: dict[str, str]) -> None:
    """Put what is in ``/pfs/out`` into the dataset."""
    out = place.at("pfs/out")
    for parent, folders, names in os.walk(out):
        links = [name for name in folders if os.path.islink(os.path.join(parent, name))]
        for name in sorted(names + links):
            path = os.path.join(parent, name)
            inside = os.path.relpath(path, out)
            put(path, os.path.join(*datum["to"], inside), inside, place, stands_for)


def put(path: str, target: str, inside: str, place: Place, stands_for: dict[str, str]) -> None:
    """Put one output into the dataset; a link to an input becomes a copy, or has its annex key."""
    os.makedirs(os.path.dirname(target) or ".", exist_ok=True)
    if not os.path.islink(path):
        clear(target)
        shutil.copyfile(path, target)
        os.chmod(target, 0o755 if os.stat(path).st_mode & 0o100 else 0o644)
        return
    link = os.readlink(path)
    led = os.path.normpath(os.path.join(place.pfs, "out", os.path.dirname(inside), link))
    seen = os.path.relpath(led, place.pfs)
    if seen.split("/")[0] in ("..", "out"):
        clear(target)
        os.symlink(link, target)
    elif seen in stands_for:
        source = stands_for[seen]
        clear(target)
        if os.path.islink(source):
            led = os.path.join(os.path.dirname(source), os.readlink(source))
            os.symlink(os.path.relpath(led, os.path.dirname(target) or "."), target)
        else:
            copy(source, target)
    elif os.path.isdir(place.at("pfs", seen)):
        for file in below(place.at("pfs", seen)):
            rest = os.path.relpath(file, place.at("pfs", seen))
            put(file, os.path.join(target, rest), os.path.join(inside, rest), place, stands_for)
    else:
        clear(target)
        copy(place.at("pfs", seen), target)


def clear(target: str) -> None:
    """Remove a former output."""
    if os.path.isdir(target) and not os.path.islink(target):
        shutil.rmtree(target)
    elif os.path.lexists(target):
        os.unlink(target)


def fail(sentence: str) -> NoReturn:
    """End with an error."""
    sys.exit(f"rerun: {sentence}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
