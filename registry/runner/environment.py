"""The whole environment of the runner. Nothing of the launcher's gets in."""

import os

CLEAN = {
    "PATH": "/nonexistent",
    "LANG": "C.UTF-8",
    # One thread each: a child cannot start any, and libgomp would wait for ever.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "LOKY_MAX_CPU_COUNT": "1",
    "MALLOC_ARENA_MAX": "1",
    "JOBLIB_MULTIPROCESSING": "0",
    # onnxruntime since 1.29 reports models and errors to its maker unless told not to, before
    # its import: a thread, a file in the home folder, and HTTPS.
    "ORT_DISABLE_TELEMETRY": "1",
    # Else pyarrow starts a thread at import, and reserves 1 GiB of the address space that a
    # child may use.
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}


def is_clean() -> bool:
    # Python itself adds LC_CTYPE where the locale is missing.
    return {name: value for name, value in os.environ.items() if name != "LC_CTYPE"} == CLEAN
