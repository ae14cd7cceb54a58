"""The tables of a comparison."""

from collections.abc import Sequence

from orchestrator.report.cells import Cell, Column, Mark, Row, Table, number, words
from orchestrator.report.comparing.pairs import HEADLINE, Pair
from orchestrator.report.comparing.settings import ABSENT, Setting
from orchestrator.report.comparing.sides import Side
from orchestrator.report.numbers import duration, interval_text, span
from orchestrator.report.provenance import spent
from orchestrator.report.tables import kernel_digits, named


def side_table(sides: Sequence[Side]) -> Table:
    """Builds the table of the experiments themselves, each with its own images."""
    extractors = {side.head.evaluation.extractor for side in sides if side.head}
    extractor = extractors.pop() if len(extractors) == 1 else ""
    columns = (
        Column("Experiment", numeric=False),
        Column("N", hint="source images that were measured"),
        Column("Novel views", "PSNR, dB \u2191", "covisible pixels, mean over images with its 95 % interval"),
        Column("Copying the input", "PSNR, dB"),
        Column("Input view", "PSNR, dB \u2191"),
        Column("Depth RMSE", "world units \u2193"),
        Column(named("KID", extractor), "95 % \u2193"),
        Column("NFS", "of truth below"),
        Column("Runs"),
        Column("Training time"),
    )
    return Table("Experiments side by side", columns, [Row(_side_cells(side)) for side in sides], name="experiments")


def _side_cells(side: Side) -> list[Cell]:
    metric = side.head.evaluation.metrics.get if side.head else dict[str, float]().get
    novel = side.head.novel if side.head else None
    digits, took = kernel_digits(metric("kid")), spent(side.study)
    truth = metric("nfs_truth")
    return [
        words(side.name),
        number(side.head.evaluation.images if side.head else None, 0),
        number(metric("novel_psnr"), detail=span(novel.low, novel.high) if novel else ""),
        number(metric("copy_input_psnr")),
        number(metric("canonical_psnr")),
        number(metric("depth_rmse"), 3),
        number(metric("kid"), digits, detail=span(metric("kid_low"), metric("kid_high"), digits)),
        number(metric("nfs"), 1, detail="" if truth is None else f"{truth:.1f}"),
        number(took.runs, 0),
        Cell(duration(took.training_seconds), took.training_seconds),
    ]


def pair_table(pairs: Sequence[Pair], *, species: bool) -> Table:
    """Builds the table of paired differences: of the models on unseen images, or of species and recipes."""
    shown = [pair for pair in pairs if (pair.what != HEADLINE) == species]
    columns = (
        *((Column("Species, recipe", numeric=False),) if species else ()),
        Column("Metric", numeric=False),
        Column("Experiment", numeric=False),
        Column("N", hint="images that both measured"),
        Column("Its mean"),
        Column("Mean of the first"),
        Column("Difference", "95 %", "paired over images, with its bootstrap interval"),
    )
    caption = "Species and recipes, paired over the same images" if species else "Models on unseen images, paired over the same images"
    rows = [Row(_pair_cells(pair, species=species)) for pair in shown]
    return Table(caption, columns, rows, name="species-paired" if species else "unseen-images-paired", baseline="the first experiment")


def _pair_cells(pair: Pair, *, species: bool) -> list[Cell]:
    marks: dict[int, Mark] = {1: "better", -1: "worse"}
    digits = pair.metric.digits
    text = interval_text(pair.difference, digits, sign=True)
    return [
        *([words(pair.what)] if species else []),
        words(pair.metric.heading, detail=pair.metric.unit),
        words(pair.second),
        number(pair.difference.count, 0),
        number(pair.means[1], digits),
        number(pair.means[0], digits),
        Cell(text, pair.difference.mean, marks.get(pair.verdict, "")),
    ]


def shared_table(sides: Sequence[Side]) -> Table:
    """Builds the list of runs that several experiments asked for: computed once, shown in each."""
    places: dict[str, dict[str, str]] = {}
    for side in sides:
        for place, run in side.runs():
            places.setdefault(run.run, {}).setdefault(side.name, place)
    columns = (Column("Run", numeric=False), *(Column(side.name, numeric=False) for side in sides))
    shared = {run: known for run, known in places.items() if len(known) > 1}
    rows = [Row([words(run), *(words(known.get(side.name, "")) for side in sides)]) for run, known in shared.items()]
    return Table("Runs that several experiments share", columns, rows, name="shared-runs")


def settings_table(sides: Sequence[Side], settings: Sequence[Setting]) -> Table:
    """Builds the list of settings that differ."""
    columns = (Column("Setting", numeric=False), *(Column(side.name, numeric=False) for side in sides))
    rows = [Row([words(setting.path), *(_value(value) for value in setting.values)]) for setting in settings]
    return Table("Settings that differ", columns, rows, name="settings")


def _value(value: str) -> Cell:
    return words("" if value == ABSENT else value)


def origin_table(sides: Sequence[Side]) -> Table:
    """Builds the table of where each experiment comes from."""
    columns = tuple(Column(name, numeric=False) for name in ("Experiment", "Code", "Datasets", "Results"))
    return Table("Where they come from", columns, [Row(_origin_cells(side)) for side in sides], name="origin")


def _origin_cells(side: Side) -> list[Cell]:
    git = side.study.git
    datasets = ", ".join(f"{dataset.name} {dataset.version or '(not packed)'}" for dataset in side.study.datasets)
    return [
        words(side.name),
        words(str(git.get("commit") or "")[:10], detail="with uncommitted changes" if git.get("dirty") else ""),
        words(datasets),
        words(side.study.root),
    ]
