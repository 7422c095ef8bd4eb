"""Stand in for a study's jobs: empty outputs, and Snakemake's own record of each job, as after a real one.

python placeholders.py all|half <arguments of Snakemake>

Snakemake plans, and only its scheduler is replaced. `half` leaves out every second run, all its measures, and what
needs them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import snakemake.cli
import snakemake.workflow

OF_A_RUN = ("train", "measure")


class Stub:
    """A scheduler that does no work: it makes outputs and records jobs, in the order of the plan."""

    skip_odd_runs = False

    def __init__(self, workflow: Any, *_: Any) -> None:
        self.workflow = workflow

    def schedule(self) -> bool:
        """Make and record all jobs, or those of every second run."""
        dag, left_out = self.workflow.dag, set()
        waiting = set(dag.needrun_jobs())
        for level in dag.toposorted():
            for job in sorted(waiting.intersection(level), key=lambda job: list(job.output)):
                if not left_out.isdisjoint(dag.dependencies[job]) or self._is_of_odd_run(job):
                    left_out.add(job)
                elif job.output:
                    self._make(job)
        return True

    def _is_of_odd_run(self, job: Any) -> bool:
        if not self.skip_odd_runs or job.rule.name not in OF_A_RUN:
            return False
        draw = int(job.wildcards.tier.rpartition("-d")[2])
        return (draw + int(job.wildcards.seed)) % 2 == 1

    def _make(self, job: Any) -> None:
        for path in map(Path, job.output):
            path.parent.mkdir(parents=True, exist_ok=True)
            # The resolved study is compared with the study at every start, so it is no placeholder.
            path.write_text(job.params.text if job.rule.name == "study_file" else "")
        self.workflow.async_run(self.workflow.persistence.finished(job))


if __name__ == "__main__":
    Stub.skip_odd_runs = sys.argv[1] == "half"
    snakemake.workflow.JobScheduler = Stub
    sys.exit(snakemake.cli.main(sys.argv[2:]))
