"""A table lists the images of a data set: what it says is packed, and what it can't mean is told by its line."""

import csv
import io

import pytest
from made_images import encoded, noise, write_folder, write_tar, write_zip
from packing import packed, refused

ROWS = [
    # file, animal, kind, split, patient
    ("a/1.png", "ant", "insect", "train", "p1"),
    ("a/2.png", "ant", "insect", "train", "p2"),
    ("a/3.png", "bee", "insect", "train", "p1"),
    ("b/1.png", "cat", "mammal", "train", ""),
    ("b/2.png", "cat", "mammal", "val", "p3"),
    ("b/3.png", "bee", "insect", "val", "p4"),
    ("b/4.png", "ant", "insect", "test", "p5"),
]
COLUMNS = ("file", "animal", "kind", "split", "patient")


def text(rows=ROWS, separator=",", columns=COLUMNS):
    file = io.StringIO()
    csv.writer(file, delimiter=separator, lineterminator="\n").writerows([columns, *rows])
    return file.getvalue()


def files(rows=ROWS, top=""):
    return {f"{top}{row[0]}": encoded(noise(number)) for number, row in enumerate(rows)}


def source(**changes):
    return {
        "kind": "csv-manifest",
        "table": "x.csv",
        "images": ["all"],
        "path": "file",
        "labels": ["kind", "animal"],
        "split": "split",
        "left_out_values": ["test"],
        "group": "patient",
        **changes,
    }


@pytest.fixture
def root(tmp_path):
    write_folder(tmp_path / "all", files())
    (tmp_path / "x.csv").write_text(text())
    return tmp_path


def test_every_row_becomes_an_image_with_its_split_labels_and_group(root):
    report, images = packed(root, source())
    by_name = {row[0]: row for row in ROWS}
    assert sorted(images.source) == [row[0] for row in ROWS if row[3] != "test"]
    for position, name in enumerate(images.source):
        _, animal, kind, split, patient = by_name[name]
        assert encoded(images.pixels[position]) == files()[name]
        assert images.split[position] == (split == "val")
        assert images.classes["animal"][images.labels("animal")[position]] == animal
        assert images.classes["kind"][images.labels("kind")[position]] == kind
        assert images.fact("group")[position] == patient
    assert images.classes == {"kind": ["insect", "mammal"], "animal": ["ant", "bee", "cat"]}
    assert report["ignored_files"] == {"image left out": 1}
    assert report["unreadable"] == []


def test_folders_archives_and_missing_or_further_leading_folders_give_the_same_pack(root):
    _, images = packed(root, source())
    write_zip(root / "all.zip", files(top="deep/down/"))
    write_tar(root / "a.tar.gz", {name: content for name, content in files().items() if name[0] == "a"})
    for number, paths in enumerate((["all.zip"], ["a.tar.gz", "all/b"], ["all/b", "all/a"])):
        _, other = packed(root, source(images=paths), name=str(number))
        assert other.content_sha256 == images.content_sha256
    (root / "y.csv").write_text(text([("./all\\" + row[0], *row[1:]) for row in ROWS]))
    _, named = packed(root, source(table="y.csv"), name="named")
    assert named.source == ["all/" + name for name in images.source]


@pytest.mark.parametrize("separator, option", [(";", ";"), ("\t", "tab")])
def test_other_separators_are_an_option(root, separator, option):
    (root / "x.csv").write_text("\ufeff" + text(separator=separator), encoding="utf-8")
    _, images = packed(root, source(separator=option), name="option")
    assert len(images) == 6
    refused(
        root, source(), "x.csv: has no column file, kind, animal, split, patient.*the separator of the table"
    )


def test_names_without_their_suffix(root):
    (root / "x.csv").write_text(text([(row[0].removesuffix(".png"), *row[1:]) for row in ROWS]))
    _, images = packed(root, source(suffix=".png"))
    assert images.source[0] == "a/1.png"


def test_without_a_column_of_the_split_all_images_are_training(root):
    report, images = packed(root, source(split=None, left_out_values=[], group=None))
    assert (report["train"], report["held_out"]) == (7, 0)
    assert (images.group == -1).all()


def test_whole_numbers_are_classes_in_their_order(root):
    names = dict(zip(("ant", "bee", "cat"), ("10", "9", "0"), strict=True))
    (root / "x.csv").write_text(text([(row[0], names[row[1]], *row[2:]) for row in ROWS]))
    _, images = packed(root, source())
    assert images.classes["animal"] == ["0", "9", "10"]


def test_listed_files_that_are_not_there_count_as_unreadable(root):
    (root / "all" / "a" / "2.png").unlink()
    (root / "all" / "b" / "2.png").write_bytes(b"no image")
    message = refused(root, source(), "2 of 6 image files can't be read")
    assert (
        "a/2.png" in message and "x.csv, line 3 lists it, but there is no image file of that name" in message
    )
    report, images = packed(root, source(), max_unreadable=0.4, name="rest")
    assert {fault["source"] for fault in report["unreadable"]} == {"a/2.png", "b/2.png"}
    assert len(images) == 4


def test_a_file_left_out_by_its_split_may_be_missing(root):
    (root / "all" / "b" / "4.png").unlink()
    report, _ = packed(root, source())
    assert report["unreadable"] == [] and report["ignored_files"] == {}


def test_files_that_are_not_listed_are_counted(root):
    write_folder(
        root / "all", {"b/5.png": encoded(noise(9)), "notes.txt": b"x", "c/1.png": encoded(noise(8))}
    )
    report, images = packed(root, source())
    assert report["ignored_files"] == {".txt": 1, "image left out": 1, "image not listed": 2}
    assert len(images) == 6


def test_two_files_of_one_listed_name_are_refused(root):
    write_folder(root / "all", {"copy/a/1.png": encoded(noise(9))})
    refused(root, source(), "1 images have the name of another one: a/1.png")


def with_rows(root, *rows):
    (root / "x.csv").write_text(text([*ROWS, *rows]))


def test_a_file_that_is_listed_twice_must_be_listed_alike(root):
    with_rows(root, ROWS[1])
    report, images = packed(root, source(), name="alike")
    assert len(images) == 6 and "x.csv: 1 rows repeat an earlier one" in report["warnings"]
    with_rows(root, ("a/2.png", "bee", "insect", "train", "p2"))
    message = refused(
        root, source(), "x.csv, line 9: lists a/2.png, which .*x.csv, line 3 lists with another"
    )
    assert "split, class or group" in message


def test_groups_in_both_splits_are_warned_of(root):
    report, _ = packed(root, source(), name="apart")
    assert not any("both splits" in text for text in report["warnings"])
    with_rows(root, ("b/5.png", "cat", "mammal", "val", "p1"), ("b/6.png", "cat", "mammal", "val", ""))
    write_folder(root / "all", {f"b/{i}.png": encoded(noise(i)) for i in (5, 6)})
    report, _ = packed(root, source())
    assert "1 groups of column patient have images in both splits: p1" in report["warnings"]


def test_faulty_rows_are_told_by_their_lines(root):
    with_rows(root, ("a/9.png", "", "insect", "train", ""), ("a/8.png", "ant", "insect", "dev", "p"))
    message = refused(root, source(), r"the cell of column animal is empty \(1 rows: lines 9\)")
    assert "column split says 'dev' (1 rows: lines 10)" in message and "'train', 'val', 'test'" in message
    with_rows(root, *[("", "ant", "insect", "train", "")] * 7)
    refused(root, source(), r"column file is empty \(7 rows: lines 9, 10, 11, 12, 13 and more\)")
    (root / "x.csv").write_text(text() + "a/9.png,ant\n")
    refused(root, source(), "x.csv, line 9: has 2 cells. Allowed: 5 cells")
    (root / "x.csv").write_text(text(columns=("file", "animal", "sort", "split", "patient")))
    refused(
        root, source(), "x.csv: has no column kind. Allowed: its columns, which are: file, animal, sort, "
    )
    (root / "x.csv").write_bytes(b"file\xff\n")
    refused(root, source(), "x.csv: can't be read as CSV in UTF-8")
    (root / "x.csv").write_text("")
    refused(root, source(), "has no column .* which are: none")
    (root / "x.csv").unlink()
    refused(root, source(), "x.csv: there is no such file")
    refused(root, source(images=["none"]), "source.images: none: there is no ")


def test_held_out_classes_need_training_images(root):
    with_rows(root, ("b/5.png", "dog", "mammal", "val", "p9"))
    write_folder(root / "all", {"b/5.png": encoded(noise(9))})
    refused(
        root,
        source(),
        "x.csv, line 9: label animal: 1 classes of held-out images have no training images: dog",
    )


def test_nested_labels_are_the_hierarchy(root):
    _, images = packed(root, source(nested=True))
    assert images.hierarchy("kind") == []
    assert sorted(images.hierarchy("animal")) == [
        ("all", "kind: insect"),
        ("all", "kind: mammal"),
        ("kind: insect", "ant"),
        ("kind: insect", "bee"),
        ("kind: mammal", "cat"),
    ]
    with_rows(root, ("b/5.png", "cat", "insect", "train", "p9"))
    write_folder(root / "all", {"b/5.png": encoded(noise(9))})
    with pytest.raises(
        Exception, match="1 classes of animal lie in several classes of kind: cat in insect and mammal"
    ):
        packed(root, source(nested=True), name="bad")


def test_a_hierarchy_belongs_to_the_finest_label(root):
    (root / "tree.csv").write_text("parent,child\nbug,ant\nbug,bee\n")
    refused(root, source(hierarchy="tree.csv"), "tree.csv: has no edge to 1 of the classes .cat.")
    (root / "tree.csv").write_text("parent,child\nbug,ant\nbug,bee\npet,cat\n")
    _, images = packed(root, source(hierarchy="tree.csv"), name="tree")
    assert images.hierarchy("animal") == [("bug", "ant"), ("bug", "bee"), ("pet", "cat")]
    assert images.hierarchy("kind") == []


@pytest.mark.parametrize(
    "changes, match",
    [
        ({"nested": True, "hierarchy": "x"}, "nested labels are a hierarchy already"),
        ({"nested": True, "labels": ["animal"]}, "list the coarser ones"),
        ({"labels": ["animal", "animal"]}, "found one twice"),
        ({"held_out_values": ["train"]}, "one is there twice"),
        ({"labels": ["two words"]}, "pattern"),
    ],
)
def test_options_that_contradict_each_other_are_refused(root, changes, match):
    with pytest.raises(ValueError, match=match):
        packed(root, source(**changes))
