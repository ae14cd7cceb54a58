"""The distribution metrics of one evaluation, at equal numbers and beside their floors.

The reference is real pictures of other source images than those that were reconstructed. Then a perfect reconstruction
has exactly the floor's distance, and no picture is compared with its own reconstruction.
"""

from dataclasses import dataclass

import torch
from torch import Generator

from g3dr.errors import DataError
from g3dr.metrics.features import FeatureStatistics
from g3dr.metrics.frechet import frechet_distance
from g3dr.metrics.inception_score import inception_score
from g3dr.metrics.kernel import kernel_distance, kernel_distance_interval
from g3dr.metrics.neighbours import precision_recall


@dataclass(frozen=True)
class DistributionReport:
    """Distances of generated from real pictures.

    Attributes:
        sources: Number of source images in each of the three sets.
        fd: Frechet distance of generated from reference.
        fd_floor: The same of the real inputs from the reference.
        kid: KID of generated from reference.
        kid_low: Lower end of its 95 % confidence interval.
        kid_high: Upper end.
        kid_floor: KID of the real inputs from the reference.
        inception_score: Of all generated pictures, one split.
        precision: Share of the generated pictures that lie within the reference.
        recall: Share of the reference that lies within the generated pictures.
        precision_floor: Precision of the real inputs: what a perfect reconstruction would have.
        recall_floor: The same for recall.
    """

    sources: int
    fd: float
    fd_floor: float
    kid: float
    kid_low: float
    kid_high: float
    kid_floor: float
    inception_score: float
    precision: float
    recall: float
    precision_floor: float
    recall_floor: float


def distribution_report(
    reference: FeatureStatistics, inputs: FeatureStatistics, generated: FeatureStatistics, generator: Generator
) -> DistributionReport:
    """Compares generated with real pictures at equal numbers of source images.

    Args:
        reference: Real pictures of other source images; a random part is used if there are more.
        inputs: The real pictures that were reconstructed.
        generated: Their reconstructions, with the same source keys.
        generator: Chooses the sources that are kept, on the CPU.

    Raises:
        DataError: Inputs and generated differ in their sources, share one with the reference, or there are fewer than four.
    """
    _check(reference, inputs, generated)
    count = min(len(reference.unique_sources()), len(inputs.unique_sources()))
    reference = reference.only(_draw(reference.unique_sources(), count, generator))
    kept = _draw(inputs.unique_sources(), count, generator)
    real, made = inputs.only(kept), generated.only(kept)
    interval = kernel_distance_interval(reference, made)
    judged, floor = precision_recall(reference, made), precision_recall(reference, real)
    return DistributionReport(
        sources=count,
        fd=frechet_distance(reference, made),
        fd_floor=frechet_distance(reference, real),
        kid=interval.estimate,
        kid_low=interval.low,
        kid_high=interval.high,
        kid_floor=kernel_distance(reference, real),
        inception_score=inception_score(generated.probabilities),
        precision=judged.precision,
        recall=judged.recall,
        precision_floor=floor.precision,
        recall_floor=floor.recall,
    )


def halved(
    inputs: FeatureStatistics, generated: FeatureStatistics, generator: Generator
) -> tuple[FeatureStatistics, FeatureStatistics, FeatureStatistics]:
    """Makes reference, inputs and generated from the inputs alone, where no other real pictures exist.

    A random half of the real pictures becomes the reference; the other half of the sources is what is judged.
    """
    sources = inputs.unique_sources()
    reference = _draw(sources, len(sources) // 2, generator)
    rest = sorted(set(sources) - set(reference))
    return inputs.only(reference), inputs.only(rest), generated.only(rest)


def _draw(sources: tuple[str, ...], count: int, generator: Generator) -> tuple[str, ...]:
    if count == len(sources):
        return sources
    return tuple(sources[index] for index in torch.randperm(len(sources), generator=generator)[:count].tolist())


def _check(reference: FeatureStatistics, inputs: FeatureStatistics, generated: FeatureStatistics) -> None:
    if set(inputs.sources) != set(generated.sources):
        raise DataError("Reconstructions and inputs must come from the same source images.")
    if set(reference.sources) & set(inputs.sources):
        raise DataError("The reference must hold other source images than those that were reconstructed.")
    if min(len(reference.unique_sources()), len(inputs.unique_sources())) < 4:
        raise DataError("Distribution metrics need at least four source images in the reference and among the inputs.")
