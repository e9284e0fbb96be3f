"""Run the commands of docs/commands.md again, and write what they print into the page.

    python benchmarks/docs_commands.py

In a folder of its own, with examples/, output/ (a model and its encoder.keras), and the folders
that the page's first Python lines make. Messages that begin with [INFO] are left out.
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
PAIRS = """a,b,same
examples/image_01.png,examples/image_09.png,1
examples/image_02.png,examples/image_09.png,0
examples/image_05.png,examples/image_10.png,
examples/image_05.png,examples/absent.png,1
"""


def main():
    text = PAGE.read_text(encoding="utf-8")
    (setup, *_) = re.findall(r"```python\n(.*?)```", text, re.S)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for name in ("examples", "output"):
            shutil.copytree(ROOT / name, place / name)
        (place / "pairs.csv").write_text(PAIRS)
        environment = os.environ | {
            "PYTHONPATH": str(ROOT),
            "CONTRASTIVE_CACHE": str(place / "cache"),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
        subprocess.run([sys.executable, "-c", setup], cwd=place, env=environment, check=True)

        def answered(block):
            commands = re.findall(r"^\$ .*$", block[1], re.M)
            outputs = []
            for command in commands:
                done = subprocess.run(
                    command.removeprefix("$ "),
                    shell=True,
                    cwd=place,
                    env=environment,
                    capture_output=True,
                    text=True,
                )
                lines = [*done.stdout.splitlines(), *done.stderr.splitlines()]
                shown = [line for line in lines if not line.startswith(("[INFO]", "INFO:"))]
                code = [f"(exit code {done.returncode})"] if done.returncode else []
                outputs.append("\n".join([command, *shown, *code]))
            return "```console\n" + "\n".join(outputs).replace(folder, "…") + "\n```"

        text = re.sub(r"```console\n(.*?)```", answered, text, flags=re.S)
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
