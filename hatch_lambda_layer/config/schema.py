"""The JSON schema of `[tool.lambda-layer]`: for editors, and for validate-pyproject.

`lambda-layer.schema.json` is the schema in the form in which SchemaStore takes the table of a tool:
draft 7, with the table itself at its root.
"""

from __future__ import annotations

import json
from pathlib import Path

from .._internal.address import PUBLIC_ADDRESS

PATH = Path(__file__).with_name("lambda-layer.schema.json")


def tool_schema(tool_name: str) -> dict[str, object]:  # noqa: ARG001  # validate-pyproject gives it
    """Return the schema of the table of hatch-lambda-layer, as validate-pyproject asks for it."""
    schema: dict[str, object] = json.loads(PATH.read_text(encoding="utf-8"))
    return schema


def schema_text() -> str:
    """Return the text of the schema, made from the descriptions of the options."""
    from .custom_runtimes import KEY as CUSTOM_RUNTIMES
    from .options.forms import table_schema
    from .options.layer import LAYER, PROJECT, WITHOUT_CUSTOM_RUNTIMES

    known = {"properties": {key: form.schema for key, form in WITHOUT_CUSTOM_RUNTIMES.items()}}
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": _identifier(),
        "title": "hatch-lambda-layer",
        "description": "AWS Lambda layers for Python, built from the lockfile of the project",
        **table_schema((*LAYER, *PROJECT)),
        "if": {"not": {"required": [CUSTOM_RUNTIMES]}},
        "then": {
            "properties": {**known["properties"], "layers": {"additionalProperties": known}},
        },
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _identifier() -> str:
    if PUBLIC_ADDRESS:
        return f"{PUBLIC_ADDRESS}hatch_lambda_layer/config/{PATH.name}"
    return f"urn:hatch-lambda-layer:{PATH.name}"
