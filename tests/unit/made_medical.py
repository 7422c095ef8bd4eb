"""Small DICOM and NIfTI files made on the spot. Needs pydicom or nibabel where it is called."""

import gzip
import io

import numpy as np

TYPES = {"u": 0, "i": 1}


def dicom(pixels, photometric="MONOCHROME2", bits=None, patient="", syntax=None, **fields) -> bytes:
    """Write an array (rows, columns), (frames, rows, columns) or (rows, columns, 3) as a DICOM file."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

    colour = pixels.ndim >= 3 and pixels.shape[-1] == 3
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = SecondaryCaptureImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = generate_uid(entropy_srcs=["1"])
    data.PatientID, data.Modality = patient, "OT"
    frames = pixels.ndim - 2 - colour
    data.Rows, data.Columns = pixels.shape[frames : frames + 2]
    if frames:
        data.NumberOfFrames = pixels.shape[0]
    data.SamplesPerPixel, data.PhotometricInterpretation = (3 if colour else 1), photometric
    if colour:
        data.PlanarConfiguration = 0
    data.BitsAllocated = 8 * pixels.dtype.itemsize
    data.BitsStored = bits or data.BitsAllocated
    data.HighBit = data.BitsStored - 1
    data.PixelRepresentation = TYPES[pixels.dtype.kind]
    for name, value in fields.items():
        setattr(data, name, value)
    data.PixelData = pixels.tobytes()
    if syntax is not None:
        data.compress(syntax, generate_instance_uid=False)
    file = io.BytesIO()
    data.save_as(file, enforce_file_format=True)
    return file.getvalue()


def nifti(volume, axes="RAS", slope=None, compressed=False, version=1) -> bytes:
    """Write an array (right, front, top) as a NIfTI file whose axes run otherwise."""
    import nibabel

    turn = nibabel.orientations.ornt_transform(
        nibabel.orientations.axcodes2ornt("RAS"), nibabel.orientations.axcodes2ornt(axes)
    )
    stored = nibabel.apply_orientation(volume, turn)
    affine = nibabel.orientations.inv_ornt_aff(turn, volume.shape)
    image = (nibabel.Nifti1Image if version == 1 else nibabel.Nifti2Image)(
        np.ascontiguousarray(stored), affine, dtype=volume.dtype
    )
    if slope is not None:
        image.header.set_slope_inter(*slope)
    content = image.to_bytes()
    return gzip.compress(content, mtime=0) if compressed else content
