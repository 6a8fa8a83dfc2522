"""Served versions, made up: for what needs to know a version but runs none."""

from uuid import UUID

from registry.serving import Served
from registry.signature import Input, Signature


def make_signature(*columns, classes=None, count=1):
    columns = columns or (Input("a", "float", nullable=True), Input("b", "float"))
    proba = {"classes": classes} if classes else None
    outputs = {"predict": {"dtype": "float", "count": count}, "predict_proba": proba}
    methods = ("predict", "predict_proba") if classes else ("predict",)
    return Signature(tuple(columns), True, outputs, methods)


def make_served(**changes):
    fields = {
        "organization_id": UUID(int=1),
        "model_id": UUID(int=2),
        "model_name": "doubler",
        "version_id": UUID(int=3),
        "version_number": 1,
        "digest": "a" * 64,
        "served_digest": "b" * 64,
        "fmt": "graph",
        "host_kind": "graph",
        "host_key": "graph:1",
        "signature": make_signature(),
    }
    return Served(**{**fields, **changes})
