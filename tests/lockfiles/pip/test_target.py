"""Requirements are resolved for the Lambda runtime: its markers, its Python, its platforms."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from uv import find_uv_bin

from hatch_lambda_layer.exceptions import SelectionError
from hatch_lambda_layer.wheels.selection import select
from tests.support.pip_project import ARM64, EXPECTED, MARKERS, OLDER, X86_64, PipProject, spec

if TYPE_CHECKING:
    from collections.abc import Callable

    from hatch_lambda_layer.targets.target import Target
    from tests.support.index_server import IndexServer


@pytest.fixture
def uv_resolved(project: PipProject, index: IndexServer) -> Callable[[Target], set[str]]:

    def resolved(target: Target) -> set[str]:
        argv = [find_uv_bin(), "pip", "compile", "--quiet", "--no-header", "--no-annotate"]
        argv += ["--default-index", index.simple_url, "--no-config", "--no-cache"]
        argv += ["--python", sys.executable]  # which saves uv the search for one
        argv += ["--python-version", target.runtime.python, "--python-platform"]
        argv += [f"{target.architecture.machine}-manylinux_2_34", "requirements.txt"]
        done = subprocess.run(
            argv,
            cwd=project.root,
            check=True,
            capture_output=True,
            text=True,
        )
        return {line.partition("==")[0] for line in done.stdout.split()}

    return resolved


@pytest.mark.parametrize("target", EXPECTED, ids=lambda target: target.id)
def test_markers_of_the_file_are_those_of_the_target(project: PipProject, target: Target) -> None:
    project.write("".join(f"{name} ; {marker}\n" for name, marker in MARKERS.items()))
    assert project.names(target=target) == EXPECTED[target]


@pytest.mark.parametrize(
    ("target", "more"), [(X86_64, set()), (ARM64, {"beta"})], ids=["x86_64", "arm64"]
)
def test_markers_of_dependencies_and_extras_are_those_of_the_target(
    project: PipProject, uv_resolved: Callable[[Target], set[str]], target: Target, more: set[str]
) -> None:
    project.write("deep\nnative\nextras[more]\n")
    found = project.names(target=target)
    assert found == {"deep", "app", "native", "extras"} | EXPECTED[target] | more
    # uv knows no release or version of the operating system, and takes a marker on it for true.
    assert found == uv_resolved(target) - {"on-this-kernel"}


@pytest.mark.parametrize(
    ("target", "filenames"),
    [
        (
            X86_64,
            {
                # It needs Python 3.13.1.
                "for_this_one-2.0-py3-none-any.whl",
                "native-1.0-cp313-cp313-manylinux_2_17_x86_64.whl",
                "oldest-1.0-cp313-cp313-manylinux1_x86_64.whl",
                "newest-2.0-cp313-cp313-manylinux_2_34_x86_64.whl",
                "stable-1.0-cp39-abi3-manylinux_2_28_x86_64.manylinux_2_28_aarch64.whl",
            },
        ),
        (
            OLDER,
            {
                "for_this_one-1.0-py3-none-any.whl",
                "native-1.0-cp311-cp311-manylinux_2_17_x86_64.whl",
                "oldest-1.0-cp311-cp311-manylinux1_x86_64.whl",
                "newest-1.0-cp311-cp311-manylinux_2_26_x86_64.whl",
            },
        ),
        (
            ARM64,
            {
                "for_this_one-1.0-py3-none-any.whl",
                "native-1.0-cp312-cp312-manylinux2014_aarch64.whl",
                "stable-1.0-cp39-abi3-manylinux_2_28_x86_64.manylinux_2_28_aarch64.whl",
            },
        ),
    ],
)
def test_all_platforms_and_the_python_of_the_target_count(
    project: PipProject, target: Target, filenames: set[str]
) -> None:
    project.write("".join(f"{filename.partition('-')[0]}\n" for filename in filenames))
    assert project.filenames(target) == filenames


@pytest.mark.fault(16)
def test_wheels_that_do_not_fit_are_an_error_that_lists_them(project: PipProject) -> None:
    project.write("too-new==1.0\n")
    said = str(project.failure())
    assert said.startswith(
        "No wheel of `too-new` fits python3.13-x86_64; the index has\n"
        "- too_new-1.0-cp313-cp313-manylinux_2_35_x86_64.whl\n\n| "
    )
    assert said.endswith(
        "hint: pin a version that has a wheel for this runtime, or allow sources with "
        '`build = "local"`'
    )


@pytest.mark.fault(16)
def test_a_package_for_another_python_is_an_error_that_says_so(project: PipProject) -> None:
    project.write("for-python4==1.0\n")
    said = " ".join(str(project.failure()).replace("| ", "").split())
    assert "uv finds no versions for python3.13-x86_64 that fit together" in said
    assert "for-python4==1.0 depends on Python>=4" in said
    assert "--python-version" not in said


def test_a_wheel_named_by_its_url_that_does_not_fit_is_an_error(
    project: PipProject, index: IndexServer
) -> None:
    project.write(f"for-mac @ {index.file_url('for_mac-1.0-cp313-cp313-macosx_11_0_arm64.whl')}\n")
    with pytest.raises(SelectionError, match=r"`for_mac-1.0-.*`, which does not fit"):
        select(project.lock(), X86_64)


@pytest.mark.fault(22)
@pytest.mark.parametrize("name", ["..%2F..%2F..%2Fout.whl", "out%00.whl", "..%5Cout.whl"])
def test_the_name_of_a_wheel_in_a_url_with_a_password_leads_nowhere_else(
    project: PipProject, index: IndexServer, name: str
) -> None:
    url = index.file_url(name).replace("://", "://user:secret@")
    project.write(f"alpha @ {url}#egg=alpha\n")
    error = project.failure()
    assert "is not the name of a wheel" in error.message
    assert "secret" not in str(error)
    assert not [each for each in index.requests if "out" in each.path]


def test_between_two_glibcs_of_uv_a_wheel_of_the_older_one_is_chosen(
    project: PipProject, index: IndexServer
) -> None:
    # The runtime has glibc 2.26, of which uv knows nothing.
    index.add(spec("between", "cp311-cp311-manylinux_2_26_x86_64", version="2.0"))
    index.add(spec("between", "cp311-cp311-manylinux_2_17_x86_64", version="1.0"))
    project.write("between\n")
    assert project.filenames(OLDER) == {"between-1.0-cp311-cp311-manylinux_2_17_x86_64.whl"}
    # Beside what is not there for the older one, nothing is taken that does not fit.
    index.add(spec("only-between", "cp311-cp311-manylinux_2_24_x86_64", requires_dist=["newer"]))
    for version, glibc in (("1.0", "2_17"), ("2.0", "2_27"), ("3.0", "2_28")):
        index.add(spec("newer", f"cp311-cp311-manylinux_{glibc}_x86_64", version=version))
    project.write("only-between\n")
    assert project.filenames(OLDER) == {
        "only_between-1.0-cp311-cp311-manylinux_2_24_x86_64.whl",
        "newer-1.0-cp311-cp311-manylinux_2_17_x86_64.whl",
    }
    index.add(spec("beyond", "cp311-cp311-manylinux_2_28_x86_64"))
    project.write("beyond\n")
    assert "No wheel of `beyond` fits python3.11-x86_64" in str(project.failure(target=OLDER))
