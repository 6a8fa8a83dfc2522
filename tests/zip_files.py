"""Zips, honest and otherwise, and MLflow model folders as MLflow 3.17 writes them."""

import io
import json
import pickle
import zipfile
from collections.abc import Mapping

from tests import artifacts

COLUMNS = ("sepal_length", "sepal_width", "petal_length", "petal_width")
MLMODEL = """\
flavors:
  python_function:
    env: {{conda: conda.yaml, virtualenv: python_env.yaml}}
    loader_module: mlflow.{flavour}
    predict_fn: predict
    python_version: 3.11.7
  {flavour}:
    code: null
    {place}: {name}
    {version}
mlflow_version: 3.17.2
model_uuid: 41432fef70ff4b4bb12b9f8c28681766
signature:
  inputs: '{inputs}'
  outputs: '[{{"type": "tensor", "tensor-spec": {{"dtype": "int64", "shape": [-1]}}}}]'
  params: null
"""


def zipped(members: Mapping[str, bytes | str], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def columns(*, dtype: str = "double", required: bool = True) -> str:
    return json.dumps([{"type": dtype, "name": one, "required": required} for one in COLUMNS])


def mlmodel(
    flavour: str = "sklearn",
    name: str = "model.pkl",
    *,
    inputs: str = "",
    version: str = "sklearn_version: 1.9.1",
) -> str:
    place = "pickled_model" if flavour == "sklearn" else "data"
    return MLMODEL.format(
        flavour=flavour, place=place, name=name, version=version, inputs=inputs or columns()
    )


def mlflow_zip(
    content: bytes | None = None,
    flavour: str = "sklearn",
    name: str = "model.pkl",
    *,
    folder: str = "",
    more: Mapping[str, bytes | str] | None = None,
    **stated: str,
) -> bytes:
    """A model folder with this file as the model; a pickled logistic regression by default."""
    content = pickle.dumps(artifacts.fitted("logistic")) if content is None else content
    members = {
        "MLmodel": mlmodel(flavour, name, **stated),
        name: content,
        "requirements.txt": "mlflow==3.17.2\nscikit-learn==1.9.1\n",
        **(more or {}),
    }
    return zipped({f"{folder}{name}": content for name, content in members.items()})
