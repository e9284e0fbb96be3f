"""python -m pyimagesearch: see commands.py."""

# import the necessary packages
import sys

try:
    from pyimagesearch.inference import commands
    from pyimagesearch.system import terminal
except Exception as error:  # exit code 1 means "different": a broken installation is 2
    print(f"python -m pyimagesearch: error: {error}", file=sys.stderr)
    sys.exit(2)

if __name__ == "__main__":
    terminal.run(commands.main, "python -m pyimagesearch")
