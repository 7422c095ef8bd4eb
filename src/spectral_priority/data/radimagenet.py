"""RadImageNet: its three tables, and labels from coarse to fine: modality, anatomy, class."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from ..config.image_sources import RadImageNet
from ..errors import InputError
from .batches import Placement
from .csv_rows import Faults, csv_rows
from .hierarchy import nested_edges
from .image_table import LEFT_OUT, ImageTable
from .images import HELD_OUT, TRAIN
from .usual_names import find_usual

FORMS = (("radiology_ai",), ("radimagenet.tar.gz",))
"""What is looked for below data_root, in this order."""
LABELS = ("modality", "anatomy", "class")
MODALITIES = ("CT", "MR", "US")
PUBLISHED_CLASSES = 165
"""Combinations of modality, anatomy and label in the published set (tables/README.md)."""
SHOWN = 5


def find_radimagenet(data_root: Path) -> list[Path]:
    """Return the folder or archive of RadImageNet's images below data_root."""
    return find_usual("RadImageNet", FORMS, data_root)


class RadImageNetLayout:
    """The layout radiology_ai/<modality>/<anatomy>/[<label>/]<file>, listed with labels by RadiologyAI_<split>.csv.

    Parameters
    ----------
    options : RadImageNet
    data_root : path
        Folder that paths start from.

    Raises
    ------
    InputError
        Naming the table and the lines that can't be meant.
    """

    def __init__(self, options: RadImageNet, data_root: Path):
        self.options = options
        self.folder = data_root / options.tables
        self.table = ImageTable(LABELS)
        self.notes: list[str] = []
        for name in ("train", "val", "test"):
            split = TRAIN if name == "train" else HELD_OUT if name in options.held_out else LEFT_OUT
            if split != LEFT_OUT or (self.folder / f"RadiologyAI_{name}.csv").exists():
                self._read(self.folder / f"RadiologyAI_{name}.csv", split)
        self._keep_patients_whole()
        untrained = self.table.leave_out_untrained("class")
        if untrained:
            shown = ", ".join(f"{name} ({count})" for name, count in list(untrained.items())[:SHOWN])
            self.notes.append(
                f"{sum(untrained.values())} held-out images of {len(untrained)} classes without training images were "
                f"left out: {shown}"
            )

    def key(self, path: Path, member: str) -> str | None:
        """Return the path by which a table lists an image."""
        return self.table.find(path, member)

    def reads(self, member: str) -> bool:
        """No other file is read."""
        return False

    def note(self, member: str, content: bytes) -> None:
        """No other file is read."""

    def place(self, keys: list[str]) -> Placement:
        """Tell split, labels and patient by the tables."""
        placement = self.table.place(keys)
        placement.hierarchy = nested_edges(placement, LABELS, self.folder)
        placement.warnings += self.notes
        found = len(placement.classes["class"])
        if found != PUBLISHED_CLASSES:
            placement.warnings.append(
                f"{found} classes were found; the published set has {PUBLISHED_CLASSES}"
            )
        if self.options.patient is None:
            placement.warnings.append(
                "patients are not known: the published file names tell none, so that they lie in one split rests on "
                "the published tables, and tiers can't keep them together"
            )
        return placement

    def _read(self, where: Path, split: int) -> None:
        patient, faults = self._patient(), Faults(where)
        for line, (name, label) in csv_rows(where, ("filename", "label")):
            parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
            start = next((i for i, part in enumerate(parts[:3]) if part in MODALITIES), None)
            if not name or not label:
                faults.add("a cell is empty", line)
            elif start is None or len(parts) < start + 3:
                faults.add("the file name tells no modality and anatomy", line)
            else:
                modality, anatomy = parts[start], f"{parts[start]}/{parts[start + 1]}"
                classes = (modality, anatomy, f"{anatomy}/{label}")
                self.table.add(name, split, classes, patient(name), where=where, line=line)
        faults.check(
            f"radiology_ai/<modality>/<anatomy>/…/<file> with the modality {', '.join(MODALITIES)}, and a label"
        )

    def _patient(self) -> Callable[[str], str]:
        if self.options.patient is None:
            return lambda name: ""
        pattern = re.compile(self.options.patient)

        def patient(name: str) -> str:
            found = pattern.search(name)
            return (found[1] or "") if found else ""

        return patient

    def _keep_patients_whole(self) -> None:
        if self.options.patient is None:
            return
        unknown = self.table.without_group()
        if unknown == len(self.table):
            raise InputError(
                "source.patient",
                f"{self.options.patient!r} is found in no file name",
                "an expression whose first group is the patient",
                "leave it out if the names tell no patient",
            )
        if unknown:
            self.notes.append(f"{unknown} of {len(self.table)} file names tell no patient")
        moved, patients = self.table.keep_groups_whole()
        if moved:
            self.notes.append(
                f"{moved} held-out images of {patients} patients were moved to training, where other images of "
                "these patients are"
            )
