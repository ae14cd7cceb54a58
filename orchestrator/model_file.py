"""A checkpoint's model, read and checked in the background while its reader imports torch; on a disk, its weights stay where they lie."""

import hashlib
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from g3dr.training.layout import INDEX, MODEL
from orchestrator.store import FolderStore, Store

if TYPE_CHECKING:
    from g3dr.training.checkpoint import Checkpoint


class ModelFile:
    """The model of the checkpoint in a folder of a store, which is being read from now on.

    Args:
        store: Where it is.
        path: The checkpoint's folder.
    """

    def __init__(self, store: Store, path: str) -> None:
        self._folder = store.child(path)
        worker = ThreadPoolExecutor(1, "checkpoint")
        self._digest: Future[str] = worker.submit(self._read)
        worker.shutdown(wait=False)
        self._data = b""

    @property
    def _on_disk(self) -> Path | None:
        return Path(self._folder.uri) / MODEL if isinstance(self._folder, FolderStore) else None

    def _read(self) -> str:
        """Returns the SHA-256 of the model's file; keeps its content where it is not on a disk of this machine."""
        if self._on_disk:
            with self._on_disk.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        self._data = self._folder.read_bytes(MODEL)
        return hashlib.sha256(self._data).hexdigest()

    def checkpoint(self) -> "Checkpoint":
        """Returns the checkpoint without the optimizer's state, its checksum compared.

        Its tensors are pages of the file, private to this process and read when they are first used.

        Raises:
            CheckpointError: It is damaged or incomplete.
        """
        from safetensors.torch import load, load_file  # noqa: PLC0415  (brings torch)

        from g3dr.training.checkpoint import Checkpoint, check_digest, read_index, readable  # noqa: PLC0415

        where = self._folder.uri
        with readable(where):
            index = read_index(self._folder.read_bytes(INDEX), where)
            check_digest(self._digest.result(), index.sha256[MODEL], f"{where}/{MODEL}")
            model = load_file(self._on_disk) if self._on_disk else load(self._data)
        return Checkpoint(step=index.step, model=model, optimizer={}, config=index.config, network=index.network)
