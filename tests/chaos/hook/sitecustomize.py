"""Counts training steps and times checkpoints in every process whose PYTHONPATH has this folder; Python imports it at the start.

The program knows nothing of it. `G3DR_CHAOS_COUNTS` is the folder for the counts, one file a process, one JSON line an event, written
at once, so that SIGKILL loses none. A number in the file `step_seconds` of that folder makes a step take at least so long without using
the processor, as a step on a GPU does: that leaves the machine to those who start again.
"""

import importlib.abc
import importlib.util
import json
import os
import sys
import time

FOLDER = os.environ.get("G3DR_CHAOS_COUNTS")
PLACE = {"root": "", "run": "", "rank": 0}
STATE = {"first": True, "least_seconds": 0.0}


def begin():
    with open(f"{FOLDER}/step_seconds") as file:  # noqa: PTH123  (pathlib would be imported in every process)
        STATE.update(first=True, least_seconds=float(file.read()))


def note(**event):
    line = json.dumps({**PLACE, **event, "time": time.time()}) + "\n"
    descriptor = os.open(f"{FOLDER}/{os.getpid()}.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


def count_steps(module):
    original = module.Trainer.run_step

    def run_step(self, batch):
        started = time.perf_counter()
        terms = original(self, batch)
        time.sleep(max(0.0, STATE["least_seconds"] - (time.perf_counter() - started)))
        note(event="step", step=self.step, seconds=time.perf_counter() - started, first=STATE["first"])
        STATE["first"] = False
        return terms

    module.Trainer.run_step = run_step


def know_the_run(module):
    original, saving = module.compute_run, module.RunInProgress._checkpoint

    def compute_run(request, root, placement, *more, **named):
        PLACE.update(root=root, run=request.spec.id, rank=placement.rank)
        begin()
        note(event="start")
        yield from original(request, root, placement, *more, **named)

    def _checkpoint(self, *words, **named):
        started = time.perf_counter()
        saving(self, *words, **named)
        note(event="checkpoint", seconds=time.perf_counter() - started)

    module.compute_run, module.RunInProgress._checkpoint = compute_run, _checkpoint


HOOKS = {"g3dr.training.trainer": count_steps, "orchestrator.computing.worker": know_the_run}


class Finder(importlib.abc.MetaPathFinder):
    """Lets the others find the module, and changes it once it is executed."""

    def find_spec(self, name, path=None, target=None):
        hook = HOOKS.pop(name, None)
        if hook is None:
            return None
        spec = importlib.util.find_spec(name)
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            hook(module)

        spec.loader.exec_module = exec_module
        return spec


if FOLDER:
    sys.meta_path.insert(0, Finder())
