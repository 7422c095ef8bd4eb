"""ImageNet and RadImageNet in miniature: published layouts and names, and the odd files that they are known for."""

import io

import numpy as np
from made_images import encoded, noise, write_tar
from PIL import Image

TENCH, SHELTIE, PILLOW = "n01440764", "n02105855", "n03938244"
VALIDATION = {1: PILLOW, 2: TENCH, 3: SHELTIE, 4: TENCH}
"""Classes of the validation images by their numbers."""
IDS = {TENCH: 449, SHELTIE: 171, PILLOW: 888}
"""ILSVRC2012_ID."""
PLACES = {TENCH: 0, SHELTIE: 230, PILLOW: 721}
"""Places among the sorted WordNet ids."""


def jpeg(seed: int, mode: str = "RGB", size: tuple[int, int] = (20, 20), **options) -> bytes:
    """Encode noise as JPEG in a colour mode."""
    channels = len(Image.new(mode, (1, 1)).getbands())
    values = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], channels), dtype=np.uint8)
    return encoded(Image.fromarray(values.squeeze(), mode), "JPEG", **options)


def rotated(seed: int) -> bytes:
    """Encode a wide image that EXIF says is upright when turned."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return jpeg(seed, size=(30, 20), exif=exif)


def training(broken: bool = False) -> dict[str, bytes]:
    """Make training images by `<wnid>/<file>`: CMYK, PNG inside .JPEG, grey, turned by EXIF; a broken one if asked."""
    files = {
        f"{TENCH}/{TENCH}_18.JPEG": jpeg(1),
        f"{TENCH}/{TENCH}_36.JPEG": jpeg(2, "L"),
        f"{TENCH}/{TENCH}_1234.JPEG": rotated(3),
        f"{SHELTIE}/{SHELTIE}_2933.JPEG": encoded(noise(4, 20)),
        f"{SHELTIE}/{SHELTIE}_7.JPEG": jpeg(5),
        f"{PILLOW}/{PILLOW}_1.JPEG": jpeg(6, "CMYK"),
        f"{PILLOW}/{PILLOW}_2.JPEG": jpeg(7),
    }
    if broken:
        files[f"{PILLOW}/{PILLOW}_3.JPEG"] = jpeg(8)[:300]
    return files


def name_of(number: int) -> str:
    return f"ILSVRC2012_val_{number:08d}.JPEG"


def validation() -> dict[str, bytes]:
    """Make flat validation images."""
    return {name_of(number): jpeg(100 + number) for number in VALIDATION}


def foldered() -> dict[str, bytes]:
    """Make validation images in class folders."""
    return {f"{VALIDATION[number]}/{name_of(number)}": jpeg(100 + number) for number in VALIDATION}


def training_tar(path, files: dict[str, bytes]):
    """Write ILSVRC2012_img_train.tar: a tar for every class, its images without a folder."""
    inner = {}
    for wnid in dict.fromkeys(member.split("/")[0] for member in files):
        own = {name.split("/")[1]: content for name, content in files.items() if name.startswith(wnid)}
        made = write_tar(path.parent / f"{wnid}.tar", own)
        inner[made.name] = made.read_bytes()
        made.unlink()
    return write_tar(path, inner)


TRUTHS = {
    "ILSVRC2012_validation_ground_truth.txt": "".join(f"{IDS[VALIDATION[i]]}\n" for i in VALIDATION),
    "imagenet_2012_validation_synset_labels.txt": "".join(f"{VALIDATION[i]}\n" for i in VALIDATION),
    "LOC_val_solution.csv": "ImageId,PredictionString\n"
    + "".join(f"{name_of(i)[:-5]},{VALIDATION[i]} 85 1 499 272 \n" for i in reversed(VALIDATION)),
    "val.txt": "".join(f"{name_of(i)} {PLACES[VALIDATION[i]]}\n" for i in VALIDATION),
    "val_list.txt": "".join(f"val/{name_of(i)} {VALIDATION[i]}\n" for i in VALIDATION),
}
"""Every form of the ground truth, under its usual name."""

# (file below radiology_ai, label of the table, split)
RADIMAGENET = [
    ("CT/lung/normal/lung-normal000032.png", "normal", "train"),
    ("CT/lung/normal/lung-normal000033.png", "normal", "train"),
    ("CT/lung/Nodule/lung009382.png", "Nodule", "train"),
    ("CT/lung/interstitial_lung_disease/lung009382.png", "interstitial_lung_disease", "train"),
    ("CT/abd/normal/abd-normal039513.png", "normal", "train"),
    ("MR/af/Plantar_plate_tear/foot040499.png", "Plantar_plate_tear", "train"),
    ("MR/knee/normal/knee000001.png", "normal", "train"),
    ("US/gb/usn309850.png", "usn", "train"),
    ("US/gb/usn309851.png", "usn", "train"),
    ("CT/lung/normal/lung-normal000040.png", "normal", "val"),
    ("MR/knee/normal/knee000002.png", "normal", "val"),
    ("US/gb/usn309852.png", "usn", "val"),
    ("CT/abd/normal/abd-normal039514.png", "normal", "test"),
    ("MR/af/Plantar_plate_tear/ankle027288.png", "Plantar_plate_tear", "test"),
]


def sixteen_bit(seed: int) -> bytes:
    """Encode 16-bit grey noise as PNG."""
    values = np.random.default_rng(seed).integers(0, 65536, (24, 24)).astype(np.uint16)
    file = io.BytesIO()
    Image.fromarray(values).save(file, "PNG")
    return file.getvalue()


def radimagenet_images(rows=RADIMAGENET, top="radiology_ai/") -> dict[str, bytes]:
    """Make the images: grey PNG, one of 16 bit, some colour, one empty, as the published set has them."""
    files = {top + name: encoded(noise(i, 24)[..., 0]) for i, (name, _, _) in enumerate(rows)}
    names = list(files)
    files[names[0]], files[names[1]] = sixteen_bit(0), encoded(noise(1, 24))
    files[names[4]] = encoded(np.zeros((24, 24), dtype=np.uint8))
    return files


def radimagenet_tables(rows=RADIMAGENET) -> dict[str, bytes]:
    """Make the three tables."""
    return {
        f"RadiologyAI_{split}.csv": "".join(
            [
                "filename,label\n",
                *(f"radiology_ai/{name},{label}\n" for name, label, own in rows if own == split),
            ]
        ).encode()
        for split in ("train", "val", "test")
    }
