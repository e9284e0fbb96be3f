"""A folder embedded in parts, which are made one again."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import small_model

from pyimagesearch.inference import shards, vectors
from pyimagesearch.inference.vectors import Shard
from pyimagesearch.system.errors import InputError
from tests.scripts import python


@pytest.fixture
def photos(tmp_path):
    """Three digits with four images each, and a file that is none in the second part of three."""
    folder = small_model.write_folder(tmp_path / "photos", classes=3, each=4)
    (folder / "1" / "2.png").write_text("words")
    return folder


@pytest.fixture
def parts(ask, photos, tmp_path):
    """The three parts of the folder, as the command writes them."""
    for k in (1, 2, 3):
        (code, _, err) = ask("embed", photos, "--shard", f"{k}/3", "--output", f"{k}.npz")
        assert (code, err) == (0, "")
    return [tmp_path / f"{k}.npz" for k in (1, 2, 3)]


def the_error(asked):
    (code, out, err) = asked
    assert code == 2 and out == "" and len(err.splitlines()) == 1
    return err


def arrays(path):
    with np.load(path) as data:
        return {name: data[name] for name in data.files}


def test_each_file_is_in_one_shard_and_shards_are_of_one_length():
    for count in (0, 1, 5, 16, 1000, 1001):
        for n in (1, 3, 16):
            runs = [range(count)[shards.rows(Shard(k, n), count)] for k in range(1, n + 1)]
            assert [row for run in runs for row in run] == list(range(count))
            assert max(map(len, runs)) - min(map(len, runs)) <= 1
    # the third of sixteen of a thousand: from 1000 * 2 / 16 = 125 to 1000 * 3 / 16 = 187.5
    assert shards.rows(shards.parse("3/16"), 1000) == slice(125, 187)


def test_merged_parts_are_the_whole_folder(ask, photos, parts, tmp_path):
    assert [arrays(part)["shard"].tolist() for part in parts] == [[1, 3], [2, 3], [3, 3]]
    assert arrays(parts[1])["names"].tolist() == ["1/0.png", "1/1.png", "1/3.png"]
    (code, out, _) = ask("embed", "--merge", *parts[::-1], "--output", "all.npz")
    assert (code, out) == (0, "11 images of 3 classes, 49 numbers each: all.npz\n")
    assert ask("embed", photos, "--output", "whole.npz")[0] == 0
    (merged, whole) = (arrays(tmp_path / name) for name in ("all.npz", "whole.npz"))
    assert merged.keys() == whole.keys() and "shard" not in merged
    for name in merged:
        assert np.array_equal(merged[name], whole[name]) and merged[name].dtype == whole[name].dtype
    answer = json.loads(ask("embed", "--merge", *parts, "--output", "all.csv", "--json")[1])
    assert (answer["images"], answer["embedding_dim"], answer["file"]) == (11, 49, "all.csv")
    assert (tmp_path / "all.csv").read_text().splitlines()[5].startswith("1/0.png,1,")


def test_parts_that_do_not_belong_together_are_named(ask, photos, parts, tmp_path):
    def merge(*names):
        return the_error(ask("embed", "--merge", *names, "--output", "all.npz"))

    assert "Expected all 3 shards. Received: 2, without 2." in merge("1.npz", "3.npz")
    shutil.copy(tmp_path / "2.npz", tmp_path / "copy.npz")
    error = merge("1.npz", "2.npz", "3.npz", "copy.npz")
    assert "Received: 2/3 in 2.npz and in copy.npz." in error
    assert ask("embed", photos, "--shard", "2/4", "--output", "of four.npz")[0] == 0
    assert "1.npz and of four.npz, of 3 and of 4." in merge("1.npz", "of four.npz")
    assert ask("embed", photos, "--output", "whole.npz")[0] == 0
    assert "Received: whole.npz, not a part." in merge("1.npz", "whole.npz")
    assert "Received: absent.npz, not there." in merge("1.npz", "absent.npz")
    found = vectors.read(tmp_path / "3.npz")
    vectors.write(
        tmp_path / "other.npz", found.embeddings, found.names, found.classes, "other", found.shard
    )
    assert "Received: 1.npz and other.npz, of two." in merge("1.npz", "2.npz", "other.npz")
    # a file more, and every shard is of other files
    shutil.copy(photos / "0" / "0.png", photos / "0" / "more.png")
    assert ask("embed", photos, "--shard", "3/3", "--output", "3.npz")[0] == 0
    assert "1.npz and 3.npz, of two lists" in merge("1.npz", "2.npz", "3.npz")
    # another folder with files of the same names
    other = small_model.write_folder(tmp_path / "other", classes=3, each=4)
    for image in other.glob("*/*.png"):
        image.write_bytes(image.read_bytes() + b"more")
    shutil.copy(other / "0" / "0.png", other / "0" / "more.png")
    assert ask("embed", other, "--shard", "2/3", "--output", "2.npz")[0] == 0
    assert "2.npz and 3.npz, of two lists" in merge("2.npz", "3.npz")
    assert not (tmp_path / "all.npz").exists()


def test_no_part_is_written_over(ask, parts):
    before = parts[0].read_bytes()
    error = the_error(ask("embed", "--merge", *parts, "--output", "./1.npz"))
    assert "Expected --output beside the parts" in error
    assert parts[0].read_bytes() == before


def test_damaged_parts_and_parts_without_images(ask, photos, parts, tmp_path):
    known = arrays(parts[0])
    damaged = {
        "flat": {"embeddings": known["embeddings"][:, 0]},
        "fifth of two": {"shard": np.array([5, 2])},
        "one and a half": {"shard": np.array([1.5, 2])},
        "wider": {"embeddings": np.zeros((len(known["names"]), 50), "float32")},
    }
    for name, arrays_of in damaged.items():
        np.savez(tmp_path / "1.npz", **(known | arrays_of))
        error = the_error(ask("embed", "--merge", *parts, "--output", "all.npz"))
        wanted = "of one size" if name == "wider" else "vectors that this project wrote"
        assert f"Expected {'embeddings ' if name == 'wider' else ''}{wanted}" in error
    for image in photos.glob("*/*.png"):
        image.write_text("words")
    for k in (1, 2):
        assert ask("embed", photos, "--shard", f"{k}/2", "--output", f"{k}.npz")[0] == 0
    error = the_error(ask("embed", "--merge", "1.npz", "2.npz", "--output", "all.npz"))
    assert "Received: 2 shards in which none could be read." in error
    assert not (tmp_path / "all.npz").exists()


def test_of_many_missing_shards_the_first_are_named(tmp_path):
    part = np.zeros((1, 2), np.float32), ["a.png"], None, "5eed", Shard(1, 99, "listing")
    vectors.write(tmp_path / "1.npz", *part)
    with pytest.raises(InputError, match=r"without 2, 3, 4, 5, 6, 7, 8, 9, 10 and 89 more\.$"):
        shards.merge([tmp_path / "1.npz"])


def test_fewer_files_than_shards_and_shards_of_unreadable_ones(ask, photos, tmp_path):
    """Twelve files, and fifteen shards: every fifth is empty."""
    empty = []
    for k in range(1, 16):
        (code, out, _) = ask("embed", photos, "--shard", f"{k}/15", "--output", f"{k}.npz")
        assert code == 0
        if f"shard {k}/15 holds no files: the folder has 12" in out:
            empty.append(k)
    assert empty == [1, 6, 11]
    assert len(vectors.read(tmp_path / "9.npz").names) == 0  # the file that is no image
    (code, out, _) = ask("embed", "--merge", *(f"{k}.npz" for k in range(1, 16)))
    assert (code, out) == (0, "11 images of 3 classes, 49 numbers each: output/vectors.npz\n")


def test_a_folder_without_classes(ask, photos, tmp_path):
    for k in (1, 2):
        assert ask("embed", photos / "0", "--shard", f"{k}/2", "--output", f"{k}.npz")[0] == 0
    assert ask("embed", "--merge", "1.npz", "2.npz")[1].startswith("4 images, 49 numbers each")
    assert vectors.read(tmp_path / "output" / "vectors.npz").classes is None


@pytest.mark.parametrize("shard", ["0/16", "17/16", "a/b", "3", "-1/2", "1/0", "1/2/3", ""])
def test_a_shard_is_one_of_some(ask, folder, shard):
    error = the_error(ask("embed", folder, f"--shard={shard}", "--output", "part.npz"))
    assert "Expected --shard K/N" in error


@pytest.mark.parametrize(
    "flags, message",
    [
        ((), "Received: none of these"),
        (("photos", "--merge", "1.npz"), "Received: more than one of these"),
        (("--merge", "1.npz", "--shard", "1/2"), "Received: more than one of these"),
        (("photos", "--shard", "1/2"), "Expected --output PART.npz with --shard"),
        (("photos", "--shard", "1/2", "--output", "part.csv"), "Received: part.csv"),
    ],
)
def test_what_does_not_go_together(ask, flags, message):
    assert message in the_error(ask("embed", *flags))


@pytest.mark.slow
def test_two_shards_at_a_time_on_one_machine(model, photos, tmp_path):
    def embed(k):
        flags = ("--shard", f"{k}/2", "--output", tmp_path / f"{k}.npz", "--model", model)
        code = "from pyimagesearch.inference import commands; commands.main()"
        return python(code, "embed", photos, *flags, CONTRASTIVE_CACHE=str(tmp_path / "cache"))

    with ThreadPoolExecutor(2) as pool:
        assert [done.returncode for done in pool.map(embed, (1, 2))] == [0, 0]
    merged = shards.merge([tmp_path / f"{k}.npz" for k in (1, 2)])
    assert len(merged.names) == 11 and merged.embeddings.shape == (11, 49)
