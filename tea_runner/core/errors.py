"""All errors of tea-runner, as one tree; each class has an exit code, HTTP status and failure class.

TeaError
├── UserError                the user's input; not retried
│   ├── SpecError            a pipeline file: file, line, column, key
│   ├── SettingsError        a setting: its name and the source of its value
│   └── NotFound             a repository, run, job, pipeline or datum
├── Refused                  policy does not allow it
│   └── NewerMessage         a process of a newer version wrote it
├── Superseded               replaced by something newer; exit code 0
├── OutsideError             Redis, the forge, a storage or a program failed; retried
│   ├── CommandError         a program that tea-runner started
│   ├── ForgeError           the forge answered with an error, or not at all
│   ├── QueueError           Redis
│   ├── NotOffered           this worker lacks what a job needs; another one may have it
│   └── ContentMissing       an annex key that no allowed storage has (yet)
└── JobError                 a datum failed: recorded and shown; datum_tries limits its tries
    ├── CommandFailed
    ├── TimedOut
    ├── InputRefused
    ├── OutputRefused
    └── Cancelled

The first line of a class's docstring is its default message.
A message names the thing, what is wrong with it, and the next step: ``problem; hint``.
"""

from __future__ import annotations

from typing import ClassVar, Literal

FailureClass = Literal["refused", "user_error", "infra_error", "superseded"]


class TeaError(Exception):
    """Something went wrong in tea-runner.

    :param problem: what is wrong; the first line of the class's docstring by default.
    :param hint: the next step, shown after the problem and a semicolon.
    """

    exit_code: ClassVar[int] = 1
    http_status: int = 500
    failure_class: ClassVar[FailureClass] = "infra_error"

    def __init__(self, problem: str | None = None, *, hint: str = "") -> None:
        self.problem = problem or (type(self).__doc__ or "").strip().splitlines()[0]
        self.hint = hint
        super().__init__(f"{self.problem}; {hint}" if hint else self.problem)

    @property
    def message(self) -> str:
        """The sentence shown to a person."""
        return str(self)


class UserError(TeaError):
    """The request cannot be carried out as it is written."""

    http_status = 400
    failure_class = "user_error"


class UsageError(UserError):
    """The command line cannot be understood."""

    exit_code = 2


class SpecError(UserError):
    """The pipeline file cannot be used as it is written.

    :param key: dotted path of the field, such as ``input.pfs.glob``; empty for the whole file.
    :param line: counted from 1; 0 when no one line is at fault.
    """

    def __init__(
        self,
        problem: str,
        *,
        hint: str = "",
        file: str = "",
        line: int = 0,
        column: int = 0,
        key: str = "",
    ) -> None:
        location = file or "the pipeline file"
        if line:
            location += f":{line}" + (f":{column}" if column else "")
        super().__init__(f"{location}: {key + ': ' if key else ''}{problem}", hint=hint)
        self.problem = problem
        self.file = file
        self.line = line
        self.column = column
        self.key = key


class SettingsError(UserError):
    """A setting has a value that cannot be used."""

    exit_code = 2


class NotFound(UserError):
    """Not found."""

    http_status = 404


class Refused(TeaError):
    """Policy does not allow this."""

    http_status = 403
    failure_class = "refused"


class NewerMessage(Refused):
    """A process of a newer version wrote what is to be read."""


class Superseded(TeaError):
    """Replaced by something newer."""

    exit_code = 0
    http_status = 409
    failure_class = "superseded"


class OutsideError(TeaError):
    """Something outside tea-runner failed; it will be tried again."""

    http_status = 503


class CommandError(OutsideError):
    """A program failed.

    :param argv: the command as it was executed.
    :param code: the exit code, negative when a signal ended the program.
    :param cwd: the working directory, empty when it was the caller's own.
    :param why: what the command was for.
    """

    def __init__(
        self,
        argv: tuple[str, ...],
        code: int,
        stderr: str = "",
        *,
        stdout: str = "",
        cwd: str = "",
        why: str = "",
    ) -> None:
        tail = stderr.strip()[-2000:]
        name = argv[0].rsplit("/", 1)[-1] if argv else "?"
        ended = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
        super().__init__(f"{why + ': ' if why else ''}{name} {ended}{': ' + tail if tail else ''}")
        self.argv = argv
        self.code = code
        self.stderr = stderr
        #: The last 2,000 characters of what it printed.
        self.stdout = stdout[-2000:]
        self.cwd = cwd


class ForgeError(OutsideError):
    """The forge returned an error, or did not answer.

    :param response_status: the HTTP status of its answer, 0 when there was none.
    """

    def __init__(self, problem: str, response_status: int = 0, *, hint: str = "") -> None:
        super().__init__(problem, hint=hint)
        self.response_status = response_status


class QueueError(OutsideError):
    """Redis cannot be used; check that it runs and that the address is right."""


class NotOffered(OutsideError):
    """This worker lacks what the job needs.

    :param needs: what it needs, see :data:`tea_runner.core.planning.worker_requirement.NEEDS`.
    """

    def __init__(self, problem: str, needs: str, *, hint: str = "") -> None:
        super().__init__(problem, hint=hint)
        self.needs = needs


class ContentMissing(OutsideError):
    """The content of an annexed file is in no storage that this worker may use."""

    def __init__(
        self,
        problem: str,
        keys: tuple[str, ...] = (),
        *,
        hint: str = "",
        storages: tuple[str, ...] = (),
        reasons: str = "",
    ) -> None:
        super().__init__(problem, hint=hint)
        self.keys = keys
        #: Names of the storages that were searched.
        self.storages = storages
        #: What git-annex said of the keys.
        self.reasons = reasons


class JobError(TeaError):
    """The datum could not be processed."""

    http_status = 422
    failure_class: ClassVar[FailureClass] = "user_error"
    #: The last line that its command printed, where that may say why; without secrets.
    last_line: str = ""

    @property
    def reason(self) -> str:
        """The problem with the command's last line, for places that do not show its log."""
        return f"{self.message}: {self.last_line}" if self.last_line else self.message


class CommandFailed(JobError):
    """The command ended with a code that the pipeline does not accept."""

    def __init__(self, problem: str, code: int = 1, *, hint: str = "") -> None:
        super().__init__(problem, hint=hint)
        self.code = code


class TimedOut(JobError):
    """The command exceeded its time limit."""


class InputRefused(JobError):
    """The command would read a file that may not be an input."""

    failure_class = "refused"


class OutputRefused(JobError):
    """The command wrote a file that cannot become a result."""

    failure_class = "refused"


class Cancelled(JobError):
    """Cancelled."""

    failure_class = "superseded"
