"""Plain sentences about a comparison: what the numbers support, and what keeps them apart."""

from collections.abc import Iterator, Sequence

from orchestrator.report.comparing.pairs import HEADLINE, Pair, same_images
from orchestrator.report.comparing.sides import Side
from orchestrator.report.numbers import counted, decimal, interval_text

_MAIN = ("novel_psnr", "canonical_psnr")


def opening(sides: Sequence[Side], found: Sequence[Pair]) -> str:
    """Returns the sentence under the title: how the second experiment's model stands against the first's, and so on."""
    return " ".join(_against_first(sides[0], side, found) for side in sides[1:])


def _against_first(first: Side, second: Side, found: Sequence[Pair]) -> str:
    main = [pair for name in _MAIN for pair in found if pair.what == HEADLINE and pair.second == second.name and pair.metric.name == name]
    if first.head and second.head and first.head.run.run == second.head.run.run:
        return f"{second.name} and {first.name} measured one and the same model."
    if not main:
        return f"{second.name} and {first.name} share no measured images, so their models cannot be compared image by image."
    pair = main[0]
    view = "Novel views" if pair.metric.name == "novel_psnr" else "The input views"
    if not pair.verdict:
        return f"{view} of {second.name} and {first.name} cannot be told apart on {counted(pair.difference.count, 'image')}."
    direction = "closer to" if pair.verdict > 0 else "further from"
    gap, images = decimal(abs(pair.difference.mean), 1), counted(pair.difference.count, "image")
    return f"{view} of {second.name} are {gap} dB {direction} the truth than those of {first.name} on {images}."


def conclusions(sides: Sequence[Side], found: Sequence[Pair]) -> list[str]:
    """Returns what the paired differences support, metric by metric."""
    lines = [line for side in sides[1:] for line in _metric_lines(sides[0], side, found)]
    return lines or ["No metric was measured on the same images by two of them: the tables stand side by side, and nothing follows."]


def _metric_lines(first: Side, second: Side, found: Sequence[Pair]) -> Iterator[str]:
    for pair in found:
        if pair.what == HEADLINE and pair.second == second.name and pair.verdict:
            word = "better" if pair.verdict > 0 else "worse"
            change = interval_text(pair.difference, pair.metric.digits, sign=True)
            yield f"{pair.metric.heading} ({pair.metric.unit}): {second.name} is {word} than {first.name}, {change}."
    for word, verdict in (("better", 1), ("worse", -1)):
        species = [pair.what for pair in found if pair.second == second.name and _is_main_of_species(pair) and pair.verdict == verdict]
        if species:
            yield f"{second.name} has {word} novel views than {first.name} for {'; '.join(species)}."


def _is_main_of_species(pair: Pair) -> bool:
    return pair.what != HEADLINE and pair.metric.name == "novel_psnr"


def cautions(sides: Sequence[Side], found: Sequence[Pair]) -> list[str]:
    """Returns why numbers must not be set against each other, or less firmly than it seems."""
    return [*_data_words(sides), *_network_words(sides), *_version_words(sides), *_chance_words(found)]


def _data_words(sides: Sequence[Side]) -> Iterator[str]:
    first = sides[0].head
    for side in sides[1:]:
        if first and side.head and not same_images(first.evaluation, side.head.evaluation):
            yield f"{side.name} was measured on another dataset than {sides[0].name}: their averages are over different images."


def _network_words(sides: Sequence[Side]) -> Iterator[str]:
    networks = {(side.head.evaluation.extractor, side.head.evaluation.extractor_hash) for side in sides if side.head}
    if len(networks) > 1:
        yield "The distances to real images come from different networks: their values have different units."


def _version_words(sides: Sequence[Side]) -> Iterator[str]:
    if len({side.study.experiment.get("compute_version") for side in sides}) > 1:
        yield "Versions of the code that compute other numbers from the same configuration are among them."


def _chance_words(found: Sequence[Pair]) -> Iterator[str]:
    if found:
        yield "Intervals say how much a mean depends on which images were drawn. They do not contain the chance of the training itself."
        many = counted(len(found), "paired comparison")
        yield f"There are {many} and no correction for their number: about one in twenty excludes zero by chance alone."
