"""The options of `[tool.lambda-layer.custom-runtimes.NAME]`."""

from __future__ import annotations

from ..custom_runtimes import COMPATIBLE, GLIBC, PYTHON
from .forms import Option, text, texts

CUSTOM_RUNTIME = (
    Option(
        key="python",
        form=text(PYTHON[0]),
        default="required",
        description='its version of Python, such as `"3.14"`, which counts as 3.14.0',
    ),
    Option(
        key="glibc",
        form=text(GLIBC[0]),
        default="required",
        description='the version of its glibc, `"2.17"` or newer',
    ),
    Option(
        key="compatible-runtimes",
        form=texts(COMPATIBLE[0]),
        default="`[]`",
        description="the `CompatibleRuntimes` that its layers are published with",
    ),
)
