"""`python -m chaos`: one experiment left alone and the same under faults, and a table of what they cost. See docs/chaos.md."""

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from chaos.injector import Injector
from chaos.laboratory import laboratory
from chaos.study import Study
from chaos.table import table
from chaos.verdict import unmet_shares, verdict

LONG = Study(train=600, sweep=800, grid=600, cadence=4)
"""6,200 steps: so many that what thirty faults make it compute again stays below 2 %, with a checkpoint every 0.4 s."""


def parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("--injections", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--step-seconds", type=float, default=0.1, help="a training step takes at least so long")
    for name, steps in vars(LONG).items():
        parser.add_argument(f"--{name}", type=int, default=steps)
    parser.add_argument("--folder", default=None, help="where files are kept; a short path")
    return parser.parse_args(words)


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that no cluster is left behind
    options = parse(sys.argv[1:])
    folder = Path(options.folder or tempfile.mkdtemp(prefix="g3c"))
    study = Study(**{name: getattr(options, name) for name in vars(LONG)})
    schedule = Injector(options.seed, study.phases).schedule(options.injections)
    with laboratory(folder) as room:
        say(f"files: {folder}; left alone:")
        alone = room.run(study, "alone", say=say)
        say(f"  {alone.counts.progress:6d} steps  finished after {alone.journal.seconds:.0f} s")
        say(f"under {len(schedule)} faults, seed {options.seed}:")
        disturbed = room.run(study, "disturbed", schedule, step_seconds=options.step_seconds, say=say)
        found = [*verdict(alone, disturbed), *unmet_shares(disturbed)]  # while there is a store to read the checkpoints from
    say(table(alone, disturbed, found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
