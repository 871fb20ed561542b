"""What would not work on Lambda is found before it is there, without running anything."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer.exceptions import AuditError
from hatch_lambda_layer.layer.audit import audit
from hatch_lambda_layer.layer.audit.subject import Distribution, Subject
from hatch_lambda_layer.targets import elf as elf_files
from hatch_lambda_layer.targets.elf import examine
from hatch_lambda_layer.targets.target import Architecture, Target, runtimes
from tests.support.displays import Lines
from tests.support.elf_factory import AARCH64, PROGRAM, ElfSpec
from tests.support.layer_project import ALPHA, Project, stamps
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hatch_lambda_layer.findings import Finding

AL2023 = Target(runtimes()["python3.13"], Architecture.X86_64)
AL2 = Target(runtimes()["python3.11"], Architecture.X86_64)
NATIVE_TAG = "cp313-cp313-manylinux_2_17_x86_64"
SUFFIX = ".cpython-313-x86_64-linux-gnu.so"


def module(name: str = "_x", **more: object) -> ElfSpec:
    return replace(ElfSpec(module=name), **more)  # type: ignore[arg-type]


def subject(
    files: Mapping[str, ElfSpec | None],
    *distributions: Distribution,
    owners: Mapping[str, str] | None = None,
    target: Target = AL2023,
) -> Subject:
    """Give a layer with ELF files, and other files, by their paths below `python/`."""
    native = {f"python/{path}": examine(spec.data) for path, spec in files.items() if spec}
    return Subject(
        target=target,
        paths=tuple(f"python/{path}" for path in files),
        native=native,
        owners={f"python/{path}": owner for path, owner in (owners or {}).items()},
        distributions=distributions,
        links={},
    )


def told(found: Sequence[Finding]) -> list[tuple[str, str]]:
    return [(each.code, each.severity) for each in found]


def test_native_code_that_fits_is_not_told_of() -> None:
    files = {
        f"demo/_x{SUFFIX}": module(
            libraries=["libm.so.6", "libdemo-0a1b2c3d.so.1"],
            versions={"libc.so.6": {"GLIBC_2.34": "x"}},
            runpath="$ORIGIN/../demo.libs",
        ),
        "demo/_y.abi3.so": module("_y"),
        "demo/_z.so": module("_z"),
        "demo.libs/libdemo-0a1b2c3d.so.1": ElfSpec(libraries=["libz.so.1"]),
        "demo/thing.o": ElfSpec(kind=1, machine=AARCH64),
        "demo/__init__.py": None,
    }
    assert audit(subject(files)) == []


@pytest.mark.fault(160)
@pytest.mark.parametrize(
    ("spec", "code", "said"),
    [
        (module(machine=AARCH64), "HLL001", "is for 64-bit aarch64, the runtime is x86_64"),
        (module(bits=32), "HLL001", "is for 32-bit"),
        (module(versions={"libc.so.6": {"GLIBC_2.38": "strlcpy"}}), "HLL002", "strlcpy@GLIBC_2.38"),
        (
            module(versions={"libstdc++.so.6": {"GLIBCXX_3.4.32": "f"}}),
            "HLL003",
            "GLIBCXX up to 3.4.29",
        ),
        (
            module(versions={"libstdc++.so.6": {"CXXABI_1.3.15": None}}),
            "HLL003",
            "CXXABI up to 1.3.13",
        ),
        (module(align=0x10), "HLL004", "not aligned"),
    ],
)
def test_a_module_that_can_not_be_loaded_is_an_error(spec: ElfSpec, code: str, said: str) -> None:
    (finding,) = audit(subject({f"demo/_x{SUFFIX}": spec}))
    assert (finding.code, finding.severity) == (code, "error")
    assert finding.place == f"python/demo/_x{SUFFIX}"
    assert finding.message.startswith(f"`python/demo/_x{SUFFIX}` ")
    assert said in finding.message


@pytest.mark.fault(160)
def test_a_broken_module_is_an_error() -> None:
    layer = subject({f"demo/_x{SUFFIX}": module()})
    native = {path: examine(module().data[:90]) for path in layer.native}
    (finding,) = audit(replace(layer, native=native))
    assert told([finding]) == [("HLL005", "error")]
    assert "it ends too early" in finding.message


@pytest.mark.fault(160)
@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("_x.cpython-312-x86_64-linux-gnu.so", module()),
        ("_x.cpython-313-x86_64-linux-musl.so", module()),
        ("_x.cpython-313-darwin.so", None),
        ("_x.abi3.so", None),
        ("_x.cp313-win_amd64.pyd", None),
        ("_x.pypy310-pp73-x86_64-linux-gnu.so", module()),
    ],
)
def test_a_module_for_another_python_or_system_is_an_error(name: str, spec: ElfSpec | None) -> None:
    (finding,) = audit(subject({f"demo/{name}": spec}))
    assert told([finding]) == [("HLL006", "error")]
    # With the right one beside it, nothing is wrong.
    assert audit(subject({f"demo/{name}": spec, f"demo/_x{SUFFIX}": module()})) == []
    # What is compiled from a module that is there as well is only slower without.
    slower = audit(subject({f"demo/{name}": spec, "demo/_x.py": None}))
    assert told(slower) == [("HLL006", "note")]


def test_files_for_several_machines_are_no_fault_where_one_fits() -> None:
    files = {
        "demo/_x.cpython-313-aarch64-linux-gnu.so": module(machine=AARCH64),
        f"demo/_x{SUFFIX}": module(),
    }
    assert audit(subject(files)) == []
    (finding,) = audit(subject(dict([*files.items()][:1])))
    assert told([finding]) == [("HLL001", "error")]


@pytest.mark.fault(161)
def test_a_missing_library_is_a_warning_that_says_how_to_get_it() -> None:
    files = {
        f"demo/_x{SUFFIX}": module(libraries=["libgomp.so.1"]),
        "demo/_y.abi3.so": module("_y", libraries=["libgomp.so.1"]),
    }
    owners = dict.fromkeys(files, "demo")
    demo = Distribution("demo", "1.0", ())
    (finding,) = audit(subject(files, demo, owners=owners))
    assert told([finding]) == [("HLL007", "warning")]
    assert "needs the library `libgomp.so.1`" in finding.message
    assert finding.message.endswith("so it is with 1 more file of demo 1.0")
    assert 'libraries = ["libgomp.so.1"]' in finding.hint
    # What was built here was linked with a library of this machine.
    (finding,) = audit(subject(files, demo._replace(built=True), owners=owners))
    assert told([finding]) == [("HLL007", "error")]


@pytest.mark.parametrize("place", ["lib/libgomp.so.1", "python/demo/libgomp.so.1"])
def test_a_library_is_found_as_the_loader_finds_it(place: str) -> None:
    layer = subject({f"demo/_x{SUFFIX}": module(libraries=["libgomp.so.1"], rpath="${ORIGIN}/.")})
    native = {**layer.native, place: examine(ElfSpec(soname="libgomp.so.1").data)}
    assert audit(replace(layer, native=native)) == []


def test_what_rpath_finds_for_a_file_it_finds_for_its_libraries() -> None:
    files = {
        f"demo/_x{SUFFIX}": module(libraries=["liba.so"], rpath="$ORIGIN/lib:$ORIGIN/more"),
        "demo/lib/liba.so": ElfSpec(libraries=["libb.so"]),
        "demo/more/libb.so": ElfSpec(),
    }
    assert audit(subject(files)) == []
    # RUNPATH is for the file itself alone.
    files[f"demo/_x{SUFFIX}"] = module(libraries=["liba.so"], runpath="$ORIGIN/lib:$ORIGIN/more")
    (finding,) = audit(subject(files))
    assert told([finding]) == [("HLL008", "note")]
    assert "`python/demo/more/libb.so`" in finding.message
    # A library that has been loaded already is not looked for again.
    files[f"demo/_x{SUFFIX}"] = module(
        libraries=["libb.so", "liba.so"], runpath="$ORIGIN/lib:$ORIGIN/more"
    )
    assert audit(subject(files)) == []


@pytest.mark.fault(161)
def test_what_nothing_imports_is_only_noted() -> None:
    files = {
        f"demo/_x{SUFFIX}": module(),
        "demo/plugins/libplugin.so": ElfSpec(
            libraries=["libodbc.so.2"], versions={"libc.so.6": {"GLIBC_2.39": "f"}}
        ),
        "demo/other/libarm.so": ElfSpec(machine=AARCH64),
        "demo/bin/helper": ElfSpec(kind=PROGRAM, interpreter="/lib/ld-musl-x86_64.so.1"),
    }
    found = audit(subject(files, owners=dict.fromkeys(files, "demo")))
    assert told(found) == [
        ("HLL001", "note"),
        ("HLL002", "note"),
        ("HLL007", "note"),
        ("HLL010", "note"),
    ]
    assert "/lib/ld-musl-x86_64.so.1" in found[-1].message


@pytest.mark.fault(161)
def test_the_library_of_a_package_without_modules_is_one_that_it_opens_itself() -> None:
    # As lightgbm does with ctypes, when it is imported.
    files = {"demo/lib/lib_demo.so": ElfSpec(libraries=["libgomp.so.1"])}
    (finding,) = audit(subject(files, owners=dict.fromkeys(files, "demo")))
    assert told([finding]) == [("HLL007", "warning")]


def test_a_libstdcxx_that_the_layer_brings_is_as_new_as_it_is() -> None:
    files = {
        f"demo/_x{SUFFIX}": module(
            versions={"libstdc++.so.6": {"GLIBCXX_3.4.33": "f"}}, runpath="$ORIGIN"
        ),
        "demo/libstdc++.so.6": ElfSpec(soname="libstdc++.so.6"),
    }
    assert audit(subject(files)) == []


def test_a_second_copy_of_a_library_is_noted() -> None:
    files = {
        "a.libs/libgomp-a34b3233-0352e75f.so.1.0.0": ElfSpec(),
        "b/libgomp.so.1": ElfSpec(),
        "c/libgomp.so.2": ElfSpec(),
    }
    (finding,) = [each for each in audit(subject(files)) if each.code == "HLL011"]
    assert finding.severity == "note"
    assert "`libgomp` is there 2 times" in finding.message


def test_an_executable_stack_is_noted() -> None:
    found = audit(subject({f"demo/_x{SUFFIX}": module(executable_stack=True)}))
    assert told(found) == [("HLL009", "note")]


@pytest.mark.fault(162)
def test_half_an_aws_sdk_is_told() -> None:
    sdk = [Distribution(name, "1.40.0", ()) for name in ("boto3", "botocore", "s3transfer")]
    assert audit(subject({}, *sdk)) == []
    (finding,) = audit(subject({}, *sdk[:2]))
    assert told([finding]) == [("HLL012", "note")]
    assert "`boto3` and `botocore` of `aws-sdk`, and not `s3transfer`" in finding.message
    # With these, the runtime's boto3 can't be imported.
    for version in ("1.20.0", "1.34.0"):
        old = Distribution("botocore", version, ())
        assert told(audit(subject({}, old))) == [("HLL012", "warning")]
    assert told(audit(subject({}, Distribution("botocore", "of ours", ())))) == [("HLL012", "note")]


@pytest.mark.fault(162)
@pytest.mark.parametrize(
    ("requirement", "code", "severity"),
    [
        ("beta", None, ""),
        ("Beta>=2", None, ""),
        ("beta>=3", "HLL013", "note"),
        ("gamma", "HLL013", "warning"),
        ("gamma; python_version < '3.13'", None, ""),
        ("gamma; platform_machine == 'x86_64'", "HLL013", "warning"),
        ("gamma; sys_platform == 'win32'", None, ""),
        ("gamma; extra == 'more'", None, ""),
        ("boto3", None, ""),
        ("boto3>=1.34", "HLL014", "note"),
        ("alpha[more]", None, ""),
        ("beta[more]", "HLL013", "warning"),
        ("not a requirement at all", "HLL013", "warning"),
        (">=", None, ""),
    ],
)
def test_requirements_are_met_by_the_layer_or_the_runtime(
    requirement: str, code: str | None, severity: str
) -> None:
    alpha = Distribution("alpha", "1.0", (requirement,))
    beta = Distribution("beta", "2.1", ("delta; extra == 'more'",))
    found = audit(subject({}, alpha, beta))
    assert told(found) == ([(code, severity)] if code else [])


def test_what_may_be_missing_is_only_noted() -> None:
    alpha = Distribution("alpha", "1.0", ("gamma",))
    layer = replace(subject({}, alpha), allowed=frozenset({"gamma"}))
    assert told(audit(layer)) == [("HLL013", "note")]


@pytest.mark.fault(163)
@pytest.mark.parametrize(
    ("path", "code", "severity"),
    [
        ("__editable__.app.pth", "HLL015", "warning"),
        ("google-nspkg.pth", "HLL015", "note"),
        ("distutils-precedence.pth", "HLL015", "note"),
        ("agent.pth", "HLL015", "note"),
        ("sitecustomize.py", "HLL015", "note"),
        ("usercustomize/__init__.py", "HLL015", "note"),
        ("json.py", "HLL016", "warning"),
        ("typing/__init__.py", "HLL016", "warning"),
        ("awslambdaric/__init__.py", "HLL016", "warning"),
        ("lib/python3.13/site-packages/enum/__init__.py", "HLL016", "warning"),
        ("json/data.txt", None, ""),
        ("demo/json.py", None, ""),
        ("demo/x.pth", None, ""),
        ("cgi.py", None, ""),
        ("json.pyi", None, ""),
    ],
)
def test_what_lies_at_the_top_of_the_path(path: str, code: str | None, severity: str) -> None:
    found = audit(subject({path: None}))
    assert told(found) == ([(code, severity)] if code else [])


def test_a_module_that_only_an_older_python_has_is_hidden_there() -> None:
    assert told(audit(subject({"cgi.py": None}, target=AL2))) == [("HLL016", "warning")]


def test_launchers_that_are_not_there_are_noted() -> None:
    demo = Distribution("demo", "1.0", (), launchers=("demo", "demo-run"))
    (finding,) = audit(subject({"bin/demo": None}, demo))
    assert told([finding]) == [("HLL018", "note")]
    assert finding.message == "demo 1.0: its launchers are not in the layer: `demo-run`"
    assert audit(subject({"bin/demo": None, "bin/demo-run": None}, demo)) == []


def native_wheel(spec: ElfSpec, **more: object) -> WheelSpec:
    files = {f"demo/_x{SUFFIX}": spec.data, "demo/__init__.py": b""}
    wheel = WheelSpec(name="demo", tag=NATIVE_TAG, files=files)
    return replace(wheel, **more)  # type: ignore[arg-type]


@pytest.mark.fault(160)
def test_a_layer_with_an_error_is_not_written(project: Project) -> None:
    project.lock(ALPHA)
    project.build()
    before = stamps(project.zip, project.json)
    project.lock(native_wheel(module(machine=AARCH64)))
    with pytest.raises(AuditError, match=r"demo 1\.0 is for 64-bit aarch64.*HLL001"):
        project.build()
    assert stamps(project.zip, project.json) == before
    # Whoever knows better says so.
    project.configure(ignore=["HLL001"])
    assert project.build().manifest.findings == ()


@pytest.mark.fault(161)
def test_a_warning_is_kept_in_the_manifest_and_told_again(project: Project) -> None:
    project.lock(native_wheel(module(libraries=["libodbc.so.2"])))
    project.build()
    (finding,) = json.loads(project.json.read_text("utf-8"))["findings"]
    assert (finding["code"], finding["severity"]) == ("HLL007", "warning")
    assert finding["place"] == f"python/demo/_x{SUFFIX}"
    display = Lines()
    assert project.build(display).rebuilt is False
    assert "libodbc.so.2" in display.text


def test_an_included_file_is_looked_at_as_well(project: Project) -> None:
    data = module(versions={"libc.so.6": {"GLIBC_2.40": "f"}}).data
    (project.root / f"_own{SUFFIX}").write_bytes(data)
    project.configure(force_include={f"_own{SUFFIX}": f"python/_own{SUFFIX}"})
    with pytest.raises(AuditError, match=r"`python/_own.*GLIBC_2\.40"):
        project.build()


def test_a_warm_build_opens_no_shared_object(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    real = elf_files.read_elf

    def counting(data: bytes | bytearray) -> elf_files.ElfFile:
        read.append(len(data))
        return real(data)

    monkeypatch.setattr(elf_files, "read_elf", counting)
    project.lock(native_wheel(module(libraries=["libodbc.so.2"])))
    project.build()
    assert len(read) == 1
    project.zip.unlink()
    built = project.build()
    assert built.rebuilt
    assert [each.code for each in built.manifest.findings] == ["HLL007"]
    assert len(read) == 1
