"""python -m pyimagesearch: see inference/commands.py."""

import sys

from pyimagesearch.system import terminal


def main() -> None:
    """Run one of the commands on the process's arguments."""
    terminal.setup(program_output="--json" in sys.argv)
    from pyimagesearch.inference import commands

    commands.main()


if __name__ == "__main__":
    terminal.run(main, "python -m pyimagesearch")
