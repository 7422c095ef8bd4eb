"""The configuration files of a small Slurm on one host: two pretend nodes, two pretend GPUs, three partitions."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

CPU_NODE, GPU_NODE = "cpu1", "gpu1"
NODES = (CPU_NODE, GPU_NODE)
PARTITIONS = ("cpu", "gpu", "scavenge")
GPUS = 2
GPU_MODEL = "pretend"
CPUS = 8
"""CPUs that each node claims to have, whatever the host has."""
MEMORY_MB = 64_000
ACCOUNT = "study"


@dataclass(frozen=True)
class Ports:
    """Where the daemons listen."""

    database: int
    accounting: int
    controller: int
    nodes: tuple[int, ...]


def write_configuration(folder: Path, ports: Ports) -> None:
    """Write slurm.conf, slurmdbd.conf and gres.conf, and the files that stand for GPUs."""
    for name in ("state", *(f"spool/{node}" for node in NODES), "log", "munge"):
        (folder / name).mkdir(parents=True)
    for number in range(GPUS):
        (folder / f"gpu{number}").touch()
    (folder / "slurm.conf").write_text(slurm_conf(folder, ports))
    (folder / "gres.conf").write_text(
        f"AutoDetect=off\nNodeName={GPU_NODE} Name=gpu Type={GPU_MODEL} File={folder}/gpu[0-{GPUS - 1}]\n"
    )
    database = folder / "slurmdbd.conf"
    database.write_text(slurmdbd_conf(folder, ports))
    database.chmod(0o600)  # slurmdbd refuses others


def slurmdbd_conf(folder: Path, ports: Ports) -> str:
    """Return the configuration of the daemon that keeps the accounts."""
    return f"""\
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={ports.accounting}
SlurmUser=root
PidFile={folder}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={ports.database}
StorageUser=slurm
StorageLoc=slurm
"""


def slurm_conf(folder: Path, ports: Ports) -> str:
    """Return the configuration of controller and nodes, with short times where a test would wait."""
    host = socket.gethostname().split(".")[0]
    nodes = "\n".join(
        f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={CPUS} Sockets=1"
        f" CoresPerSocket={CPUS} ThreadsPerCore=1 RealMemory={MEMORY_MB}"
        + (f" Gres=gpu:{GPU_MODEL}:{GPUS}" if name == GPU_NODE else "")
        for name, port in zip(NODES, ports.nodes, strict=True)
    )
    return f"""\
ClusterName=pretend
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports.controller}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
# A job that was put back into the queue waits as long as its credentials last.
AuthInfo=socket={folder}/munge/socket,cred_expire=8
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
MailProg=/bin/true
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
PropagateResourceLimits=NONE
# Nodes that claim more than the host has, and no control groups: these need a real boot of the host.
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
# Memory is watched by polling, and a job that takes more than it asked for is killed.
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill,UsePss
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=500
GresTypes=gpu
# Jobs of the partition `scavenge` give way to those of `gpu`, and go back into the queue.
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,bf_yield_interval=100000,sched_interval=2,sched_min_interval=100000,batch_sched_delay=0,requeue_delay=1
PriorityType=priority/basic
KillWait=5
MinJobAge=300
SlurmctldTimeout=10
SlurmdTimeout=6
BatchStartTimeout=10
MessageTimeout=10
TCPTimeout=2
CompleteWait=0
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={ports.accounting}
AccountingStoragePass={folder}/munge/socket
AccountingStorageTRES=gres/gpu,gres/gpu:{GPU_MODEL}
AccountingStorageEnforce=associations,limits
AccountingStoreFlags=job_comment
{nodes}
PartitionName=cpu Nodes={CPU_NODE} Default=YES MaxTime=1-0 DefaultTime=10 PriorityTier=10 PreemptMode=OFF
PartitionName=gpu Nodes={GPU_NODE} MaxTime=1-0 DefaultTime=10 PriorityTier=10 PreemptMode=OFF
PartitionName=scavenge Nodes={GPU_NODE} MaxTime=1-0 DefaultTime=10 PriorityTier=1 PreemptMode=REQUEUE GraceTime=0
"""
