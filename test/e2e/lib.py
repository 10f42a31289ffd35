# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the scripts about the command line share: the program, the example node, one line for each result."""
import os
import subprocess
import sys

PROGRAM, EXAMPLE = os.environ["PVEWARDEN"], os.environ["EXAMPLE"]
_results = []


def run(*args, **options):
    """Exit status, stdout and stderr."""
    done = subprocess.run([PROGRAM, *args], capture_output=True, timeout=60, check=False, text=True,
                          stdin=subprocess.DEVNULL, **options)
    return done.returncode, done.stdout, done.stderr


def node(*args):
    return run("--root", EXAMPLE, *args)


def ok(what, good, why=""):
    _results.append(bool(good))
    print(f"ok - {what}" if good else f"not ok - {what}: {why}")


def end():
    print(f"{sum(_results)} passed, {len(_results) - sum(_results)} failed")
    sys.exit(not _results or not all(_results))
