"""Checks of an experiment that need more than one place of the file: names, and overrides against what they override."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pydantic import BaseModel, ValidationError, ValidationInfo
from pydantic_core import InitErrorDetails, PydanticCustomError

from orchestrator.experiment.axis_checks import problems_of_axes
from orchestrator.experiment.merging import Document, merge
from orchestrator.experiment.problems import KINDS, as_problems, line_error, problem, raise_all, unknown_name
from orchestrator.experiment.recipes import RECIPES
from orchestrator.experiment.scores import SCORES, needs_novel_views
from orchestrator.experiment.settings import SECTIONS, Settings, checked, overlay
from orchestrator.experiment.sources import parse_origin


@dataclass(frozen=True)
class Context:
    """What a stage needs to know of the rest of the file.

    Attributes:
        document: The whole file.
        base: The experiment's settings; the defaults where they are at fault themselves.
        base_is_valid: Whether they are not.
        kinds: The kind of each stage by name, in file order.
        networks: The kind of network that each network stage trains, by name.
        repeated: Names that more than one stage has.
    """

    document: Mapping[str, Any]
    base: Settings = field(default_factory=Settings)
    base_is_valid: bool = True
    kinds: Mapping[str, str] = field(default_factory=dict)
    networks: Mapping[str, str] = field(default_factory=dict)
    repeated: frozenset[str] = frozenset()

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Context":
        """Reads the context from a file that may be at fault anywhere."""
        stages = document.get("stages")
        named = [stage for stage in stages if isinstance(stage, Mapping)] if isinstance(stages, list | tuple) else []
        kinds = {str(stage.get("name")): str(stage.get("kind")) for stage in named}
        networks = {str(stage.get("name")): kind for stage in named for kind in _network_of(stage)}
        names = [str(stage.get("name")) for stage in named]
        repeated = frozenset(name for name in names if names.count(name) > 1)
        known: dict[str, Any] = {"kinds": kinds, "networks": networks, "repeated": repeated}
        try:
            base = checked({key: document[key] for key in (*SECTIONS, "seed") if key in document})
        except ValidationError:
            return cls(document, base_is_valid=False, **known)
        return cls(document, base, **known)

    def section(self, name: str) -> Mapping[str, Any]:
        """Returns a mapping of the file, empty where there is none."""
        value = self.document.get(name)
        return value if isinstance(value, Mapping) else {}

    def fits(self, stage: str, kinds: Iterable[str]) -> bool:
        """Tells whether a stage is of one of the kinds; one whose own kind is at fault, or whose name is not its own, counts too."""
        return self.kinds[stage] in kinds or self.kinds[stage] not in KINDS or stage in self.repeated


def _network_of(stage: Mapping[str, Any]) -> list[str]:
    """The kind of network that a stage trains, as far as it says one."""
    network = stage.get("network")
    return [str(kind) for kind in network][:1] if isinstance(network, Mapping) else []


def check_stage_name(name: str, info: ValidationInfo) -> str:
    """Refuses a name that another stage has too."""
    if isinstance(info.context, Context) and name in info.context.repeated:
        raise problem(name, "a name that no other stage has")
    return name


def check_data_name(name: str, info: ValidationInfo) -> str:
    """Refuses a data set that the experiment does not have."""
    context = info.context
    if isinstance(context, Context) and name not in context.section("data"):
        raise unknown_name(name, context.section("data"))
    return name


def check_source(text: str, info: ValidationInfo) -> str:
    """Refuses a stage that does not come earlier, and `best of` a stage that compares nothing."""
    context, own, origin = info.context, info.data.get("name"), parse_origin(text)
    if info.field_name == "settings" and origin.kind != "best":
        raise problem(text, "`best of <sweep>`")
    if not isinstance(context, Context) or origin.kind == "checkpoint":
        return text
    names = list(context.kinds)
    earlier = names[: names.index(own)] if own in names and own not in context.repeated else names
    wanted = _wanted(origin.kind, info.field_name, context.kinds.get(str(own)))
    fitting = [name for name in earlier if context.fits(name, wanted) and _is_network(context, name, info.field_name, str(own))]
    _check_stage(text, origin.name, fitting, context.kinds, origin.kind)
    return text


def _is_network(context: Context, name: str, field_name: str | None, own: str) -> bool:
    """Tells whether a stage's network is the one asked for: an autoencoder, or what the asking stage trains itself."""
    wanted = "autoencoder" if field_name == "autoencoder" else context.networks.get(own)
    return wanted is None or context.networks.get(name) in (wanted, None)


def _wanted(origin: str, field_name: str | None, own_kind: str | None) -> tuple[str, ...]:
    if field_name == "settings":
        return ("sweep",)
    if own_kind == "network":
        return ("network",) if origin == "stage" else ()
    if origin == "best":
        return ("sweep", "grid")
    return ("train", "grid") if own_kind == "evaluate" else ("train",)


def _check_stage(text: str, name: str, allowed: list[str], kinds: Mapping[str, str], origin: str) -> None:
    if name in allowed:
        return
    if origin == "stage" and kinds.get(name) == "sweep":
        raise problem(text, f"best of {name}", "a sweep has many runs")
    if name in kinds:
        raise problem(
            text,
            f"an earlier stage: {', '.join(allowed) or 'there is none'}",
            f"{name} is a later stage or of a kind that does not fit here",
        )
    raise unknown_name(name, allowed)


def translated(model: type[BaseModel], value: Any, handler: Callable[[Any], Any], names: Iterable[str], context: Any) -> Any:
    """Validates a mapping of the file; adds what its class's `problems_of` finds to what pydantic finds, and raises both."""
    found: list[InitErrorDetails] = []
    built = None
    try:
        built = handler(value)
    except ValidationError as error:
        found += as_problems(error, dict.fromkeys(names))
    except PydanticCustomError as error:
        found.append(line_error([], value, error))
    if isinstance(context, Context) and isinstance(value, Mapping) and issubclass(model, StageChecks):
        known = {entry["loc"] for entry in found}
        found += [entry for entry in model.problems_of(value, context) if entry["loc"] not in known]
    raise_all(model.__name__, found)
    return built


class StageChecks:
    """Checks that stages share; they read the file itself, so that they find problems beside those of types."""

    sections: ClassVar[tuple[str, ...]] = SECTIONS

    @classmethod
    def problems_of(cls, stage: Mapping[str, Any], context: Context) -> list[InitErrorDetails]:
        """Returns the problems of a stage's overrides, axes, recipes, workers and metric."""
        changes = {name: stage[name] for name in SECTIONS if isinstance(stage.get(name), Mapping)}
        found = _problems_of_changes(changes, changes, context, ())
        if found:
            return found
        settings = overlay(context.base, changes)
        return [
            *problems_of_axes(stage, lambda given: _problems_of_changes(merge(changes, given), given, context, ("axes",))),
            *_problems_of_recipes(stage.get("recipes"), changes, context),
            *_problems_of_workers(stage, settings, context),
            *_problems_of_metric(stage, context),
            *_problems_of_rungs(stage, settings),
            *_problems_of_shape(stage),
            *_problems_of_semantics(stage, settings),
        ]


def _problems_of_changes(changes: Document, given: Document, context: Context, where: tuple[str, ...]) -> list[InitErrorDetails]:
    try:
        overlay(context.base, changes)
    except ValidationError as error:
        entries = as_problems(error, {})
        if not context.base_is_valid:
            entries = [entry for entry in entries if _is_given(given, entry["loc"])]
        return [InitErrorDetails(type=entry["type"], loc=(*where, *entry["loc"]), input=entry["input"]) for entry in entries]
    return []


def _is_given(document: Any, location: tuple[int | str, ...]) -> bool:
    for part in location:
        if not isinstance(document, Mapping) or part not in document:
            return False
        document = document[part]
    return True


def _problems_of_recipes(recipes: Any, changes: Document, context: Context) -> list[InitErrorDetails]:
    found: list[InitErrorDetails] = []
    for name, recipe in recipes.items() if isinstance(recipes, Mapping) else ():
        if isinstance(recipe, Mapping):
            own = {key: value for key, value in recipe.items() if key in SECTIONS}
            found += _problems_of_changes(merge(changes, own), own, context, ("recipes", name))
        elif recipe is None and name not in RECIPES:
            found.append(line_error(("recipes", name), name, unknown_name(name, RECIPES)))
    return found


def _problems_of_workers(stage: Mapping[str, Any], settings: Settings, context: Context) -> list[InitErrorDetails]:
    given = context.section("resources")
    workers = stage.get("workers", given.get("workers", 1))
    least = stage.get("min_workers", None if "workers" in stage else given.get("min_workers"))
    batch, parts = settings.training.batch_size, settings.training.accumulation
    if stage.get("kind") in ("evaluate", "timing") or not isinstance(workers, int) or workers < 1:
        return []
    whole = f"training.batch_size, which is {batch}"
    allowed = whole if parts == 1 else f"{whole}, divided by training.accumulation, which is {parts}"
    if batch % (workers * parts):
        return [line_error(("workers",), workers, problem(workers, f"a divisor of {allowed}"))]
    return _problems_of_least_workers(least, workers, batch // parts, allowed)


def _problems_of_least_workers(least: Any, workers: int, images: int, whole: str) -> list[InitErrorDetails]:
    """An elastic training may have any number of workers between its two limits, and each must be able to share a batch."""
    if not isinstance(least, int) or least < 1:
        return []
    if least > workers:
        return [line_error(("min_workers",), least, problem(least, f"at most workers, which is {workers}"))]
    uneven = [count for count in range(least, workers + 1) if images % count]
    if not uneven:
        return []
    hint = f"with {uneven[0]} workers the batch would not divide evenly"
    return [line_error(("min_workers",), least, problem(least, f"numbers up to {workers} that are all divisors of {whole}", hint))]


def _problems_of_metric(stage: Mapping[str, Any], context: Context) -> list[InitErrorDetails]:
    """Metrics of views that the data set does not have."""
    data = context.section("data").get(str(stage.get("data")))
    if not isinstance(data, Mapping):
        return []
    procedural = data.get("procedural")
    known = "dataset" in data or (isinstance(procedural, Mapping) and procedural.get("views", 1) != 0)
    allowed = ", ".join(score for score in SCORES if not needs_novel_views(score))
    hint = f"data set {stage.get('data')} has no true novel views"
    return [] if known else [line_error(place, metric, problem(metric, allowed, hint)) for place, metric in _novel_metrics(stage)]


def _novel_metrics(stage: Mapping[str, Any]) -> list[tuple[tuple[int | str, ...], str]]:
    """Where a stage names metrics of novel views, and which."""
    search = stage.get("search")
    if not isinstance(search, Mapping):
        named: list[tuple[tuple[int | str, ...], Any]] = [(("metric",), stage.get("metric"))]
    else:
        objectives = search.get("objectives")
        several = objectives if isinstance(objectives, list | tuple) else ()
        named = [(("search", "metric"), search.get("metric"))]
        named += [
            (("search", "objectives", place, "metric"), entry.get("metric"))
            for place, entry in enumerate(several)
            if isinstance(entry, Mapping)
        ]
    return [(place, metric) for place, metric in named if metric in SCORES and needs_novel_views(metric)]


def _problems_of_rungs(stage: Mapping[str, Any], settings: Settings) -> list[InitErrorDetails]:
    """A grace as long as the runs would stop none; nobody knows yet how long they are if the steps are an axis or another sweep's."""
    axes, search, steps = stage.get("axes"), stage.get("search"), settings.training.steps
    if "settings" in stage or (isinstance(axes, Mapping) and "training.steps" in axes) or not isinstance(search, Mapping):
        return []
    rules = {name: search[name] for name in ("asha", "early_stopping") if isinstance(search.get(name), Mapping)}
    graces = {name: rule.get("grace_steps") for name, rule in rules.items()}
    return [
        line_error(("search", name, "grace_steps"), grace, problem(grace, f"less than training.steps, which is {steps}"))
        for name, grace in graces.items()
        if isinstance(grace, int) and grace >= steps
    ]


def _problems_of_shape(stage: Mapping[str, Any]) -> list[InitErrorDetails]:
    """A checkpoint decides the shape of the network that continues from it."""
    model, origin = stage.get("model"), stage.get("from")
    if not isinstance(model, Mapping) or not isinstance(origin, str) or parse_origin(origin).kind == "checkpoint":
        return []
    allowed = f"no other shape than that of the checkpoint it starts from ({origin})"
    found: list[tuple[str, ...]] = [("model", "generator")] if model.get("generator") else []
    renderer = model.get("renderer")
    if isinstance(renderer, Mapping):
        found += [("model", "renderer", key) for key in ("decoder_width", "layout") if key in renderer]
    return [line_error(location, None, problem(_at(stage, location), allowed)) for location in found]


def _problems_of_semantics(stage: Mapping[str, Any], settings: Settings) -> list[InitErrorDetails]:
    """A loss on semantics needs a model that has some; what a checkpoint or an axis brings is not known here."""
    weight, channels = settings.objective.semantics.weight, settings.model.conditioning.semantic_channels
    if stage.get("kind") == "evaluate" or "from" in stage or "axes" in stage or weight == 0 or channels > 0:
        return []
    hint = "semantics are rendered where model.conditioning.semantic_channels is 1 or more"
    return [line_error(("objective", "semantics", "weight"), weight, problem(weight, "0", hint))]


def _at(document: Any, location: tuple[str, ...]) -> Any:
    for part in location:
        document = document[part]
    return document
