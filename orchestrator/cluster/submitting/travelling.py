"""What an experiment says that means something else on a cluster: paths of this machine."""

import io
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from g3dr.errors import G3drError
from orchestrator.datasets import used
from orchestrator.experiment.loading import load_experiment
from orchestrator.experiment.problems import ExperimentError
from orchestrator.experiment.sources import parse_origin
from orchestrator.experiment.spec import Experiment
from orchestrator.store import Store, open_store


class TravelError(G3drError):
    """An experiment that would not find on the cluster what it names."""


def open_root(experiment: Experiment) -> Store:
    """Opens the root.

    Raises:
        TravelError: It is a relative folder, which would vanish with the job's copy of the working directory.
        StoreError: It is no store at all.
    """
    if not _is_everywhere(experiment.root):
        raise TravelError(
            f"root {experiment.root} is relative, and would vanish with the job's copy of the working directory: "
            "name s3://bucket/prefix, or the absolute path of a folder that every machine of the cluster sees"
        )
    return open_store(experiment.root)


def check_paths(experiment: Experiment) -> None:
    """Refuses data and checkpoints that lie on this machine only.

    Raises:
        TravelError: With the first of them, and what to do.
    """
    for name, spec in used(experiment).items():
        path = spec.folder.path if spec.folder is not None else spec.dataset
        if path is not None and not _is_everywhere(path):
            raise TravelError(
                f"data.{name} names {path}, which is not on the cluster: g3dr data pack {path} s3://bucket/{name}, "
                f"then data: {{{name}: {{dataset: s3://bucket/{name}}}}}"
            )
    for stage in experiment.stages:
        origin = parse_origin(stage.source) if stage.source else None
        if origin is not None and origin.kind == "checkpoint" and not _is_everywhere(origin.name) and Path(origin.name).is_dir():
            raise TravelError(
                f"stages.{stage.name}.from names {origin.name}, a folder of this machine: copy it to the bucket and name its URI"
            )


def folders_named(experiment: Experiment) -> list[str]:
    """Returns the absolute folders that every machine of the cluster must see."""
    specs = used(experiment).values()
    paths = [experiment.root, *(spec.folder.path if spec.folder is not None else spec.dataset for spec in specs)]
    return list(dict.fromkeys(path for path in paths if path is not None and not path.startswith("s3://")))


def check_arrival(package: bytes, file: str, settings: Iterable[str], root: str | None, experiment: Experiment) -> None:
    """Reads the experiment out of the package, as the job will.

    Args:
        package: The ZIP file.
        file: Path in it.
        settings: As the job gets them.
        root: As the job gets it.
        experiment: What was checked here.

    Raises:
        TravelError: The file, or one that it extends, is missing in the package, or it is another experiment there.
    """
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(io.BytesIO(package)) as opened:
        opened.extractall(folder, [name for name in opened.namelist() if name.endswith((".yaml", ".yml")) or name == file])
        try:
            there = load_experiment(Path(folder) / file, settings, root)
        except ExperimentError as error:
            raise TravelError(
                f"{file} cannot be read from the package: {_first(error)}; g3dr submit --dry-run shows what travels"
            ) from None
    if there != experiment:
        raise TravelError(
            f"{file} in the package is another experiment than here; is a file that it extends outside of the working directory?"
        )


def _first(error: ExperimentError) -> str:
    problems: Sequence[object] = error.problems
    return str(problems[0])


def _is_everywhere(path: str) -> bool:
    return "://" in path or Path(path).is_absolute()
