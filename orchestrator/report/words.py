"""Plain sentences, made from the numbers: what may be concluded from them and what may not."""

from collections.abc import Iterator, Mapping, Sequence

from orchestrator.report.networks import network_words
from orchestrator.report.numbers import counted, decimal, interval_text, title_case
from orchestrator.report.records import Stage, Study
from orchestrator.report.results import PAIRED_METRICS, Headline, SpeciesRow
from orchestrator.report.species import report_words
from orchestrator.report.study.claims import Claim
from orchestrator.report.tables import distribution_images, named, seeds_of
from orchestrator.report.winners import most_of, winner_of

# Below this many images a Frechet distance of 1280 or 2048 dimensions is mostly bias.
_FEW_IMAGES = 1_000


def opening(study: Study, head: Headline | None, claims: Sequence[Claim] = ()) -> str:
    """Returns the sentence under the title: the main result, or why there is none."""
    if head is None:
        return _without_headline(study, claims)
    if head.gain is None:
        return (
            "No true novel views are known for these images: the input view and its depth are measured, novel views can only be looked at."
        )
    unseen = " that the model was not trained on" if _split(head) == "test" else ""
    return f"{_outcome(head)}: {counted(head.gain.count, 'image')}{unseen}, measured on the pixels that the input camera also sees."


def _without_headline(study: Study, claims: Sequence[Claim]) -> str:
    verdicts = [claim.verdict for claim in claims]
    if verdicts:
        told = [f"{count} {verdict}" for verdict in ("supported", "refuted") if (count := verdicts.count(verdict))]
        open_ = verdicts.count("cannot be told")
        said = ", ".join([*told, *([f"{open_} cannot be told from these runs"] if open_ else [])])
        return f"Of {counted(len(claims), 'claim')} of the report: {said}."
    if study.stages and all(stage.kind == "network" for stage in study.stages):
        return "Networks of the front end were trained; G3DR itself was not."
    if any(run.evaluation for stage in study.stages for run in stage.runs):
        return "No pretraining was measured by itself; what its trials and recipes came to stands below."
    return "No evaluation has finished yet, so there is nothing to conclude."


def _split(head: Headline) -> str:
    data = head.evaluation.spec.get("data")
    return str(data.get("split", "")) if isinstance(data, Mapping) else ""


def _outcome(head: Headline) -> str:
    gain = head.gain
    if gain is None or not gain.excludes_zero:
        return "Novel views cannot be told apart from the input image shown unchanged"
    direction = "closer to" if gain.mean > 0 else "further from"
    return f"Novel views are {decimal(abs(gain.mean), 1)} dB {direction} the truth than the input image shown unchanged"


def conclusions(study: Study, head: Headline | None, rows: Sequence[SpeciesRow]) -> list[str]:
    """Returns what the numbers support."""
    found = [*_headline_words(head), *_recipe_words(rows), *report_words(rows), *_sweep_words(study), *network_words(study)]
    return found or ["Nothing yet: no stage of this experiment has numbers."]


def _headline_words(head: Headline | None) -> Iterator[str]:
    if head is None or head.gain is None:
        return
    gains = [gain for values in head.gains.values() for gain in values]
    better = sum(gain > 0 for gain in gains)
    yield (
        f"{_outcome(head)}: {interval_text(head.gain, sign=True)} dB (95 % bootstrap interval over images). "
        f"{better} of {counted(len(gains), 'image')} are better than their copied input."
    )


def _recipe_words(rows: Sequence[SpeciesRow]) -> Iterator[str]:
    recipes = dict.fromkeys(row.recipe for row in rows if row.against_baseline)
    for recipe in recipes:
        compared = [row for row in rows if row.recipe == recipe and row.against_baseline]
        name = PAIRED_METRICS[0] if any(PAIRED_METRICS[0] in row.against_baseline for row in compared) else "canonical_psnr"
        yield from _recipe_sentence(recipe, name, compared)


def _recipe_sentence(recipe: str, metric: str, rows: Sequence[SpeciesRow]) -> Iterator[str]:
    known = [(row.species, row.told(metric)) for row in rows if metric in row.against_baseline]
    if not known:
        return
    better = [species for species, interval in known if interval and interval.mean > 0]
    worse = [species for species, interval in known if interval and interval.mean < 0]
    open_ = [species for species, interval in known if interval is None]
    view = "novel views" if metric == "novel_psnr" else "input views"
    parts = [("better for", better), ("worse for", worse), ("not to be told apart for", open_)]
    said = "; ".join(f"{verdict} {', '.join(species)}" for verdict, species in parts if species)
    yield f"Against the pre-trained model, {title_case(recipe)} gives {view} that are {said}."


def _sweep_words(study: Study) -> Iterator[str]:
    for stage in study.of_kind("sweep"):
        best = winner_of(stage)
        failed = sum(run.state == "failed" for run in stage.runs)
        if best and stage.metric and best.value is not None:
            reached = ", the ".join(filter(None, [decimal(best.value, 3), best.averaged]))
            yield f"In {stage.name}, {best.name} has the {most_of(stage)} {stage.metric} ({reached}) of {best.field}."
        if failed:
            yield f"In {stage.name}, {counted(failed, 'trial')} failed and took no part in the ranking; the reason stands in the table."


def cautions(study: Study, head: Headline | None, rows: Sequence[SpeciesRow]) -> list[str]:
    """Returns what the numbers do not support."""
    return [
        *_interval_cautions(rows),
        *_sweep_cautions(study),
        *_distance_cautions(rows),
        *_depth_cautions(study),
        *_view_cautions(study, head),
    ]


def _interval_cautions(rows: Sequence[SpeciesRow]) -> Iterator[str]:
    if rows and seeds_of(rows) > 1:
        yield (
            "Intervals over images say how much a mean depends on which images were drawn, intervals over seeds how much it depends on the "
            f"chance of the training. A recipe with several seeds is marked only where both exclude zero ({seeds_of(rows)} seeds)."
        )
    else:
        yield "Intervals say how much the mean depends on which images were drawn. They do not contain the chance of the training itself."
    if rows and seeds_of(rows) == 1:
        yield "Every recipe was trained with one seed: a difference between two recipes may be the difference between two seeds."
    comparisons = sum(len(row.against_baseline) for row in rows)
    if comparisons > 1:
        yield (
            f"There are {comparisons} paired comparisons and no correction for their number: "
            "about one in twenty excludes zero by chance alone."
        )


def _sweep_cautions(study: Study) -> Iterator[str]:
    for stage in study.of_kind("sweep"):
        if len(stage.runs) > 1:
            yield from _ranking_cautions(stage)


def _ranking_cautions(stage: Stage) -> Iterator[str]:
    best = winner_of(stage)
    compared = f"by the {best.averaged}" if best and best.averaged else "from single runs"
    yield (
        f"The best of {stage.name} was picked by the same images that it is shown with, {compared}: "
        "its lead is optimistic and may be noise."
    )
    if any(run.assignment.get("objective.depth.form") == "cosine" for run in stage.runs):
        yield (
            "A cosine loss on depth knows no scale: such a trial can lose the depth while its input view looks best. "
            "Input-view PSNR alone ranks nothing."
        )


def _distance_cautions(rows: Sequence[SpeciesRow]) -> Iterator[str]:
    scored = [row for row in rows if row.metrics.get("fd") is not None]
    if not scored:
        return
    images, name = min(distribution_images(row) for row in scored), named("FD", scored[0].extractor)
    if images < _FEW_IMAGES:
        yield (
            f"{name} at N = {images} is mostly bias: compare it only with its floor, real against real at the same N. "
            "KID with its interval is the one to read."
        )
    yield "NFS above the truth's own is not better: it means depth that is noisier than the object."


def _depth_cautions(study: Study) -> Iterator[str]:
    for dataset in study.datasets:
        if dataset.depth.kind == "estimated":
            yield (
                f"The depth of {dataset.name} is an estimate ({dataset.depth.told}): errors of depth say how far a model is from that, "
                "not from the truth."
            )


def _view_cautions(study: Study, head: Headline | None) -> Iterator[str]:
    if head and head.novel is None:
        yield (
            "Without true novel views, nothing here measures the third dimension but the depth of the input view. "
            "A flat picture would score well."
        )
    if head and head.novel:
        yield (
            "Pixels that the input camera does not see are left out of the main number. "
            "No method can know them, and a model may be right or wrong there unnoticed."
        )
    if any(source.get("procedural") is not None for source in (study.experiment.get("data") or {}).values()):
        yield "Procedural species are simpler than photographs: what holds for them need not hold there."
