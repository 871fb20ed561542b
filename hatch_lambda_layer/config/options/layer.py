"""The options of `[tool.lambda-layer]`, and of `[tool.lambda-layer.layers.NAME]`."""

from __future__ import annotations

from ...findings.codes import CODES
from ...targets.target import Architecture, runtimes
from ..custom_runtimes import KEY as CUSTOM_RUNTIMES
from ..custom_runtimes import NAME
from ..fields import LIBRARY
from ..layer import (
    BUILD_POLICIES,
    DEFAULT_BUILD_TIMEOUT,
    LAMBDA_UNPACKED_LIMIT,
    TOOLS,
    VERIFICATIONS,
)
from .container import CONTAINER
from .custom_runtimes import CUSTOM_RUNTIME
from .forms import (
    FLAG,
    STRINGS,
    TEXT_NOT_BLANK,
    Option,
    array_of,
    choice,
    choices,
    number,
    set_of,
    size,
    table,
    tables,
    text,
    texts,
)
from .indexes import INDEX
from .publish import PUBLISH

_RUNTIMES = runtimes().values()
_STABLE = [each.id for each in _RUNTIMES if not each.preview]
_PREVIEWS = " and ".join(f"`{each.id}`" for each in _RUNTIMES if each.preview)
_MINORS = "|".join(sorted({str(each.python_version[1]) for each in _RUNTIMES}))
_ARCHITECTURES = [*(each.value for each in Architecture), "amd64", "aarch64"]
# As `_unsafe` has it: no empty part, no `.` and `..`, no backslash, no drive of Windows.
_PART = r"(?!\.\.?(?:/|$))[^/\\\x00-\x1f]+"
_PATH_IN_LAYER = rf"/*(?![^/]*:){_PART}(?:/{_PART})*/*"

# What each layer may have for itself.
LAYER = (
    Option(
        key="runtimes",
        form=texts(NAME, least=1),
        default="required",
        description=(
            f"Lambda runtimes, `{_STABLE[-1]}` to `{_STABLE[0]}`, previews ({_PREVIEWS}) or those "
            "of `custom-runtimes`; each gets a layer of its own"
        ),
    ),
    Option(
        key="python-full-version",
        form=texts(r"3\.[0-9]{1,2}\.[0-9]{1,3}"),
        default="the oldest in use",
        description=(
            "the patch releases that markers and `requires-python` are read with, such as "
            '`["3.13.9"]`; AWS moves a runtime to later ones without notice, never back'
        ),
    ),
    Option(
        key="architectures",
        form=choices(_ARCHITECTURES),
        default='`["x86_64"]`',
        description="`x86_64`, `arm64` (also `amd64`, `aarch64`); each gets a layer of its own",
        page="how-to/arm64.md",
    ),
    Option(
        key="tool",
        form=choice(TOOLS),
        default="that of the lockfile that is there; of several, the project's",
        description="whose lockfile to read: `uv`, `poetry`, `pdm`, `pip` or `pylock`",
        page="lockfiles.md",
    ),
    Option(
        key="lockfile",
        form=TEXT_NOT_BLANK,
        default="the one that is there",
        description=(
            "the path of the lockfile, where it lies elsewhere or has another name; for `uv.lock` "
            "its folder will do"
        ),
        page="lockfiles.md#which-lockfile-is-read",
    ),
    Option(
        key="requirements",
        form=STRINGS,
        default='`["requirements.txt"]`',
        description="the requirements files to read",
        page="how-to/pip.md",
    ),
    Option(
        key="groups",
        form=STRINGS,
        default="`[]`",
        description="dependency groups beside the project's own dependencies",
    ),
    Option(
        key="extras",
        form=STRINGS,
        default="`[]`",
        description="extras of the project",
    ),
    Option(
        key="only-groups",
        form=STRINGS,
        default="`[]`",
        description=(
            "these dependency groups without the project's own dependencies, instead of `groups` "
            "and `extras`; not for requirements files"
        ),
    ),
    Option(
        key="build",
        form=choice(BUILD_POLICIES),
        default=f'`"{BUILD_POLICIES[0]}"`',
        description=(
            "what has no fitting wheel is built to one, on this machine (`local`), in Lambda's "
            "build image (`container`), or there if it is native (`auto`); or it is an error "
            "(`never`)"
        ),
        page="sources.md",
    ),
    Option(
        key="build-timeout",
        form=number(1),
        default=f"`{DEFAULT_BUILD_TIMEOUT}`",
        description=(
            "seconds that the build of a source on this machine may take, with all that is fetched "
            "for it; then all that it runs is ended"
        ),
    ),
    Option(
        key="container",
        form=table(CONTAINER),
        default="`{}`",
        description="how sources are built in a container: engine, image and so on",
        page="options.md#container",
    ),
    Option(
        key="exclude",
        form=STRINGS,
        default="`[]`",
        description="distributions to leave out; `aws-sdk` is boto3 with all that it needs",
        page="options.md#what-is-left-out",
    ),
    Option(
        key="allow-missing",
        form=STRINGS,
        default="`[]`",
        description=(
            "distributions that may be left out although another one in the layer needs them"
        ),
    ),
    Option(
        key="include-project",
        form=FLAG,
        default="`false`",
        description="the project itself goes in, too, built by its own backend",
        page="sources.md",
    ),
    Option(
        key="scripts",
        form=FLAG,
        default="`false`",
        description=(
            "console scripts become programs in `python/bin/`, for example to be named in "
            "`AWS_LAMBDA_EXEC_WRAPPER`"
        ),
    ),
    Option(
        key="libraries",
        form=texts(LIBRARY),
        default="`[]`",
        description=(
            'shared libraries that a wheel of the lock has, such as `["libgomp.so.1"]`: they are '
            "put into `lib/` with all that they need, where Lambda looks for those of every package"
        ),
    ),
    Option(
        key="prune",
        form=STRINGS,
        default="`[]`",
        description="presets and patterns of what to leave out",
        page="options.md#what-is-left-out",
    ),
    Option(
        key="prefer",
        form=STRINGS,
        default="`[]`",
        description=(
            "distributions whose files stay where another one has the same path with other content "
            "(the first before the others)"
        ),
    ),
    Option(
        key="force-include",
        form=tables(text(_PATH_IN_LAYER), names=r"[\s\S]+"),
        default="`{}`",
        description=(
            'files and folders of the project, `"source" = "path in the layer"`, as in Hatch'
        ),
    ),
    Option(
        key="force-include-outside",
        form=FLAG,
        default="`false`",
        description=(
            "they may lie outside of the project's git repository or workspace, also by a link"
        ),
    ),
    Option(
        key="max-size",
        form=size(LAMBDA_UNPACKED_LIMIT),
        default='`"250 MiB"`',
        description=(
            "the most the layer may have unpacked; Lambda allows 250 MiB with the function"
        ),
        page="how-to/too-big.md",
    ),
    Option(
        key="function-size",
        form=size(LAMBDA_UNPACKED_LIMIT),
        default="nothing",
        description=(
            "what the functions that use the layer bring themselves, unpacked; the warning that "
            "the layer is nearly full leaves room for it"
        ),
    ),
    Option(
        key="strict",
        form=FLAG,
        default="`false`",
        description=("warnings about the layer are errors: it is not written, the exit code is 1"),
        page="findings.md",
    ),
    Option(
        key="ignore",
        form=set_of(CODES),
        default="`[]`",
        description='codes of findings not to be told of, such as `["HLL012"]`',
        page="findings.md",
    ),
    Option(
        key="error",
        form=set_of(CODES),
        default="`[]`",
        description="codes of findings that are errors",
        page="findings.md",
    ),
    Option(
        key="verify",
        form=choice(VERIFICATIONS),
        default=f'`"{VERIFICATIONS[0]}"`',
        description=(
            "what has to succeed before a layer is written: the audit (`audit`), also the import "
            "of all modules (`import`), or nothing (`none`)"
        ),
        page="import-proof.md",
    ),
    Option(
        key="publish",
        form=table(PUBLISH),
        default="`{}`",
        description="what publishing needs: name, buckets, Regions and so on",
        page="options.md#publish",
    ),
)
# What counts for the whole project, in `[tool.lambda-layer]` alone.
PROJECT = (
    Option(
        key=CUSTOM_RUNTIMES,
        form=tables(table(CUSTOM_RUNTIME, required=["python", "glibc"]), names=NAME),
        default="`{}`",
        description="runtimes that AWS does not list",
        page="options.md#runtimes-of-your-own",
    ),
    Option(
        key="filename",
        form=text(r"[A-Za-z0-9._+{}-]+"),
        default='`"layer"`',
        description='begins the names of the files of all layers, such as `"{project}-layer"`',
    ),
    Option(
        key="indexes",
        form=array_of(table(INDEX, required=["name"])),
        default="`[]`",
        description="private indexes of the project, for all its layers",
        page="options.md#indexes",
    ),
    Option(
        key="layers",
        form=tables(table(LAYER), names=r"[A-Za-z0-9_-]+"),
        default="`{}`",
        description="further layers, which inherit what they do not have for themselves",
        page="options.md#one-layer-or-several",
    ),
)
# What holds where the project describes no runtimes of its own.
WITHOUT_CUSTOM_RUNTIMES = {
    "runtimes": choices(each.id for each in _RUNTIMES),
    "python-full-version": texts(rf"3\.(?:{_MINORS})\.[0-9]{{1,3}}"),
}
