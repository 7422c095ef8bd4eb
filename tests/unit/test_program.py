"""How a program ends, and what its log then holds."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest

PROGRAM = """
    import argparse, os, pathlib, signal, sys
    from spectral_priority.errors import InputError
    from spectral_priority.program import Stopped, run

    def main(arguments):
        {body}

    run(main, argparse.Namespace(log=pathlib.Path(sys.argv[1])))
"""


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ("raise InputError('x.yaml', 'found 3', '1 or 2')", 2, "error: x.yaml: found 3"),
        ("raise Stopped('the state is saved')", 75, "the state is saved"),
        ("1 / 0", 1, "Traceback (most recent call last)"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", -signal.SIGSEGV, "Fatal Python error: Segmentation fault"),
    ],
)
def test_the_log_says_why_a_program_ended(tmp_path, body, code, said):
    log = tmp_path / "program.log"
    made = textwrap.dedent(PROGRAM).format(body=body)
    environment = {**os.environ, "PYTHONFAULTHANDLER": ""}
    done = subprocess.run(
        [sys.executable, "-c", made, str(log)], capture_output=True, check=False, env=environment
    )
    assert done.returncode == code
    assert said in log.read_text()
