"""The checked-in schema and reference table are those of the code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tea_runner.core.spec.field import Field
from tea_runner.core.spec.fields import TOP
from tea_runner.core.spec.input_fields import INPUT
from tea_runner.core.spec.json_schema import json_schema, spec_reference
from tea_runner.core.spec.parse import parse_specs

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs" / "reference"
AGAIN = """
write it anew with:
python -c "from pathlib import Path; from tea_runner.core.spec import json_schema as schema
Path('docs/reference/pipeline.schema.json').write_text(schema.json_schema(), 'utf-8')
Path('docs/reference/spec.md').write_text(schema.spec_reference(), 'utf-8')"
"""


@pytest.mark.parametrize(
    ("name", "expected"), [("pipeline.schema.json", json_schema()), ("spec.md", spec_reference())]
)
def test_the_checked_in_file_is_current(name: str, expected: str) -> None:
    """What editors and people read is what the parser reads."""
    assert expected == (DOCS / name).read_text(encoding="utf-8"), AGAIN


def test_every_field_of_pachyderm_is_in_the_reference() -> None:
    """The fields of CreatePipelineRequest, each by name."""
    theirs = """
        pipeline.name tf_job transform.image transform.cmd transform.err_cmd transform.env
        transform.secrets[] transform.image_pull_secrets transform.stdin transform.err_stdin
        transform.accept_return_code transform.debug transform.user transform.working_dir
        transform.dockerfile transform.memory_volume transform.datum_batching
        parallelism_spec.constant egress update output_branch s3_out resource_requests.cpu
        resource_limits.memory sidecar_resource_limits input.pfs.project input.pfs.name
        input.pfs.repo input.pfs.repo_type input.pfs.branch input.pfs.commit input.pfs.glob
        input.pfs.join_on input.pfs.outer_join input.pfs.group_by input.pfs.lazy
        input.pfs.empty_files input.pfs.s3 input.pfs.trigger input.pfs.reference
        input.pfs.propagation_spec.never input.join input.group input.cross input.union
        input.cron.name input.cron.spec input.cron.repo input.cron.start input.cron.overwrite
        input.cron.commit description reprocess service spout datum_set_spec.number
        datum_set_spec.size_bytes datum_set_spec.per_worker datum_timeout job_timeout salt
        datum_tries scheduling_spec.node_selector
        scheduling_spec.priority_class_name pod_spec pod_patch spec_commit metadata.annotations
        metadata.labels reprocess_spec autoscaling tolerations sidecar_resource_requests dry_run
        determined maximum_expected_uptime
    """
    page = spec_reference()
    assert [] == [name for name in theirs.split() if f"| `{name}` |" not in page]


def _fields(fields: tuple[Field, ...]) -> list[Field]:
    return [field for known in fields for field in (known, *_fields(known.fields))]


def test_every_field_that_does_not_work_says_what_happens_instead() -> None:
    """No warning without a next step."""
    silent = [known.name for known in _fields(TOP) if known.support != "works" and not known.note]
    assert [] == silent


def test_the_schema_accepts_the_names_that_the_parser_accepts() -> None:
    """Both spellings of each field that is not refused."""
    schema = json.loads(json_schema())
    for fields, properties in ((TOP, schema), (INPUT, schema["$defs"]["input"])):
        expected = {
            name
            for known in fields
            if known.support != "refused"
            for name in (known.name, known.camel)
        }
        assert expected == set(properties["properties"])


def test_the_examples_are_pipeline_files_without_a_problem() -> None:
    """Each spec.yml of the examples is read without a word."""
    found = sorted((ROOT / "examples").rglob("spec.yml"))
    assert len(found) >= 7
    for path in found:
        parsed = parse_specs(path.relative_to(ROOT).as_posix(), path.read_bytes())
        assert () == parsed.problems
        assert 1 <= len(parsed.pipelines)
