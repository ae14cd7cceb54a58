"""Trained networks of the front end by name, as `checkpoints` finds G3DR's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from g3dr.errors import CheckpointError
from g3dr.networks import NetworkConfig, NetworkKind, kind_of, network_from_json
from orchestrator.checkpoints import find
from orchestrator.ledger import Ledger
from orchestrator.store import Store

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class FoundNetwork:
    """A trained network before it is built.

    Attributes:
        config: What it is.
        tensors: Its weights by name.
        uri: Folder of its checkpoint.
    """

    config: NetworkConfig
    tensors: "Mapping[str, Tensor]"
    uri: str


def open_network(name: str, root: Store, kind: NetworkKind) -> FoundNetwork:
    """Reads the network that a person means by `name`.

    Args:
        name: As in `checkpoints.find`: `EXPERIMENT/STAGE`, a run's or checkpoint's folder, or a URI.
        root: Where results are kept.
        kind: What it must be.

    Raises:
        CheckpointError: There is none, it is damaged, or it holds another kind of network.
    """
    store, path = find(name, root)
    checkpoint = Ledger(store).read_checkpoint(path, optimizer=False)
    if checkpoint.network is None:
        raise CheckpointError(f"{name}: holds a G3DR model, not a network of kind {kind}")
    config = network_from_json(checkpoint.network, name)
    if kind_of(config) != kind:
        raise CheckpointError(f"{name}: holds a network of kind {kind_of(config)}, not of kind {kind}")
    return FoundNetwork(config, checkpoint.model, store.child(path).uri)
