"""The numbers by which trainings are compared: their names on the page, and which direction is better."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Direction = Literal["more", "less", "neither"]


@dataclass(frozen=True)
class Measure:
    """One number.

    Attributes:
        name: In records.
        heading: On the page.
        unit: Its unit.
        digits: Decimals.
        better: Which direction is better; `neither` is never marked and has no winner.
        hint: What it is.
    """

    name: str
    heading: str
    unit: str
    digits: int
    better: Direction
    hint: str

    @property
    def unit_text(self) -> str:
        """The unit with an arrow to what is better."""
        arrow = {"more": "\u2191", "less": "\u2193", "neither": ""}[self.better]
        return f"{self.unit} {arrow}".strip()

    def improves(self, difference: float) -> bool:
        """Tells whether a difference is one to the better."""
        return difference > 0 if self.better == "more" else difference < 0


_HELD_OUT = "measured on held-out images in this one form, whichever form was trained with"
MEASURES = (
    Measure("novel_psnr", "Novel views", "PSNR, dB", 2, "more", "true novel views, covisible pixels only"),
    Measure("novel_depth_rmse", "Novel depth", "RMSE", 4, "less", "true novel views, in the box"),
    Measure("depth_rmse", "Input depth", "RMSE", 4, "less", "the input view"),
    Measure("canonical_psnr", "Input view", "PSNR, dB", 2, "more", "the input image reconstructed; alone it ranks nothing"),
    Measure("loss_clip_cosine", "CLIP distance", "1 \u2212 cosine", 4, "less", f"novel views against the input image, {_HELD_OUT}"),
    Measure(
        "loss_embedding_cosine", "Embedding distance", "1 \u2212 cosine", 4, "less", f"novel views against the input image, {_HELD_OUT}"
    ),
    Measure("loss_lpips_l2", "LPIPS loss", "L2", 4, "less", f"the input view, {_HELD_OUT}"),
    Measure("loss_perceptual_l2", "Feature distance", "L2", 4, "less", f"deep features of the input view, {_HELD_OUT}"),
    Measure("loss_tv_l2", "TV", "of depth", 5, "neither", "total variation of the depth of novel views; a flat depth has the least"),
    Measure("kid", "KID", "", 3, "less", "one novel view of each object against real images of other objects"),
)


def known_measures(names: Iterable[str]) -> list[Measure]:
    """Returns the measures that are among `names`, in the order of the page."""
    known = set(names)
    return [measure for measure in MEASURES if measure.name in known]
