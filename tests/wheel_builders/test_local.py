"""Sources are built to wheels without secrets, once; and only what fits the target is taken."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer._internal.console import Console
from hatch_lambda_layer._internal.removal import remove_tree
from hatch_lambda_layer.exceptions import BuildError, OutputError
from hatch_lambda_layer.targets.target import Architecture, Target, runtimes
from hatch_lambda_layer.wheel_builders import BuildPolicy, _logged
from hatch_lambda_layer.wheel_builders.compatibility import check_fit
from hatch_lambda_layer.wheel_builders.local import LocalWheelBuilder
from hatch_lambda_layer.wheels.verify import verify_wheel
from tests.support.elf_factory import AARCH64, ElfSpec
from tests.support.source_factory import (
    IN_TREE,
    locked_source,
    repository,
    sdist,
    telling_project,
    write_files,
    zipped,
)
from tests.support.waiting import wait_until
from tests.support.wheel_factory import WheelSpec
from tests.support.workshop import (
    ARM,
    OWN,
    RUNTIME,
    TARGET,
    X86,
    Workshop,
    archive,
    left_in,
    of_wheel,
    packed,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hatch_lambda_layer.wheels.selection import LockedSource
    from tests.support.index_server import IndexServer

CANARY = "canary-93bd"
CP = "cp{}{}".format(*runtimes()[RUNTIME].python_version)
OTHER_CP = "cp310" if CP != "cp310" else "cp311"


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


# ---- from a source to a wheel


@pytest.mark.fault(19)
def test_a_pure_source_distribution_is_built_to_a_proved_wheel(workshop: Workshop) -> None:
    wheel = workshop.build(packed(workshop.root, telling_project()))
    assert (wheel.name, wheel.version) == ("teller", "1.0")
    assert wheel.filename == "teller-1.0-py3-none-any.whl"
    assert wheel.sha256 == hashlib.sha256(wheel.file.read_bytes()).hexdigest()
    assert "teller.py" in {member.path for member in wheel.members}
    assert left_in(workshop.root / "work") == []


@pytest.mark.fault(21)
def test_every_kind_of_source_is_built(workshop: Workshop, index: IndexServer) -> None:
    files = telling_project()
    url = index.add_file(*sdist("teller", "1.0", files))
    data = index.files["teller-1.0.tar.gz"].data
    zip_path = archive(workshop.root, "main.zip", zipped([(f"t/{n}", d) for n, d in files.items()]))
    checkout = workshop.root / "repo"
    head = repository(checkout, {f"deep/er/{name}": data for name, data in files.items()})
    sources = [
        locked_source("sdist", url, sha256=hashlib.sha256(data).hexdigest(), index_url=index.url),
        locked_source("archive", zip_path),
        locked_source("vcs", checkout.as_uri(), commit=head, subdirectory="deep/er"),
        locked_source("vcs", str(checkout), commit=head, subdirectory="deep/er"),
        locked_source("directory", write_files(workshop.root / "folder", files)),
    ]
    assert {workshop.build(source).filename for source in sources} == {
        "teller-1.0-py3-none-any.whl"
    }
    # One of the two repositories is the other: equal commits are equal sources.
    assert len([line for line in workshop.shown.lines if line.startswith("Building")]) == 4


def test_wheels_come_in_the_order_of_their_sources(workshop: Workshop) -> None:
    names = ["beta", "alpha", "gamma"]
    sources = [of_wheel(workshop.root, WheelSpec(name=name)) for name in names]
    assert [wheel.name for wheel in workshop.build_all(sources)] == names
    assert workshop.shown.lines == [
        f"Building package `{name} 1.0` (from its sdist)" for name in names
    ]


@pytest.mark.parametrize(
    ("build", "builders"),
    [("local", ["local"]), ("container", ["container"]), ("auto", ["local", "container"])],
)
def test_the_builders_go_by_the_names_of_the_option(
    workshop: Workshop, build: str, builders: list[str]
) -> None:
    found = BuildPolicy(build=build).builders(TARGET, Console(workshop.shown))
    assert {name: builder.name for name, builder in found.items()} == dict(
        zip(builders, builders, strict=True)
    )


def test_a_second_build_builds_nothing(workshop: Workshop, index: IndexServer) -> None:
    url = index.add_file(*sdist("teller", "1.0", telling_project()))
    sha256 = hashlib.sha256(index.files["teller-1.0.tar.gz"].data).hexdigest()
    source = locked_source("sdist", url, sha256=sha256)
    first = workshop.build(source)
    asked, shown = len(index.requests), list(workshop.shown.lines)
    assert workshop.build(source) == first
    assert len(index.requests) == asked
    assert workshop.shown.lines == shown == ["Building package `teller` (from its sdist)"]


def test_a_pure_wheel_is_built_once_for_every_machine(workshop: Workshop) -> None:
    source = packed(workshop.root, telling_project())
    targets = [TARGET, ARM, Target(replace(TARGET.runtime, id="acme", glibc=(2, 40)), X86)]
    wheels = [workshop.build(source, target) for target in targets]
    assert len({wheel.sha256 for wheel in wheels}) == 1
    assert workshop.shown.text.count("Building") == 1


def test_a_native_wheel_is_built_for_each_target(workshop: Workshop) -> None:
    spec = WheelSpec(name="native", tag=f"{CP}-abi3-linux_x86_64", root_is_purelib=False)
    source = of_wheel(workshop.root, spec)
    newer = [Target(each, Architecture.X86_64) for each in runtimes().values()]
    fitting = [
        each for each in newer if each.runtime.python_version >= TARGET.runtime.python_version
    ]
    wheels = [workshop.build(source, target) for target in fitting]
    assert len(workshop.shown.lines) == len(fitting)
    assert {wheel.filename for wheel in wheels} == {spec.filename}
    assert [workshop.build(source, target) for target in fitting] == wheels
    assert len(workshop.shown.lines) == len(fitting)


def test_what_a_person_tells_the_compiler_is_in_the_key_of_the_cache(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = packed(workshop.root, telling_project())
    for flags in (None, "-O3", "-O3", None):
        if flags is None:
            monkeypatch.delenv("CFLAGS", raising=False)
        else:
            monkeypatch.setenv("CFLAGS", flags)
        environment = workshop.facts(source)["environment"]
        assert isinstance(environment, dict)
        assert environment.get("CFLAGS") == flags
    assert len(workshop.shown.lines) == 2


def test_a_damaged_entry_of_the_cache_is_built_again(workshop: Workshop) -> None:
    source = of_wheel(workshop.root, WheelSpec(name="lib"))
    wheel = workshop.build(source)
    (entry,) = (workshop.root / "wheel-cache" / "v2" / "built").glob("*/*")
    for harm in (lambda: entry.write_bytes(b'["half'), wheel.file.unlink):
        harm()
        assert workshop.build(source).sha256 == wheel.sha256
    assert len(workshop.shown.lines) == 3


def test_a_work_folder_that_can_not_be_made_is_reported(workshop: Workshop) -> None:
    (workshop.root / "work").write_bytes(b"a file")
    with pytest.raises(OutputError, match="work"):
        workshop.build(packed(workshop.root, telling_project()))


# ---- what foreign code sees


SECRETS = (
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "UV_INDEX_X_PASSWORD",
    "UV_PUBLISH_TOKEN",
    "PIP_INDEX_URL",
    "POETRY_HTTP_BASIC_X_PASSWORD",
    "HATCH_LAMBDA_LAYER_INDEX_X_PASSWORD",
    "GITHUB_TOKEN",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "SSH_AUTH_SOCK",
    "HTTPS_PROXY",
    "NPM_TOKEN",
    "MY_OWN_THING",
)


@pytest.mark.fault(58)
def test_a_build_script_sees_an_environment_of_its_own(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = write_files(workshop.root / "home", {".netrc": CANARY.encode(), ".pypirc": b"x"})
    for name in SECRETS:
        monkeypatch.setenv(name, CANARY)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("NETRC", str(home / ".netrc"))
    monkeypatch.setenv("LC_TIME", "C")
    monkeypatch.setenv("CC", "some-cc")
    facts = workshop.facts(packed(workshop.root, telling_project()))
    environment = facts["environment"]
    assert isinstance(environment, dict)
    assert CANARY not in str(facts)
    assert set(environment).isdisjoint({*SECRETS, "NETRC"})
    assert environment["HOME"] != str(home)
    assert facts["home"] == []
    assert (environment["LC_TIME"], environment["CC"]) == ("C", "some-cc")
    assert environment["SOURCE_DATE_EPOCH"] == "1580601600"
    assert environment["PATH"].startswith(environment["VIRTUAL_ENV"])
    assert facts["stdin"] == ""


def test_a_build_script_sees_no_variable_that_is_not_named_here(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CFLAGS", "SETUPTOOLS_SCM_PRETEND_VERSION_FOR_X", "LC_ALL", "LANG", "TMPDIR"):
        monkeypatch.setenv(name, os.environ.get(name, "C"))
    monkeypatch.setenv("TMPDIR", str(workshop.root))
    environment = workshop.facts(packed(workshop.root, telling_project()))["environment"]
    assert isinstance(environment, dict)
    unknown = set(environment) - {
        *("PATH", "LD_LIBRARY_PATH", "HOME", "USERPROFILE", "VIRTUAL_ENV", "TMPDIR", "TEMP", "TMP"),
        *(
            "LANG",
            "LANGUAGE",
            "SOURCE_DATE_EPOCH",
            "CFLAGS",
            "CPPFLAGS",
            "SETUPTOOLS_SCM_PRETEND_VERSION_FOR_X",
        ),
        *("PYTHONHASHSEED", "PYTHONNOUSERSITE", "PYTHONPYCACHEPREFIX"),
        *("GIT_CEILING_DIRECTORIES", "GIT_CONFIG_NOSYSTEM", "GIT_OPTIONAL_LOCKS"),
        "GIT_TERMINAL_PROMPT",
        # What the hook's own process adds, and what CPython and macOS add to any.
        *("_PYPROJECT_HOOKS_BUILD_BACKEND", "_PYPROJECT_HOOKS_BACKEND_PATH_JSON"),
        *("LC_CTYPE", "__CF_USER_TEXT_ENCODING"),
    }
    assert {name for name in unknown if not name.startswith("LC_")} == set()
    # One of its own, which goes with the build.
    temporary = Path(environment["TMPDIR"])
    assert temporary.is_relative_to(workshop.root / "work")
    assert not temporary.exists()


def test_a_build_uses_the_version_of_python_that_the_target_has(workshop: Workshop) -> None:
    facts = workshop.facts(packed(workshop.root, telling_project()))
    assert facts["python"] == list(TARGET.runtime.python_version)


def test_no_bytecode_is_written_into_the_sources(workshop: Workshop) -> None:
    project = telling_project()
    project["helper.py"] = b"x = 1\n"
    project["backend.py"] = b"import helper\n" + project["backend.py"]
    facts = workshop.facts(packed(workshop.root, project))
    assert "helper.py" in str(facts["files"])
    assert ".pyc" not in str(facts["files"])


# ---- the wheel that comes out


def test_the_wheel_must_be_of_the_locked_package(workshop: Workshop) -> None:
    source = of_wheel(workshop.root, WheelSpec(name="other"))._replace(name="wanted")
    workshop.refusal(source, "`wanted 1.0`", "`other 1.0`", "lock again")


def test_the_wheel_must_be_of_the_locked_version(workshop: Workshop) -> None:
    source = of_wheel(workshop.root, WheelSpec(name="lib", version="1.1"))
    workshop.refusal(source, "`lib 1.0`", "`lib 1.1`", "lock again")
    assert workshop.build(source._replace(version=None)).version == "1.1"
    assert workshop.build(source._replace(version="1.1.0")).version == "1.1"
    # Also where the cache has it already.
    with pytest.raises(BuildError, match=r"`lib 1\.1`"):
        workshop.build(source)


def test_names_are_compared_as_packaging_compares_them(workshop: Workshop) -> None:
    source = of_wheel(workshop.root, WheelSpec(name="My.Own_Lib"))
    assert workshop.build(source._replace(name="my-own-lib")).name == "my-own-lib"


def test_a_wheel_that_is_not_sound_is_refused_as_any_other(workshop: Workshop) -> None:
    source = of_wheel(workshop.root, WheelSpec(name="lib", record=None))
    workshop.refusal(source, "`lib-1.0-py3-none-any.whl` is refused", "RECORD")


def native(tag: str, *files: ElfSpec, name: str = "lib") -> WheelSpec:
    members = {f"lib/_x{number}.so": each.data for number, each in enumerate(files)}
    return WheelSpec(
        name=name, tag=tag, files={"lib/__init__.py": b"", **members}, root_is_purelib=False
    )


FITTING = ElfSpec(versions={"libc.so.6": {"GLIBC_2.17": "memcpy"}})


@pytest.mark.parametrize(
    "tag",
    [
        f"{CP}-{CP}-linux_x86_64",
        f"{CP}-abi3-linux_x86_64",
        "py3-none-linux_x86_64",
        f"{CP}-{CP}-manylinux_2_17_x86_64.manylinux2014_x86_64",
        f"{CP}-none-any",
        "py2.py3-none-any",
    ],
)
def test_a_wheel_fits_by_its_tag_and_its_files(tmp_path: Path, tag: str) -> None:
    check(tmp_path, native(tag, *([] if tag.endswith("any") else [FITTING])), TARGET)


def check(folder: Path, spec: WheelSpec, target: Target) -> None:
    """Check a wheel as one that was built here from a source of its name."""
    wheel = verify_wheel(spec.write(folder), spec.filename, "")
    source = of_wheel(folder, spec)
    check_fit(wheel, source, target, sys.version_info[:2], LocalWheelBuilder.unfit_hint)


@pytest.mark.fault(20)
@pytest.mark.parametrize(
    ("tag", "target"),
    [
        (f"{CP}-{CP}-linux_x86_64", ARM),
        (f"{CP}-{CP}-linux_aarch64", TARGET),
        (f"{CP}-{CP}-macosx_11_0_arm64", ARM),
        (f"{CP}-{CP}-win_amd64", TARGET),
        (f"{CP}-{CP}-musllinux_1_2_x86_64", TARGET),
        (f"{CP}-{CP}-manylinux_2_39_x86_64", TARGET),
        (f"{OTHER_CP}-{OTHER_CP}-linux_x86_64", TARGET),
        (f"{OTHER_CP}-none-any", TARGET),
        ("pp311-pypy311_pp73-linux_x86_64", TARGET),
    ],
)
def test_a_wheel_for_another_platform_or_python_is_refused(
    tmp_path: Path, tag: str, target: Target
) -> None:
    spec = native(tag, *([] if tag.endswith("any") else [FITTING]))
    with pytest.raises(BuildError) as caught:
        check(tmp_path, spec, target)
    said = str(caught.value)
    for word in ("`lib 1.0`", tag, target.id, "has a wheel for"):
        assert word in said
    assert ("Lambda's build image" in said) is not tag.endswith("any")


@pytest.mark.fault(17)
@pytest.mark.fault(20)
@pytest.mark.parametrize(
    ("elf", "words"),
    [
        (
            ElfSpec(versions={"libc.so.6": {"GLIBC_2.38": "strlcpy"}}),
            ["strlcpy@GLIBC_2.38", "libc.so.6", "GLIBC up to 2."],
        ),
        (
            ElfSpec(versions={"libstdc++.so.6": {"GLIBCXX_3.4.31": "_Zx"}}),
            ["_Zx@GLIBCXX_3.4.31", "GLIBCXX up to 3.4."],
        ),
        (ElfSpec(libraries=["libpq.so.5"]), ["`libpq.so.5`"]),
        (ElfSpec(machine=AARCH64), ["64-bit aarch64"]),
        (ElfSpec(bits=32), ["32-bit"]),
    ],
)
def test_a_file_that_the_runtime_can_not_load_is_named_with_the_reason(
    workshop: Workshop, elf: ElfSpec, words: list[str]
) -> None:
    source = of_wheel(workshop.root, native(f"{CP}-{CP}-linux_x86_64", FITTING, elf))
    said = workshop.refusal(source, "`lib 1.0`", "`lib/_x1.so`", "Lambda's build image", *words)
    assert "_x0.so" not in said
    assert '`build = "container"`' in said


@pytest.mark.fault(17)
def test_a_tag_does_not_hide_what_a_file_asks_for(workshop: Workshop) -> None:
    elf = ElfSpec(versions={"libc.so.6": {"GLIBC_2.38": "strlcpy"}})
    source = of_wheel(workshop.root, native(f"{CP}-{CP}-manylinux_2_17_x86_64", elf))
    workshop.refusal(source, "strlcpy@GLIBC_2.38")


def test_libraries_that_come_in_the_wheel_are_found(workshop: Workshop) -> None:
    asking = ElfSpec(libraries=["libown.so.1", "libother-1a2b.so"])
    spec = native(f"{CP}-{CP}-linux_x86_64", asking, ElfSpec(soname="libown.so.1"))
    files = {**(spec.files or {}), "lib.libs/libother-1a2b.so": ElfSpec().data}
    wheel = WheelSpec(name="lib", tag=spec.tag, files=files, root_is_purelib=False)
    assert workshop.build(of_wheel(workshop.root, wheel)).name == "lib"


def test_only_the_first_reasons_are_given(workshop: Workshop) -> None:
    elf = ElfSpec(libraries=[f"lib{number}.so" for number in range(9)])
    source = of_wheel(workshop.root, native(f"{CP}-{CP}-linux_x86_64", elf))
    said = workshop.refusal(source, "lib4.so", "and 4 more")
    assert "lib5.so" not in said


def test_a_broken_elf_file_is_refused(workshop: Workshop) -> None:
    spec = native(f"{CP}-{CP}-linux_x86_64")
    files = {**(spec.files or {}), "lib/_y.so": ElfSpec().data[:100]}
    wheel = WheelSpec(name="lib", tag=spec.tag, files=files, root_is_purelib=False)
    workshop.refusal(of_wheel(workshop.root, wheel), "`lib/_y.so` is a broken ELF file")


@pytest.mark.fault(18)
@pytest.mark.fault(19)
@pytest.mark.parametrize(
    ("path", "data", "reason"),
    [
        ("lib/_x.so", ElfSpec(machine=AARCH64).data, "64-bit aarch64"),
        ("lib/bin/tool", ElfSpec(libraries=["libpq.so.5"]).data, "`libpq.so.5`"),
        ("lib/_x.so", b"\xcf\xfa\xed\xfe a library of macOS", "another system than Linux"),
        ("lib/_x.cpython-39-x86_64-linux-gnu.so", FITTING.data, "for Python 3.9"),
    ],
)
def test_native_code_under_a_pure_tag_is_refused_where_it_does_not_fit(
    workshop: Workshop, path: str, data: bytes, reason: str
) -> None:
    wheel = WheelSpec(name="lib", files={"lib/__init__.py": b"", path: data})
    workshop.refusal(of_wheel(workshop.root, wheel), f"`{path}`", reason)


def test_native_code_under_a_pure_tag_is_taken_where_it_fits_and_for_that_target_alone(
    workshop: Workshop,
) -> None:
    # amazon.ion 0.9.3 is built to `py3-none-any`, with a shared object in it.
    wheel = WheelSpec(name="lib", files={"lib/__init__.py": b"", "lib/_x.so": FITTING.data})
    source = of_wheel(workshop.root, wheel)
    assert workshop.build(source).filename == "lib-1.0-py3-none-any.whl"
    with pytest.raises(BuildError, match=r"`lib/_x\.so` .*64-bit x86_64"):
        workshop.build(source, ARM)


def test_native_code_under_a_pure_tag_must_be_built_with_the_python_of_the_target(
    tmp_path: Path,
) -> None:
    wheel = WheelSpec(name="lib", files={"lib/__init__.py": b"", "lib/_x.so": FITTING.data})
    other = runtimes()["python3.14" if OWN != "python3.14" else "python3.13"]
    with pytest.raises(BuildError, match="it was built with Python"):
        check(tmp_path, wheel, Target(other, X86))


def test_a_wheel_of_another_python_says_which_one_is_missing(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = runtimes()["python3.14" if OWN != "python3.14" else "python3.13"]
    # Nowhere where interpreters are looked for, there is one.
    monkeypatch.setenv("PATH", str(workshop.root))
    monkeypatch.setenv("PYENV_ROOT", str(workshop.root))
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(workshop.root / "pythons"))
    source = of_wheel(workshop.root, native(f"{CP}-{CP}-linux_x86_64"))
    needed = "{}.{}".format(*other.python_version)
    said = workshop.refusal(
        source, f"no Python {needed}", "uv python install", target=Target(other, X86)
    )
    assert f"built with Python {OWN.removeprefix('python')}" in said


def test_a_machine_without_any_python_for_builds_is_reported(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(workshop.root / "no-such-python"))
    source = packed(workshop.root, telling_project())
    with pytest.raises(
        BuildError, match="No environment can be made for the build of package `teller"
    ):
        workshop.build(source)


# ---- backends that fail


def failing(folder: Path, backend: str, build_system: str = IN_TREE) -> LockedSource:
    files = {"pyproject.toml": build_system.encode(), "backend.py": backend.encode()}
    return packed(folder, files)


@pytest.mark.fault(57)
def test_all_that_a_failing_backend_said_is_shown_without_credentials(workshop: Workshop) -> None:
    source = failing(
        workshop.root,
        "import subprocess, sys\n"
        "def build_wheel(*args):\n"
        f"    print('on stdout https://me:{CANARY}@example.test/')\n"
        "    subprocess.run([sys.executable, '-c', 'print(\"of a child\")'])\n"
        "    sys.stdout.flush()\n"
        "    raise RuntimeError('no such header: pq.h')\n",
    )
    said = workshop.refusal(
        source,
        "`teller 1.0`",
        "`backend` ended with an error",
        "on stdout",
        "of a child",
        "pq.h",
        "Traceback",
    )
    assert CANARY not in said


def test_a_backend_that_never_stops_talking_is_cut_in_the_middle(workshop: Workshop) -> None:
    source = failing(
        workshop.root,
        "def build_wheel(*args):\n"
        "    print('the beginning')\n"
        "    for n in range(200_000): print('line', n)\n"
        "    raise RuntimeError('the end')\n",
    )
    said = workshop.refusal(source, "the beginning", "line 199999", "the end", "bytes …]")
    assert len(said) < 300_000


@pytest.mark.parametrize(
    ("backend", "word"),
    [
        ("", "no attribute 'build_wheel'"),
        ("import no_such_module_1a2b", "no_such_module_1a2b"),
        ("def build_wheel(*args): return 'missing.whl'", "'missing.whl', and there is no such"),
        ("def build_wheel(*args): return None", "None, and there is no such"),
        ("def build_wheel(*args): return '../../../x.whl'", "no such wheel"),
        (
            (
                "import os\n"
                "def build_wheel(folder, *args):\n"
                "    os.symlink('/etc/hostname', os.path.join(folder, 'a-1-py3-none-any.whl'))\n"
                "    return 'a-1-py3-none-any.whl'"
            ),
            "no such wheel",
        ),
        (
            (
                "def get_requires_for_build_wheel(*args): return ['--index-url=https://evil.test']\n"
                "def build_wheel(*args): pass"
            ),
            "not a list of requirements",
        ),
        (
            (
                "def get_requires_for_build_wheel(*args): return 'setuptools'\n"
                "def build_wheel(*args): pass"
            ),
            "not a list of requirements",
        ),
        ("import os\ndef build_wheel(*args): os._exit(0)", "returned no result"),
        (
            "import os, signal\ndef build_wheel(*args): os.kill(os.getpid(), 9)",
            "ended with an error",
        ),
        ("def build_wheel(*args): raise SystemExit(3)", "ended with an error"),
    ],
)
def test_a_backend_that_does_not_do_its_work_is_reported(
    workshop: Workshop, backend: str, word: str
) -> None:
    said = workshop.refusal(failing(workshop.root, backend), "`teller 1.0`", word)
    assert f"Python {OWN.removeprefix('python')}" in said


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("[build-system", ["not valid TOML"]),
        ("build-system = 3", ["[build-system]", "PEP 518"]),
        ('[build-system]\nbuild-backend = "x"', ["[build-system]", "PEP 518"]),
        ('[build-system]\nrequires = "x"', ["[build-system]", "PEP 518"]),
        ('[build-system]\nrequires = ["--index-url=x"]', ["[build-system]", "PEP 518"]),
        ("[build-system]\nrequires = []\nbuild-backend = 3", ["[build-system]", "PEP 518"]),
        (IN_TREE.replace('["."]', '["../.."]'), ["returned no result", "inside source tree"]),
    ],
)
def test_a_build_system_that_is_not_valid_is_reported(
    workshop: Workshop, toml: str, words: list[str]
) -> None:
    with pytest.raises(BuildError) as caught:
        workshop.build(failing(workshop.root, "", toml))
    assert [word for word in ["`teller 1.0`", *words] if word not in str(caught.value)] == []


def test_a_source_that_is_no_project_is_reported(workshop: Workshop) -> None:
    source = packed(workshop.root, {"lib/pyproject.toml": b""})
    workshop.refusal(source, "neither `pyproject.toml` nor `setup.py`", "subdirectory")


# ---- interruption


needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="signals are of POSIX")

# As ninja and compilers: neither the backend's own process, nor in its session. It goes on writing
# into the folder of the build, the only one that a build may be able to write to.
_COMPILER = """
import os, time
if os.fork():
    os._exit(0)
os.setsid()
for number in range(60_000):
    os.makedirs(f'objects/{number}', exist_ok=True)
    time.sleep(0.001)
"""
_BACKEND = """
import pathlib, subprocess, sys, time
def build_wheel(*args):
    subprocess.run([sys.executable, '-c', {compiler!r}, {mark!r}])
    while not pathlib.Path('objects').exists():
        time.sleep(0.01)
    time.sleep({seconds})
"""


def mark(folder: Path) -> str:
    """Give the argument by which the compilers of a test are found."""
    return f"compiler-of-{folder.parent.name}-{folder.name}"


def compilers(folder: Path) -> list[str]:
    """Give the compilers that run, also those in a namespace of their own."""
    listed = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        # It may end meanwhile.
        with suppress(OSError):
            listed.append(path.read_text("utf-8", "replace").rstrip("\0"))
    if not listed:
        # Not every system has such files.
        listed = subprocess.check_output(["ps", "-A", "-ww", "-o", "args="], text=True).splitlines()
    return [line for line in listed if line.endswith(mark(folder))]


def compiling(folder: Path, seconds: int = 120) -> LockedSource:
    """Give a source whose backend starts a compiler and then waits."""
    backend = _BACKEND.format(compiler=_COMPILER, mark=mark(folder), seconds=seconds)
    return failing(folder, backend)


@contextmanager
def started_build(workshop: Workshop, source: LockedSource) -> Iterator[subprocess.Popen[bytes]]:
    """Build a source in a process of its own, whose compiler runs when it is given."""
    code = (
        "from pathlib import Path\n"
        "from hatch_lambda_layer._internal.store import Store\n"
        "from hatch_lambda_layer.wheels.cache import WheelCache\n"
        "from hatch_lambda_layer._internal.console import Console\n"
        "from hatch_lambda_layer._internal.errors import reported\n"
        "from hatch_lambda_layer.wheels.selection import LockedSource\n"
        "from hatch_lambda_layer.targets.target import Architecture, Target, runtimes\n"
        "from hatch_lambda_layer.wheel_builders import BuildPolicy, LayerSources, Requirements\n"
        "from tests.support.displays import Lines\n"
        "class Aborting(Lines):\n"
        "    def abort(self, message='', code=1): print(message); raise SystemExit(code)\n"
        f"root = Path({str(workshop.root)!r})\n"
        f"target = Target(runtimes()[{RUNTIME!r}], Architecture.X86_64)\n"
        "with reported(Aborting()):\n"
        f"    sources = [LockedSource(*{tuple(source)!r})]\n"
        "    LayerSources(sources, BuildPolicy(), target, cache=WheelCache(Store(root / 'c')),\n"
        "        console=Console(Lines()), folder=root / 'work',\n"
        "    ).wheels(Requirements(folder=root))\n"
    )
    temporary = workshop.root / "temporary"
    temporary.mkdir(exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    with process:
        try:
            wait_until(lambda: compilers(workshop.root))
            yield process
        finally:
            process.kill()


@needs_signals
@pytest.mark.fault(42, 76)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_stops_the_backend_with_its_compilers_and_leaves_nothing(
    workshop: Workshop, number: signal.Signals
) -> None:
    with started_build(workshop, compiling(workshop.root)) as process:
        process.send_signal(number)
        assert process.wait(timeout=30) == 128 + number
    assert compilers(workshop.root) == []
    assert left_in(workshop.root / "work") == []


@needs_signals
@pytest.mark.fault(76, 80)
def test_the_compilers_of_a_killed_build_end_and_its_files_lie_in_the_work_folder(
    workshop: Workshop,
) -> None:
    with started_build(workshop, compiling(workshop.root)) as process:
        process.kill()
    wait_until(lambda: not compilers(workshop.root))
    assert left_in(workshop.root / "temporary") == []
    left = left_in(workshop.root / "work")
    assert "input.json" in {path.name for path in left}
    remove_tree(workshop.root / "work")
    assert not (workshop.root / "work").exists()


@needs_signals
@pytest.mark.fault(76)
def test_a_compiler_that_a_backend_leaves_running_ends_with_it(workshop: Workshop) -> None:
    workshop.refusal(compiling(workshop.root, seconds=0), "there is no such wheel")
    assert compilers(workshop.root) == []


@needs_signals
@pytest.mark.fault(79)
def test_a_build_that_takes_too_long_ends_with_all_that_it_runs(workshop: Workshop) -> None:
    workshop.policy = BuildPolicy(timeout=8)
    source = compiling(workshop.root)
    said = workshop.refusal(
        source,
        "`teller 1.0`",
        "not done after 8 seconds (`build-timeout`)",
        "the hook `build_wheel`",
    )
    assert "lock a version that has a wheel" in said
    assert compilers(workshop.root) == []


@needs_signals
@pytest.mark.fault(81)
def test_folders_that_a_backend_nests_without_end_or_protects_are_removed(
    workshop: Workshop,
) -> None:
    backend = (
        "import os\n"
        "def build_wheel(*args):\n"
        "    os.makedirs('a/b')\n"
        "    os.chmod('a', 0o555)\n"
        "    for _ in range(1500):\n"
        "        os.mkdir('deeper')\n"
        "        os.chdir('deeper')\n"
        "    raise SystemExit('no wheel')\n"
    )
    # `refusal` proves that nothing is left.
    workshop.refusal(failing(workshop.root, backend), "no wheel")


# ---- what is said


def test_what_a_script_and_its_children_say_is_in_a_file_in_its_order(tmp_path: Path) -> None:
    script = (
        "import os, subprocess, sys\n"
        "print(sys.argv[1:], __name__, os.path.basename(sys.path[0]), flush=True)\n"
        "subprocess.run([sys.executable, '-c', 'print(1)'])\n"
        "raise SystemExit('the end')\n"
    )
    path = write_files(tmp_path / "scripts", {"script.py": script.encode()}) / "script.py"
    argv = [sys.executable, _logged.__file__, str(tmp_path / "log"), str(path), "a", "b"]
    done = subprocess.run(argv, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"")
    said = (tmp_path / "log").read_text(encoding="utf-8").splitlines()
    assert said == ["['a', 'b'] __main__ scripts", "1", "the end"]


# ---- a home that can't be written


@pytest.fixture
def homeless(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    # Below a file nobody can make a folder, not even root.
    (workshop.root / "home").write_text("no folder")
    for name in ("UV_CACHE_DIR", "XDG_CACHE_HOME", "UV_NO_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(workshop.root / "home"))
    return workshop


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps caches by other variables")
def test_where_the_home_can_not_be_written_the_cache_of_uv_lies_in_ours(
    homeless: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HATCH_LAMBDA_LAYER_CACHE_DIR", str(homeless.root / "ours"))
    assert homeless.build(packed(homeless.root, telling_project())).name == "teller"
    assert (homeless.root / "ours" / "uv" / "CACHEDIR.TAG").is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps caches by other variables")
@pytest.mark.parametrize("chosen", [None, "UV_CACHE_DIR"])
def test_where_no_cache_of_uv_can_be_written_the_message_names_its_variable(
    homeless: Workshop, monkeypatch: pytest.MonkeyPatch, chosen: str | None
) -> None:
    monkeypatch.delenv("HATCH_LAMBDA_LAYER_CACHE_DIR", raising=False)
    if chosen:
        monkeypatch.setenv(chosen, str(homeless.root / "home" / "chosen"))
    said = homeless.refusal(packed(homeless.root, telling_project()), "Failed to initialize cache")
    assert "HATCH_LAMBDA_LAYER_CACHE_DIR" in said
    assert "UV_CACHE_DIR" in said
