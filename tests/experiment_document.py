"""A small experiment with every kind of stage, for tests of the file format and of the plan."""

from typing import Any

DOCUMENT: dict[str, Any] = {
    "name": "small",
    "data": {"animals": {"procedural": {"species": [0, 1], "individuals": 8, "held_out": 2}}, "photos": {"folder": {"path": "photos"}}},
    "model": {"generator": {"resolution": 32, "width": 16, "multipliers": [1, 2]}},
    "objective": {"perceptual": {"weight": 0}},
    "training": {"steps": 10, "batch_size": 4},
    "stages": [
        {"name": "pretrain", "kind": "train", "data": "animals", "workers": 2},
        {"name": "losses", "kind": "sweep", "data": "animals", "from": "pretrain", "axes": {"objective.rgb.form": ["l1", "cosine"]}},
        {"name": "species", "kind": "grid", "data": "animals", "from": "pretrain", "recipes": ["pre_trained", "optimized"]},
        {"name": "unseen", "kind": "evaluate", "data": "photos", "from": "best of losses"},
    ],
}
