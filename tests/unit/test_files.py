"""Folders and archives are read as one stream, whole, and never lead out of themselves."""

import stat
import tarfile
import tracemalloc
import zipfile

import pytest
from made_images import noise, write_folder, write_tar, write_zip

from spectral_priority.data.files import open_files, read_files
from spectral_priority.errors import InputError

FILES = {
    "top/a/1.bin": noise(1).tobytes(),
    "top/a/2.bin": noise(2).tobytes() * 30,
    "top/b/notes.txt": b"words",
}


def read(path, wanted=lambda member: True):
    return list(read_files(path, wanted))


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.tgz", "a.tar.bz2", "a.tar.xz", "a.zip", "folder"])
def test_every_container_gives_the_same_files(tmp_path, name):
    path = tmp_path / name
    if name == "folder":
        write_folder(path, FILES)
    elif name.endswith("zip"):
        write_zip(path, FILES)
    elif name == "a.tgz":
        write_tar(tmp_path / "a.tar.gz", FILES).rename(path)
    else:
        write_tar(path, FILES)
    assert dict(read(path)) == FILES


def test_files_that_are_not_wanted_are_left_out(tmp_path):
    path = write_tar(tmp_path / "a.tar.xz", FILES)
    assert [member for member, _ in read(path, lambda member: member.endswith(".txt"))] == ["top/b/notes.txt"]


def test_a_leading_dot_is_no_part_of_the_path(tmp_path):
    path = write_tar(tmp_path / "a.tar", {"./train/x.bin": b"x"})
    assert read(path) == [("train/x.bin", b"x")]


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.tar.bz2", "a.tar.xz", "a.zip"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.7, 0.97])
def test_an_archive_that_was_cut_short_is_refused(tmp_path, name, share):
    path = (write_zip if name == "a.zip" else write_tar)(tmp_path / name, FILES)
    content = path.read_bytes()
    if name == "a.tar":  # without the zero blocks that pad a tar
        content = content.rstrip(b"\0")
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError, match=f"{name}: is damaged or cut short .*copy or download it again"):
        read(path)


def test_a_tar_cut_between_two_members_is_refused(tmp_path):
    path = write_tar(tmp_path / "a.tar", {"a.bin": b"x" * 512, "b.bin": b"y" * 512})
    path.write_bytes(path.read_bytes()[:1024])
    with pytest.raises(InputError, match="cut short"):
        read(path)


def test_a_tar_with_a_damaged_header_is_refused(tmp_path):
    path = write_tar(tmp_path / "a.tar", {"a.bin": b"x" * 512, "b.bin": b"y" * 512, "c.bin": b"z"})
    content = bytearray(path.read_bytes())
    content[1024 + 150] ^= 0xFF  # in the checksum of the second header
    path.write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        read(path)


@pytest.mark.parametrize("name", ["a.tar.gz", "a.zip"])
def test_flipped_bits_are_noticed(tmp_path, name):
    path = (write_zip if name == "a.zip" else write_tar)(tmp_path / name, FILES)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        read(path)


@pytest.mark.parametrize("member", ["/etc/x.png", "train/../../x.png", "C:/x.png", "..\\x.png"])
@pytest.mark.parametrize("write, name", [(write_tar, "a.tar"), (write_zip, "a.zip")])
def test_a_member_that_leads_out_of_the_archive_is_refused_by_name(tmp_path, member, write, name):
    path = write(tmp_path / name, {"train/a/1.png": b"fine", member: b"x"})
    with pytest.raises(InputError, match="leads out of the archive") as error:
        read(path)
    assert repr(member) in str(error.value)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_a_tar_with_a_link_or_device_is_refused_by_name(tmp_path, kind):
    special = tarfile.TarInfo("train/a/odd.png")
    special.type, special.linkname = kind, "/etc/passwd"
    path = write_tar(tmp_path / "a.tar", {"train/a/1.png": b"fine"}, special)
    with pytest.raises(InputError, match=r"member 'train/a/odd.png': is a link or a device"):
        read(path)


def test_a_zip_with_a_link_is_refused_by_name(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        entry = zipfile.ZipInfo("train/a/odd.png")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(InputError, match=r"member 'train/a/odd.png': is a link or a device"):
        read(path)


def test_a_member_that_claims_to_be_huge_is_refused_before_it_is_read(tmp_path):
    """A tar of 10 KB whose header claims 2 GB, and a zip of 2 KB that would become 2 MB, with a lower limit."""
    entry = tarfile.TarInfo("train/a/1.png")
    entry.size = 2 << 30
    (tmp_path / "a.tar").write_bytes(entry.tobuf() + bytes(10_240))
    with pytest.raises(InputError, match=r"member 'train/a/1.png': has 2,147,483,648 bytes"):
        read(tmp_path / "a.tar")
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("train/a/1.png", bytes(2_000_000))
    assert (tmp_path / "a.zip").stat().st_size < 3000
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("spectral_priority.data.files.MAX_BYTES", 1_000_000)
        with pytest.raises(InputError, match=r"member 'train/a/1.png': has 2,000,000 bytes"):
            read(tmp_path / "a.zip")


def test_a_zip_that_inflates_to_more_than_it_claims_is_not_read_further(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("train/a/1.png", bytes(2_000_000))
    content = (
        (tmp_path / "a.zip")
        .read_bytes()
        .replace((2_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    )
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        read(tmp_path / "a.zip")


def test_a_folder_that_contains_itself_is_refused(tmp_path):
    write_folder(tmp_path, {"a/1.png": b"x"})
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    with pytest.raises(InputError, match="was read before"):
        read(tmp_path)


def test_a_missing_or_unsupported_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none.zip: there is no such file or folder"):
        read(tmp_path / "none.zip")
    (tmp_path / "a.rar").write_bytes(b"Rar!\x1a\x07\x00" + bytes(600))
    with pytest.raises(
        InputError, match=r"a.rar: is no archive that can be read. Allowed: a folder, zip, tar"
    ):
        read(tmp_path / "a.rar")


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.tar.xz", "a.zip", "folder"])
def test_a_large_file_can_be_read_in_parts_and_is_never_held_as_a_whole(tmp_path, name):
    files = {"big.bin": noise(1, 64).tobytes() * 2000, "small.txt": b"x"}
    path = {"folder": write_folder, "a.zip": write_zip}.get(name, write_tar)(tmp_path / name, files)
    size = 0
    tracemalloc.start()
    for member, file in open_files(path, lambda member: member == "big.bin"):
        assert (member, file.size) == ("big.bin", len(files["big.bin"]))
        while part := file.read(1 << 16):
            size += len(part)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size == len(files["big.bin"]) == 24_576_000
    assert peak < 12_000_000  # a dictionary of xz alone has 8 MB


def test_damage_that_is_met_in_the_middle_of_a_file_is_said_by_the_archives_name(tmp_path):
    path = write_tar(tmp_path / "a.tar.gz", {"big.bin": noise(1, 512).tobytes()})
    path.write_bytes(path.read_bytes()[:-100_000])
    with pytest.raises(InputError, match=r"a.tar.gz: is damaged or cut short"):
        for _, file in open_files(path, lambda member: True):
            while file.read(1 << 16):
                pass


CLASSES = {"b.tar": {"b_1.bin": b"1" * 700, "b_2.bin": b"2" * 20_000}, "a.tar": {"a_1.bin": b"3"}}


def tars(folder, changed=None):
    """Write two small tars and return their contents by name."""
    for name, files in CLASSES.items():
        write_tar(folder / name, files)
    return {name: (changed or {}).get(name, (folder / name).read_bytes()) for name in CLASSES}


def is_tar(member):
    return member.endswith(".tar")


@pytest.mark.parametrize("name", ["all.tar", "all.tar.gz", "folder"])
def test_tars_in_a_tar_or_folder_are_folders_of_their_names(tmp_path, name):
    inner = {f"train/{member}": content for member, content in tars(tmp_path).items()}
    path = (write_folder if name == "folder" else write_tar)(tmp_path / name, {**inner, "last.bin": b"4"})
    found = dict(read_files(path, lambda member: True, is_tar))
    assert found == {
        **{
            f"train/{tar[0]}/{file}": content
            for tar, files in CLASSES.items()
            for file, content in files.items()
        },
        "last.bin": b"4",
    }
    unwanted = [member for member, _ in read_files(path, lambda member: "b_2" in member, is_tar)]
    assert unwanted == ["train/b/b_2.bin"]
    assert set(dict(read(path))) == {*inner, "last.bin"}, "entered without being asked to"


@pytest.mark.parametrize("name", ["all.tar", "folder"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_damaged_tar_in_a_tar_is_named(tmp_path, name, share):
    whole = tars(tmp_path)["b.tar"].rstrip(b"\0")
    inner = tars(tmp_path, {"b.tar": whole[: int(len(whole) * share)]})
    path = (write_folder if name == "folder" else write_tar)(tmp_path / name, inner)
    with pytest.raises(InputError, match=rf"{name}: b.tar: is damaged or cut short"):
        list(read_files(path, lambda member: True, is_tar))


def test_a_tar_in_a_tar_never_leads_out(tmp_path):
    write_tar(tmp_path / "bad.tar", {"../x.bin": b"x"})
    path = write_tar(tmp_path / "all.tar", {"a.tar": (tmp_path / "bad.tar").read_bytes()})
    with pytest.raises(InputError, match=r"'\.\./x.bin': leads out of the archive"):
        list(read_files(path, lambda member: True, is_tar))


def test_only_one_level_of_tars_is_entered(tmp_path):
    deep = write_tar(tmp_path / "deep.tar", {"c.tar": tars(tmp_path)["a.tar"]}).read_bytes()
    path = write_tar(tmp_path / "all.tar", {"b.tar": deep})
    assert [member for member, _ in read_files(path, lambda member: True, is_tar)] == ["b/c.tar"]
