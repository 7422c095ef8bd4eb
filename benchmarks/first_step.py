"""Run the train program until its first batch or its first step is done, and leave: startup.py times it.

python benchmarks/first_step.py batch|step <arguments of train.py>
"""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

PROGRAM = Path(__file__).resolve().parents[1] / "workflow" / "scripts" / "train.py"


def leaving_after(method):
    """Return a method that ends the process when it is done."""

    def once(*arguments):
        method(*arguments)
        if "torch.cuda" in sys.modules and sys.modules["torch.cuda"].is_initialized():
            sys.modules["torch.cuda"].synchronize()
        os._exit(0)

    return once


if __name__ == "__main__":
    from spectral_priority.training import feed, loop  # the program imports them too, a little later

    if sys.argv[1] == "batch":
        feed.Feed.take = leaving_after(feed.Feed.take)
    else:
        loop.Training.take_step = leaving_after(loop.Training.take_step)
    sys.argv = [str(PROGRAM), *sys.argv[2:]]
    runpy.run_path(str(PROGRAM), run_name="__main__")
