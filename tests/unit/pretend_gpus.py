"""GPUs that aren't there: an `nvidia-smi` that lists some, and programs that take leases on them."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src"
HOLD = """
import logging, sys
logging.basicConfig(level=logging.INFO, format="%(message)s")
from spectral_priority.gpus.lease import lease_gpus
print(",".join(lease_gpus({number})) or "none", flush=True)
sys.stdin.read()
"""


def pretend_gpus(monkeypatch, folder: Path, number: int, text: str | None = None, code: int = 0) -> list[str]:
    """Put an nvidia-smi on the PATH that lists so many GPUs, and leases into the folder; return the UUIDs."""
    uuids = [f"GPU-0000000{place}-aaaa" for place in range(number)]
    lines = [f"GPU {place}: NVIDIA Pretend (UUID: {uuid})" for place, uuid in enumerate(uuids)]
    program = folder / "bin" / "nvidia-smi"
    program.parent.mkdir(parents=True)
    (folder / "list").write_text(text or "\n".join(lines) + "\n")
    program.write_text(f"#!/bin/sh\necho asked >> {folder}/asked\ncat {folder}/list\nexit {code}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)  # read it again
    monkeypatch.setenv("PYTHONPATH", str(SOURCE))
    for name in ("CUDA_VISIBLE_DEVICES", "SPECTRAL_PRIORITY_RUNS_PER_GPU", "SLURM_JOB_ID", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    return uuids


class Holder:
    """A program that takes GPUs and holds them until it is told to end, or killed."""

    def __init__(self, number: int = 1, code: str = HOLD):
        self.process = subprocess.Popen(
            [sys.executable, "-c", code.format(number=number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def gpus(self) -> list[str]:
        """Wait until it has GPUs, and return them; none where it goes without."""
        line = self.process.stdout.readline().strip()
        assert line, self.process.communicate()[1]
        return [] if line == "none" else line.split(",")

    def waits(self) -> str:
        """Wait until it says that it waits, and return that."""
        line = self.process.stderr.readline()
        assert line.startswith("waiting"), line
        return line

    def end(self) -> None:
        """Let it end by itself."""
        self.process.communicate()

    def kill(self) -> None:
        """Kill it (SIGKILL)."""
        self.process.kill()
        self.process.communicate()

    def __enter__(self) -> Holder:
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()
