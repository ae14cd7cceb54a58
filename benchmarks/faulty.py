"""Six sets of pictures that an evaluation must tell apart, by this code and by a recipe that cannot.

    python -m benchmarks.faulty

The faulty recipe casts pictures in [-1, 1] to 8 bits as they are: nearly every pixel becomes 0, whatever the picture shows. The network
is the same on both sides.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from benchmarks.pictures import RESOLUTION, animals, seen
from g3dr.backbones import FeatureExtractor, load_extractor
from g3dr.metrics import DistributionReport, FeatureStatistics, distribution_report

COUNT, FEWEST, BAD_INPUT = 50, 4, 2
SPECIES, OTHER_SPECIES = 0, 1
COLUMNS = ("set", "FD", "KID", "95 % interval", "precision", "recall", "IS-like", "FD, faulty", "IS-like, faulty")


@dataclass(frozen=True)
class Row:
    """One set, measured twice.

    Attributes:
        name: Which set.
        right: By this code.
        faulty: The same after the faulty cast.
        saturated: Share of the pixels that the cast does not turn to 0.
    """

    name: str
    right: DistributionReport
    faulty: DistributionReport
    saturated: float

    def cells(self) -> tuple[str, ...]:
        """Returns the texts of the table's row."""
        right, faulty = self.right, self.faulty
        interval = f"{right.kid_low:.3f} to {right.kid_high:.3f}"
        shares = f"{right.precision:.2f}", f"{right.recall:.2f}"
        return (
            self.name,
            f"{right.fd:.1f}",
            f"{right.kid:.3f}",
            interval,
            *shares,
            f"{right.inception_score:.3f}",
            f"{faulty.fd:.3f}",
            f"{faulty.inception_score:.3f}",
        )


def altered(pictures: Tensor, others: Tensor, seed: int = 0) -> dict[str, Tensor]:
    """Returns the six sets.

    Args:
        pictures: RGB in [-1, 1].
        others: As many of another species.
        seed: Of the noise.
    """
    noise = torch.rand(pictures.shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return {
        "the same pictures": pictures,
        "the same, x 0.999": pictures * 0.999,
        "blurred (deviation 1.5 pixels)": gaussian_blur(pictures, [9, 9], [1.5, 1.5]),
        "another species": others,
        "uniform noise": noise,
        "black": torch.full_like(pictures, -1.0),
    }


def miscast(pictures: Tensor) -> Tensor:
    """Returns what is left after a cast of [-1, 1] to 8 bits, as a picture again: 1 becomes 1 of 255, -1 wraps around, the rest is 0."""
    return pictures.to(torch.int64).to(torch.uint8).float() / 127.5 - 1


def compare(extractor: FeatureExtractor, reference: Tensor, pictures: Tensor, others: Tensor) -> list[Row]:
    """Measures the six sets against real pictures of other individuals of the species."""
    right = _reports(extractor, reference, altered(pictures, others))
    faulty = _reports(extractor, miscast(reference), {name: miscast(part) for name, part in altered(pictures, others).items()})
    shares = {name: float((part.to(torch.int64) != 0).double().mean()) for name, part in altered(pictures, others).items()}
    return [Row(name, right[name], faulty[name], shares[name]) for name in right]


def _reports(extractor: FeatureExtractor, reference: Tensor, sets: Mapping[str, Tensor]) -> dict[str, DistributionReport]:
    keys = [f"input {index}" for index in range(len(reference))]
    real = FeatureStatistics.of(seen(extractor, reference), [f"reference {index}" for index in range(len(reference))])
    found = {name: FeatureStatistics.of(seen(extractor, part), keys) for name, part in sets.items()}
    inputs = next(iter(found.values()))
    return {name: distribution_report(real, inputs, made, torch.Generator().manual_seed(0)) for name, made in found.items()}


def measured(count: int, resolution: int) -> list[Row]:
    """Draws the pictures and measures them."""
    drawn = animals(SPECIES, 2 * count, resolution=resolution)
    others = animals(OTHER_SPECIES, count, resolution=resolution)
    return compare(load_extractor("efficientnet_lite0"), drawn[:count], drawn[count:], others)


def markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a table for a document; the first column is text."""
    lines = [columns, ("---", *("---:" for _ in columns[1:])), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main(arguments: Sequence[str]) -> int:
    """Prints the table; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faulty", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=COUNT, metavar="N", help=f"pictures in each set (default: {COUNT})")
    parser.add_argument("--resolution", type=int, default=RESOLUTION, metavar="PIXELS", help=f"their side (default: {RESOLUTION})")
    parser.add_argument("--markdown", action="store_true", help="print the table for a document")
    options = parser.parse_args(arguments)
    errors, console = Console(stderr=True), Console(soft_wrap=True, highlight=False)
    if options.count < FEWEST or options.resolution < 2 * FEWEST:
        errors.print(
            f"--count {options.count} --resolution {options.resolution}: {FEWEST} or more pictures of 8 or more pixels are allowed"
        )
        return BAD_INPUT
    with errors.status(f"drawing {3 * options.count} pictures and measuring 12 sets of {options.count}"):
        rows = measured(options.count, options.resolution)
    console.print(_table(rows, as_markdown=options.markdown), markup=False)
    console.print(f"{1 - rows[0].saturated:.1%} of the real pictures' values become 0 in the faulty cast", markup=False)
    return 0


def _table(rows: Sequence[Row], *, as_markdown: bool) -> str | Table:
    if as_markdown:
        return markdown(COLUMNS, [row.cells() for row in rows])
    table = Table(*COLUMNS, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*row.cells())
    return table


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
