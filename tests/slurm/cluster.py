"""A Slurm of its own in a private folder: munge, MariaDB, slurmdbd, slurmctld and one slurmd for each pretend node.

    with Cluster() as cluster:
        cluster.run("sbatch", "--wait", "--wrap", "hostname")
        cluster.jobs()            # what sacct says, a dictionary for each job
        cluster.stop_node("gpu1")
        ...

Nothing of the host's own Slurm is used or changed, and several of these can run side by side.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from configuration import ACCOUNT, NODES, Ports, write_configuration
from daemons import Daemon, DaemonError, free_ports, kill, listens, parent_of, processes_below

PROGRAMS = (
    *("munged", "mariadbd", "mariadb-install-db", "mariadb", "slurmdbd", "slurmctld", "slurmd"),
    *("sbatch", "srun", "scancel", "sinfo", "squeue", "sacct", "sacctmgr", "scontrol"),
)
SBIN = "/usr/sbin"
FIELDS = (
    *("JobID", "JobIDRaw", "JobName", "Partition", "Account", "State", "ExitCode", "Comment"),
    *("Submit", "Start", "End", "ReqTRES", "AllocTRES", "NodeList", "TimelimitRaw"),
)


def why_not() -> str | None:
    """Return why no cluster can run here; None where one can."""
    missing = [name for name in PROGRAMS if not shutil.which(name, path=_search_path())]
    if missing:
        return f"Slurm is not installed: no {', '.join(missing)} (slurm-wlm slurmdbd munge mariadb-server)"
    if os.geteuid() != 0:
        return "Slurm's daemons start jobs as their users, for which they must be root"
    return None


class Cluster:
    """The daemons, from `with` to its end."""

    def __init__(self) -> None:
        self.folder = Path(
            tempfile.mkdtemp(prefix="slurm-")
        )  # short: paths of sockets have at most 107 letters
        self.log = self.folder / "log"
        self.daemons: dict[str, Daemon] = {}
        self._answers: dict[str, Callable[[], bool]] = {}
        self.environment = {
            **{name: value for name, value in os.environ.items() if not _is_of_slurm(name)},
            "PATH": f"{self.folder}/bin:{_search_path()}",
            "SLURM_CONF": str(self.folder / "slurm.conf"),
            "SBATCH_ACCOUNT": ACCOUNT,
        }

    def __enter__(self) -> Cluster:
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _start(self) -> None:
        folder = self.folder
        database, accounting, controller, *nodes = free_ports(3 + len(NODES))
        ports = Ports(database, accounting, controller, tuple(nodes))
        write_configuration(folder, ports)
        self._write_srun()
        munge = folder / "munge"
        (munge / "key").write_bytes(os.urandom(128))
        (munge / "key").chmod(0o600)
        self._begin(
            "munged",
            [
                *("munged", "--foreground", "--force", f"--key-file={munge}/key", f"--socket={munge}/socket"),
                *(f"--pid-file={munge}/pid", f"--seed-file={munge}/seed", f"--log-file={munge}/log"),
            ],
            (munge / "socket").exists,
        )
        self._start_database(ports)
        self._begin("slurmdbd", ["slurmdbd", "-D"], lambda: listens(ports.accounting))
        for command in (("cluster", "pretend"), ("account", ACCOUNT), ("user", "root", f"account={ACCOUNT}")):
            self.run("sacctmgr", "--immediate", "add", *command)
        self._begin("slurmctld", ["slurmctld", "-D", "-i"], lambda: listens(ports.controller))
        for node in NODES:
            self.daemons[_slurmd(node)] = self._daemon(_slurmd(node), ["slurmd", "-D", "-N", node])
            self.start_node(node)

    def _start_database(self, ports: Ports) -> None:
        data, socket = self.folder / "mariadb", self.folder / "mariadb.socket"
        self.run(
            *("mariadb-install-db", "--no-defaults", f"--datadir={data}", "--user=root", "--skip-test-db"),
            "--auth-root-authentication-method=normal",
        )
        self._begin(
            "mariadbd",
            [
                *("mariadbd", "--no-defaults", f"--datadir={data}", f"--socket={socket}", "--user=root"),
                *("--bind-address=127.0.0.1", f"--port={ports.database}", "--skip-name-resolve"),
                *("--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=64M"),
            ],
            lambda: listens(ports.database),
        )
        self.run(
            *("mariadb", "--no-defaults", f"--socket={socket}", "--user=root", "--execute"),
            "CREATE DATABASE slurm; CREATE USER slurm@'127.0.0.1'; GRANT ALL ON slurm.* TO slurm@'127.0.0.1';",
        )

    def _write_srun(self) -> None:
        """Write an srun that knows this cluster: the plugin takes SLURM_CONF away from the one inside a job."""
        path = self.folder / "bin" / "srun"
        path.parent.mkdir()
        found = shutil.which("srun", path=_search_path())
        path.write_text(f'#!/bin/sh\nSLURM_CONF={self.folder}/slurm.conf exec {found} "$@"\n')
        path.chmod(0o755)

    def _daemon(self, name: str, command: list[str]) -> Daemon:
        command = [shutil.which(command[0], path=_search_path()), *command[1:]]
        return Daemon(name, command, self.log / f"{name}.log", self.environment)

    def _begin(self, name: str, command: list[str], answers: Callable[[], bool]) -> None:
        self.daemons[name], self._answers[name] = self._daemon(name, command), answers
        self.daemons[name].start(answers)

    # --- commands -------------------------------------------------------------------------------------------

    def run(self, *command: str, expect: int | None = 0) -> str:
        """Run a command with this cluster's environment and return what it printed."""
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.environment,
            timeout=300,
        )
        assert expect is None or done.returncode == expect, f"{' '.join(command)}:\n{done.stdout}"
        return done.stdout

    def submit(self, *arguments: str) -> str:
        """Submit a job with sbatch and return its id."""
        return self.run("sbatch", "--parsable", *arguments).strip().split(";")[0]

    def cancel(self, job: str, *arguments: str) -> None:
        """Cancel a job, or signal it (`--signal=KILL --full`)."""
        self.run("scancel", *arguments, job)

    def queue(self) -> list[dict[str, str]]:
        """Return what waits or runs: id, state, partition, comment, node and reason of each job."""
        names = ("id", "state", "partition", "comment", "nodes", "reason")
        text = self.run("squeue", "--noheader", "--format=%i|%T|%P|%k|%N|%r")
        return [dict(zip(names, line.split("|"), strict=True)) for line in text.splitlines()]

    def jobs(self, *arguments: str) -> list[dict[str, str]]:
        """Return what sacct says of every job, the newest last; `--duplicates` shows requeued ones each time."""
        text = self.run(
            *("sacct", "--allocations", "--noheader", "--parsable2", "--starttime=2000-01-01"),
            *(f"--format={','.join(FIELDS)}", *arguments),
        )
        rows = [dict(zip(FIELDS, line.split("|"), strict=True)) for line in text.splitlines()]
        return sorted(rows, key=lambda row: (int(row["JobIDRaw"]), row["Start"]))

    def jobs_of(self, rule: str) -> list[dict[str, str]]:
        """Return the jobs that Snakemake submitted for a rule or a group."""
        return [row for row in self.jobs("--duplicates") if rule_of(row) == rule]

    # --- services -------------------------------------------------------------------------------------------

    def stop_service(self, name: str) -> None:
        """Stop slurmctld, slurmdbd or another daemon that is no node's."""
        self.daemons[name].stop()

    def start_service(self, name: str) -> None:
        """Start it again and wait until it answers."""
        self.daemons[name].start(self._answers[name])

    # --- nodes ----------------------------------------------------------------------------------------------

    def start_node(self, node: str) -> None:
        """Start a node's slurmd and wait until the controller may use the node."""
        daemon = self.daemons[_slurmd(node)]
        daemon.start(lambda: self.state_of(node) in ("idle", "mix", "alloc", "comp"))

    def stop_node(self, node: str, kill_jobs: bool = True) -> None:
        """Take a node down: slurmd, and as a power cut would, all that its jobs had started.

        Without `kill_jobs` its jobs go on, as on a node that only the network lost: Slurm calls these NODE_FAIL too.
        """
        self.daemons[_slurmd(node)].stop(signal.SIGKILL)
        if kill_jobs:
            kill(self._processes_of_node(node))

    def state_of(self, node: str) -> str:
        """Return a node's state in sinfo's short form, such as idle, alloc, mix, comp or down."""
        return self.run("sinfo", "--noheader", "--nodes", node, "--format=%t").split("\n")[0].strip("*~#$@^-")

    def _processes_of_node(self, node: str) -> list[int]:
        """Return the processes of a node's jobs, each job's slurmstepd first: it would still report the others' end."""
        mark, steps, others = f"SLURMD_NODENAME={node}".encode(), set(), []
        running = processes_below(self.folder)
        for process in running:
            with contextlib.suppress(OSError):
                if mark not in Path(f"/proc/{process}/environ").read_bytes().split(b"\0"):
                    continue
                others.append(process)
                parent = parent_of(process)
                if running.get(parent, "").startswith("slurmstepd"):
                    steps.add(parent)
        return [*steps, *others]

    # --- the end --------------------------------------------------------------------------------------------

    def close(self) -> None:
        """End every job and every daemon by its process id, and remove the folder."""
        for daemon in reversed(self.daemons.values()):
            daemon.stop()
        kill(processes_below(self.folder))  # slurmstepd and jobs outlive their slurmd
        shutil.rmtree(self.folder, ignore_errors=True)


def wait_until(
    condition: Callable[[], Any], seconds: float, what: str, every: float = 0.5, tell: Callable | None = None
) -> Any:
    """Return the condition's first true value; fail after some seconds, saying what was waited for."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"waited {seconds:.0f} s for {what}\n{tell() if tell else ''}"
        time.sleep(every)
    return found


def rule_of(row: dict[str, str]) -> str:
    """Return the rule or group that a job was submitted for, from the comment that the plugin gives it.

    >>> rule_of({"Comment": "rule_train_wildcards_count-2-d0_base_0"})
    'train'
    """
    return row["Comment"].removeprefix("rule_").split("_wildcards_")[0]


def gpus_of(row: dict[str, str], field: str = "AllocTRES") -> int:
    """Return how many GPUs a job got, or asked for (`ReqTRES`).

    >>> gpus_of({"AllocTRES": "billing=1,cpu=1,gres/gpu:pretend=2,gres/gpu=2,mem=4G,node=1"})
    2
    """
    parts = dict(part.split("=", 1) for part in row[field].split(",") if part)
    return int(parts.get("gres/gpu", 0))


def most_at_once(rows: list[dict[str, str]]) -> int:
    """Return how many of these jobs ran at the same time, at most.

    >>> jobs = [("10:00:00", "10:00:09"), ("10:00:05", "10:00:07"), ("10:00:09", "10:00:12")]
    >>> most_at_once([{"Start": f"2026-01-01T{a}", "End": f"2026-01-01T{b}"} for a, b in jobs])
    2
    """
    spans = [(datetime.fromisoformat(row["Start"]), datetime.fromisoformat(row["End"])) for row in rows]
    return max((sum(start <= at < end for start, end in spans) for at, _ in spans), default=0)


def _slurmd(node: str) -> str:
    return f"slurmd-{node}"


def _search_path() -> str:
    return f"{os.environ.get('PATH', '')}:{SBIN}"


def _is_of_slurm(name: str) -> bool:
    """Whether a variable of the environment would tell this cluster's commands about another one."""
    return name.startswith(("SLURM", "SBATCH", "SNAKEMAKE", "SPECTRAL_PRIORITY"))


__all__ = ["Cluster", "DaemonError", "gpus_of", "most_at_once", "rule_of", "wait_until", "why_not"]
