"""An MLflow model folder as a zip: what its MLmodel file says, and the bytes of the model in it.

Nothing is opened in here but the MLmodel file, as plain YAML.
"""

from dataclasses import dataclass
from typing import Any

import yaml

from registry.exports import ADVICE, PAGE
from registry.formats import CATBOOST, LIGHTGBM, ONNX, SKLEARN, SKOPS, XGBOOST
from registry.runner.archive import Archive
from registry.runner.facts import clean
from registry.runner.refusals import Refused
from registry.runner.sniffing import ZIP, mlmodel_of, sniff

MAX_MEMBERS = 2000
MAX_MLMODEL = 1 << 20
MAX_REQUIREMENTS = 64 << 10
# Flavour: where it names the model's file, and the formats that file may be of.
FLAVOURS = {
    "sklearn": ("pickled_model", (SKLEARN, SKOPS)),
    "xgboost": ("data", (XGBOOST, SKLEARN, SKOPS)),
    "lightgbm": ("data", (LIGHTGBM, SKLEARN, SKOPS)),
    "catboost": ("data", (CATBOOST, SKLEARN)),
    "onnx": ("data", (ONNX,)),
}
EXPORTED = {"pytorch": "pytorch", "keras": "keras", "tensorflow": "tensorflow"}
# In other formats than the library's own, a file is called what flavours call it.
PACK = "Pack the folder again as it was logged: the files under the names they have there."


@dataclass(frozen=True)
class Folder:
    """What one model folder holds."""

    flavour: str
    fmt: str
    model: bytes
    mlmodel: dict[str, Any]
    requirements: tuple[str, ...]

    @property
    def settings(self) -> dict[str, Any]:
        return self.mlmodel["flavors"][self.flavour]


def read_folder(content: bytes) -> Folder:
    """Raises Refused."""
    archive = Archive(content)
    names = archive.names
    if len(names) > MAX_MEMBERS:
        raise _refused("it has too many files")
    found = mlmodel_of(names)
    if found is None:
        raise _refused("it has no MLmodel file")
    folder = found.removesuffix("MLmodel")
    mlmodel = _mlmodel(archive.read(found, limit=MAX_MLMODEL))
    flavour = _flavour(mlmodel["flavors"])
    place, formats = FLAVOURS[flavour]
    name = _model_name(mlmodel["flavors"][flavour].get(place), folder, names)
    _refuse_nested(archive, besides=name)
    model = archive.read(name)
    fmt = sniff(model)
    if fmt not in formats:
        raise _refused(f"its flavour is {flavour}, and {clean(name)} is no file of that")
    requirements = _requirements(archive, f"{folder}requirements.txt")
    return Folder(flavour, fmt, model, mlmodel, requirements)


def _mlmodel(content: bytes) -> dict[str, Any]:
    try:
        text = content.decode()
        # An alias of an alias grows without end once merged; MLflow writes none.
        if any(isinstance(one, yaml.AliasEvent) for one in yaml.parse(text, yaml.SafeLoader)):
            raise _refused("its MLmodel file refers to itself")
        mlmodel = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError, TypeError):
        raise _refused("its MLmodel file is no YAML") from None
    flavours = mlmodel.get("flavors") if isinstance(mlmodel, dict) else None
    if not isinstance(flavours, dict) or not flavours:
        raise _refused("its MLmodel file names no flavours")
    return mlmodel


def _flavour(flavours: dict[str, Any]) -> str:
    for flavour in FLAVOURS:
        if isinstance(flavours.get(flavour), dict):
            return flavour
    for flavour, framework in EXPORTED.items():
        if flavour in flavours:
            raise Refused("export_needed", f"The MLflow model's flavour is {flavour}. "
                          f"{ADVICE[framework]}")  # fmt: skip
    named = clean(", ".join(str(one) for one in list(flavours)[:10]))
    if list(flavours) == ["python_function"]:
        raise Refused(
            "flavour_not_served",
            "The MLflow model is a Python function of your own code, which is not run here. Log "
            f"the model itself: mlflow.sklearn.log_model and the like; {PAGE} says which.",
        )
    raise Refused(
        "flavour_not_served",
        f"Of the MLflow model's flavours ({named}) none is served here: {', '.join(FLAVOURS)} are.",
    )


def _model_name(stated: Any, folder: str, names: list[str]) -> str:
    name = f"{folder}{stated}"
    if not isinstance(stated, str) or name not in names:
        raise _refused(f"the model's file, {clean(str(stated))}, is not in it")
    return name


def _refuse_nested(archive: Archive, *, besides: str) -> None:
    for name in archive.names:
        if name != besides and archive.starts_with(name, ZIP):
            raise _refused(f"{clean(name)} is an archive in the archive")


def _requirements(archive: Archive, name: str) -> tuple[str, ...]:
    if name not in archive.names or archive.size_of(name) > MAX_REQUIREMENTS:
        return ()
    lines = archive.read(name).decode("utf-8", "replace").splitlines()
    return tuple(clean(line) for line in lines if line.strip())


def _refused(why: str) -> Refused:
    return Refused("unreadable", f"The MLflow model is refused: {why}. {PACK}")
