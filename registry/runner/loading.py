"""Bytes to an estimator: what was saved with joblib or pickle, whatever its name.

Runs only in a sandboxed child: loading a pickle is running its author's program.
"""

import bz2
import gzip
import io
import lzma
import pickle
import warnings
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import joblib.compressor
import joblib.numpy_pickle
import numpy as np
import sklearn
from sklearn.base import BaseEstimator
from sklearn.exceptions import InconsistentVersionWarning

from registry.exports import ADVICE
from registry.runner import boosters, old_versions, scan
from registry.runner.refusals import Refused

SAVE_HINT = "Save the fitted model with joblib.dump(model, path)."
FOREIGN = {
    b"PK\x03\x04": "a ZIP archive",
    b"\x89HDF": "an HDF5 file",
    b"\x7fELF": "a program",
    b"%PDF": "a PDF document",
    b"\x89PNG": "a PNG image",
    b"PAR1": "a Parquet file",
    b"\x93NUM": "a NumPy array file",
    b"SQLi": "a SQLite database",
}
FRAMEWORKS = {
    "torch": "pytorch",
    "skorch": "pytorch",
    "tensorflow": "tensorflow",
    "keras": "keras",
    "scikeras": "keras",
}
ARRAY_WRAPPER = "joblib.numpy_pickle.NumpyArrayWrapper"
LEGACY_WRAPPERS = ("NDArrayWrapper", "ZNDArrayWrapper")
MAX_NESTED = 100_000
# An honest file shrinks tenfold; zeros by more than a thousand.
MAX_UNPACKED = 1 << 30
MAX_SHRINKING = 250
ALWAYS_UNPACKED = 256 << 20
UNPACKED_AT_ONCE = 16 << 20


@dataclass(frozen=True)
class Stated:
    """A column as written down beside the model; `dtype` is None for types that are not ours."""

    name: str
    dtype: str | None
    is_required: bool


@dataclass
class Opened:
    """An estimator and what opening it told."""

    estimator: Any
    imports: list[str] = field(default_factory=list)
    trained_with: str = sklearn.__version__
    warnings: list[str] = field(default_factory=list)
    stated: list[Stated] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)


def open_pickle(content: bytes) -> Opened:
    """What was pickled. Raises Refused or MemoryError."""
    stream = decompressed(content)
    boosters.refuse_texts(stream)
    imports = scan.refuse_imports(stream)
    _refuse_other_kinds(stream, imports)
    return opened_by(lambda: _unpickled(stream, imports), imports)


def opened_by(load: Callable[[], Any], imports: list[str]) -> Opened:
    """What `load` answers, ready to be asked, and what loading it told. Raises what it raises."""
    opened = Opened(estimator=None, imports=imports)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with scan.watching():
            opened.estimator = load()
    _note_release(opened, caught)
    if opened.trained_with != sklearn.__version__:
        old_versions.mend(nested(opened.estimator), old_versions.numbers_of(opened.trained_with))
    opened.estimator = boosters.as_estimator(opened.estimator)
    single_threaded(opened.estimator)
    return opened


def single_threaded(estimator: Any) -> Any:
    """`estimator` with one thread everywhere inside: a child may not start any.

    K-means remembers as `_n_threads` how many cores it was fitted on.
    """
    for part in nested(estimator):
        boosters.settle(part)
        for threads in ("n_jobs", "_n_threads"):
            if getattr(part, threads, 1) not in (1, None):
                setattr(part, threads, 1)
    return estimator


def nested(root: Any) -> Iterator[Any]:
    """Every estimator reachable from `root`, itself first."""
    waiting, seen = [root], set()
    while waiting and len(seen) < MAX_NESTED:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, BaseEstimator | boosters.Other):
            yield one
        waiting.extend(_parts(one))


def _parts(one: Any) -> list[Any]:
    if isinstance(one, BaseEstimator) or _is_of_scikit_learn(one):
        return [part for part in getattr(one, "__dict__", {}).values() if _may_hold(part)]
    if isinstance(one, dict):
        return [part for part in one.values() if _may_hold(part)]
    if isinstance(one, np.ndarray):
        return [part for part in one.ravel().tolist() if _may_hold(part)]
    if isinstance(one, list | tuple):
        return [part for part in one if _may_hold(part)]
    return []


def _may_hold(part: Any) -> bool:
    if isinstance(part, np.ndarray):
        return part.dtype == object
    models = BaseEstimator | boosters.Other | dict | list | tuple
    return isinstance(part, models) or _is_of_scikit_learn(part)


def _is_of_scikit_learn(part: Any) -> bool:
    # A calibrated classifier, a loss: they are no estimators, but may hold one.
    return type(part).__module__.startswith("sklearn.")


def decompressed(content: bytes) -> bytes:
    """What joblib compressed, or `content` as it is. Raises Refused or MemoryError."""
    if not content:
        raise Refused("empty", f"The file is empty. {SAVE_HINT}")
    try:
        return _decompress(content)
    except (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError) as error:
        raise Refused(
            "unreadable",
            f"The file is damaged or cut off: it cannot be decompressed ({error}). {SAVE_HINT}",
        ) from None


def _decompress(content: bytes) -> bytes:
    packed = io.BytesIO(content)
    if content.startswith(b"\x1f\x8b"):
        return _all_of(gzip.GzipFile(fileobj=packed), len(content))
    if content.startswith(b"BZh"):
        return _all_of(bz2.BZ2File(packed), len(content))
    if content.startswith((b"\xfd7zXZ", b"\x5d\x00\x00")):
        return _all_of(lzma.LZMAFile(packed), len(content))
    if content.startswith(b"\x04\x22\x4d\x18"):
        return _all_of(_lz4_file(packed), len(content))
    if content[:1] == b"\x78" and content[1:2] in b"\x01\x5e\x9c\xda":
        return _all_of(joblib.compressor.BinaryZlibFile(packed), len(content))
    return content


def _all_of(file: Any, packed_size: int) -> bytes:
    """What is packed in `file`, unless that is a bomb."""
    most = min(MAX_UNPACKED, max(ALWAYS_UNPACKED, MAX_SHRINKING * packed_size))
    parts, size = [], 0
    while part := file.read(UNPACKED_AT_ONCE):
        parts.append(part)
        size += len(part)
        if size > most:
            raise Refused(
                "too_large",
                f"The file of {packed_size >> 10} KiB unpacks to more than {most >> 20} MiB, "
                "which is more than is accepted.",
            )
    return b"".join(parts)


def _lz4_file(packed: io.BytesIO) -> Any:
    try:
        import lz4.frame
    except ImportError:
        raise Refused(
            "unreadable",
            "The file is compressed with LZ4, which is not supported here. "
            "Save it with joblib.dump(model, path, compress=3).",
        ) from None
    return lz4.frame.LZ4FrameFile(packed)


def _refuse_other_kinds(stream: bytes, imports: list[str]) -> None:
    kind = next((kind for magic, kind in FOREIGN.items() if stream.startswith(magic)), None)
    if kind is None and stream[:1] != b"\x80" and not imports:
        kind = "text" if _is_text(stream[:4096]) else "of an unknown kind"
    if kind:
        raise Refused(
            "unreadable", f"The file is {kind}, not a pickled scikit-learn model. {SAVE_HINT}"
        )


def _is_text(head: bytes) -> bool:
    try:
        return head[:4000].decode("utf-8", errors="strict").isprintable() or b"\n" in head
    except UnicodeDecodeError:
        return False


def _unpickled(stream: bytes, imports: list[str]) -> Any:
    try:
        return _unpickler(stream, imports).load()
    except (Refused, MemoryError):
        raise
    except EOFError:
        raise Refused(
            "unreadable", f"The file ends too early: it was cut off. {SAVE_HINT}"
        ) from None
    except RecursionError:
        raise Refused("unreadable", "The file nests objects too deeply to be a model.") from None
    except Exception as error:
        raise Refused("unreadable", _why_unreadable(stream, error)) from None


def _why_unreadable(stream: bytes, error: Exception) -> str:
    said = f"{type(error).__name__}: {error}"[:200]
    if isinstance(error, pickle.UnpicklingError | ValueError) and "truncated" in said:
        return f"The file ends too early: it was cut off. {SAVE_HINT}"
    if not stream.rstrip(b"\n").endswith(b"."):
        return f"The file is damaged or cut off ({said}). {SAVE_HINT}"
    return f"The file cannot be opened as a scikit-learn {sklearn.__version__} model ({said})."


def _note_release(opened: Opened, caught: list[warnings.WarningMessage]) -> None:
    for warning in caught:
        if isinstance(warning.message, InconsistentVersionWarning):
            opened.trained_with = str(warning.message.original_sklearn_version)


def _unpickler(stream: bytes, imports: list[str]) -> pickle.Unpickler | pickle._Unpickler:
    if b"numpy_pickle" in stream:
        # joblib's own reader is pure Python; plain pickles take the fast one.
        return _JoblibUnpickler(stream, imports)
    return _PlainUnpickler(stream, imports)


class _Importing:
    """Says no to what a model does not need, and in plain words to what is not installed."""

    imports: list[str]

    def find_class(self, module: str, name: str) -> Any:
        full = f"{module}.{name}"
        scan.refuse_import(module, name)
        if name.rpartition(".")[2] in LEGACY_WRAPPERS:
            raise Refused(
                "unreadable",
                f"The file was saved by a joblib older than 0.10, in several files. {SAVE_HINT}",
            )
        if full not in self.imports:
            self.imports.append(full)
        moved = old_versions.replacement(module, name)
        if moved is not None:
            return moved
        try:
            return super().find_class(module, name)
        except (ImportError, AttributeError, OSError):
            raise Refused("needs_module", _what_is_missing(module, name)) from None


class _PlainUnpickler(_Importing, pickle.Unpickler):
    def __init__(self, stream: bytes, imports: list[str]) -> None:
        super().__init__(io.BytesIO(stream))
        self.imports = imports


class _JoblibUnpickler(_Importing, joblib.numpy_pickle.NumpyUnpickler):
    def __init__(self, stream: bytes, imports: list[str]) -> None:
        super().__init__("", io.BytesIO(stream), ensure_native_byte_order=True)
        self.imports = imports


def _what_is_missing(module: str, name: str) -> str:
    top = module.partition(".")[0]
    if top == "sklearn":
        return (
            f"The model uses {module}.{name}, which scikit-learn {sklearn.__version__} does not "
            "have. Train and save it again with that version."
        )
    if top == "__main__":
        return (
            f"The model uses your own {name}, defined in the script or notebook that saved it. "
            "Use scikit-learn's own estimators, or save it with cloudpickle, which keeps the code."
        )
    needs = f"The model needs {name} from the module {module}, which is not available here."
    if top in FRAMEWORKS:
        return f"{needs} {ADVICE[FRAMEWORKS[top]]}"
    return f"{needs} Only scikit-learn, XGBoost, LightGBM, CatBoost, NumPy, SciPy and pandas are."
