"""Fields that are accepted and change nothing: one problem of those that are for a cluster only."""

from __future__ import annotations

from tests.core.spec.test_parse import MINIMAL, said


def test_fields_of_a_cluster_are_one_problem() -> None:
    """All of them together, because nothing that happens here depends on them."""
    lines = (
        "autoscaling: true\nmaximum_expected_uptime: 1h\ntolerations: {a: b}\n"
        "egress: {URL: s3://a}\npodSpec: x\noutput_branch: master"
    )
    (cluster, egress) = said(MINIMAL + lines)
    assert cluster == (
        "ignored",
        "autoscaling",
        "autoscaling, maximum_expected_uptime, tolerations, pod_spec have no effect; they are for "
        "Kubernetes; workers are configured where they are started",
    )
    assert egress[:2] == ("ignored", "egress")
