"""Environment variables of a datum's command.

Names are Pachyderm's (``src/server/worker/driver``, ``UserCodeEnv``).  The ids of commits and jobs
are meant for logs; they are not in the key, so a result must not depend on them.  ``FILESET_ID``
follows from the key, and may be used.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence

from tea_runner.core.datums.datum import Datum
from tea_runner.core.datums.view import Source, View
from tea_runner.core.pipeline import Pipeline


def variables(
    pipeline: Pipeline,
    datum: Datum,
    view: View,
    sources: Sequence[Source],
    *,
    key: str,
    job: str,
    commit: str,
    pfs: str,
    dataset: str,
) -> dict[str, str]:
    """The complete environment of the command, except ``PATH``.

    :param pfs: path of the view's root as the command sees it.
    :param dataset: the dataset's id.
    """
    hidden = pipeline.output_path is not None
    found = {
        "HOME": "/tmp",  # noqa: S108 - the sandbox's own
        "LANG": "C.UTF-8",
        "PFS": pfs,
        "TEA_DATASET": dataset,
        "PPS_PIPELINE_NAME": pipeline.name,
        "PPS_SPEC_COMMIT": pipeline.spec_blob,
        # What Pachyderm takes from Kubernetes.
        "PPS_NAMESPACE": "default",
        "PACH_NAMESPACE": "default",
        "PPS_POD_NAME": "sandbox",
        "PACH_JOB_ID": job,
        "PACH_OUTPUT_COMMIT_ID": commit,
        # When names are hidden, the id must not reveal them.
        "PACH_DATUM_ID": key if hidden else datum.id,
        "FILESET_ID": key[:32],
    }
    for name, path in view.paths.items():
        # Paths in the dataset are relative to its root, so that a record can contain them.
        if pipeline.view == "dataset":
            found[name] = path or "."
        else:
            found[name] = posixpath.join(pfs, path) if path else pfs
    for entry in datum.entries:
        found[f"{entry.name}_COMMIT"] = sources[entry.input].commit
    found.update(view.variables)
    found.update(_declared(pipeline.transform.env))
    return found


def env_file(env: Mapping[str, str]) -> bytes:
    """The file ``/pfs/.env``: a line for each variable, as in Pachyderm."""
    text = "".join(f"{name}={value}\n" for name, value in env.items())
    return text.encode("utf-8", "surrogateescape")


def _declared(env: Sequence[tuple[str, str]]) -> Mapping[str, str]:
    return dict(env)
