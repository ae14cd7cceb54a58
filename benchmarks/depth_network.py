"""The figures of the depth network's model card: `python -m benchmarks.depth_network`.

Species that its training has not seen, as they are and in disguise, and, where `--photographs` names a folder of `NAME.jpg` with
`NAME_depth.png`, the order of depth in photographs; each beside what simple answers reach.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from g3dr.config import TrainingConfig
from g3dr.depth import Picture
from g3dr.depth.accuracy import centred_blob, spearman, vertical_ramp
from g3dr.depth.disparity import disparity_of
from g3dr.depth.learning import DepthLearner, summary
from g3dr.depth.trained import SHIPPED, NetworkEstimator
from g3dr.errors import DataError
from g3dr.export.pictures import save_png
from g3dr.pictures import decode_depth, decode_image
from g3dr.procedural import ProceduralConfig, examples, make_example
from g3dr.training.learning import Assessment
from g3dr.types import Batch

UNSEEN = ProceduralConfig(species=tuple(range(1000, 1016)), individuals=6, held_out=0, views=0, resolution=128)
"""The training saw the species 0 to 255."""

_BATCH = 16


def unseen_animals(config: ProceduralConfig) -> Iterator[Batch]:
    """Draws pictures of procedural animals with their depth."""
    chosen = examples(config)
    for start in range(0, len(chosen), _BATCH):
        drawn = [make_example(config, one) for one in chosen[start : start + _BATCH]]
        images = torch.stack([torch.from_numpy(decode_image(one.image)).permute(2, 0, 1) for one in drawn]).float() / 127.5 - 1
        depths = torch.stack([torch.from_numpy(decode_depth(one.depth or b"")).unsqueeze(0) for one in drawn])
        yield Batch(images, depths, [one.key for one in drawn], [one.species for one in drawn])


def assessed(estimator: NetworkEstimator, config: ProceduralConfig) -> Assessment:
    """Measures the network on species that it has not seen."""
    learner = DepthLearner(estimator.network.config, TrainingConfig())
    learner.network.load_state_dict(estimator.network.state_dict())
    return learner.eval().assess(unseen_animals(config), 0, lambda _: None)


def on_photographs(estimator: NetworkEstimator, folder: Path) -> Mapping[str, Sequence[float]]:
    """Returns for each photograph with depth the rank correlation of the estimate, of a ramp, of a blob in the middle, and of both.

    Raises:
        DataError: There is no photograph with depth.
    """
    found = {path.stem: _correlations(estimator, path) for path in sorted(folder.glob("*.jpg")) if _depth_of(path).is_file()}
    if not found:
        raise DataError(f"{folder}: no NAME.jpg with NAME_depth.png here")
    return found


def _depth_of(photograph: Path) -> Path:
    return photograph.with_name(f"{photograph.stem}_depth.png")


def _correlations(estimator: NetworkEstimator, photograph: Path) -> list[float]:
    rgb = decode_image(photograph.read_bytes())
    truth = disparity_of(torch.from_numpy(decode_depth(_depth_of(photograph).read_bytes()))[None, None])
    [values] = estimator.estimate([Picture(photograph.stem, rgb)])
    ramp, blob = vertical_ramp(truth), centred_blob(truth)
    answers: list[Tensor] = [torch.from_numpy(values)[None, None], ramp, blob, ramp + blob]
    return [float(spearman(answer, truth)) for answer in answers]


def figures_table(assessment: Assessment) -> list[str]:
    """Returns the lines of a table."""
    lines = ["| | network | mean | vertical ramp |", "|---|---|---|---|"]
    rows = summary(assessment).items()
    return [*lines, *(f"| {name} | {' | '.join(f'{value:.3f}' for value in values)} |" for name, values in rows)]


def photographs_table(found: Mapping[str, Sequence[float]]) -> list[str]:
    """Returns the lines of a table; every second photograph, from the first on, was looked at while the network was made."""
    values = np.array(list(found.values()))
    rows = {**found, "development half": values[::2].mean(0), "other half": values[1::2].mean(0), "all": values.mean(0)}
    lines = ["| | network | vertical ramp | blob in the middle | ramp + blob |", "|---|---|---|---|---|"]
    return [*lines, *(f"| {name} | {' | '.join(f'{value:.2f}' for value in row)} |" for name, row in rows.items())]


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.depth_network", description=__doc__)
    parser.add_argument("--checkpoint", type=Path, default=SHIPPED, help="folder of a checkpoint instead of the shipped network")
    parser.add_argument("--photographs", type=Path, help="folder of NAME.jpg with NAME_depth.png")
    parser.add_argument("--sheets", type=Path, help="folder for pictures, truth and estimates as PNG")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    estimator = NetworkEstimator.from_folder(options.checkpoint)
    assessment = assessed(estimator, UNSEEN)
    print("\n".join(figures_table(assessment)))  # noqa: T201
    if options.photographs:
        print("\n" + "\n".join(photographs_table(on_photographs(estimator, options.photographs))))  # noqa: T201
    for caption, picture in assessment.pictures.items() if options.sheets else ():
        save_png(picture, options.sheets / f"{caption.lower().replace(' ', '_')}.png")


if __name__ == "__main__":
    main()
