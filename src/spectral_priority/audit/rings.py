"""How much of a label sits in a band alone: a linear classifier on nothing but its power.

Question: would a network need to look at anything else? A high band that tells the classes apart is a shortcut, whether
it comes from the objects or from the files; where it survives one encoder quality for all, it is not the encoder's.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..fourier import bands
from .finding import Finding, listed, severity
from .sample import Seen

LEAST_TO_LEARN, LEAST_TO_TEST = 10, 5
"""Images of a class below which it takes no part."""
LEAST_POWER = 1e-8
"""Below what rounding to 8 bits leaves in any ring."""
SERIOUS, WARNING = 0.5, 0.2
"""Of the chance-corrected accuracy on the high band alone."""


class BandAccuracy(NamedTuple):
    """How well the classes are told by one band's power alone.

    Attributes
    ----------
    band : {"low", "mid", "high"}
    accuracy : float
        Mean over classes of the share of test images that are told right.
    standard_error : float
    chance : float
        1 ÷ classes.
    n : int
        Test images.
    recall : ndarray (class,)
        By class, NaN where it took no part.
    """

    band: str
    accuracy: float
    standard_error: float
    chance: float
    n: int
    recall: np.ndarray

    @property
    def corrected(self) -> float:
        """Accuracy over chance, as a share of what is left above chance."""
        return (self.accuracy - self.chance) / (1 - self.chance)


def band_accuracies(
    learn: Seen, test: Seen, learn_label: np.ndarray, test_label: np.ndarray, classes: int
) -> list[BandAccuracy]:
    """Tell classes by the logarithm of the power in each ring of a band, for each of three bands.

    Parameters
    ----------
    learn, test : Seen
    learn_label, test_label : ndarray (n,) int
    classes : int

    Returns
    -------
    list of BandAccuracy
        Empty where fewer than two classes have enough images.

    Notes
    -----
    Rings only, no directions: by those of its edges any object that stands upright could be told in every band.
    Linear discriminant analysis (Fisher 1936) with equal priors and the shrinkage of Ledoit and Wolf (2004).
    """
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    enough = (np.bincount(learn_label, minlength=classes) >= LEAST_TO_LEARN) & (
        np.bincount(test_label, minlength=classes) >= LEAST_TO_TEST
    )
    if enough.sum() < 2:
        return []
    ours, theirs = enough[learn_label], enough[test_label]
    found = []
    for band, inside in bands(learn.size).items():
        features = _features(learn.power[ours][:, inside])
        varies = features.std(axis=0) > 0
        told = np.full(int(theirs.sum()), -1)
        if varies.any():
            model = LinearDiscriminantAnalysis(
                solver="lsqr", shrinkage="auto", priors=np.full(int(enough.sum()), 1 / enough.sum())
            )
            model.fit(features[:, varies], learn_label[ours])
            told = model.predict(_features(test.power[theirs][:, inside])[:, varies])
        right, label = told == test_label[theirs], test_label[theirs]
        number = np.bincount(label, minlength=classes)
        with np.errstate(invalid="ignore"):
            recall = np.bincount(label, weights=right, minlength=classes) / number
        spread = recall[enough] * (1 - recall[enough]) / number[enough]
        found.append(
            BandAccuracy(
                band,
                float(recall[enough].mean()),
                float(np.sqrt(spread.sum()) / enough.sum()),
                1 / int(enough.sum()),
                len(label),
                np.where(enough, recall, np.nan),
            )
        )
    return found


def check_bands(
    plain: list[BandAccuracy], recoded: list[BandAccuracy], label: str, names: list[str]
) -> list[Finding]:
    """Return a finding where the high band alone tells the classes."""
    high = next((found for found in plain if found.band == "high"), None)
    after = next((found for found in recoded if found.band == "high"), None)
    level = severity(high.corrected, SERIOUS, WARNING) if high else None
    if not level:
        return []
    stays = after.corrected >= 0.8 * high.corrected
    best = [
        names[i] for i in np.argsort(-np.nan_to_num(high.recall, nan=-1)) if high.recall[i] > 2 * high.chance
    ]
    return [
        Finding(
            level,
            "rings",
            f"a linear classifier on the power above a third of the sampling frequency alone tells the classes in "
            f"{100 * high.accuracy:.0f} % of the images (chance {100 * high.chance:.0f} %), and in "
            f"{100 * after.accuracy:.0f} % after every image was encoded again as JPEG of quality 75; told best: "
            f"{listed(best, 4)}",
            (
                "one encoder quality for all does not remove it: compare results with all images low-passed at the "
                "lowest class's limit, or leave out classes from another source"
                if stays
                else "the encoder gives the classes away: encode all images again at one quality before they are packed"
            )
            + "; report it beside every conclusion about high frequencies",
            label,
            tuple(best),
            high.corrected,
        )
    ]


def _features(power: np.ndarray) -> np.ndarray:
    return np.log10(np.maximum(power.sum(axis=2), LEAST_POWER))
