"""TensorFlow saves into and loads from a folder of any legal name."""

import os
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from pyimagesearch.system.files import whole_directory
from pyimagesearch.system.plain_paths import plain_path

NAMES = ["run [v2]", "a*b", "what?", "back\\slash", "two\nlines", "日本語", b"caf\xe9", "plain"]


@pytest.fixture(scope="module")
def archive():
    inputs = keras.Input((3,))
    archive = keras.export.ExportArchive()
    archive.track(model := keras.Model(inputs, keras.layers.Dense(2)(inputs)))
    archive.add_endpoint("serve", model.call, [tf.TensorSpec((None, 3), tf.float32)])
    return archive


@pytest.mark.parametrize("name", NAMES)
def test_a_model_in_a_folder_of_any_name(name, archive, tmp_path):
    path = tmp_path / os.fsdecode(name) / "model"
    try:
        path.parent.mkdir()
    except OSError:
        pytest.skip("no such name in this file system")
    with whole_directory(path) as new:
        Path(new).mkdir()
        with plain_path(new) as plain:
            assert plain.isprintable() and not set("[]?*\\") & set(plain)
            archive.write_out(plain, verbose=False)
    assert (path / "saved_model.pb").is_file() and list(tmp_path.iterdir()) == [path.parent]
    with plain_path(path) as plain:
        loaded = tf.saved_model.load(plain)
        assert (plain == str(path)) == (name in ("plain", "日本語"))
    # the link is gone, and the model answers
    assert loaded.serve(np.ones((1, 3), np.float32)).shape == (1, 2)


def test_a_copy_where_no_link_can_be_made(tmp_path, monkeypatch):
    def refuse(*arguments, **flags):
        raise OSError("a privilege is not held")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    path = tmp_path / "run [v2]"
    path.mkdir()
    (path / "kept").write_text("kept")
    (path / "old").write_text("old")
    with plain_path(path) as plain:
        assert "[" not in plain and (Path(plain) / "kept").read_text() == "kept"
        (Path(plain) / "old").write_text("newer")
        (Path(plain) / "variables").mkdir()
        (Path(plain) / "variables" / "data").write_text("data")
    assert (path / "old").read_text() == "newer"
    assert (path / "variables" / "data").read_text() == "data"
    assert not Path(plain).exists()
