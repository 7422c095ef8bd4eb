"""Ten faults that would make a spectral measure wrong and plausible, and the test that notices each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """A text of one file of the package, what replaces it, and the test (of tests/unit) that must then fail."""

    name: str
    file: str
    old: str
    new: str
    test: str


FAULTS = [
    Fault(  # the centre of the shifted plane taken as (N−1)/2, as the released programs do
        name="half-pixel centre",
        file="fourier.py",
        old="""\
    u = np.fft.fftfreq(size, 1 / size)[:, None]
    v = np.fft.rfftfreq(size, 1 / size)[None, :]
    return frozen(np.hypot(u, v))
""",
        new="""\
    u = np.fft.fftfreq(size, 1 / size)[:, None] + 0.5
    v = np.fft.rfftfreq(size, 1 / size)[None, :] + 0.5
    return frozen(np.hypot(u, v))
""",
        test="test_fourier.py::test_a_sinusoid_falls_in_one_ring",
    ),
    Fault(
        name="missing Hermitian weight",
        file="fourier.py",
        old="    weights = np.full(size // 2 + 1, 2.0)\n",
        new="    weights = np.full(size // 2 + 1, 1.0)\n",
        test="test_fourier.py::test_ring_sums_of_the_half_plane_equal_a_loop_over_the_full_plane",
    ),
    Fault(
        name="gradient of the batch mean",
        file="measures/input_gradient.py",
        old="torch.autograd.grad(scalar.sum(), pixels)",
        new="torch.autograd.grad(scalar.mean(), pixels)",
        test="test_gradient.py::test_batch_size_and_order_do_not_matter",
    ),
    Fault(  # of batch normalisation alone: dropout stays off
        name="batch normalisation in training mode",
        file="measures/measured_model.py",
        old="        model.eval()\n",
        new="""\
        model.eval()
        for module in model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.train()
""",
        test="test_measure_contract.py::test_batch_size_does_not_matter[7-gradient]",
    ),
    Fault(  # reversed, where −u modulo N is meant: row 0 is its own mirror
        name="mirrored rows",
        file="fourier.py",
        old="half[..., -np.arange(size) % size, :]",
        new="half[..., ::-1, :]",
        test="test_fourier.py::test_a_completed_half_plane_is_the_whole_transform",
    ),
    Fault(
        name="softmax over the wrong axis",
        file="measures/paths.py",
        old="logits.softmax(dim=-1)",
        new="logits.softmax(dim=1)",
        test="test_paths.py::test_the_measure_equals_the_slow_reference",
    ),
    Fault(
        name="share and density swapped",
        file="measures/profile.py",
        old="""\
        "share": share,
        "density": density,
""",
        new="""\
        "share": density,
        "density": share,
""",
        test="test_profile.py::test_the_share_of_white_noise_grows_with_the_ring_and_its_density_does_not",
    ),
    Fault(
        name="checkpoints out of order",
        file="measures/sweep.py",
        old="        results.append(part)\n",
        new="        results.insert(0, part)\n",
        test="test_sweep.py::test_each_checkpoint_is_measured_with_its_own_weights_and_fresh_statistics",
    ),
    Fault(
        name="unseeded noise",
        file="measures/draws.py",
        old="np.random.default_rng([seed, int(number)]).standard_normal(out=row)",
        new="np.random.default_rng().standard_normal(out=row)",
        test="test_measure_contract.py::test_the_same_twice_gives_the_same[critical-band]",
    ),
    Fault(
        name="last batch dropped",
        file="measures/labelled_images.py",
        old="range(0, len(self), batch_size)",
        new="range(0, len(self) - batch_size + 1, batch_size)",
        test="test_gradient.py::test_the_measure_equals_the_slow_reference",
    ),
]
