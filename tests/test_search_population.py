"""Population-based training as runs that start from runs."""

import math
import statistics
from typing import Any

import pytest
from sweep_fixture import MemoryLedger, problems, proposals, run

from orchestrator.experiment.axes import parse_axis
from orchestrator.experiment.search_spec import SearchSpec
from orchestrator.runs import RunRequest
from orchestrator.search import TrialResult
from orchestrator.search.samplers import make_sampler

pytestmark = pytest.mark.unit

SETTINGS = (
    "stages.losses.axes={training.learning_rate: {log_uniform: [1e-4, 1e-2]}, objective.rgb.form: [l1, cosine]}",
    "stages.losses.search={algorithm: population, population: 4, generations: 3, quantile: 0.25}",
)


def rate(request: RunRequest) -> dict[str, float]:
    return {"depth_rmse": request.spec.training.learning_rate}


def generations(requests: list[RunRequest]) -> list[list[RunRequest]]:
    return [requests[first : first + 4] for first in (0, 4, 8)]


def test_the_first_generation_starts_where_the_stage_does() -> None:
    first, *_ = generations(run(proposals(*SETTINGS), MemoryLedger(rate)))
    assert len({request.spec.initial for request in first}) == 1
    assert len({request.spec.id for request in first}) == 4
    assert first[1].label.endswith("generation 0, member 1")


def test_members_train_on_from_themselves_and_the_worst_from_the_best() -> None:
    for before, after in zip(*(generations(run(proposals(*SETTINGS), MemoryLedger(rate)))[place:] for place in (0, 1)), strict=False):
        ranked = sorted(before, key=lambda request: request.spec.training.learning_rate)
        for own, request in zip(before, after, strict=True):
            parent = ranked[0] if own is ranked[-1] else own
            assert request.spec.initial == parent.spec.id
            assert request.initial_path == parent.final_checkpoint
            assert (request.assignment == own.assignment) is (own is not ranked[-1])
            assert request.spec.seed == parent.spec.seed + 1  # other samples than the generation before saw


def test_a_value_is_multiplied_or_drawn_anew_and_stays_on_its_axis() -> None:
    axes = {
        "a": parse_axis({"uniform": [1, 2]}),
        "b": parse_axis({"integer": [1, 9]}),
        "c": parse_axis([1, 2, 4, 8]),
        "d": parse_axis(["x", "y"]),
    }
    best = {"a": 1.9, "b": 5, "c": 4, "d": "x"}
    before = [TrialResult(0, best, (1.0,)), TrialResult(1, {"a": 1.0, "b": 1, "c": 1, "d": "y"}, (2.0,))]

    def perturbed(seed: int, **perturb: Any) -> Any:
        search = {"algorithm": "population", "population": 2, "generations": 2, "quantile": 0.5, "seed": seed, "perturb": perturb}
        proposal = make_sampler(axes, SearchSpec.model_validate(search)).propose(3, before)
        assert proposal.parent == 0
        return tuple(proposal.assignment.values())

    changed = {perturbed(seed, resample=0) for seed in range(60)}
    assert changed == {(a, b, c, "x") for a in (1.9 * 0.8, 2.0) for b in (4, 6) for c in (2, 8)}
    drawn = [perturbed(seed, resample=1) for seed in range(60)]
    assert {values[3] for values in drawn} == {"x", "y"}
    assert all(1 <= values[0] <= 2 and values[1] in range(1, 10) and values[2] in (1, 2, 4, 8) for values in drawn)


def test_members_that_failed_take_over_from_the_best_and_a_lost_generation_starts_anew() -> None:
    one_lost = MemoryLedger(lambda request: None if "generation 0, member 2" in request.label else rate(request))
    first, second, _ = generations(run(proposals(*SETTINGS), one_lost))
    best = min((request for request in first if request is not first[2]), key=lambda request: request.spec.training.learning_rate)
    assert second[2].spec.initial == best.spec.id
    all_lost = MemoryLedger(lambda request: None if "generation 0" in request.label else rate(request))
    first, second, third = generations(run(proposals(*SETTINGS), all_lost))
    assert {request.spec.initial for request in second} == {first[0].spec.initial}
    assert {request.spec.id for request in second}.isdisjoint(request.spec.id for request in first)
    assert {request.spec.initial for request in third} <= {request.spec.id for request in second}


MEMBERS, GENERATIONS = 8, 10
RATE = {"rate": parse_axis({"log_uniform": [1e-4, 1]})}


def gain(value: float, generation: int) -> float:
    """What a generation learns: most at a rate that falls by a third of an order of magnitude from each generation to the next."""
    return math.exp(-((math.log10(value) + generation / 3) ** 2))


def population_score(seed: int) -> float:
    search = {"algorithm": "population", "population": MEMBERS, "generations": GENERATIONS, "metric": "novel_psnr", "seed": seed}
    sampler, history = make_sampler(RATE, SearchSpec.model_validate(search)), list[TrialResult]()
    for index in range(MEMBERS * GENERATIONS):
        generation = index // MEMBERS
        proposal = sampler.propose(index, history[: generation * MEMBERS])
        start = 0.0 if proposal.parent is None else history[proposal.parent].value or 0.0
        history.append(TrialResult(index, proposal.assignment, (start + gain(proposal.assignment["rate"], generation),)))
    return max(trial.value or 0.0 for trial in history)


def random_score(seed: int) -> float:
    """As many steps: each of the members keeps its rate through all generations."""
    sampler = make_sampler(RATE, SearchSpec.model_validate({"algorithm": "random", "trials": MEMBERS, "seed": seed}))
    rates = [sampler.propose(index, ()).assignment["rate"] for index in range(MEMBERS)]
    return max(sum(gain(rate, generation) for generation in range(GENERATIONS)) for rate in rates)


def test_a_population_follows_an_optimum_that_moves() -> None:
    seeds = range(5)
    assert statistics.median(map(population_score, seeds)) > statistics.median(map(random_score, seeds))


# the file


@pytest.mark.parametrize(
    ("search", "more", "where", "says"),
    [
        ("population: 4", (), "search.generations", "a whole number"),
        ("generations: 4", (), "search.population", "a whole number"),
        ("population: 1, generations: 2", (), "search.population", "2 or more"),
        ("population: 4, generations: 2, trials: 8", (), "search.trials", "null with algorithm population"),
        ("population: 4, generations: 2, quantile: 0.6", (), "search.quantile", "0.5 or less"),
        ("population: 4, generations: 2, perturb: {factors: [0]}", (), "search.perturb.factors.0", "more than 0"),
        ("population: 4, generations: 2, asha: {grace_steps: 2}", (), "search.asha", "waits for all its members"),
        (
            "population: 4, generations: 2, objectives: [{metric: depth_rmse}, {metric: novel_psnr}]",
            (),
            "search.population",
            "one objective",
        ),
        ("population: 4, generations: 2", ("stages.losses.seeds=[1, 2]",), "seeds", "train on from each other"),
        (
            "population: 4, generations: 2",
            ("stages.losses.axes={model.generator.features: [8, 16]}", "stages.losses.from=null"),
            "axes.model.generator.features",
            "take over each other's weights",
        ),
        (
            "population: 4, generations: 2",
            ("stages.losses.axes={model.conditioning.semantic_channels: [0, 8]}",),
            "axes.model.conditioning.semantic_channels",
            "take over each other's weights",
        ),
    ],
)
def test_a_population_that_makes_no_sense_is_refused(search: str, more: tuple[str, ...], where: str, says: str) -> None:
    found = problems(f"stages.losses.search={{algorithm: population, {search}}}", *more)
    assert list(found) == [f"stages.losses.{where}"]
    assert says in found[f"stages.losses.{where}"]
