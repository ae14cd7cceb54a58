"""What the compared models show of the same objects, and how their trainings went."""

from collections.abc import Sequence

from orchestrator.report.collect import read_pictures
from orchestrator.report.comparing.pairs import same_images
from orchestrator.report.comparing.sides import Side
from orchestrator.report.numbers import decimal
from orchestrator.report.pictures import Sheet, recipe_sheet
from orchestrator.report.plots import TERMS, Panel, Panels, curve_of
from orchestrator.report.records import Pictures
from orchestrator.report.statistics import mean_of
from orchestrator.report.svg import STYLES, Line, line_chart

_MOST_OBJECTS = 6


def compared_sheet(sides: Sequence[Side]) -> Sheet | None:
    """Puts what the models make of the objects that all of them show side by side; None if there are none."""
    if any(side.head is None or not same_images(side.head.evaluation, sides[0].head.evaluation) for side in sides if sides[0].head):
        return None
    shown = {side.name: read_pictures(side.store, side.head.evaluation) for side in sides if side.head}
    known = {name: pictures for name, pictures in shown.items() if pictures}
    if len(known) < len(sides):
        return None
    common = [key for key in next(iter(known.values())).keys if all(key in pictures.keys for pictures in known.values())]
    chosen = {name: _chosen(pictures, common[:_MOST_OBJECTS]) for name, pictures in known.items()}
    return recipe_sheet(chosen, "the same objects", _MOST_OBJECTS) if common else None


def _chosen(pictures: Pictures, keys: Sequence[str]) -> Pictures:
    places = [list(pictures.keys).index(key) for key in keys]
    arrays = {name: array[places] for name, array in pictures.arrays.items() if len(array) > max(places)}
    return Pictures(keys, [pictures.species[place] for place in places if place < len(pictures.species)], arrays)


def training_panels(sides: Sequence[Side]) -> Panels | None:
    """Draws the trainings of all experiments, one panel a term and one style an experiment; None if nothing was logged."""
    runs = [(side, run) for side in sides for stage in side.study.of_kind("train") for run in stage.runs if run.curve]
    styles = {side.name: index for index, side in enumerate(sides)}
    panels = []
    for term in TERMS:
        lines = [Line(f"{side.name}: {run.name}", curve_of(run, term), styles[side.name]) for side, run in runs]
        chart = line_chart(lines, title=f"{term} over the steps of the trainings", x_label="step")
        if chart:
            panels.append(Panel(term, f"last {_lasts(sides, lines, styles)}", chart))
    return Panels("Losses of the trainings", panels, [(index, name) for name, index in styles.items()][:STYLES]) if panels else None


def _lasts(sides: Sequence[Side], lines: Sequence[Line], styles: dict[str, int]) -> str:
    ends = [mean_of([line.points[-1][1] for line in lines if line.points and line.style == styles[side.name]]) for side in sides]
    return " and ".join(decimal(end, 4) for end in ends)
