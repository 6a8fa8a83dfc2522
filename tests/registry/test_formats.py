"""registry.runner.sniffing.sniff and what registry.formats says of a file's name"""

import bz2
import gzip
import io
import pickle
import tarfile
import zipfile

import joblib
import numpy as np
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression

from registry import exports, formats
from registry.runner.refusals import Refused
from registry.runner.sniffing import sniff
from tests import artifacts

PYTORCH_LEGACY = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03."


def archived(members: dict) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def refusal(content: bytes) -> Refused:
    with pytest.raises(Refused) as caught:
        sniff(content)
    return caught.value


def saved_with(compress) -> bytes:
    file = io.BytesIO()
    joblib.dump(artifacts.fitted("logistic"), file, compress=compress)
    return file.getvalue()


@pytest.mark.parametrize(
    "compress",
    [0, 3, ("zlib", 1), ("zlib", 9), ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3), ("lz4", 3)],
    ids=str,
)
def test_joblib_is_told_in_every_compression(compress):
    assert sniff(saved_with(compress)) == "sklearn"


@pytest.mark.parametrize("protocol", range(6))
def test_pickles_are_told_in_every_protocol(protocol):
    model = artifacts.fitted("logistic")

    assert sniff(pickle.dumps(model, protocol=protocol)) == "sklearn"
    file = io.BytesIO()
    joblib.dump(model, file, protocol=protocol)
    assert sniff(file.getvalue()) == "sklearn"


def test_skops_is_told():
    assert sniff(skops.io.dumps(LogisticRegression().fit([[0.0], [1.0]], [0, 1]))) == "skops"


def test_onnx_is_told():
    graph = artifacts.graph_of("logistic")

    assert sniff(graph) == "onnx"
    assert "cut off" in refusal(graph[: len(graph) // 2]).reason


@pytest.mark.parametrize("folder", ["", "model/"])
def test_an_mlflow_folder_is_told(folder):
    assert sniff(archived({f"{folder}MLmodel": "flavors:", f"{folder}model.pkl": b"x"})) == "mlflow"


@pytest.mark.parametrize(
    ("content", "fmt"),
    [
        (b'{"learner": {}, "version": [3, 2, 0]}', "xgboost"),
        (b"{L\x00\x00\x00\x00\x00\x00\x00\x07learner{", "xgboost"),
        (b"tree\nversion=v4\n", "lightgbm"),
        (b"CBM1\x00\x00", "catboost"),
    ],
)
def test_boosters_own_files_are_told(content, fmt):
    assert sniff(content) == fmt


@pytest.mark.parametrize(
    ("content", "framework", "said"),
    [
        (archived({"net/data.pkl": b"", "net/version": b"3"}), "pytorch", "PyTorch"),
        (archived({"net/data.pkl": b"", "net/code/__torch__.py": b""}), "pytorch", "PyTorch"),
        (PYTORCH_LEGACY, "pytorch", "PyTorch"),
        (archived({"config.json": b"", "model.weights.h5": b""}), "keras", "Keras"),
        (b"\x89HDF\r\n\x1a\n" + bytes(50), "keras", "HDF5"),
        (archived({"net/saved_model.pb": b"", "net/variables/x": b""}), "tensorflow", "SavedModel"),
        (b"\x08\x01\x12\x90\x04\x0a\x10\x2a\x05serve", "tensorflow", "SavedModel"),
        (b"\x1c\x00\x00\x00TFL3" + bytes(50), "tensorflow", "Lite"),
        ((8).to_bytes(8, "little") + b'{"a":{}}', "pytorch", "safetensors"),
    ],
)  # fmt: skip
def test_other_frameworks_are_told_how_to_export(content, framework, said):
    told = refusal(content)

    assert told.code == "export_needed"
    assert said in told.reason
    assert told.reason.endswith(exports.ADVICE[framework])


def npz() -> bytes:
    file = io.BytesIO()
    np.savez(file, coef=np.zeros(3), intercept=np.zeros(1))
    return file.getvalue()


def tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("model.joblib"))
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"GGUF\x03\x00\x00\x00", "GGUF"),
        (b"X\n\x00\x00\x00\x03\x00\x04", "R object"),
        (gzip.compress(b"X\n\x00\x00\x00\x03\x00\x04"), "R object"),
        (gzip.compress(b"RDX3\nX\n"), "R workspace"),
        (b'<?xml version="1.0"?><PMML version="4.4">', "PMML"),
        (b"<!DOCTYPE html><html><head>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1", "Git LFS"),
        (b'{"cells": [], "nbformat": 4}', "notebook"),
        (b'{"coef": [1, 2]}', "JSON"),
        (b"age,income\n31,4000\n", "CSV"),
        (b"0.5,1.2\n0.6,1.3\n", "CSV"),
        (b"city\nOslo\nRome\n", "text"),
        (b"not a model at all", "text"),
        (b"Gr\xc3\xbc\xc3\x9fe aus K\xc3\xb6ln", "text"),
        (b"PAR1\x15\x04", "Parquet"),
        (npz(), "NumPy arrays"),
        (b"\x93NUMPY\x01\x00", "NumPy array"),
        (tar(), "tar archive"),
        (b"flavors:\n  sklearn: {}\n", "MLmodel file alone"),
        (archived({"[Content_Types].xml": b"", "xl/workbook.xml": b""}), "Office"),
        (archived({"a/b/MLmodel": b""}), "too deep"),
        (archived({"model.joblib": b"x"}), "neither a skops file nor an MLflow"),
        (b"PK\x03\x04 and no end", "damaged"),
        (b"\x00\x00\x00\x00ORTM", "onnxruntime's own"),
        (gzip.compress(b"a,b\n1,2\n"), "compressed"),
        (b"\x1f\x8b\xff\xff and no end", "damaged"),
        (bz2.compress(b"x" * 999)[:20], "damaged"),
        (b"\x28\xb5\x2f\xfd\x04", "Zstandard"),
        (b"\x00\x01\x02\x03", "not known here"),
        (b"\x80\x09.", "not known here"),
        (b"\x08", "not known here"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_anything_else_is_named(content, said):
    told = refusal(content)

    assert told.code == "unreadable"
    assert said in told.reason


def test_an_empty_file_is_told():
    assert refusal(b"").code == "empty"


def test_a_zip_of_too_many_members_is_not_listed():
    assert "too many members" in refusal(b"PK\x03\x04" + b"PK\x01\x02" * 20_001).reason


@pytest.mark.parametrize(
    ("declared", "fmt", "said"),
    [
        ("auto", "onnx", ""),
        ("", "onnx", ""),
        ("sklearn", "sklearn", ""),
        ("sklearn", "skops", ""),
        ("xgboost", "sklearn", ""),
        ("sklearn", "onnx", "You called it sklearn; the bytes are ONNX, and they decide."),
        ("onnx", "sklearn", "You called it onnx; the bytes are a pickle, and they decide."),
    ],
)
def test_a_wrong_name_is_told(declared, fmt, said):
    assert formats.disagreement(declared, fmt) == said
