"""What an upload is, by its bytes: pure Python that opens nothing. No model library in here."""

import io
import pickletools
import zipfile
from collections.abc import Iterator
from itertools import islice

from registry.formats import CATBOOST, LIGHTGBM, MLFLOW, ONNX, SKLEARN, SKOPS, XGBOOST
from registry.runner import foreign_files
from registry.runner.compressed import beginning
from registry.runner.refusals import Refused

ZIP = b"PK\x03\x04"
# A zip's list of members is read whole; each of them has this mark.
MEMBER = b"PK\x01\x02"
MAX_MEMBERS = 20_000

# Pickles without a protocol's mark are told by their first opcodes; so many that make
# sense are no accident.
OPCODES_TRIED = 2000
OPCODES_ENOUGH = 20

# The fields of a ModelProto: ir_version, producer, …, graph, opsets, metadata, functions.
MODEL_FIELDS = {1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26}
GRAPH_FIELD = 7
SAVE_ONNX = "Export the model again and upload the whole file."
MAX_FIELDS = 10_000


def sniff(content: bytes) -> str:
    """The format by the bytes alone: a file's name and its owner's word are no evidence.

    Raises Refused with what the file is and what to do, when it is none of ours.
    """
    if content.startswith(ZIP):
        return _sniff_zip(content)
    if _is_xgboost(content):
        return XGBOOST
    if content.startswith((b"tree\n", b"tree\r\n")):
        return LIGHTGBM
    if content.startswith(b"CBM1"):
        return CATBOOST
    if _is_onnx(content):
        return ONNX
    if is_pickle(beginning(content)):
        return SKLEARN
    raise foreign_files.refusal(content)


def is_pickle(content: bytes) -> bool:
    """Whether it begins as the pickles do that we open, of any protocol."""
    if content[:1] == b"\x80":
        return b"" < content[1:2] <= b"\x05" and not foreign_files.is_pytorch(content)
    return _is_old_pickle(content)


def mlmodel_of(names: list[str]) -> str | None:
    """Of a zip's members the MLmodel file, at the top or inside one folder."""
    found = [name for name in names if name.split("/")[-1] == "MLmodel" and name.count("/") < 2]
    return min(found, key=len) if found else None


def _is_old_pickle(content: bytes) -> bool:
    """Protocol 0 has no mark: opcodes that import something and make sense after it."""
    count, imports = 0, False
    try:
        for opcode, argument, _ in islice(pickletools.genops(content), OPCODES_TRIED):
            count += 1
            imports = imports or _imports(opcode.name, str(argument))
            if opcode.name == "STOP":
                return imports
    except ValueError:
        pass  # joblib writes raw arrays between opcodes
    return imports and count >= OPCODES_ENOUGH


def _imports(opcode: str, argument: str) -> bool:
    if opcode not in ("GLOBAL", "INST"):
        return opcode == "STACK_GLOBAL"
    module, _, name = argument.partition(" ")
    return all(part.isidentifier() for part in f"{module}.{name}".split("."))


def _sniff_zip(content: bytes) -> str:
    names = _members(content)
    if "schema.json" in names:
        return SKOPS
    if mlmodel_of(names):
        return MLFLOW
    raise foreign_files.zip_refusal(names)


def _members(content: bytes) -> list[str]:
    if content.count(MEMBER) > MAX_MEMBERS:
        raise Refused("unreadable", "The file is a ZIP archive of too many members for a model.")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, EOFError):
        raise Refused(
            "unreadable",
            "The file is a ZIP archive that is damaged or cut off. Save and upload it again.",
        ) from None


def _is_xgboost(content: bytes) -> bool:
    """JSON or UBJSON with a learner, or the binary format that XGBoost gave up in 3.1."""
    if content.startswith((b"binf", b"bs64")):
        return True
    return content[:64].lstrip()[:1] == b"{" and b"learner" in content


def _is_onnx(content: bytes) -> bool:
    """Whether the outermost fields are a ModelProto's, a graph among them."""
    if content[:1] != b"\x08" or content[4:8] in (b"ORTM", b"TFL3"):
        return False
    seen: set[int] = set()
    try:
        seen.update(islice(_fields_of(content), MAX_FIELDS))
    except EOFError:
        if {1, GRAPH_FIELD} <= seen <= MODEL_FIELDS:
            raise Refused("unreadable", f"The ONNX file is cut off. {SAVE_ONNX}") from None
        return False
    except ValueError:
        return False
    return seen <= MODEL_FIELDS and GRAPH_FIELD in seen


def _fields_of(content: bytes) -> Iterator[int]:
    """The numbers of a protobuf message's fields. Raises ValueError or, cut off, EOFError."""
    at = 0
    while at < len(content):
        key, at = _varint(content, at)
        yield key >> 3
        if key & 7 == 0:
            _, at = _varint(content, at)
        elif key & 7 == 2:
            length, at = _varint(content, at)
            at += length
        else:
            raise ValueError("a kind of field that no model has")
    if at > len(content):
        raise EOFError


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(content):
            raise EOFError
        byte = content[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise ValueError("a number that does not end")
