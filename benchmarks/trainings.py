"""Runs of the real train script that are kept, each in a folder of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).parents[1] / "train_contrastive_siamese_network.py"


def figures_of(output: Path, *flags: object) -> dict[str, Any]:
    """The metrics.json of a training into `output`, which is run where it has not been."""
    if not (output / "metrics.json").is_file():
        print(f"{output} ...", file=sys.stderr, flush=True)
        subprocess.run(
            [sys.executable, str(SCRIPT), *map(str, flags), "--output", str(output)],
            env={**os.environ, "MPLBACKEND": "Agg"},
            stdout=subprocess.DEVNULL,
            check=True,
        )
    return json.loads((output / "metrics.json").read_text())
