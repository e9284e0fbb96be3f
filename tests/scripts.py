"""Running the real scripts, in an environment made from scratch.

No test depends on the machine's variables or on anybody's home: the tests' own process and
those that it starts have an environment made from scratch, with a home that goes afterwards.
"""

import atexit
import os
import shutil
import site
import subprocess
import sys
import tempfile
import textwrap
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
HOME = tempfile.mkdtemp(prefix="home-of-tests-")
atexit.register(shutil.rmtree, HOME, ignore_errors=True)
ENVIRONMENT = {
    # what systems need to find programs, libraries and a place for temporary files
    **{
        name: value
        for name, value in os.environ.items()
        if name in ("PATH", "SYSTEMROOT", "TMPDIR", "TEMP", "TMP", "LD_LIBRARY_PATH")
        or name.startswith(("DYLD_", "PYTEST_", "COV_"))
        or name == "CONTRASTIVE_BROWSER_TESTS"  # "required": a test in a browser is never skipped
    },
    "HOME": HOME,
    "USERPROFILE": HOME,  # Windows' name for it
    "PYTHONUSERBASE": site.getuserbase(),  # packages that lie in the real home
    "LANG": "C.UTF-8",
    "MPLBACKEND": "Agg",
}
os.environ.clear()
os.environ.update(ENVIRONMENT)
PIPES = {"cwd": ROOT, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}


def python(code: str, *arguments: object, cwd: Path = ROOT, **variables: str):
    """Run Python on `code` to its end, in a process of its own; `variables` come on top."""
    program = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.run(program, env=ENVIRONMENT | variables, **PIPES | {"cwd": cwd})


@contextmanager
def started(*program: object, after: str = "", **variables: str):
    """A Python program, which has printed a line that starts with `after`; gone after the block.

    program: a script with its flags, or -c and code. It ends, too, when it reads its input and
    the test is gone.
    """
    line = [sys.executable, *map(str, program)]
    pipes = PIPES | {"stdin": subprocess.PIPE}
    with subprocess.Popen(line, env=ENVIRONMENT | variables, **pipes) as process:
        try:
            process.line = next((x for x in process.stdout if x.startswith(after)), "")
            assert process.line, process.stderr.read()
            yield process
        finally:
            process.kill()
