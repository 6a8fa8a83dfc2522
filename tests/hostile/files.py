"""Archives that lie, boosters that are broken, and files that are no models."""

import io
import json
import os
import pickle
import struct
import zipfile
from functools import cache

import numpy as np

from tests.hostile.bytes import Bait, calling, honest


def zipped(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", compression) as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return made.getvalue()


def archives(bait: Bait) -> dict[str, bytes]:
    """Archives that lie, or hold what nobody may unpack."""
    plain = calling("posix", "mkdir", bait.folder)
    mlmodel = (
        b"flavors:\n  sklearn:\n    pickled_model: model.pkl\n    serialization_format: pickle\n"
    )
    schema = b'{"__class__": "mkdir", "__module__": "posix", "__loader__": "FunctionNode", "content": {"function": "mkdir"}}'
    return {
        "MLflow with a hostile pickle": zipped({"MLmodel": mlmodel, "model.pkl": plain}),
        "MLflow that names a path": zipped(
            {"MLmodel": mlmodel.replace(b"model.pkl", bait.secret.encode()), "model.pkl": plain}
        ),
        "MLflow that climbs": zipped(
            {"MLmodel": mlmodel.replace(b"model.pkl", b"../../model.pkl"), "../../model.pkl": plain}
        ),
        "MLflow with code in its YAML": zipped(
            {"MLmodel": f"flavors: !!python/object/apply:os.mkdir [{bait.folder}]\n".encode()}
        ),
        "MLflow with a YAML bomb": zipped({"MLmodel": _yaml_bomb()}),
        "MLflow with no flavour": zipped({"MLmodel": b"flavors: {}\n"}),
        "MLflow that is a list": zipped({"MLmodel": b"- 1\n"}),
        "MLflow with a pyfunc": zipped(
            {"MLmodel": b"flavors:\n  python_function:\n    loader_module: os\n", "os.py": b"1"}
        ),
        "a link": _zip_link(bait.secret),
        "two of one name": _zip_twice(honest(), plain),
        "a member that bombs": zipped({"MLmodel": mlmodel, "model.pkl": bytes(512 << 20)}),
        "members that overlap": _zip_overlapping(),
        "a million members": zipped({f"{n}": b"" for n in range(20_000)}),
        "a lying directory": zipped({"MLmodel": mlmodel, "model.pkl": honest()})[:-30],
        "a skops file of its own type": zipped({"schema.json": schema}),
        "a skops file too deep": zipped(
            {"schema.json": b'{"content":' * 100_000 + b"1" + b"}" * 100_000}
        ),
        "a skops file that is a pickle": zipped({"schema.json": plain}),
        "a torch file": zipped(
            {"archive/data.pkl": plain, "archive/version": b"3"}, zipfile.ZIP_STORED
        ),
        "a Keras file": zipped(
            {"config.json": b'{"class_name": "Lambda"}', "model.weights.h5": b""}
        ),
        "only the magic of a zip": b"PK\x03\x04" + bytes(100),
        "an empty zip": b"PK\x05\x06" + bytes(18),
    }


def skops_files(bait: Bait) -> dict[str, bytes]:
    """A real skops file whose schema was rewritten: other types, other loaders, other sizes."""

    def rewritten(old: str, new: str) -> bytes:
        schema = json.loads(zipfile.ZipFile(io.BytesIO(_skops())).read("schema.json"))
        text = json.dumps(schema)
        assert old in text, old
        return _skops_with(text.replace(old, new, 1))

    logistic = '"__class__": "LogisticRegression", "__module__": "sklearn.linear_model._logistic"'
    kind = '"__loader__": "ObjectNode"'
    own = f"{logistic}, {kind}"
    system = '"__class__": "mkdir", "__module__": "posix"'
    content = f'"content": {{"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": "\\"{bait.folder}\\"", "is_json": true}}'
    return {
        "skops: another class": rewritten(logistic, system),
        "skops: a class of ours": rewritten(
            logistic, '"__class__": "Refused", "__module__": "registry.runner.refusals"'
        ),
        "skops: a function node": rewritten(own, f'{system}, "__loader__": "FunctionNode"'),
        "skops: a method node": rewritten(own, f'{logistic}, "__loader__": "MethodNode"'),
        "skops: an operator node": rewritten(
            own,
            '"__class__": "methodcaller", "__module__": "operator", "__loader__": "OperatorFuncNode"',
        ),
        "skops: a partial node": rewritten(
            own, '"__class__": "partial", "__module__": "functools", "__loader__": "PartialNode"'
        ),
        "skops: a type node": rewritten(own, f'{system}, "__loader__": "TypeNode", {content}'),
        "skops: a constructor from outside": rewritten(
            own, '"__class__": "Popen", "__module__": "subprocess", "__loader__": "ReduceNode"'
        ),
        "skops: a node nobody knows": rewritten(kind, '"__loader__": "OwnNode"'),
        "skops: a joblib node": rewritten(kind, '"__loader__": "JoblibNode"'),
        "skops: a file from outside": rewritten('"file": "', '"file": "../../../'),
        "skops: a file that is not there": rewritten('"file": "', '"file": "x'),
        "skops: a protocol of the future": rewritten('"protocol": ', '"protocol": 99'),
        "skops: dotted names": rewritten(
            logistic, '"__class__": "os.mkdir", "__module__": "sklearn.datasets._base"'
        ),
        "skops: a list for a schema": _skops_with("[]"),
        "skops: a schema of 10^6 nodes": _skops_with("[" + "{}," * 1_000_000 + "{}]"),
        "skops: an array with objects": _skops_arrays(
            _npy(np.array([_Mkdir(bait.folder)], dtype=object))
        ),
        "skops: an array of 2^60": _skops_arrays(
            _npy(np.zeros(3)).replace(b"(3,), ", b"(%d,), " % 2**60)
        ),
    }


class _Mkdir:
    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple:
        return os.mkdir, (self.folder,)


def _npy(array: np.ndarray) -> bytes:
    made = io.BytesIO()
    np.save(made, array, allow_pickle=True)
    return made.getvalue()


@cache
def _skops() -> bytes:
    import skops.io

    return skops.io.dumps(pickle.loads(honest()))


def _skops_with(schema: str) -> bytes:
    archive = zipfile.ZipFile(io.BytesIO(_skops()))
    members = {name: archive.read(name) for name in archive.namelist()}
    return zipped(members | {"schema.json": schema.encode()})


def _skops_arrays(array: bytes) -> bytes:
    archive = zipfile.ZipFile(io.BytesIO(_skops()))
    members = {
        name: array if name.endswith(".npy") else archive.read(name) for name in archive.namelist()
    }
    return zipped(members)


def _yaml_bomb() -> bytes:
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    return "\n".join([*lines, "flavors: *a11"]).encode()


def _zip_link(target: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("MLmodel", b"flavors:\n  sklearn:\n    pickled_model: model.pkl\n")
        link = zipfile.ZipInfo("model.pkl")
        link.create_system = 3
        link.external_attr = 0o120777 << 16
        archive.writestr(link, target)
    return made.getvalue()


def _zip_twice(first: bytes, second: bytes) -> bytes:
    mlmodel = b"flavors:\n  sklearn:\n    pickled_model: model.pkl\n"
    content = zipped(
        {"MLmodel": mlmodel, "model.pkl": first, "model.pkX": second}, zipfile.ZIP_STORED
    )
    return content.replace(b"model.pkX", b"model.pkl")


def _zip_overlapping() -> bytes:
    """Two entries of the directory that begin at the same byte."""
    content = bytearray(zipped({"MLmodel": b"flavors: {}\n", "model.pkl": b"x" * 1000}))
    second = content.rindex(b"PK\x01\x02")
    content[second + 42 : second + 46] = bytes(4)
    return bytes(content)


def boosters(bait: Bait) -> dict[str, bytes]:
    """Files of boosting libraries, which check little of what they read."""
    xgboost = _xgboost()
    trees = _lightgbm()
    return {
        "XGBoost: 400000 brackets": b'{"learner": ' + b"[" * 400_000,
        "XGBoost: 2e9 classes": xgboost.replace(b'"num_class":"0"', b'"num_class":"2000000000"'),
        "XGBoost: 2e9 features": xgboost.replace(
            b'"num_feature":"2"', b'"num_feature":"2000000000"'
        ),
        "XGBoost: a child far away": xgboost.replace(
            b'"left_children":[1,', b'"left_children":[1000000,'
        ),
        "XGBoost: a cycle": xgboost.replace(b'"left_children":[1,', b'"left_children":[0,'),
        "XGBoost: a column far away": xgboost.replace(
            b'"split_indices":[0,', b'"split_indices":[1000000000,'
        ),
        "XGBoost: no trees": b'{"learner": {}}',
        "XGBoost: the old binary": b"binf" + bytes(200),
        "XGBoost: cut off": xgboost[: len(xgboost) // 2],
        "LightGBM: 2e9 leaves": trees.replace(b"num_leaves=2", b"num_leaves=2000000000", 1),
        "LightGBM: minus five leaves": trees.replace(b"num_leaves=2", b"num_leaves=-5", 1),
        "LightGBM: 1e9 categories": trees.replace(b"num_cat=0", b"num_cat=1000000000", 1),
        "LightGBM: a column far away": trees.replace(
            b"split_feature=0", b"split_feature=99999999", 1
        ),
        "LightGBM: a child far away": trees.replace(b"left_child=-1", b"left_child=99999999", 1),
        "LightGBM: 2e9 classes": trees.replace(b"num_class=1", b"num_class=2000000000", 1),
        "LightGBM: 2e9 columns": trees.replace(
            b"max_feature_idx=1", b"max_feature_idx=2000000000", 1
        ),
        "LightGBM: a name of ten megabytes": trees.replace(
            b"feature_names=", b"feature_names=" + b"x" * (10 << 20), 1
        ),
        "LightGBM: only a head": b"tree\nversion=v4\n",
        "CatBoost: only a head": b"CBM1" + bytes(100),
        "CatBoost: a length beyond all": b"CBM1\xff\xff\xff\xff" + bytes(100),
        "CatBoost: rubbish": b"CBM1" + struct.pack("<I", 1000) + bytes(range(256)) * 4,
    }


@cache
def _xgboost() -> bytes:
    import xgboost

    rows = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 3.0], [3.0, 1.0]])
    model = xgboost.XGBRegressor(n_estimators=2, max_depth=1).fit(rows, [0.0, 0.0, 1.0, 1.0])
    return bytes(model.get_booster().save_raw("json"))


@cache
def _lightgbm() -> bytes:
    import lightgbm

    rows = np.arange(40.0).reshape(20, 2)
    data = lightgbm.Dataset(rows, [0.0] * 10 + [1.0] * 10)
    settings = {"num_leaves": 2, "min_data_in_leaf": 1, "verbose": -1, "objective": "regression"}
    return lightgbm.train(settings, data, 2).model_to_string().encode()


def others(bait: Bait) -> dict[str, bytes]:
    """Files of other kinds, and what is left of models."""
    return {
        "nothing": b"",
        "one byte": b"\x80",
        "text": b"import os\n",
        "a program": b"\x7fELF" + bytes(100),
        "a script": b"#!/bin/sh\nmkdir " + bait.folder.encode(),
        "zeros": bytes(1 << 20),
        "ones": b"\xff" * (1 << 20),
        "HTML": b"<html><script>alert(1)</script></html>",
        "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(100),
        "half a model": honest()[: len(honest()) // 2],
        "a model of a module nobody has": calling("imblearn.nowhere", "Model"),
    }
