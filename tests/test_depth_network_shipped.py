"""The depth network that comes with the package."""

import hashlib
import json

import numpy as np
import pytest
import torch
from safetensors.torch import load, save

from g3dr.depth import Picture
from g3dr.depth.accuracy import figures, spearman, vertical_ramp
from g3dr.depth.disparity import disparity_of
from g3dr.depth.trained import SHIPPED, NetworkEstimator
from g3dr.errors import CheckpointError
from g3dr.pictures import decode_depth, decode_image
from g3dr.procedural import ProceduralConfig, examples, make_example
from g3dr.training.layout import INDEX, MODEL

pytestmark = pytest.mark.unit

UNSEEN = ProceduralConfig(species=tuple(range(1000, 1008)), individuals=1, held_out=0, views=0, resolution=128)
"""One of each body plan; the training saw the species 0 to 255."""


def shipped_files() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in SHIPPED.iterdir()}


def test_the_shipped_files_are_small():
    assert sum(len(data) for data in shipped_files().values()) < 8_000_000


def test_the_shipped_network_is_far_better_than_simple_answers_on_unseen_species():
    drawn = [make_example(UNSEEN, one) for one in examples(UNSEEN)]
    pictures = [Picture(one.key, decode_image(one.image)) for one in drawn]
    truth = disparity_of(torch.stack([torch.from_numpy(decode_depth(one.depth)).unsqueeze(0) for one in drawn]))
    maps = torch.from_numpy(np.stack(NetworkEstimator.shipped().estimate(pictures))).unsqueeze(1)
    errors = {name: figures(answer, truth)["disparity_rmse"].mean() for name, answer in (("network", maps), ("ramp", vertical_ramp(truth)))}
    assert errors["network"] < 0.5 * errors["ramp"]
    # The wall is one disparity, whose pixels no estimate can put into the right order: 1 is out of reach.
    assert spearman(maps, truth).mean() > spearman(vertical_ramp(truth), truth).mean() + 0.1


def test_the_identity_is_that_of_weights_and_size():
    files = shipped_files()
    mine = NetworkEstimator.from_files(files, "here").identity()
    assert mine == NetworkEstimator.shipped().identity()
    tensors = load(files[MODEL])
    tensors["decoder.disparity.bias"] += 1
    changed = {MODEL: save(tensors)}
    index = json.loads(files[INDEX])
    index["sha256"], index["bytes"] = {MODEL: hashlib.sha256(changed[MODEL]).hexdigest()}, {MODEL: len(changed[MODEL])}
    changed[INDEX] = json.dumps(index).encode()
    assert NetworkEstimator.from_files(changed, "there").identity() != mine


def test_damaged_or_missing_files_are_named(tmp_path):
    files = shipped_files()
    with pytest.raises(CheckpointError, match=r"here.*damaged"):
        NetworkEstimator.from_files({**files, MODEL: files[MODEL][:-1] + b"x"}, "here")
    with pytest.raises(CheckpointError, match=INDEX):
        NetworkEstimator.from_folder(tmp_path)
