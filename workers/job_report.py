"""What came of a job: results, failures, and what was measured."""

from __future__ import annotations

from dataclasses import dataclass, field

from tea_runner.core.planning.datum_measures import DatumMeasures
from tea_runner.core.results.result import Result
from workers.job_details_recorder import DetailsRecorder
from workers.run_datums import ComputedDatum


@dataclass
class JobReport:
    """Results and failures of a job's datums."""

    results: list[Result] = field(default_factory=list)
    #: Keys to errors.
    failures: dict[str, str] = field(default_factory=dict)
    #: Keys of datums that did not begin, because content of their inputs is in no storage, to errors.
    missing: dict[str, str] = field(default_factory=dict)
    #: Keys whose outputs could not be stored, to a digest of the attributes there.
    attributes: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    #: Bytes of inputs that were fetched from storages.
    fetched: int = 0
    #: Seconds in which the inputs were fetched, commands ran, and results were saved and sent.
    fetch_seconds: float = 0.0
    run_seconds: float = 0.0
    store_seconds: float = 0.0
    measures: list[DatumMeasures] = field(default_factory=list)
    #: What ran, with inputs and outputs; None where nothing did.
    details: DetailsRecorder = field(default_factory=DetailsRecorder)
    #: The commit that holds the results.
    commit: str = ""
    #: Whether an earlier attempt had published the results, so that nothing was computed.
    done_before: bool = False

    def add_measures(self, computed: ComputedDatum) -> None:
        """Add what was measured of a datum, and what it read."""
        self.measures.append(computed.measures)
        self.run_seconds += computed.use.seconds
        self.details.add_inputs(computed)
