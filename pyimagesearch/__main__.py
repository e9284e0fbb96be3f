"""python -m pyimagesearch: see inference/commands.py."""

from pyimagesearch.inference import commands

if __name__ == "__main__":
    commands.main()
