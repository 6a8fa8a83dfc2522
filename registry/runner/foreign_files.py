"""Files that are no model of ours: what each is, and what its owner can do."""

from registry.exports import ADVICE, ANY_OTHER, PAGE
from registry.runner.compressed import beginning, is_compressed
from registry.runner.refusals import Refused

SAVE = "Save the fitted model with joblib.dump(model, path) and upload that file."
# Of torch.save before its zip files: a pickled number comes first.
PYTORCH_NUMBER = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19"
LOOKED_AT = 4096

# (where, the bytes there, what it is, what to do)
MAGICS: list[tuple[int, bytes, str, str]] = [
    (4, b"ORTM", "in onnxruntime's own format", "Upload the .onnx file it was made of."),
    (4, b"TFL3", "a TensorFlow Lite model", ADVICE["tensorflow"]),
    (0, b"GGUF", "a GGUF language model", f"Those are not served here; {PAGE} says what is."),
    (0, b"X\n\x00\x00\x00", "an R object (.rds)", ANY_OTHER),
    (0, b"A\n3\n2", "an R object (.rds)", ANY_OTHER),
    (0, b"RDX", "an R workspace", ANY_OTHER),
    (0, b"RDA", "an R workspace", ANY_OTHER),
    (0, b"MATLAB", "a MATLAB file", ANY_OTHER),
    (0, b"ZF0x", "a file of joblib older than 0.10", SAVE),
    (0, b"\x93NUMPY", "a NumPy array", SAVE),
    (0, b"PAR1", "a Parquet table", SAVE),
    (0, b"ARROW1", "an Arrow table", SAVE),
    (0, b"SQLite", "a SQLite database", SAVE),
    (0, b"%PDF", "a PDF document", SAVE),
    (0, b"\x89PNG", "a PNG image", SAVE),
    (0, b"\xff\xd8\xff", "a JPEG image", SAVE),
    (0, b"\x7fELF", "a program", SAVE),
    (0, b"MZ", "a program", SAVE),
    (0, b"#!", "a script", SAVE),
    (0, b"7z\xbc\xaf", "a 7-Zip archive", "Upload the model file itself, or a ZIP archive."),
    (0, b"Rar!", "a RAR archive", "Upload the model file itself, or a ZIP archive."),
    (257, b"ustar", "a tar archive", "Upload the model file itself, or an MLflow model as ZIP."),
    (0, b"\x28\xb5\x2f\xfd", "compressed with Zstandard", "Upload the file uncompressed."),
    (0, b"PK\x05\x06", "an empty ZIP archive", SAVE),
]
# What text begins with, in small letters, or holds: the first that fits.
TEXTS: list[tuple[bytes, str, str]] = [
    (b"<pmml", "a PMML document", ANY_OTHER),
    (b"<!doctype html", "a web page", "The download of the model failed; fetch the file itself."),
    (b"<html", "a web page", "The download of the model failed; fetch the file itself."),
    (b"git-lfs.github.com", "a pointer of Git LFS, not the file", "Run git lfs pull first."),
    (b'"nbformat"', "a Jupyter notebook", SAVE),
    (b'"cells"', "a Jupyter notebook", SAVE),
    (b'"modeltopology"', "a TensorFlow.js model", ADVICE["tensorflow"]),
    (b"artifact_path:", "the MLmodel file alone", "Upload the whole MLflow folder as a ZIP."),
    (b"flavors:", "the MLmodel file alone", "Upload the whole MLflow folder as a ZIP."),
]


def refusal(content: bytes) -> Refused:
    """Why a file that is no zip is not served."""
    if not content:
        return Refused("empty", f"The file is empty. {SAVE}")
    start = beginning(content)
    if is_compressed(content) and not start:
        return Refused("unreadable", f"The file is compressed, but damaged or cut off. {SAVE}")
    kind, advice = _framework_of(start) or _kind_of(start)
    return _refused(kind, advice, packed=start is not content)


def is_pytorch(content: bytes) -> bool:
    """Whether it is a pickle of torch.save, as it was before its zip files."""
    return PYTORCH_NUMBER in content[:16]


def zip_refusal(names: list[str]) -> Refused:
    """Why a zip of these members is not served."""
    files = {name.split("/")[-1] for name in names}
    for wanted, kind, advice in ZIPS:
        if wanted & files:
            return _refused(kind, advice)
    if files and all(name.endswith(".npy") for name in names):
        return _refused("an archive of NumPy arrays", SAVE)
    return _refused(
        "a ZIP archive, but neither a skops file nor an MLflow model folder",
        "Upload the model file itself.",
    )


# Telling members of a zip: the first that fits.
ZIPS: list[tuple[set[str], str, str]] = [
    ({"data.pkl"}, "a PyTorch model", ADVICE["pytorch"]),
    ({"model.weights.h5"}, "a Keras model", ADVICE["keras"]),
    ({"saved_model.pb", "keras_metadata.pb"}, "a TensorFlow SavedModel", ADVICE["tensorflow"]),
    ({"[Content_Types].xml"}, "an Office document", SAVE),
    ({"model.ini"}, "an H2O model", ANY_OTHER),
    ({"MANIFEST.MF"}, "a Java archive", ANY_OTHER),
    ({"MLmodel"}, "a ZIP archive with an MLmodel file too deep inside",
     "Pack the model's own folder, the one that holds MLmodel."),
]  # fmt: skip


def _refused(kind: str, advice: str, *, packed: bool = False) -> Refused:
    code = "export_needed" if advice in ADVICE.values() else "unreadable"
    holds = "holds, compressed, a file that is" if packed else "is"
    return Refused(code, f"The file {holds} {kind}. {advice}")


def _framework_of(start: bytes) -> tuple[str, str] | None:
    if is_pytorch(start):
        return "a PyTorch model", ADVICE["pytorch"]
    if start.startswith(b"\x89HDF"):
        return "an HDF5 file, which Keras saves", ADVICE["keras"]
    if start[:4] == b"\x08\x01\x12" + start[3:4] and b"serve" in start[:LOOKED_AT]:
        return "a TensorFlow SavedModel", ADVICE["tensorflow"]
    if start[8:10] == b'{"' and int.from_bytes(start[:8], "little") < 1 << 30:
        return "safetensors: weights without the model", ADVICE["pytorch"]
    return None


def _kind_of(start: bytes) -> tuple[str, str]:
    for at, magic, kind, advice in MAGICS:
        if start[at : at + len(magic)] == magic:
            return kind, advice
    if not is_text(start[:LOOKED_AT]):
        return f"of a kind that is not known here ({start[:8].hex(' ')} …)", SAVE
    lowered = start[:LOOKED_AT].lower()
    for text, kind, advice in TEXTS:
        if text in lowered:
            return kind, advice
    return _text_kind(lowered), f"{SAVE} {PAGE} says which formats are served."


def _text_kind(text: bytes) -> str:
    first = text.lstrip()[:1]
    if first in (b"{", b"["):
        return "JSON, not a model"
    if first == b"<":
        return "XML, not a model"
    lines = text.splitlines()[:2]
    for separator in (b",", b";", b"\t"):
        if len(lines) == 2 and lines[0].count(separator) == lines[1].count(separator) > 0:
            return "a table (CSV), not a model"
    return "text, not a model"


def is_text(start: bytes) -> bool:
    """Whether it reads as text; its last character may be cut."""
    try:
        text = start.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.reason != "unexpected end of data":
            return False
        text = start[: error.start].decode("utf-8-sig")
    return all(one.isprintable() or one in "\r\n\t\f" for one in text)
