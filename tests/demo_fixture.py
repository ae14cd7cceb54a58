"""A root with a small model, a stand-in for depth, and the demo's server on them."""

import http.client
import json
import threading
import time
from contextlib import contextmanager
from urllib.parse import urlencode

import numpy as np
import torch
from ledger_fixture import JsonStore

from g3dr.config import GeneratorConfig, ModelConfig, RendererConfig
from g3dr.depth import Measure
from g3dr.export.solid import SolidOptions
from g3dr.model import G3DR
from g3dr.procedural import ExampleId, ProceduralConfig, make_example
from g3dr.training.checkpoint import Checkpoint, write_checkpoint
from orchestrator.demo.helpers import Helpers, Named
from orchestrator.demo.opening import opened
from orchestrator.demo.server import PHOTOGRAPH_TYPE
from orchestrator.reconstruction import ReconstructionOptions
from orchestrator.store import open_store

SIDE, PATIENCE = 16, 20.0
RUN, OTHER, NETWORK = "aaaa000000000000", "bbbb000000000000", "cccc000000000000"
OPTIONS = ReconstructionOptions(size=32, frames=4, solid=SolidOptions(resolution=24))


class Nearer:
    """Calls near what lies low and in the middle."""

    measure = Measure("disparity", is_scaled=False)

    def identity(self):
        return {"name": "nearer"}

    def estimate(self, pictures):
        return [self._one(*picture.rgb.shape[:2]) for picture in pictures]

    def _one(self, height, width):
        down, across = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        return 0.3 * down + np.clip(1 - down**2 - across**2, 0, None)


class Middle:
    """Takes a disc in the middle for the object."""

    name = "a disc"

    def mask(self, image):
        down, across = np.mgrid[-1 : 1 : image.shape[0] * 1j, -1 : 1 : image.shape[1] * 1j]
        return down**2 + across**2 < 0.4


STAND_IN = Helpers(Named("a stand-in", Nearer))
WITH_CUTTER = Helpers(Named("a stand-in", Nearer), Named("a disc", Middle))


def photo(side=48, species=0):
    """A made-up animal, as a PNG."""
    return make_example(ProceduralConfig((species,), 1, 0, 0, side, seed=3), ExampleId(species, 0, "train")).image


def model():
    """A model with fresh weights and a density that makes everything solid."""
    torch.manual_seed(0)
    generator = GeneratorConfig(resolution=SIDE, width=8, multipliers=(1, 2), position_channels=0, features=8, attention=False)
    renderer = RendererConfig(layout="perspective", decoder_width=8, coarse_samples=6, fine_samples=6, initial_density=8.0)
    return G3DR(ModelConfig(generator, renderer))


def write_models(folder):
    """Writes a root: the quickstart's model, and a sweep of two runs without a best, of which one has no checkpoint yet."""
    store, made = JsonStore(folder), model()
    for name, data in write_checkpoint(Checkpoint(1, made.state_dict(), {}, made.config)).items():
        store.write_bytes(f"runs/{RUN}/checkpoints/00000001/{name}", data)
        store.write_bytes(f"runs/{NETWORK}/checkpoints/00000001/{name}", data)
    stages = {"pretrain": ("train", [RUN]), "sweep": ("sweep", [RUN, OTHER]), "look": ("evaluate", [RUN]), "depth": ("network", [NETWORK])}
    for experiment in ("quickstart", "another"):
        store.write_json(f"experiments/{experiment}/experiment.json", {"name": experiment, "stages": []})
        for name, (kind, runs) in stages.items():
            entries = [{"run": run, "label": f"{name}-{run[:1]}", "state": "finished"} for run in runs]
            record = {"name": name, "kind": kind, "runs": entries, "best": None, "seconds": 1.0}
            store.write_json(f"experiments/{experiment}/stages/{name}.json", record)
    return open_store(str(folder))


@contextmanager
def demo(store, helpers=STAND_IN, port=0):
    """Serves the demo while the context is entered; gives the server."""
    with opened(store, helpers, OPTIONS, torch.device("cpu"), port=port) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def until(condition):
    """Waits for something and returns it."""
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


def ask(server, path, method="GET", body=None, **headers):
    """Returns status, headers and body, of errors too."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=PATIENCE)
    connection.request(method, path, body=body, headers=headers)
    answer = connection.getresponse()
    found = answer.status, answer.headers, answer.read()
    connection.close()
    return found


def send(server, data, name="owl.png", model="quickstart/pretrain"):
    """Sends a photograph."""
    return ask(server, f"/api/photographs?{urlencode({'name': name, 'model': model})}", "POST", data, **{"Content-Type": PHOTOGRAPH_TYPE})


def refused(answer):
    """Returns status and sentence of a refusal."""
    return answer[0], json.loads(answer[2])["error"]
