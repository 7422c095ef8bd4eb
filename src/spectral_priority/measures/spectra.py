"""Power spectra of many input gradients, batch by batch: what is kept of each image, and what of each group.

Gradients are never stored. Of each image its ring sums are kept; half-plane power (and gradients, where their mean is
asked for) only as float64 sums over the jackknife's groups and over classes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import torch

from .. import fourier
from ..errors import InputError
from .draws import GROUPS
from .profile import estimates, jackknife_error, leave_one_out, standard_error

PIECE = 4 << 20
"""Bytes of gradients that are transformed at a time on the CPU: few calls, and spectra that stay in its caches."""
ROUNDING = 4.0
"""In units of the precision: a gradient with no larger a part of its norm in the kept rings has only rounding there."""


def in_range(gradients: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return gradients whose spectra can be squared in their own precision, powers of 2 that they were multiplied by
    for it, and their squared norms: (n, channel, N, N) → the same, (n,), (n,).

    Squares of float32 would be zero for tiny gradients, and infinite for huge ones; a power of 2 changes no digit. What
    is returned is contiguous, as transforms want it; gradients of channels-last networks are not.
    """
    flat = gradients.flatten(1)
    squares = torch.linalg.vector_norm(flat, dim=1).square()
    if squares.min() > 2.0**-60 and squares.max() < 2.0**60:
        return flat.view_as(gradients), torch.ones_like(squares), squares
    largest = flat.abs().amax(dim=1)
    scale = (largest.frexp().mantissa / largest).where(largest > 0, 1.0).clamp(max=2.0**126)
    flat = flat * scale[:, None]
    return flat.view_as(gradients), scale, torch.linalg.vector_norm(flat, dim=1).square()


def half_plane_power(gradients: torch.Tensor) -> torch.Tensor:
    """Return Σ_channel |FFT|², orthonormal, of both Hermitian partners: (n, channel, N, N) → (n, N·(N//2 + 1)) float64.

    Transform and squares have the gradients' precision, so these are to be `in_range`; all sums after them are float64.
    """
    number, size = len(gradients), gradients.shape[-1]
    parts = torch.view_as_real(torch.fft.rfft2(gradients)).flatten(2)
    power = parts[:, 0].square()
    for part in parts.unbind(dim=1)[1:]:
        power.addcmul_(part, part)
    power = power.view(number, -1, 2)  # squares of real and imaginary parts side by side
    return (
        power[..., 0].add(power[..., 1]).double().mul_(_constant(_frequency_weights, size, gradients.device))
    )


def radial_sum(power: torch.Tensor, size: int) -> torch.Tensor:
    """Sum power, partners counted, over DC and rings 1 … farthest corner: (n, N·(N//2 + 1)) → (n, 1 + rings)."""
    if power.device.type != "cpu":  # scattered sums have no fixed order there
        return power @ _constant(_belongs, size, power.device)
    ring = _constant(fourier.ring_of, size, power.device).flatten().expand(len(power), -1)
    return power.new_zeros(len(power), len(fourier.rings(size, corners=True)) + 1).scatter_add_(
        1, ring, power
    )


def _frequency_weights(size: int) -> np.ndarray:
    """How often each half-plane frequency counts, ÷ N², which makes an unnormalised transform's power orthonormal."""
    return np.tile(fourier.hermitian_weights(size) / size**2, size)


def _belongs(size: int) -> np.ndarray:
    """Which of DC and the rings each half-plane frequency belongs to: (N·(N//2 + 1), 1 + rings) zeros and ones."""
    ring = fourier.ring_of(size).reshape(-1, 1)
    return (ring == np.arange(ring.max() + 1)).astype(np.float64)


@cache
def _constant(array: Callable[[int], np.ndarray], size: int, device: torch.device) -> torch.Tensor:
    return torch.from_numpy(np.array(array(size))).to(device)


class Spectra:
    """Spectra of input gradients, added batch by batch; the same for any batch size and order.

    Parameters
    ----------
    images : int
        How many will be added: what is kept of each has its place from the start, so that nothing small that stays
        lies between the large blocks that each batch takes and gives back.
    size : int
        N.
    channels : {"keep", "sum", "mean"}
        How channels are combined before the transform; kept ones add their power.
    corners : bool
        Keep the rings beyond N/2.
    classes : int
        Number of classes of which the mean gradient is wanted; 0: of none.
    of_mean : bool
        Collect mean gradients.
    """

    def __init__(self, images: int, size: int, channels: str, corners: bool, of_mean: bool, classes: int):
        self.size, self.channels, self.corners, self.of_mean, self.classes = (
            size,
            channels,
            corners,
            of_mean,
            classes,
        )
        self.rings = len(fourier.rings(size, corners))
        rings = len(fourier.rings(size, corners=True))
        self._rows = {name: np.empty(images) for name in ("dc", "squares", "log_factor")}
        self._rows |= {"ring": np.empty((images, rings)), "used": np.empty(images, dtype=bool)}
        self._rows |= {name: np.empty(images, dtype=np.int64) for name in ("group", "label")}
        self._added = 0
        self._sums: dict[str, torch.Tensor] = {}
        self._strongest: dict[str, torch.Tensor] = {}  # log factor that each sum of gradients is relative to

    def add(
        self, gradients: torch.Tensor, log_factor: torch.Tensor, group: torch.Tensor, labels: torch.Tensor
    ) -> torch.Tensor:
        """Add a batch: ∇ (n, channel, N, N); log factors, jackknife groups and positions of classes (n,).

        Returns
        -------
        Tensor (n,) bool
            Which gradients have power in the kept rings: those that are used.
        """
        least, given = (ROUNDING * torch.finfo(gradients.dtype).eps) ** 2, gradients
        if self.channels != "keep":
            gradients = getattr(gradients.double(), self.channels)(dim=1, keepdim=True)
        of_image = gradients[0].numel() * gradients.element_size()
        number = max(1, PIECE // of_image) if gradients.device.type == "cpu" else len(gradients)
        pieces = zip(*(whole.split(number) for whole in (gradients, group, given)), strict=True)
        ring, squares, used = (
            torch.cat(rows) for rows in zip(*(self._add(*of, least) for of in pieces), strict=True)
        )
        if self.of_mean:
            sums = [("gradient", group, GROUPS)] + [("class gradient", labels, self.classes)] * bool(
                self.classes
            )
            for name, place, places in sums:
                factor = self._relative(name, log_factor.masked_fill(~used, -torch.inf), place, places)
                for of_piece in range(0, len(gradients), number):
                    piece = slice(of_piece, of_piece + number)
                    scaled = gradients[piece].double().flatten(1) * factor[piece, None]
                    self._add_to(name, scaled, place[piece], places)
        rows = {
            "dc": ring[:, 0],
            "ring": ring[:, 1:],
            "squares": squares,
            "used": used,
            "log_factor": log_factor,
            "group": group,
            "label": labels,
        }
        places = slice(self._added, self._added + len(gradients))
        for name, values in rows.items():
            self._rows[name][places] = values.cpu().numpy()
        self._added = places.stop
        return used

    def _add(
        self, gradients: torch.Tensor, group: torch.Tensor, given: torch.Tensor, least: float
    ) -> tuple[torch.Tensor, ...]:
        """Add shares to the plane; return each image's ring sums with DC, its squared norm, and whether it is used."""
        ranged, scale, squares = in_range(gradients)
        power = half_plane_power(ranged)
        ring = radial_sum(power, self.size)
        kept = ring[:, 1 : self.rings + 1].sum(dim=1)
        norm = squares.double()
        if self.channels != "keep":  # they may have cancelled each other
            norm = torch.linalg.vector_norm(given, dim=(1, 2, 3), dtype=torch.float64).mul_(scale).square_()
        used = kept > least * norm
        self._add_to("plane", power.mul_((used / kept.where(used, 1.0))[:, None]), group, GROUPS)
        undo = scale.double() ** -2
        return ring * undo[:, None], squares * undo, used

    def _add_to(self, name: str, values: torch.Tensor, place: torch.Tensor, number: int) -> None:
        """Add each image's values to one of so many sums."""
        if name not in self._sums:
            self._sums[name] = values.new_zeros(number, values.shape[1])
        if values.device.type == "cpu":
            self._sums[name].index_add_(0, place, values)
        else:  # indexed sums have no fixed order there
            self._sums[name] += torch.nn.functional.one_hot(place, number).double().T @ values

    def _relative(
        self, name: str, log_factor: torch.Tensor, place: torch.Tensor, places: int
    ) -> torch.Tensor:
        """Factors of gradients, relative to the strongest so far of the same sum: confident models have e^−1000."""
        belongs = place == torch.arange(places, device=place.device)[:, None]
        found = log_factor.where(belongs, -torch.inf).amax(dim=1)
        before = self._strongest.get(name, torch.full_like(found, -torch.inf))
        after = self._strongest[name] = torch.maximum(before, found)
        if name in self._sums:
            self._sums[name] *= (before - after).where(before < after, 0.0).exp()[:, None]
        return (log_factor - after[place]).where(log_factor > -torch.inf, -torch.inf).exp()

    def finish(self) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Return every number of the profile, and the standard error of each that has one.

        Exact where a number is a mean over images (share, power, centroid, band shares, DC and corner share),
        otherwise by the jackknife over groups of images; NaN for a single image. Where no gradient has power, `power`
        is zero and all that follows from shares NaN, with n = 0.
        """
        rows = {name: values[: self._added] for name, values in self._rows.items()}
        whole = rows["dc"] + rows["ring"].sum(axis=1)
        squares = np.where(rows["squares"] > 0, rows["squares"], 1.0)
        residual = np.abs(whole - rows["squares"]) / squares
        used = rows["used"]
        counts = {"n": int(used.sum()), "n_zero": int((~used).sum()), "parseval_residual": residual.max()}
        if not used.any():
            values, errors = self._nothing()
            return values | counts | {"n_eff": 0.0}, errors
        rows = {name: value[used] for name, value in rows.items()}
        strongest = rows["log_factor"].max()
        rows["factor"] = np.exp(rows["log_factor"] - strongest)  # relative: confident models have e^−1000
        if self.of_mean:
            values, errors = self._of_mean_gradient(rows)
        else:
            values, errors = self._mean_of_spectra(rows)
        for found in (values, errors):
            found["power"] = found["power"] * np.exp(2 * strongest)
        strength = rows["factor"] ** 2 * rows["ring"][:, : self.rings].sum(axis=1)
        return values | counts | {"n_eff": _effective_number(strength)}, errors

    def _nothing(self) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """What is known where no gradient has power."""
        ring, plane = np.full(self.rings, np.nan), np.full((self.size, self.size // 2 + 1), np.nan)
        values = estimates(ring, ring, plane, self.corners) | {"dc_share": np.nan, "corner_share": np.nan}
        values["class_share"] = np.full((self.classes, self.rings), np.nan)
        errors = {name: np.full(np.shape(value), np.nan) for name, value in values.items()}
        if self.of_mean:
            del errors["class_share"]
        values |= {"map": plane, "power": np.zeros(self.rings), "class_n": np.zeros(self.classes, dtype=int)}
        return values, errors

    def _mean_of_spectra(self, rows: dict[str, np.ndarray]) -> tuple[dict, dict]:
        ring = rows["ring"][:, : self.rings]
        share = ring / ring.sum(axis=1, keepdims=True)
        power = rows["factor"][:, None] ** 2 * ring
        whole = rows["dc"] + rows["ring"].sum(axis=1)
        present, groups = np.unique(rows["group"], return_inverse=True)
        belongs = (groups == np.arange(len(present))[:, None]).astype(np.float64)
        plane = self._sums["plane"].cpu().numpy().reshape(GROUPS, self.size, -1)[present]
        plane = plane / fourier.hermitian_weights(self.size)
        count, *means = map(_replicates, (belongs.sum(axis=1), belongs @ share, belongs @ power, plane))
        means = [mean / count.reshape(-1, *[1] * (mean.ndim - 1)) for mean in means]
        found = estimates(*means, self.corners)
        values = {name: value[0] for name, value in found.items()} | {"map": means[2][0]}
        errors = {name: jackknife_error(value[1:]) for name, value in found.items()}

        exact = {
            "share": share,
            "power": power,
            "centroid": fourier.centroid(share),
            "centroid_per_pixel": fourier.centroid(share) / self.size,
            "dc_share": rows["dc"] / whole,
            "corner_share": rows["ring"][:, self.size // 2 :].sum(axis=1) / whole,
        }
        for band, kept in fourier.bands(self.size, self.corners).items():
            exact[f"{band}_share"] = share[:, kept].sum(axis=1)
        for name, of_image in exact.items():
            values[name], errors[name] = of_image.mean(axis=0), standard_error(of_image)

        members = np.arange(self.classes)[:, None] == rows["label"]
        values["class_n"] = members.sum(axis=1)
        of_class = [share[member] for member in members]
        values["class_share"] = np.array(
            [part.mean(axis=0) if len(part) else _nan(share) for part in of_class]
        )
        errors["class_share"] = np.array([standard_error(part) for part in of_class])
        return values, errors

    def _of_mean_gradient(self, rows: dict[str, np.ndarray]) -> tuple[dict, dict]:
        present, counts = np.unique(rows["group"], return_counts=True)
        sums, strongest = (kept["gradient"].cpu().numpy()[present] for kept in (self._sums, self._strongest))
        chosen = _replicates(np.eye(len(present))) > 0
        relative_to = np.where(chosen, strongest, -np.inf).max(axis=1)
        weights = np.exp(np.where(chosen, strongest, -np.inf) - relative_to[:, None])
        mean = np.tensordot(weights, sums, axes=1) / _replicates(counts)[:, None]
        found = self._spectrum(mean)
        found["power"] *= np.exp(2 * (relative_to - relative_to[0]))[:, None]
        values = {name: value[0] for name, value in found.items()}
        errors = {name: jackknife_error(value[1:]) for name, value in found.items() if name != "map"}
        if self.classes:
            sums = self._sums["class gradient"].cpu().numpy()
            members = (np.arange(self.classes)[:, None] == rows["label"]).sum(axis=1)
            # A mean that is exactly zero has no share.
            values["class_n"] = np.where(sums.any(axis=1), members, 0)
            values["class_share"] = np.full((self.classes, self.rings), np.nan)
            there = values["class_n"] > 0
            values["class_share"][there] = self._spectrum(sums[there])["share"]
        return values, errors

    def _spectrum(self, mean: np.ndarray) -> dict[str, np.ndarray]:
        """Everything that follows from mean gradients (…, channel·N·N), each of which may be as weak as it likes."""
        scale = np.abs(mean).max(axis=-1, keepdims=True)
        mean = (mean / np.where(scale > 0, scale, 1.0)).reshape(*mean.shape[:-1], -1, self.size, self.size)
        power = fourier.half_plane_power(mean).sum(axis=-3)
        ring = fourier.radial_sum(power, corners=True)
        kept, whole = ring[..., : self.rings], power[..., 0, 0] + ring.sum(axis=-1)
        total = kept.sum(axis=-1, keepdims=True)
        if not total.all():
            raise InputError("gradients", "have a mean that is exactly zero", todo="take of: spectra")
        found = estimates(kept / total, kept, power / total[..., None], self.corners) | {
            "map": power / total[..., None],
            "dc_share": power[..., 0, 0] / whole,
            "corner_share": ring[..., self.size // 2 :].sum(axis=-1) / whole,
        }
        return found | {"power": found["power"] * scale**2}


def _replicates(sums: np.ndarray) -> np.ndarray:
    """The total, and the totals without each group; the total alone where there is one group only."""
    return leave_one_out(sums) if len(sums) > 1 else sums


def _effective_number(strength: np.ndarray) -> float:
    """(ΣP)² ÷ ΣP²; scaled first, for squares of tiny powers would be zero."""
    scaled = strength / strength.max()
    return float(scaled.sum() ** 2 / (scaled**2).sum())


def _nan(share: np.ndarray) -> np.ndarray:
    return np.full(share.shape[1:], np.nan)
