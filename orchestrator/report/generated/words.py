"""Plain sentences about a generated set, made from its numbers: what may be concluded from them and what may not."""

from collections.abc import Iterator

from orchestrator.report.generated.records import Comparison, GeneratedSet
from orchestrator.report.numbers import counted, decimal, span
from orchestrator.report.statistics import share_interval
from orchestrator.report.tables import kernel_digits, named

# Below this many pictures a Frechet distance of 1280 dimensions is mostly bias.
_FEW_PICTURES = 1_000
_FEW_OF_A_SPECIES = 20


def opening(made: GeneratedSet) -> str:
    """Returns the sentence under the title: the main result, or why there is none."""
    count = counted(len(made.drawings), "picture")
    if made.comparison is None:
        return f"{count}, compared with nothing: they can only be looked at."
    right, total = made.comparison.right()
    if "species_accuracy" not in made.comparison.metrics:
        return f"{count}: {_distance(made.comparison)}."
    real, reals = made.comparison.right(real=True)
    return (
        f"{right} of {counted(total, 'picture')} look most like the species that was asked for ({_percent(right, total)}); "
        f"of real pictures {_percent(real, reals)} do, by chance {_of_chance(made.comparison)} would."
    )


def conclusions(made: GeneratedSet) -> list[str]:
    """Returns what the numbers support."""
    if made.comparison is None:
        return ["Nothing: the set was compared with no real pictures. `g3dr generate --evaluate DATASET` does that."]
    found = made.comparison
    return [*_species_words(found), *_distance_words(found), *_variety_words(found), *_flatness_words(found)]


def _species_words(found: Comparison) -> Iterator[str]:
    if "species_accuracy" not in found.metrics:
        return
    (right, total), (real, reals) = found.right(), found.right(real=True)
    mine, theirs, chance = share_interval(right, total), share_interval(real, reals), found.metrics.get("chance_species_accuracy", 0.0)
    low, high = mine.low or 0.0, mine.high or 1.0
    told = f"{_percent(right, total)} {span(100 * low, 100 * high, 0)} %"
    if low <= chance <= high:
        yield f"What was asked for cannot be told from the pictures: {told} look right, which guessing would get too."
    elif high < chance:
        yield f"Pictures look like what was asked for less often than by chance: {told}."
    else:
        yield f"What was asked for can be told from the pictures more often than by chance: {told} look right."
        yield _beside_real(low, high, theirs.low or 0.0, theirs.high or 1.0, _percent(real, reals))
    yield from _worst_species(found)


def _beside_real(low: float, high: float, real_low: float, real_high: float, real: str) -> str:
    if high < real_low:
        return f"Fewer of them look right than of real pictures that no one trained on ({real})."
    if low > real_high:
        return f"More of them look right than of real pictures ({real}): they may be nearer to the typical animal than animals are."
    return f"Between that share and the one of real pictures ({real}) no difference can be told at this number of pictures."


def _worst_species(found: Comparison) -> Iterator[str]:
    shares = {name: (looks.get(name, 0), sum(looks.values())) for name, looks in found.looks.items()}
    worst = min(shares, key=lambda name: shares[name][0] / max(1, shares[name][1]), default="")
    if worst and shares[worst][0] < shares[worst][1]:
        others = {name: count for name, count in found.looks[worst].items() if name != worst}
        most = max(others, key=lambda name: others[name])
        right, total = shares[worst]
        yield f"The weakest is {worst}: {right} of {total} look right, {others[most]} look like {most}."


def _distance_words(found: Comparison) -> Iterator[str]:
    if "kid" in found.metrics:
        yield f"{_distance(found)[0].upper()}{_distance(found)[1:]}."


def _distance(found: Comparison) -> str:
    value, floor, digits = found.metrics["kid"], found.metrics.get("kid_floor"), kernel_digits(found.metrics["kid"])
    low = found.metrics.get("kid_low")
    told = f"{named('KID', found.extractor)} {decimal(value, digits)} {span(low, found.metrics.get('kid_high'), digits)}".strip()
    beside = f"{decimal(floor, digits)} for real training pictures in their place"
    if low is not None and floor is not None and low > max(floor, 0.0):
        return f"they are further from held-out pictures than training pictures are: {told}, {beside}"
    return f"no distance from held-out pictures can be told at {counted(found.images, 'picture')} a side: {told}, {beside}"


def _variety_words(found: Comparison) -> Iterator[str]:
    metrics = found.metrics
    if "recall" in metrics and "precision" in metrics:
        yield (
            f"{decimal(100 * metrics['precision'], 0)} % of the pictures lie among real ones (of real training pictures "
            f"{decimal(100 * metrics.get('precision_floor', 0.0), 0)} %), and {decimal(100 * metrics['recall'], 0)} % of the real ones lie "
            f"among these (among training pictures {decimal(100 * metrics.get('recall_floor', 0.0), 0)} %): the second says how much of "
            "the variety is there."
        )


def _flatness_words(found: Comparison) -> Iterator[str]:
    mine, real = found.metrics.get("nfs"), found.metrics.get("nfs_real")
    if mine is not None and real is not None:
        side = "flatter than" if mine < real else "less flat than"
        yield (
            f"The depth that was estimated for them has an NFS of {decimal(mine, 1)}, {side} that of the data, {decimal(real, 1)} "
            f"({counted(found.counts.get('depths', 0), 'depth map')}, without an interval)."
        )


def cautions(made: GeneratedSet) -> list[str]:
    """Returns what the numbers do not support."""
    found = made.comparison
    return [*_chosen_cautions(made), *(_comparison_cautions(found) if found else ()), *_depth_cautions(made)]


def _chosen_cautions(made: GeneratedSet) -> Iterator[str]:
    if made.candidates < 2:
        return
    yield (
        f"Each picture is the best of {made.candidates} that were drawn, by {made.judge}: "
        "this is the set of the kept ones, not what the model draws at once."
    )
    if made.comparison and made.comparison.extractor and made.judge.startswith(made.comparison.extractor):
        yield "The judge looked through the same network as the figures, which therefore flatter the set."


def _comparison_cautions(found: Comparison) -> Iterator[str]:
    if "species_accuracy" in found.metrics:
        yield (
            "Whether a picture looks right is what a network says, not a person: a blurred picture of the right colours may pass, "
            "and a training picture drawn again to the pixel would. Nothing here measures whether training pictures were learned by heart."
        )
    fewest = min((sum(looks.values()) for looks in found.looks.values()), default=0)
    if len(found.looks) > 1 and fewest < _FEW_OF_A_SPECIES:
        yield f"There are {fewest} pictures of a species: the shares of single species are uncertain, as their intervals say."
    if found.images < _FEW_PICTURES:
        yield (
            f"{named('FD', found.extractor)} at N = {found.images} is mostly bias: compare it only with that of real pictures. "
            "KID with its interval is the one to read."
        )
    yield (
        "Real pictures in the place of the generated ones are training pictures, from the same source as the held-out ones: "
        "no model can be asked for more."
    )


def _depth_cautions(made: GeneratedSet) -> Iterator[str]:
    if made.estimator:
        yield (
            "Depth was estimated from pictures that no camera took: nothing tells whether it is right, "
            "and NFS only says how uneven it is. An object is looked at best by turning it."
        )


def _percent(count: int, total: int) -> str:
    return f"{decimal(100 * count / total, 0)} %" if total else "none"


def _of_chance(found: Comparison) -> str:
    return f"{decimal(100 * found.metrics.get('chance_species_accuracy', 0.0), 0)} %"
