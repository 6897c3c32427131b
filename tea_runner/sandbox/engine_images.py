"""Images of a container engine: those that it has, and those that it pulls."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from tea_runner.core.errors import CommandError, OutsideError, Refused
from tea_runner.core.spec.image_reference import DEFAULT_HOST, ImageReference, parse_image

_LIBRARY = "library/"
_ID = re.compile(r"(?:sha256:)?([0-9a-f]{64})")

#: What registries and engines say of an image that will not be there a minute later either.
_ABSENT = re.compile(r"manifest unknown|not found|no such image|no matching manifest", re.I)
#: What they say to a login that may not pull it; that of another machine may.
_DENIED = re.compile(r"unauthorized|denied", re.I)
#: Variables for pulls alone: Podman would give proxies to containers, too.
_PULL_VARIABLES = (
    *("REGISTRY_AUTH_FILE", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
)
#: Seconds that one pull may take.
_LONGEST_PULL = 3600.0


class ImageMissing(Refused):
    """The image is not on this machine, which may not pull it; another machine may have it."""


def pull_image(
    client: Callable[..., bytes],
    engine: str,
    image: str,
    variables: Mapping[str, str],
    *,
    plain: bool,
) -> None:
    """Have the engine pull an image.

    :param image: its name, with its digest.
    :param variables: the worker's own.
    :param plain: whether the registry has no encryption; Docker's daemon has a setting of its own for that.
    :raises Refused: when the registry has no such image.
    :raises ImageMissing: when it does not give the image to the login of this machine.
    :raises OutsideError: when the pull fails for another reason.
    """
    why = f"pulling {image}"
    options = ["--tls-verify=false"] if plain and engine == "podman" else []
    env = {name: variables[name] for name in _PULL_VARIABLES if name in variables}
    try:
        client("pull", "--quiet", *options, image, why=why, timeout=_LONGEST_PULL, env=env)
    except CommandError as error:
        hint = f"see {engine} pull {image} on the worker"
        if _DENIED.search(error.stderr):
            raise ImageMissing(error.message, hint=hint) from error
        if _ABSENT.search(error.stderr):
            raise Refused(error.message, hint=hint) from error
        raise


def local_image(client: Callable[..., bytes], image: ImageReference, preferred: str) -> str:
    """An image of the engine by its digest; empty if the engine has none, or does not answer.

    An image that was pulled has the digests of its registry.  One that was built here has its id only,
    which is known to this engine alone.

    :param client: runs the engine's client with some words.
    :param preferred: digest to take, if the image has it.
    """
    for name in _names(image):
        try:
            facts: Any = json.loads(client("image", "inspect", name))[0]
            names = [parse_image(str(each)) for each in facts.get("RepoDigests") or ()]
            identity = _ID.fullmatch(str(facts.get("Id", "")))
        except (OutsideError, Refused, ValueError, LookupError, TypeError, AttributeError):
            continue
        break
    else:
        return ""
    digests = sorted(each.digest for each in names if each is not None and each.name == image.name)
    # Podman also lists the digest of its own manifest, which the registry may not know; of an image for
    # several machines the other one is that of the tag.
    known = [digest for digest in digests if digest != facts.get("Digest")] or digests
    if known:
        return image.at(preferred if preferred in digests else known[0])
    return f"sha256:{identity[1]}" if identity else ""


def _names(image: ImageReference) -> tuple[str, ...]:
    """The image's name, and the one that Podman gives an image of that short name that is built here."""
    if image.host != DEFAULT_HOST or not image.path.startswith(_LIBRARY):
        return (str(image),)
    return (str(image), f"localhost/{image.path.removeprefix(_LIBRARY)}:{image.tag}")
