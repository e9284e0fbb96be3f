"""One model that the real script trained. Importing tests.scripts clears the environment."""

import pytest

from tests.scripts import run


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """One epoch of the fast recipe; what it printed, and its folder."""
    output = tmp_path_factory.mktemp("trained")
    flags = ("--recipe", "fast", "--epochs", 1, "--seed", 3, "--output", output)
    return run("train_contrastive_siamese_network.py", *flags), output
