"""export, as a user asks for it."""

import json
import shutil

import pytest

pytestmark = pytest.mark.filterwarnings("ignore")  # of TensorFlow's, see test_export.py


@pytest.fixture
def encoder(original, model):
    """encoder.keras beside the model, as a training leaves it."""
    return shutil.copy(original.parent / "encoder.keras", model.parent)


def test_the_encoder_in_a_file_with_its_settings(ask, encoder, model, folder, tmp_path):
    (code, out, _) = ask("export", "--format", "tflite")
    assert code == 0 and "as the model to within" in out and "on 64 images" in out
    file = model.parent / "encoder.tflite"  # beside the model, where compare finds it
    assert out.splitlines()[-1] == f"{file}, settings: {file}.json"
    written = json.loads((model.parent / "encoder.tflite.json").read_text())
    assert written["threshold"] == 0.5 and written["export"]["file"] == "encoder.tflite"
    output = ("--output", tmp_path / "e.tflite", "--images", folder / "7", "--json")
    (code, out, _) = ask("export", "--format", "tflite", *output)
    answer = json.loads(out)
    assert code == 0 and answer["images_checked"] == 64 + 12 and answer["difference"] < 1e-5
    assert answer["file"].endswith("e.tflite") and (tmp_path / "e.tflite").exists()


def test_without_the_encoder_it_says_where_to_get_it(ask, tmp_path):
    (code, _, err) = ask("export", "--format", "tflite")
    assert code == 2 and "Expected encoder.keras beside the model" in err
    assert "train_contrastive_siamese_network.py" in err and len(err.splitlines()) == 1


def test_an_encoder_of_another_model_is_refused(ask, encoder, model):
    from small_model import encoder as make

    make(scale=3).save(encoder)
    (code, _, err) = ask("export", "--format", "tflite")
    assert code == 2 and "nothing is kept" in err


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--format", "tflite", "--output", "e.onnx"], "ends with .tflite"),
        (["--format", "pickle"], "invalid choice: 'pickle'"),
        (["--format", "tflite", "--images", "absent"], "no such folder"),
        (["--format", "tflite", "--output", "a file/e.tflite"], "can be written to"),
    ],
)
def test_what_cannot_be_exported(ask, encoder, tmp_path, flags, message):
    (tmp_path / "a file").write_text("")
    (code, _, err) = ask("export", *flags)
    assert code == 2 and message in err
