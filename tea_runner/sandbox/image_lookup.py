"""Which image a name has: by the operator's names, the results, a registry, or the engine's own images.

A registry's answer counts for a minute.  Registries that do not answer may take a minute in five, however
many there are: whoever writes pipeline files chooses their names.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from tea_runner.core.errors import OutsideError, Refused
from tea_runner.core.spec.datalad_containers import image_digest
from tea_runner.core.spec.image_reference import ImageReference, parse_image, refuse_without_digest
from tea_runner.sandbox.image_policy import ImageNotFound, ImagePolicy

_KEPT = 60.0
_WINDOW, _MOST_WAITING = 300.0, 60.0


class ImageLookup:
    """Finds digests; see :class:`tea_runner.ports.Images`.

    :param ask_registry: the digest of an image; see
        :meth:`~tea_runner.sandbox.image_registry.ImageRegistries.digest`.
    :param ask_engine: an image of the engine by its digest, preferably the second one; empty if the engine
        has none.
    """

    def __init__(
        self,
        policy: ImagePolicy,
        ask_registry: Callable[[ImageReference], str],
        ask_engine: Callable[[ImageReference, str], str] = lambda *_: "",
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._policy = policy
        self._ask_registry = ask_registry
        self._ask_engine = ask_engine
        self._clock = clock
        #: Image to the time and the answer.
        self._answers: dict[str, tuple[float, str | OutsideError | Refused]] = {}
        #: Times at which registries did not answer, and how long that took.
        self._waited: list[tuple[float, float]] = []

    def digest(self, image: str, recorded: str) -> str:
        """See :meth:`tea_runner.ports.Images.digest`."""
        policy = self._policy
        named = policy.names.get(image, image)
        if image_digest(named):
            return _without_tag(named)
        reference = parse_image(named)
        if reference is None:
            raise Refused(
                f"this dataset has no container {image}, and {named!r} is not the name of an image",
                hint="add it with datalad containers-add",
            )
        if policy.tags == "refuse":
            raise refuse_without_digest(image)
        if policy.tags == "once" and recorded:
            return recorded
        if not policy.allows(reference):
            raise Refused(
                f"images of registry {reference.host} are not allowed here",
                hint="ask the operator for images.registries",
            )
        return self._now(reference, recorded)

    def _now(self, image: ImageReference, recorded: str) -> str:
        answer = self._answer(image)
        if isinstance(answer, str):
            return image.at(answer)
        silent = isinstance(answer, OutsideError)
        if silent and "@" in recorded:
            return recorded
        local = self._ask_engine(image, image_digest(recorded))
        if local or (silent and recorded):
            return local or recorded
        raise answer.with_traceback(None)

    def _answer(self, image: ImageReference) -> str | OutsideError | Refused:
        """The registry's answer, which counts for some time."""
        now = self._clock()
        known = self._answers.get(str(image))
        if known is not None and now - known[0] < _KEPT:
            return known[1]
        answer: str | OutsideError | Refused
        self._waited = [row for row in self._waited if now - row[0] < _WINDOW]
        if sum(seconds for _, seconds in self._waited) > _MOST_WAITING:
            return OutsideError(f"registry {image.host} is not asked: others do not answer")
        try:
            answer = self._ask_registry(image)
        except (ImageNotFound, OutsideError) as error:
            answer = error
        after = self._clock()
        if isinstance(answer, OutsideError):
            self._waited.append((after, after - now))
        if len(self._answers) > 10_000:
            self._answers.clear()
        self._answers[str(image)] = (after, answer)
        return answer


def _without_tag(text: str) -> str:
    reference = parse_image(text)
    return reference.at(reference.digest) if reference is not None else text
