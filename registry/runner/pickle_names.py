"""What the names in a pickle mean: harmless, hostile, or nobody knows.

A name may be an alias (`sklearn.utils.fixes.os.system`), so it is looked up among the modules
that are loaded anyway; nothing is imported for it and nothing of the file has run.
"""

import re
import sys
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from registry.runner.pickle_values import Name

DANGEROUS, UNKNOWN = "dangerous", "unknown"

_MODULES = """
    os posix nt subprocess _posixsubprocess socket _socket socketserver ssl pty sys ctypes
    _ctypes shutil importlib imp runpy code codeop pdb bdb webbrowser antigravity urllib http
    requests httpx aiohttp ftplib smtplib telnetlib imaplib poplib nntplib xmlrpc
    multiprocessing concurrent threading _thread signal asyncio timeit cProfile profile trace
    pydoc pkgutil zipimport tempfile fileinput platform sysconfig site pip ensurepip setuptools
    distutils venv mmap resource fcntl sqlite3 dbm shelve pickle _pickle marshal gc faulthandler
    django registry mlplatform _io atexit linecache idlelib lib2to3 doctest unittest rlcompleter
    zipapp zipfile tarfile commands _frozen_importlib _frozen_importlib_external dis
"""
DENIED_MODULES = frozenset(_MODULES.split())
_BUILTINS = """
    eval exec execfile compile open open_code __import__ input breakpoint globals locals vars
    delattr setattr
"""
DENIED_NAMES = frozenset(
    f"{module}.{name}" for module in ("builtins", "__builtin__", "io") for name in _BUILTINS.split()
)
# A cloudpickle of a lambda builds a plain stream or two; these few are harmless.
ALLOWED_NAMES = frozenset({"_io.BytesIO", "_io.StringIO"})

# Packages that models are made of. Their classes are no news; functions of theirs that loading
# *calls* are, but for those that rebuild objects. (`_loss` and `closs` are what scikit-learn 1.4
# to 1.8 call their own losses in a pickle.)
_KNOWN = """
    sklearn _loss closs numpy scipy pandas joblib xgboost lightgbm catboost _catboost cloudpickle
    pyarrow
    collections _collections copyreg datetime _datetime decimal _decimal fractions uuid numbers
    enum types _codecs array functools operator _operator itertools math cmath string re random
    statistics abc typing weakref dateutil pytz zoneinfo tzlocal dataclasses imblearn
"""
KNOWN = frozenset(_KNOWN.split())
_BASICS = """
    object list dict set frozenset tuple int float bool str bytes bytearray complex slice range
    type getattr len abs min max sum round sorted NotImplemented Ellipsis NoneType reversed zip
    enumerate property staticmethod classmethod super hash divmod pow ord chr
"""
BASICS = frozenset(_BASICS.split())
REBUILDING = re.compile(
    r"""
    (^|\.)(_*(ma)?reconstruct\w*|__pyx_unpickle\w*|_*unpickle\w*|__newobj(_ex)?__|newObj|_new_\w+
    |__\w+_ctor|scalar|_frombuffer|encode|_array_reconstructor|_compile|_new_Index
    |_convert_to_extension_array|_restore\w*|_from_\w+|py_buffer|fromisoformat|getLogger)$
    |^copyreg\.
    |^cloudpickle\.
    |^pyarrow\.lib\.
    """,
    re.VERBOSE,
)

# Known ways from a library's own function to a file, a process or code.
GADGETS = re.compile(
    r"""
    ^numpy\.(f2py|distutils|testing|ctypeslib)\b
    |^numpy\.(\w+\.)*(load|loads|save|savez\w*|savetxt|loadtxt|genfromtxt|fromregex|fromfile
      |tofile|memmap|DataSource|runstring|safe_eval|exec_command|open_memmap|read_array|get_include
      |show_config|info|lookfor|source|NpzFile)$
    |^scipy\.(io|datasets|_lib\._testutils|_lib\._ccallback|weave)\b
    |^scipy\.(\w+\.)*(load_npz|save_npz|LowLevelCallable\w*)$
    |^pandas\.(io|testing|util\._test\w*|core\.computation)\b
    |^pandas\.(\w+\.)*(read_\w+|to_pickle|eval|query|ExcelFile|ExcelWriter|HDFStore)$
    |^sklearn\.(datasets|utils\._testing|utils\._show_versions|_build_utils|externals|conftest)\b
    |^joblib\.(memory|externals|parallel|_parallel_backends|_memmapping_reducer|disk|executor
      |numpy_pickle_utils|numpy_pickle_compat|pool|testing|_store_backends|_dask|func_inspect
      |logger|hashing|backports|_cloudpickle_wrapper|_multiprocessing_helpers)\b
    |^joblib\.(\w+\.)*(load|dump|load_temporary_memmap|Memory|Parallel)$
    |^cloudpickle\.(\w+\.)*(loads?|dynamic_subimport)$
    |^(xgboost|lightgbm)\.(dask|spark|testing|collective|rabit|tracker|libpath|plotting)\b
    |^xgboost\.(\w+\.)*(_load_lib|build_info|config_context|DMatrix|DataIter)$
    |^(_?catboost)\.(\w+\.)*(CatboostEvaluation|widget|utils|datasets|_?Pool(Base)?)\b
    |^lightgbm\.(\w+\.)*Dataset$
    |^pyarrow\.(fs|_fs|dataset|_dataset|flight|_flight|parquet|csv|feather|plasma|hdfs|ipc|compute
      |cffi|jvm|benchmark|util)\b
    |^pyarrow\.(\w+\.)*(memory_map|OSFile|MemoryMappedFile|PythonFile|create_memory_map|NativeFile
      |input_stream|output_stream|read_\w+|load_library\w*)$
    |^types\.(CodeType|FunctionType|ModuleType)$
    |^(functools|_functools)\.reduce$
    |^itertools\.starmap$
    |^builtins\.(map|filter|apply|exit|quit|help|code|function|module)$
    |^enum\.\w*\._?convert_$
    |^copyreg\.(pickle|add_extension|remove_extension|clear_extension_cache|constructor)$
    |^uuid\.(_\w+|getnode|main)$
    """,
    re.VERBOSE,
)


# What cloudpickle writes for a function or a class of the author's own.
CARRIED_CODE = re.compile(r"^cloudpickle\.(\w+\.)*(_make_function|_make_skeleton_class)$")


# Their objects are made empty and filled afterwards; with arguments they may read files.
BOOSTERS = ("xgboost.", "lightgbm.", "catboost.", "_catboost.")


def severity_of(name: Name, *, called: bool, arguments: int | None = 0) -> str | None:
    """DANGEROUS, UNKNOWN, or None for what models are made of."""
    found = look_up(name)
    real = real_name(name, found)
    if is_denied(str(name)) or is_denied(real):
        return DANGEROUS
    if str(name) in ALLOWED_NAMES or real in ALLOWED_NAMES:
        return None
    if GADGETS.search(str(name)) or GADGETS.search(real):
        # Named only, or made empty to be filled: honest models hold such objects too.
        is_filled = arguments == 0 and not _is_function(found, real)
        return DANGEROUS if called and not is_filled else UNKNOWN
    if CARRIED_CODE.search(real) or (called and arguments != 0 and real.startswith(BOOSTERS)):
        return UNKNOWN
    if not _is_known(real) or not _is_known(str(name)):
        return UNKNOWN
    if called and _is_function(found, real) and not REBUILDING.search(real):
        return UNKNOWN
    return None


def denied_name(module: str, attribute: str) -> str | None:
    """The real name of what a model has no business importing; None where it may."""
    name = Name(module, attribute)
    found = (str(name), real_name(name, look_up(name)))
    if found[0] in ALLOWED_NAMES:
        return None
    return next((one for one in found if is_denied(one)), None)


def is_denied(name: str) -> bool:
    """Whether `module.attribute` is of a kind that no model needs, whatever its real name."""
    if name in ALLOWED_NAMES:
        return False
    return name.partition(".")[0] in DENIED_MODULES or name in DENIED_NAMES


def real_name(name: Name, found: Any) -> str:
    """Where the thing was defined, which an alias does not tell."""
    if isinstance(found, ModuleType):
        return found.__name__
    if isinstance(found, type | FunctionType | BuiltinFunctionType):
        module, attribute = found.__module__, found.__qualname__
        if isinstance(module, str) and isinstance(attribute, str):
            return f"{module}.{attribute}"
    return str(name)


def look_up(name: Name) -> Any:
    """What the name stands for as far as that is loaded; None when it is not known."""
    found: Any = sys.modules.get(name.module)
    for part in name.attribute.split(".") if name.attribute else ():
        found = _attribute(found, part)
    return found


def _attribute(owner: Any, name: str) -> Any:
    """Without running anybody's __getattr__."""
    if isinstance(owner, ModuleType):
        return vars(owner).get(name)
    if isinstance(owner, type):
        return next((vars(one)[name] for one in owner.__mro__ if name in vars(one)), None)
    return None


def _is_known(name: str) -> bool:
    top, _, rest = name.partition(".")
    if not rest:
        return top in KNOWN
    if top in ("builtins", "__builtin__"):
        return rest in BASICS or rest.endswith(("Error", "Exception", "Warning"))
    return top in KNOWN


def _is_function(found: Any, name: str) -> bool:
    """What is not loaded is judged by how it is written."""
    if found is None:
        return not name.rpartition(".")[2].lstrip("_")[:1].isupper()
    return not isinstance(found, type)
