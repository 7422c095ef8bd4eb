"""DICOM and NIfTI files: which grey values are shown, which slices are taken, and what belongs to one patient."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from .base import Count, Fraction, Positive, Real, Section


class Window(Section):
    """Values that are shown: from centre − width/2, which becomes black, to centre + width/2, which becomes white."""

    centre: Real
    """In the units of the file: Hounsfield units for CT (lung −600, soft tissue 40)."""
    width: Positive
    """In the same units (lung 1500, soft tissue 400)."""


class Slices(Section):
    """Slices of a NIfTI volume, numbered to the right, front or top of the patient, whatever the file's own order."""

    axis: Literal["axial", "coronal", "sagittal"] = "axial"
    """Across which the slices lie."""
    every: Count = 1
    """1 = every slice, 2 = every other one, …: neighbours are nearly the same image."""
    first: Fraction = 0.0
    """Share of the volume below which slices are left out."""
    last: Annotated[Fraction, Field(gt=0)] = 1.0
    """Share of the volume above which slices are left out."""

    @model_validator(mode="after")
    def _in_order(self):
        if self.first >= self.last:
            raise ValueError(f"first: found {self.first:g}, which is not below last, {self.last:g}")
        return self


class MedicalFiles(Section):
    """What is taken of DICOM and NIfTI files (.dcm, .dicom, .nii, .nii.gz), which need the packages of `[medical]`."""

    window: Window | None = None
    """Grey values that are shown, the same for all files; null: DICOM's own window or table, else smallest to largest
    value of the image; of NIfTI the 0.5 to 99.5 % quantiles of the volume. Files' own windows may differ by class."""
    slices: Slices = Slices()
    """Slices of NIfTI volumes. All slices of a volume, as all frames of a DICOM file, belong to one group."""
    dicom_group: Literal["patient", "series"] = "patient"
    """Which DICOM images must not be parted: those of one PatientID (of one study where it is empty), or of one series,
    for sets whose PatientID was replaced by the same text everywhere. Groups get numbers: no ID is kept."""
