"""`scripts = true`: the console scripts of wheels as programs in `python/bin/`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .placement import ROOT
from .tree import Entry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..targets.target import Target
    from ..wheels.wheel import Wheel

# The folder of a program is the first one on its path: the one above has the modules of the layer.
_LAUNCHER = """\
#!/var/lang/bin/{interpreter}
import os
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
from {module} import {name}

if __name__ == "__main__":
    sys.exit({function}())
"""


def launchers(wheels: Iterable[Wheel], target: Target) -> Iterator[Entry]:
    """Yield a program for each console script of `wheels`, run by the target's Python."""
    interpreter = "python{}.{}".format(*target.runtime.python_version)
    for wheel in wheels:
        for script, entry_point in wheel.launchers:
            module, _, function = entry_point.partition(":")
            text = _LAUNCHER.format(
                interpreter=interpreter,
                module=module,
                name=function.partition(".")[0],
                function=function,
            )
            yield Entry.made(f"{ROOT}bin/{script}", wheel.name, text.encode(), executable=True)
