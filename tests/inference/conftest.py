"""A model that needs no training, a folder of digits, and commands asked in this process."""

import shutil

import pytest
import small_model

from pyimagesearch.inference import commands
from pyimagesearch.system import terminal


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """12 images of each digit, one subfolder each; only read."""
    return small_model.write_folder(tmp_path_factory.mktemp("folder") / "digits")


@pytest.fixture(scope="session")
def original(tmp_path_factory):
    """Only read."""
    points = {"0.01": 0.4, "0.001": 0.3, "0.0001": None}
    path = tmp_path_factory.mktemp("models") / "model"
    return small_model.save(path, operating_points=points)


@pytest.fixture
def model(original, tmp_path, monkeypatch):
    """A copy of a model: commands may write beside it and into it; with a cache of its own."""
    monkeypatch.setenv("CONTRASTIVE_CACHE", str(tmp_path / "cache"))
    return shutil.copytree(original, tmp_path / "models" / "model")


@pytest.fixture
def ask(model, tmp_path, monkeypatch, capsys):
    """Runs a command; returns its exit code and what it printed."""

    def ask(*arguments):
        monkeypatch.chdir(tmp_path)
        where = [] if arguments[0] in ("cache", "duplicates") else ["--model", str(model)]
        monkeypatch.setattr("sys.argv", ["ask", *map(str, arguments), *where])
        with pytest.raises(SystemExit) as stop:
            terminal.run(commands.main)
        streams = capsys.readouterr()
        return stop.value.code or 0, streams.out, streams.err

    return ask


@pytest.fixture
def refused(ask):
    """Asks what is refused: the one line that says why."""

    def refused(*arguments):
        (code, out, err) = ask(*arguments)
        errors = [line for line in err.splitlines() if not line.startswith(("[INFO]", "[WARNING]"))]
        assert code == 2 and len(errors) == 1, (code, out, err)
        return errors[0]

    return refused


@pytest.fixture
def seven(folder):
    return sorted((folder / "7").iterdir())
