"""What an evaluation leaves in the ledger: numbers, pictures, meshes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from g3dr.metrics import FeatureStatistics
from g3dr.metrics.inception_score import ClassSums
from orchestrator.computing.evaluation.distribution import Compared, compare, compare_species
from orchestrator.computing.evaluation.evaluator import SHOWN_OBJECTS, Evaluator, Scope
from orchestrator.computing.evaluation.meshes import MeshFile
from orchestrator.computing.evaluation.parts import Part, averages
from orchestrator.computing.gallery import pack_exhibits
from orchestrator.ledger import Ledger
from orchestrator.runs import EvaluationSpec


@dataclass(frozen=True)
class Evaluated:
    """An evaluation before it is written.

    Attributes:
        record: Its numbers, as JSON.
        pictures: A safetensors file.
        meshes: File contents by name.
    """

    record: dict[str, Any]
    pictures: bytes
    meshes: Mapping[str, bytes] = field(default_factory=dict)

    def write(self, ledger: Ledger) -> None:
        """Writes it to the ledger, the numbers last."""
        ledger.write_evaluation(self.record["run"], self.record["id"], self.record, self.pictures, self.meshes)


def scope_of(spec: EvaluationSpec) -> Scope:
    """Returns what a whole evaluation makes."""
    return Scope(SHOWN_OBJECTS, spec.meshes)


def evaluated(run: str, evaluator: Evaluator, part: Part) -> Evaluated:
    """Compares the measured objects with real pictures and puts everything together.

    Args:
        run: Id of the run that was measured.
        evaluator: Who measured it.
        part: All of its objects.
    """
    spec, files = evaluator.spec, _mesh_files(part)
    compared, by_species = _compared(evaluator, part)
    extractor, perceptual = evaluator.extractor, evaluator.networks.perceptual
    record = {
        "id": spec.id,
        "run": run,
        "spec": spec.to_json(),
        "images": len(part.objects),
        "views": part.views,
        "extractor": {
            "name": extractor.name,
            "sha256": extractor.sha256,
            "resize": extractor.resize,
            "resolution": evaluator.resolution,
        },
        "perceptual": {"name": perceptual.name, "sha256": perceptual.sha256} if perceptual else None,
        "reference": compared.reference or None,
        "metrics": {**averages(part.objects), **compared.metrics},
        "per_image": part.columns,
        "per_species": {name: {**averages(items), **by_species[name]} for name, items in part.by_species.items()},
        "meshes": [_about(name, mesh) for name, mesh in files.items()],
        "classes": {"made": _class_sums(part.features), "real": _class_sums(evaluator.real().inputs)},
    }
    pictures = pack_exhibits([item.exhibit for item in part.objects if item.exhibit])
    return Evaluated(record, pictures, {name: mesh.data for name, mesh in files.items()})


def metrics_of(evaluator: Evaluator, part: Part) -> dict[str, float]:
    """Returns the metrics alone, by the same names."""
    real = evaluator.real()
    return {**averages(part.objects), **compare(part.features, real, evaluator.spec.seed).metrics}


def _compared(evaluator: Evaluator, part: Part) -> tuple[Compared, dict[str, dict[str, float]]]:
    real, seed = evaluator.real(), evaluator.spec.seed
    return compare(part.features, real, seed), compare_species(part.features, part.species, real, seed)


def _class_sums(features: FeatureStatistics) -> dict[str, Any]:
    """What an inception score needs, so that runs about one species each can be pooled over species afterwards."""
    sums = ClassSums.of(features.probabilities)
    return {"count": sums.count, "certainty": sums.certainty, "totals": [round(value, 7) for value in sums.totals.tolist()]}


def _mesh_files(part: Part) -> dict[str, MeshFile]:
    return {f"{number}.glb": item.mesh for number, item in enumerate(part.objects) if item.mesh is not None}


def _about(name: str, mesh: MeshFile) -> dict[str, Any]:
    return {"key": mesh.key, "file": name, "bytes": len(mesh.data), "triangles": mesh.triangles}
