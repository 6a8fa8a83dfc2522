"""An OpenAPI document for one model: its predict endpoint, with its own columns and labels.

No framework in here. What the document allows is answered; a little more is taken than it says
(true for a number, 1 for a boolean), which programs made from it need not know.
"""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from registry.inputs import LARGEST, LARGEST_INTEGER, Input
from registry.signature import Signature, label_key

Schema = dict[str, Any]

# Wider rows are described as objects only: each column twice would be a document of megabytes.
MAX_POSITIONAL = 500
MAX_LABELS = 1_000
PROBLEM = "application/problem+json"


@dataclass(frozen=True, kw_only=True)
class Described:
    """What the document tells. `version` is asked for by name when it is not the champion."""

    name: str
    description: str
    number: int
    is_champion: bool
    signature: Signature
    example: Mapping[str, Any]
    ignores_unknown: bool
    max_rows: int
    site_url: str
    path: str


def document(model: Described) -> Schema:
    """OpenAPI 3.1."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": model.name,
            "version": str(model.number),
            "description": model.description or f"Predictions of the model {model.name}.",
        },
        "servers": [{"url": model.site_url}],
        "security": [{"bearer": []}, {"api_key": []}],
        "paths": {model.path: {"post": _operation(model)}},
        "components": {"schemas": _schemas(model), "securitySchemes": _SECURITY},
    }


def _operation(model: Described) -> Schema:
    return {
        "operationId": "predict",
        "summary": f"Predict with {model.name}, version {model.number}",
        "parameters": [] if model.is_champion else [_version(model.number)],
        "requestBody": {
            "required": True,
            "content": {"application/json": _request(model), "text/csv": _csv(model)},
        },
        "responses": {
            "200": {
                "description": "The prediction, or one for each row",
                "headers": {"X-Cache": {"schema": {"type": "string"}, "description": _CACHE}},
                "content": {
                    "application/json": {
                        "schema": {"oneOf": [_ref("Answer"), _ref("Answers")]},
                    }
                },
            },
            **{status: _problem(text) for status, text in _PROBLEMS.items()},
        },
    }


def _version(number: int) -> Schema:
    schema = {"type": "integer", "const": number}
    return {"name": "version", "in": "query", "required": True, "schema": schema}


def _request(model: Described) -> Schema:
    row = dict(model.example)
    forms = ["OneRow", "ManyRows", "ByColumn"]
    return {
        "schema": {"oneOf": [_ref(form) for form in forms]},
        "examples": {
            "one": {"summary": "One row, by name", "value": {"input": row}},
            "listed": {
                "summary": "One row, in the order of the columns",
                "value": {"input": list(row.values())},
            },
            "many": {"summary": "Many rows", "value": {"inputs": [row, row]}},
            "columns": {
                "summary": "Many rows, a list for each column",
                "value": {"columns": {name: [value] * 2 for name, value in row.items()}},
            },
        },
    }


def _csv(model: Described) -> Schema:
    """A header line and a line for each row; an empty field is a missing value."""
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows([model.example, model.example.values()])
    return {"schema": {"type": "string"}, "example": file.getvalue()}


def _schemas(model: Described) -> Schema:
    any_row = {"anyOf": [_ref("Row"), _ref("List")]}
    rows = {"type": "array", "items": any_row, "minItems": 1, "maxItems": model.max_rows}
    return {
        "Row": _row(model),
        "List": _list(model.signature),
        "OneRow": _object({"input": any_row}, optional=_TOP_K),
        "ManyRows": _object({"inputs": rows}, optional=_TOP_K),
        "ByColumn": _object({"columns": _columns(model)}, optional=_TOP_K),
        **_answers(model.signature),
        "Warning": _object({"pointer": _TEXT, "code": _TEXT, "detail": _TEXT}),
        "Problem": _PROBLEM,
    }


def _row(model: Described) -> Schema:
    inputs = model.signature.inputs
    return {
        "type": "object",
        "properties": {column.name: column_schema(column) for column in inputs},
        "required": [column.name for column in inputs if not column.nullable],
        "additionalProperties": model.ignores_unknown,
        "examples": [dict(model.example)],
    }


def _columns(model: Described) -> Schema:
    """The same row, each value a list."""
    lists = {"type": "array", "minItems": 1, "maxItems": model.max_rows}
    inputs = model.signature.inputs
    if len(inputs) > MAX_POSITIONAL:
        return {"type": "object", "additionalProperties": lists}
    return {
        "type": "object",
        "properties": {column.name: {**lists, "items": column_schema(column)} for column in inputs},
        "required": [column.name for column in inputs if not column.nullable],
        "additionalProperties": lists if model.ignores_unknown else False,
    }


def _list(signature: Signature) -> Schema:
    width = len(signature.inputs)
    schema: Schema = {
        "type": "array",
        "description": "In the order of the columns" + ("" if signature.named else ", as fitted"),
        "minItems": width,
        "maxItems": width,
    }
    if width <= MAX_POSITIONAL:
        schema["prefixItems"] = [column_schema(column) for column in signature.inputs]
    return schema


def column_schema(column: Input) -> Schema:
    """What one column takes."""
    if column.ignored:
        return {"description": "The model does not use it."}
    schema: Schema = {"type": _TYPES[column.dtype]}
    if bound := _BOUNDS.get(column.dtype):
        schema |= {"minimum": -bound, "maximum": bound}
    if column.is_closed:
        schema["enum"] = list(column.categories)
    if column.nullable:
        schema["type"] = [schema["type"], "null"]
        if column.is_closed:
            schema["enum"] = [*schema["enum"], None]
    if about := _about(column):
        schema["description"] = about
    if examples := column.examples or (column.categories or ())[:3]:
        schema["examples"] = list(examples)
    return schema


def _about(column: Input) -> str:
    told = []
    if column.is_watched:
        told.append(f"Known categories: {column.listed()}; others are answered with a warning.")
    if column.spread:
        told.append(f"From {column.spread} in the sample it was checked with.")
    if column.nullable:
        told.append("null or left out: a missing value.")
    return " ".join(told)


def _answers(signature: Signature) -> Schema:
    prediction, odds = _prediction(signature), _odds(signature)
    many = {"type": "array", "items": odds} if odds["type"] != "null" else odds
    one_row = {"prediction": prediction, "probabilities": odds}
    many_rows = {
        "predictions": {"type": "array", "items": prediction},
        "probabilities": many,
        "cached_rows": {"type": "integer"},
    }
    return {
        "Answer": _object({**one_row, **_ABOUT}, optional=_WARNINGS),
        "Answers": _object({**many_rows, **_ABOUT}, optional=_WARNINGS),
    }


def _prediction(signature: Signature) -> Schema:
    """A label of the known ones, a number (null where it is not finite), or one an output."""
    output = signature.outputs["predict"]
    odds = signature.outputs["predict_proba"]
    dtype = output["dtype"]
    one: Schema = {"type": ["number", "null"] if dtype == "float" else dtype}
    if output["count"] == 1:
        labels = odds["classes"][0] if odds else []
        return {"enum": labels} if 0 < len(labels) <= MAX_LABELS else one
    return {"type": "array", "items": one, "minItems": output["count"], "maxItems": output["count"]}


def _odds(signature: Signature) -> Schema:
    outputs = signature.outputs["predict_proba"]
    if outputs is None:
        return {"type": "null", "description": "this model has no probabilities"}
    each = [_odds_of_one(list(map(label_key, labels))) for labels in outputs["classes"]]
    if len(each) == 1:
        return each[0]
    return {"type": "array", "prefixItems": each, "minItems": len(each), "maxItems": len(each)}


def _odds_of_one(labels: list[str]) -> Schema:
    """Of each label, or (with top_k) of the likeliest."""
    odds = {"type": ["number", "null"]}
    if len(labels) > MAX_LABELS:
        return {"type": "object", "additionalProperties": odds}
    return _object({}, optional=dict.fromkeys(labels, odds))


def _object(properties: Schema, *, optional: Schema | None = None) -> Schema:
    return {
        "type": "object",
        "properties": {**properties, **(optional or {})},
        "required": list(properties),
        "additionalProperties": False,
    }


def _problem(text: str) -> Schema:
    return {"description": text, "content": {PROBLEM: {"schema": _ref("Problem")}}}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


_TYPES = {"float": "number", "integer": "integer", "string": "string", "boolean": "boolean"}
_BOUNDS = {"float": LARGEST, "integer": LARGEST_INTEGER}
_TEXT: Schema = {"type": "string"}
_CACHE = "HIT, MISS, PARTIAL or BYPASS: whether the rows came from the cache"
_ABOUT: Schema = {
    "model_id": {"type": "string", "format": "uuid"},
    "model": _TEXT,
    "model_version": {"type": "integer"},
    "cached": {"type": "boolean"},
    "prediction_id": {"type": "string", "format": "uuid"},
    "latency_ms": {"type": "number"},
}
_TOP_K: Schema = {
    "top_k": {
        "type": "integer",
        "minimum": 1,
        "description": "tell only so many of the likeliest classes",
    }
}
_WARNINGS: Schema = {"warnings": {"type": "array", "items": _ref("Warning")}}
_PROBLEMS = {
    "400": "The body is not JSON, or has another shape",
    "401": "No valid token or key",
    "403": "The role or the key may not predict",
    "404": "No such model",
    "413": "Too many bytes or rows: split the request",
    "422": "A value does not fit its column, or the model fails on it",
    "429": "Too many requests, or the quota is used up",
    "default": "Any other error",
}
_PROBLEM: Schema = {
    "type": "object",
    "description": "RFC 9457",
    "properties": {
        "type": _TEXT,
        "title": _TEXT,
        "status": {"type": "integer"},
        "detail": _TEXT,
        "code": {"type": "string", "description": "stable: programs may depend on it"},
        "request_id": {"type": ["string", "null"]},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"pointer": _TEXT, "code": _TEXT, "detail": _TEXT},
            },
        },
    },
    "required": ["type", "title", "status", "detail", "code"],
}
_SECURITY: Schema = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An access token from /api/v1/auth/login, or an API key",
    },
    "api_key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
