"""python -m pyimagesearch: see inference/commands.py."""

import sys
import traceback

try:
    from pyimagesearch.inference import commands
except Exception:  # exit code 1 means "different": a broken installation is 2
    traceback.print_exc()
    sys.exit(2)

if __name__ == "__main__":
    commands.main()
