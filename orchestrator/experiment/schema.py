"""The JSON schema of experiment files, for editors."""

import json
from typing import Any

from orchestrator.experiment.spec import Experiment

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def experiment_schema() -> dict[str, Any]:
    """Returns the schema of a file: as that of an experiment, but `extends` may stand for what is missing."""
    schema = Experiment.model_json_schema(by_alias=True)
    extends = {
        "type": "string",
        "description": "One parent file, relative to this one: mappings merge, lists replace, stages merge by name.",
    }
    schema["properties"] = {"extends": extends, **schema["properties"]}
    required = schema.pop("required")
    schema["anyOf"] = [{"required": ["extends"]}, {"required": required}]
    return {"$schema": DIALECT, **schema}


def schema_text() -> str:
    """Returns the schema as it is kept in `experiments/schema.json`; equal code gives equal text."""
    return json.dumps(experiment_schema(), indent=1, sort_keys=True) + "\n"
