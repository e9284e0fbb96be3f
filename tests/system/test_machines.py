"""TF_CONFIG as people and operators set it: who shares a training, and who writes."""

import json

import pytest

from pyimagesearch.system import machines
from pyimagesearch.system.errors import InputError

WORKERS = {"worker": ["a:1", "b:2"]}


def task(cluster, kind, index):
    return json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}})


@pytest.mark.parametrize(
    ("config", "count", "is_chief"),
    [
        (None, 1, True),
        ("", 1, True),
        ("{}", 1, True),
        (task({"worker": ["a:1"]}, "worker", 0), 1, True),
        (task(WORKERS, "worker", 0), 2, True),
        (task(WORKERS, "worker", 1), 2, False),
        (task(WORKERS, "worker", "1"), 2, False),
        ('{"cluster": {}, "task": {}}', 1, True),
        (task({"chief": ["c:3"], **WORKERS}, "worker", 0), 3, False),
        (task({"chief": ["c:3"], **WORKERS}, "chief", 0), 3, True),
    ],
)
def test_how_many_there_are_and_which_one_writes(monkeypatch, config, count, is_chief):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if config is not None:
        monkeypatch.setenv("TF_CONFIG", config)
    assert (machines.count(), machines.is_chief()) == (count, is_chief)


@pytest.mark.parametrize(
    "config",
    [
        "{bad",
        "[]",
        '"text"',
        task(WORKERS, "worker", 2),
        task(WORKERS, "worker", "first"),
        task(WORKERS, "evaluator", 0),
        task({"ps": ["p:1"], **WORKERS}, "worker", 0),
        task({"chief": [], **WORKERS}, "worker", 0),
        task({"chief": ["c:1", "d:2"], **WORKERS}, "worker", 0),
        task({"worker": "a:1"}, "worker", 0),
        task({"worker": [1, 2]}, "worker", 0),
        task({"worker": ["a", "b"]}, "worker", 0),
        task({"worker": ["a:1", "a:1"]}, "worker", 0),
        task({"worker": {"0": "a:1", "1": "b:2"}}, "worker", 0),
        task(WORKERS, "worker", -1),
        task(WORKERS, "worker", 0.5),
        task(WORKERS, "worker", True),
        task(WORKERS, "worker", float("inf")),
        json.dumps({"cluster": WORKERS}),
        json.dumps({"cluster": WORKERS, "task": {"type": "worker"}}),
        json.dumps({"cluster": WORKERS, "task": {"index": 0}}),
        "[" * 100_000,
    ],
)
def test_what_tensorflow_would_not_take(monkeypatch, config):
    monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(InputError, match=r"Expected TF_CONFIG as .* Unset it"):
        machines.count()


def test_of_several_machines_the_chief_alone_keeps_the_folder(monkeypatch, tmp_path):
    with machines.only_writer(tmp_path):
        with pytest.raises(InputError, match="no other training"), machines.only_writer(tmp_path):
            pass
        monkeypatch.setenv("TF_CONFIG", task(WORKERS, "worker", 1))
        with machines.only_writer(tmp_path):
            pass
