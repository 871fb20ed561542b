"""Describes the interpreter that runs it, and what it needs of its system, in a JSON object.

`python -I _probe.py [LIBRARY…]`, by any Python from 3.9 on. The libraries are loaded as well; the
result has the path of each shared library that is loaded then, by the name it was asked for.
"""

# ruff: noqa: PTH112, PTH117, PTH118, PTH119, PTH208  # other Pythons run it

from __future__ import annotations

import json
import os
import platform
import sys
import sysconfig
from contextlib import suppress
from typing import Any

# Modules that no function needs: tests, and what Lambda's interpreter does not have.
_RUNTIME = ("/var/runtime", f"/var/lang/lib/python3.{sys.version_info[1]}/site-packages")
_LEFT_OUT = ("_test", "_xx", "xx", "_ctypes_test", "_tkinter")


def main() -> None:
    paths = sysconfig.get_paths()
    facts: dict[str, object] = {
        "version": list(sys.version_info[:3]),
        "implementation": sys.implementation.name,
        "system": sys.platform,
        "machine": platform.machine(),
        "executable": os.path.realpath(getattr(sys, "_base_executable", sys.executable)),
        "stdlib": paths["stdlib"],
        "platstdlib": paths["platstdlib"],
        "sites": list(dict.fromkeys([paths["purelib"], paths["platlib"]])),
        "client": os.path.isdir("/var/runtime/awslambdaric"),
        "sdk": any(os.path.isdir(os.path.join(each, "botocore")) for each in _RUNTIME),
        "libraries": {},
        "own": [],
    }
    if sys.platform == "linux":
        # Of a virtual environment, these are still those of the interpreter that it was made with.
        facts["stdlib"] = sysconfig.get_path("stdlib", vars={"base": sys.base_prefix})
        facts["platstdlib"] = sysconfig.get_path(
            "platstdlib", vars={"platbase": sys.base_prefix, "base": sys.base_prefix}
        )
        _import_extensions(str(facts["platstdlib"]))
        facts["own"] = sorted(_loaded())
        for name in sys.argv[1:]:
            _load(name)
        facts["libraries"] = _loaded()
    print(json.dumps(facts))  # noqa: T201  # its answer


def _import_extensions(folder: str) -> None:
    """Import all extension modules of the standard library, so that their libraries are loaded."""
    import importlib

    folder = os.path.join(folder, "lib-dynload")
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        module = name.partition(".")[0]
        if name.endswith(".so") and not module.startswith(_LEFT_OUT):
            try:
                importlib.import_module(module)
            except Exception:  # noqa: BLE001, S112  # some are for another system
                continue


def _load(name: str) -> None:
    import ctypes

    with suppress(OSError):
        ctypes.CDLL(name)


def _loaded() -> dict[str, str]:
    """Return the path of each loaded library (dl_iterate_phdr(3)), by its name."""
    import ctypes

    class Info(ctypes.Structure):
        _fields_ = [("address", ctypes.c_void_p), ("name", ctypes.c_char_p)]

    found: dict[str, str] = {}

    def take(info: Any, _size: int, _data: object) -> int:
        path = os.fsdecode(info.contents.name or b"")
        # Neither the program itself, nor what the kernel maps, nor extension modules.
        if os.path.isabs(path) and "lib-dynload" not in path:
            found[os.path.basename(path)] = path
        return 0

    kinds = (ctypes.c_int, ctypes.POINTER(Info), ctypes.c_size_t, ctypes.c_void_p)
    ctypes.CDLL(None).dl_iterate_phdr(ctypes.CFUNCTYPE(*kinds)(take), None)
    return found


if __name__ == "__main__":
    main()
