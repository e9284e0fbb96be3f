"""Run the commands of docs/commands.md again, and write what they print into the page.

    python benchmarks/docs_commands.py

They run in a temporary folder with examples/, output/ (the model), pairs.csv, and the folders that
the page's first Python lines make. Messages that begin with [INFO] or [WARNING] are left out.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "commands.md"


def main():
    text = PAGE.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        for name in ("examples", "output"):
            shutil.copytree(ROOT / name, Path(folder, name))
        # what the page shows of its list is the list
        Path(folder, "pairs.csv").write_text(re.search(r"\$ cat .*\n((?:.*,.*\n)+)", text)[1])
        setup = re.search(r"```python\n(.*?)```", text, re.S)[1]
        run([sys.executable, "-c", setup], folder).check_returncode()

        def answered(block):
            commands = re.findall(r"^\$ (.*)$", block[1], re.M)
            answers = "".join(answer(command, folder) for command in commands)
            return f"```console\n{answers}```"

        text = re.sub(r"```console\n(.*?)```", answered, text, flags=re.S)
    PAGE.write_text(text, encoding="utf-8")


def answer(command, folder):
    """A command and what it prints, as the page shows it."""
    done = run(["sh", "-c", command], folder)
    lines = [f"$ {command}", *done.stdout.splitlines(), *done.stderr.splitlines()]
    lines += [f"(exit code {done.returncode})"] if done.returncode else []
    shown = [line for line in lines if not line.startswith(("[INFO]", "[WARNING]", "INFO:"))]
    return "\n".join([*shown, ""]).replace(folder, "…")


def run(command, folder):
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "CONTRASTIVE_CACHE": str(Path(folder, "cache")),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


if __name__ == "__main__":
    main()
