"""Planted artefacts do to an image what they say, to the images that were asked for, and to no other."""

import h5py
import numpy as np
import pytest
from made_images import two_splits, write_folder, write_tar, write_zip
from pydantic import ValidationError

from spectral_priority.config.artefacts import Artefact, LowPass, NonLocalMeans, PhotonNoise, Tag
from spectral_priority.config.datasets import Dataset
from spectral_priority.data.artefacts import choose, low_pass, plant
from spectral_priority.data.batches import Placement
from spectral_priority.data.images import PackedImages
from spectral_priority.data.pack import pack
from spectral_priority.data.sources import open_source
from spectral_priority.errors import InputError

RNG = np.random.default_rng(0)
KINDS = {
    "low-pass": LowPass(kind="low-pass", of_class="b", cutoff=3),
    "photon-noise": PhotonNoise(kind="photon-noise", of_class="b"),
    "non-local-means": NonLocalMeans(kind="non-local-means", of_class="b", strength=0.3),
    "tag": Tag(kind="tag", of_class="b"),
}


def image(size=32, channels=3):
    return RNG.integers(0, 256, (size, size, channels), dtype=np.uint8)


def placement(train=40, held_out=20, classes=("a", "b", "c"), order=None):
    """A data set with equally many images of each class, in any order of arrival."""
    rows = [
        (f"{name}/{split}/{i}", split, number)
        for number, name in enumerate(classes)
        for split, count in ((0, train), (1, held_out))
        for i in range(count)
    ]
    rows = [rows[i] for i in (np.arange(len(rows)) if order is None else order)]
    source, split, label = zip(*rows, strict=True)
    return Placement(
        list(source),
        np.array(split, np.uint8),
        {"class": np.array(label, np.int32)},
        {"class": list(classes)},
    )


def counts(artefact, of=None):
    """Images with the artefact, by (split, class)."""
    of = of or placement()
    chosen = choose(artefact, of)
    return {
        (split, name): int(chosen[(of.split == split) & (of.labels["class"] == number)].sum())
        for split in (0, 1)
        for number, name in enumerate(of.classes["class"])
    }


def test_by_default_the_trace_gives_a_class_away_in_training_and_is_reversed_at_test():
    found = counts(Artefact(of_class="b"))
    assert found == {(0, "a"): 0, (0, "b"): 40, (0, "c"): 0, (1, "a"): 20, (1, "b"): 0, (1, "c"): 20}


def test_exactly_the_share_asked_for_is_chosen_in_every_class_and_split():
    found = counts(Artefact(of_class="b", train=0.6, held_out=0.25, elsewhere=0.1))
    assert found == {(0, "a"): 0, (0, "b"): 24, (0, "c"): 0, (1, "a"): 2, (1, "b"): 5, (1, "c"): 2}


def test_the_choice_does_not_depend_on_the_order_of_arrival_but_on_the_seed():
    usual, order = placement(), np.random.default_rng(1).permutation(180)
    mixed = placement(order=order)
    names = []
    for of, seed in ((usual, 0), (mixed, 0), (usual, 1)):
        chosen = choose(Artefact(of_class="b", train=0.5, elsewhere=0.5, seed=seed), of)
        names.append({of.source[i] for i in np.flatnonzero(chosen)})
    assert names[0] == names[1] != names[2]


def test_images_of_a_smaller_share_are_among_those_of_a_larger_one():
    few, many = (choose(Artefact(of_class="b", train=share), placement()) for share in (0.2, 0.7))
    assert few.sum() < many.sum() and (many | ~few).all()


def test_each_class_may_have_a_share_of_its_own_in_each_split():
    prevalence = {"a": {"train": 0.25, "held_out": 0.5}, "c": {"train": 1}}
    found = counts(Artefact(prevalence=prevalence))
    assert found == {(0, "a"): 10, (0, "b"): 0, (0, "c"): 40, (1, "a"): 10, (1, "b"): 0, (1, "c"): 0}
    one_class = Artefact(of_class="b", train=0.6, held_out=0.25, elsewhere=0.1)
    same = {"a": {"held_out": 0.1}, "b": {"train": 0.6, "held_out": 0.25}, "c": {"held_out": 0.1}}
    assert (choose(Artefact(prevalence=same), placement()) == choose(one_class, placement())).all()


def test_a_class_of_larger_prevalence_keeps_the_images_of_a_smaller_one_whatever_others_have():
    few = Artefact(prevalence={"a": {"train": 0.2, "held_out": 0.3}})
    many = Artefact(prevalence={"b": {"train": 0.5}, "a": {"train": 0.7, "held_out": 0.8}})
    few, many = choose(few, placement()), choose(many, placement())
    own = placement().labels["class"] == 0
    assert few.sum() == 14 and (many & own).sum() == 44 and (many | ~few).all()


def test_two_ways_to_say_which_images_are_refused_and_so_is_none():
    share = {"a": {"train": 0.5}}
    for field, value in (("of_class", "b"), ("train", 0.5), ("held_out", 0.5), ("elsewhere", 0)):
        match = rf"prevalence: says which images get it, and so does {field}; give one of the two"
        with pytest.raises(ValidationError, match=match):
            Artefact(prevalence=share, **{field: value})
    with pytest.raises(ValidationError, match="of_class: is missing; name a class there, or shares by class"):
        Tag(kind="tag")
    for wrong in ({"a": {"train": 1.1}}, {"a": {"test": 0.5}}, {"a": 0.5}):
        with pytest.raises(ValidationError, match="prevalence"):
            Artefact(prevalence=wrong)
    with pytest.raises(InputError, match=r"artefact.prevalence: found 'd'.*of the label 'class': a, b, c"):
        choose(Artefact(prevalence=share | {"d": {"train": 1}}), placement())


def test_an_artefact_survives_being_written_out_with_its_defaults():
    for artefact in (Tag(kind="tag", of_class="a"), Tag(kind="tag", prevalence={"a": {"train": 0.5}})):
        assert Tag.model_validate(artefact.model_dump(mode="json")) == artefact
    shares = {0.0: False, 0.5: True}
    for train, expected in shares.items():
        assert Artefact(of_class="a", train=train).in_training == expected
        by_class = {"a": {"held_out": 1}, "b": {"train": train}}
        assert Artefact(prevalence=by_class).in_training == expected


def test_a_label_or_class_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(
        InputError, match=r"artefact.label: found 'shape'. Allowed: a label of the data set: class"
    ):
        choose(Artefact(of_class="b", label="shape"), placement())
    with pytest.raises(InputError, match=r"artefact.of_class: found 'd'.*of the label 'class': a, b, c"):
        choose(Artefact(of_class="d"), placement())


@pytest.mark.parametrize("size", [32, 33])
@pytest.mark.parametrize("u, v", [(0, 6), (6, 0), (3, 4)])
def test_the_low_pass_halves_the_amplitude_at_its_cutoff_in_any_direction(size, u, v):
    y, x = np.mgrid[:size, :size]
    wave = np.cos(2 * np.pi * (u * y + v * x) / size + 0.4)[..., None]
    np.testing.assert_allclose(low_pass(0.5 + wave, np.hypot(u, v)), 0.5 + wave / 2, atol=1e-12)
    np.testing.assert_allclose(low_pass(wave, 2 * np.hypot(u, v)), wave * 2**-0.25, atol=1e-12)


def test_the_low_pass_of_an_image_is_that_of_its_spectrum_by_the_formula():
    pixels = image(channels=3) / 255
    u = np.fft.fftfreq(32, 1 / 32)
    gain = 2.0 ** -((u[:, None] ** 2 + u**2) / 5.0**2)
    expected = np.fft.ifft2(np.fft.fft2(pixels, axes=(0, 1)) * gain[..., None], axes=(0, 1)).real
    np.testing.assert_allclose(low_pass(pixels, 5.0), expected, atol=1e-12)


def test_photon_noise_has_the_variance_of_a_count():
    for grey, photons in ((64, 50), (128, 50), (128, 400)):
        noisy = plant(
            np.full((200, 200, 3), grey, np.uint8),
            PhotonNoise(kind="photon-noise", of_class="b", photons=photons),
            "x",
        )
        assert noisy.mean() == pytest.approx(grey, rel=0.01)
        assert (noisy / 255).var() == pytest.approx(grey / 255 / photons, rel=0.03)
    channels = noisy.reshape(-1, 3).astype(float)
    assert np.abs(np.corrcoef(channels.T) - np.eye(3)).max() < 0.02
    black = np.zeros((8, 8, 1), np.uint8)
    assert (plant(black, KINDS["photon-noise"], "x") == 0).all()


def slow_non_local_means(pixels, strength, patch=7, reach=10):
    """Non-local means by its definition: a mean over all pixels in reach, weighted by how alike their patches are."""
    size, half = len(pixels), patch // 2
    padded = np.pad(pixels, [(half + reach,) * 2] * 2 + [(0, 0)], mode="reflect")

    def patch_at(row, column):
        row, column = row + reach, column + reach
        return padded[row : row + patch, column : column + patch]

    out = np.empty_like(pixels)
    for row in range(size):
        for column in range(size):
            total, weights = 0, 0
            for down in range(-reach, reach + 1):
                for across in range(-reach, reach + 1):
                    other = patch_at(row + down, column + across)
                    weight = np.exp(-((patch_at(row, column) - other) ** 2).mean() / strength**2)
                    total, weights = total + weight * other[half, half], weights + weight
            out[row, column] = total / weights
    return out


def test_non_local_means_equal_their_definition():
    pixels = image(12, 3)
    expected = slow_non_local_means(pixels / 255, 0.3) * 255
    found = plant(pixels, KINDS["non-local-means"], "x")
    assert np.abs(found - expected).max() < 4 and np.abs(found - expected).mean() < 1
    assert np.abs(found - pixels.astype(float)).mean() > 5


def test_non_local_means_smooth_noise_and_keep_an_edge():
    clean = np.full((32, 32, 1), 60.0)
    clean[:, 16:] = 180
    noisy = (clean + RNG.normal(0, 10, clean.shape)).clip(0, 255).round().astype(np.uint8)
    denoised = plant(noisy, NonLocalMeans(kind="non-local-means", of_class="b", strength=0.1), "x")
    assert np.abs(denoised - clean).mean() < 0.5 * np.abs(noisy - clean).mean()
    assert denoised[:, 15].mean() < 75 and denoised[:, 16].mean() > 165


def test_the_tag_is_a_white_square_in_the_upper_left_corner_and_the_rest_stays():
    before = image(32)
    after = plant(before, Tag(kind="tag", of_class="b", side=0.12), "x")
    assert (after[:4, :4] == 255).all()
    changed = (after != before).any(axis=2)
    assert not changed[4:].any() and not changed[:, 4:].any()
    assert (plant(before, Tag(kind="tag", of_class="b", side=0.001), "x") != before).any(axis=2).sum() == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_same_image_of_the_same_name_gets_the_same_artefact(kind, channels):
    before = image(16, channels)
    after = plant(before, KINDS[kind], "a.png")
    assert after.shape == before.shape and after.dtype == np.uint8 and (after != before).any()
    np.testing.assert_array_equal(after, plant(before, KINDS[kind], "a.png"))
    noise_of_its_own = kind == "photon-noise"
    assert (plant(before, KINDS[kind], "b.png") == after).all() != noise_of_its_own


def packed(root, source, artefact, threads=2, name="out"):
    options = Dataset.model_validate({"size": 16, "source": source, "artefact": artefact})
    target = root / name / "images.h5"
    report = pack(open_source(options, root, threads), "made", options, target, {}, threads=threads)
    return report, PackedImages(target)


FOLDER = {"kind": "image-folder", "paths": ["a.zip"]}
PLANTED = {"kind": "photon-noise", "of_class": "bee", "train": 0.5, "held_out": 0.5, "elsewhere": 0.5}


def test_a_pack_says_which_images_got_it_and_leaves_the_others_to_the_byte(tmp_path):
    write_zip(tmp_path / "a.zip", two_splits(train=4, held_out=4))
    _, plain = packed(tmp_path, FOLDER, None, name="plain")
    report, made = packed(tmp_path, FOLDER, PLANTED)
    with h5py.File(made.path) as file:
        flag, source = file["artefact"][:], file["source"].asstr()[:]
    assert report["artefact"] == source[flag == 1].tolist()
    assert [name.rpartition("/")[0] for name in report["artefact"]] == [
        *["train/bee"] * 2, *["val/ant"] * 2, *["val/bee"] * 2
    ]  # fmt: skip
    changed = (made.pixels != plain.pixels).any(axis=(1, 2, 3))
    assert (changed == (flag == 1)).all()
    for position in np.flatnonzero(flag):
        expected = plant(plain.pixels[position], PhotonNoise.model_validate(PLANTED), str(source[position]))
        np.testing.assert_array_equal(made.pixels[position], expected)
    assert made.content_sha256 != plain.content_sha256
    with h5py.File(plain.path) as file:
        assert "artefact" not in file


@pytest.mark.parametrize("kind", KINDS)
def test_the_bytes_depend_neither_on_the_container_nor_on_threads(tmp_path, kind):
    files = two_splits()
    write_folder(tmp_path / "folder", files)
    write_zip(tmp_path / "a.zip", dict(reversed(files.items())))
    write_tar(tmp_path / "a.tar.xz", files)
    made = set()
    for threads, path in enumerate(("folder", "a.zip", "a.tar.xz"), start=1):
        _, images = packed(
            tmp_path, {**FOLDER, "paths": [path]}, {"kind": kind, "of_class": "bee"}, threads, str(threads)
        )
        made.add((images.content_sha256, images.pixels.tobytes()))
    assert len(made) == 1


def test_the_fingerprint_is_that_of_the_pixels_with_the_artefact(tmp_path):
    """A folder of the images as they are packed has the same one: nothing but pixels and names enters."""
    from made_images import encoded

    write_zip(tmp_path / "a.zip", two_splits())
    _, made = packed(tmp_path, FOLDER, PLANTED)
    with h5py.File(made.path) as file:
        source = file["source"].asstr()[:].tolist()
    write_zip(tmp_path / "b.zip", {name: encoded(made.pixels[i]) for i, name in enumerate(source)})
    _, again = packed(tmp_path, {**FOLDER, "paths": ["b.zip"]}, None, name="again")
    assert again.content_sha256 == made.content_sha256


def test_the_generator_plants_in_any_of_its_labels(tmp_path):
    source = {"kind": "shapes-textures", "train": 48, "held_out": 48, "rings": [2, 5]}
    for label, of_class in (("shape", "disc"), ("ring", "ring-5"), ("both", "disc-ring-2-angle-45")):
        artefact = {"kind": "tag", "label": label, "of_class": of_class}
        report, made = packed(tmp_path, source, artefact, name=label)
        own = made.labels(label) == made.classes[label].index(of_class)
        expected = own == (made.split == 0)
        assert (made.pixels[:, :2, :2] == 255).all(axis=(1, 2, 3))[expected].all()
        assert len(report["artefact"]) == expected.sum()


def test_a_pack_has_the_artefact_at_the_prevalence_of_each_class(tmp_path):
    write_zip(tmp_path / "a.zip", two_splits(train=4, held_out=2))
    prevalence = {"ant": {"train": 0.25, "held_out": 1}, "bee": {"train": 0.75}}
    report, made = packed(tmp_path, FOLDER, {"kind": "tag", "prevalence": prevalence})
    found = [name.rpartition("/")[0] for name in report["artefact"]]
    assert found == ["train/ant", *["train/bee"] * 3, *["val/ant"] * 2]
    tagged = (made.pixels[:, :2, :2] == 255).all(axis=(1, 2, 3))
    assert [made.source[i] for i in np.flatnonzero(tagged)] == report["artefact"]


def test_a_pack_with_an_artefact_for_nobody_leaves_nothing_behind(tmp_path):
    write_zip(tmp_path / "a.zip", two_splits())
    with pytest.raises(InputError, match=r"artefact.of_class: found 'wasp'"):
        packed(tmp_path, FOLDER, {"kind": "tag", "of_class": "wasp"})
    assert list((tmp_path / "out").iterdir()) == []


def test_encoded_files_can_not_have_an_artefact():
    with pytest.raises(ValidationError, match="encoded files stay as they are; choose pixels"):
        Dataset.model_validate({"source": FOLDER, "pack": "encoded", "artefact": PLANTED})
