"""ELF files say what they ask for, and a target says what of it it has not."""

from __future__ import annotations

import json
import platform
import struct
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

import hatch_lambda_layer
from hatch_lambda_layer.targets.elf import (
    MAGIC,
    ElfError,
    ElfFile,
    NeededVersion,
    examine,
    read_elf,
)
from hatch_lambda_layer.targets.loading import misfits
from hatch_lambda_layer.targets.target import Architecture, Target, runtimes
from tests.support.elf_factory import (
    AARCH64,
    OBJECT_FILE,
    PROGRAM,
    RISCV,
    X86_64,
    ElfSpec,
)
from tests.support.system_parts import c_compiler, require

AL2 = Target(runtimes()["python3.11"], Architecture.X86_64)
AL2023 = Target(runtimes()["python3.13"], Architecture.X86_64)
ARM = Target(runtimes()["python3.13"], Architecture.ARM64)
ARM_AL2 = Target(runtimes()["python3.11"], Architecture.ARM64)


def binding(library: str, version: str, symbol: str | None = "some_symbol") -> ElfSpec:
    return ElfSpec(versions={library: {version: symbol}})


def test_a_library_tells_all_that_it_asks_for() -> None:
    elf = read_elf(
        ElfSpec(
            soname="libown.so.3",
            libraries=["libpq.so.5"],
            versions={
                "libc.so.6": {"GLIBC_2.2.5": "memcpy", "GLIBC_2.34": "dlsym"},
                "libstdc++.so.6": {"CXXABI_TM_1": None},
            },
        ).data
    )
    assert (elf.machine, elf.bits, elf.loadable, elf.soname) == ("x86_64", 64, True, "libown.so.3")
    assert elf.libraries == ("libpq.so.5", "libc.so.6", "libstdc++.so.6")
    assert elf.versions == (
        # The newest of each family, and none that every runtime has.
        NeededVersion("libc.so.6", "GLIBC_2.34", "dlsym"),
    )


def test_a_library_that_asks_for_nothing_fits() -> None:
    elf = read_elf(ElfSpec().data)
    assert (elf.libraries, elf.versions, elf.soname) == ((), (), None)
    assert misfits(elf, AL2) == []


@pytest.mark.fault(18)
@pytest.mark.parametrize(
    ("spec", "target", "said"),
    [
        (ElfSpec(machine=AARCH64), AL2023, "64-bit aarch64, the runtime is x86_64"),
        (ElfSpec(machine=X86_64), ARM, "64-bit x86_64, the runtime is aarch64"),
        (ElfSpec(machine=RISCV), ARM, "64-bit riscv64, the runtime is aarch64"),
        (ElfSpec(bits=32), AL2023, "32-bit x86_64, the runtime is x86_64"),
        (ElfSpec(machine=AARCH64, kind=PROGRAM), AL2023, "64-bit aarch64"),
    ],
)
def test_a_file_for_another_machine_does_not_fit(spec: ElfSpec, target: Target, said: str) -> None:
    (reason,) = misfits(read_elf(spec.data), target)
    assert said in reason


@pytest.mark.parametrize("target", [ARM, ARM_AL2])
def test_a_file_for_the_machine_of_the_target_fits(target: Target) -> None:
    spec = ElfSpec(machine=AARCH64, versions={"libc.so.6": {"GLIBC_2.17": "memcpy"}})
    assert misfits(read_elf(spec.data), target) == []


def test_an_object_file_is_never_loaded_and_so_never_judged() -> None:
    assert misfits(read_elf(ElfSpec(machine=RISCV, kind=OBJECT_FILE).data), AL2023) == []


@pytest.mark.fault(17)
@pytest.mark.parametrize(
    ("library", "version", "target", "ceiling"),
    [
        ("libc.so.6", "GLIBC_2.27", AL2, "GLIBC up to 2.26"),
        ("libc.so.6", "GLIBC_2.34", AL2, "GLIBC up to 2.26"),
        ("libm.so.6", "GLIBC_2.35", AL2023, "GLIBC up to 2.34"),
        ("libc.so.6", "GLIBC_3.0", AL2023, "GLIBC up to 2.34"),
        ("libstdc++.so.6", "GLIBCXX_3.4.23", AL2, "GLIBCXX up to 3.4.22"),
        ("libstdc++.so.6", "GLIBCXX_3.4.30", AL2023, "GLIBCXX up to 3.4.29"),
        ("libstdc++.so.6", "CXXABI_1.3.11", AL2, "CXXABI up to 1.3.10"),
        ("libstdc++.so.6", "CXXABI_1.3.14", AL2023, "CXXABI up to 1.3.13"),
        ("libgcc_s.so.1", "GCC_12.0.0", AL2023, "GCC up to 7.0.0"),
    ],
)
def test_a_newer_version_than_the_runtime_has_is_named_with_its_symbol_and_the_ceiling(
    library: str, version: str, target: Target, ceiling: str
) -> None:
    (reason,) = misfits(read_elf(binding(library, version).data), target)
    assert f"needs some_symbol@{version} of `{library}`" in reason
    assert ceiling in reason


@pytest.mark.parametrize(
    ("library", "version", "target"),
    [
        # Numbers are compared as numbers: 2.5 is older than 2.26, and 3.4.9 than 3.4.22.
        ("libc.so.6", "GLIBC_2.5", AL2),
        ("libc.so.6", "GLIBC_2.26", AL2),
        ("libc.so.6", "GLIBC_2.34", AL2023),
        ("libstdc++.so.6", "GLIBCXX_3.4", AL2),
        ("libstdc++.so.6", "GLIBCXX_3.4.9", AL2),
        ("libstdc++.so.6", "GLIBCXX_3.4.22", AL2),
        ("libstdc++.so.6", "GLIBCXX_3.4.29", AL2023),
        ("libstdc++.so.6", "CXXABI_1.3.13", AL2023),
        ("libstdc++.so.6", "CXXABI_FLOAT128", AL2),
        ("libgcc_s.so.1", "GCC_3.0", AL2),
        ("libz.so.1", "ZLIB_1.2.3.4", AL2),
    ],
)
def test_a_version_that_the_runtime_has_fits(library: str, version: str, target: Target) -> None:
    assert misfits(read_elf(binding(library, version).data), target) == []


@pytest.mark.fault(17)
def test_a_version_without_a_symbol_is_named_itself() -> None:
    (reason,) = misfits(read_elf(binding("libc.so.6", "GLIBC_2.38", None).data), AL2023)
    assert reason.startswith("needs GLIBC_2.38 of `libc.so.6`")


def test_how_a_file_was_linked_can_ask_for_a_newer_glibc() -> None:
    # What `ld -z pack-relative-relocs` asks for: glibc 2.36 (its release notes).
    (reason,) = misfits(read_elf(binding("libc.so.6", "GLIBC_ABI_DT_RELR", None).data), AL2023)
    assert "GLIBC_ABI_DT_RELR" in reason
    assert "GLIBC up to 2.34" in reason


def test_what_is_private_to_one_glibc_is_refused() -> None:
    (reason,) = misfits(read_elf(binding("libc.so.6", "GLIBC_PRIVATE").data), AL2023)
    assert "GLIBC_PRIVATE" in reason


def test_every_reason_is_given() -> None:
    spec = ElfSpec(
        libraries=["libpq.so.5"],
        versions={
            "libc.so.6": {"GLIBC_2.35": "one", "GLIBC_2.36": "two", "GLIBC_2.3": "three"},
            "libm.so.6": {"GLIBC_2.40": "four"},
        },
    )
    reasons = misfits(read_elf(spec.data), AL2023)
    # Of each library the newest version says enough.
    words = ("two@GLIBC_2.36", "four@GLIBC_2.40", "libpq")
    assert all(word in reason for word, reason in zip(words, reasons, strict=True))


def test_a_library_that_nobody_brings_is_named() -> None:
    spec = ElfSpec(libraries=["libpq.so.5", "libm.so.6", "libown-1a2b.so.1"])
    (reason,) = misfits(read_elf(spec.data), AL2023, beside=["libown-1a2b.so.1"])
    assert "`libpq.so.5`" in reason


@pytest.mark.parametrize(
    ("library", "target", "found"),
    [
        ("libpython3.13.so.1.0", AL2023, True),
        ("libpython3.12.so.1.0", AL2023, False),
        ("libstdc++.so.6", AL2, True),
        ("ld-linux-x86-64.so.2", AL2, True),
        ("libX11.so.6", AL2023, False),
    ],
)
def test_the_libraries_of_the_runtime_itself_are_there(
    library: str, target: Target, *, found: bool
) -> None:
    assert (misfits(read_elf(ElfSpec(libraries=[library]).data), target) == []) is found


def test_what_decides_where_and_whether_it_is_loaded_is_read() -> None:
    spec = ElfSpec(
        module="_x",
        rpath="$ORIGIN:/usr/lib",
        runpath="$ORIGIN/../x.libs::",
        interpreter="/lib/ld-musl-x86_64.so.1",
        executable_stack=True,
        align=0x10,
    )
    elf = read_elf(spec.data)
    assert (elf.program, elf.module, elf.misaligned, elf.executable_stack) == (True,) * 4
    assert (elf.rpath, elf.runpath) == (("$ORIGIN", "/usr/lib"), ("$ORIGIN/../x.libs",))
    assert elf.interpreter == "/lib/ld-musl-x86_64.so.1"
    plain = read_elf(ElfSpec().data)
    assert (plain.program, plain.module, plain.misaligned, plain.executable_stack) == (False,) * 4
    assert (plain.rpath, plain.runpath, plain.interpreter) == ((), (), None)


@pytest.mark.parametrize("align", [0x1000, 0x10000, 0x200000])
def test_larger_pages_are_no_fault(align: int) -> None:
    assert not read_elf(ElfSpec(align=align).data).misaligned


def test_the_loader_is_asked_only_where_a_program_does_not_bring_its_own() -> None:
    # The kernel maps programs, and is content with less.
    assert not read_elf(ElfSpec(kind=PROGRAM, align=0x10).data).misaligned


def test_facts_survive_being_kept() -> None:
    spec = ElfSpec(
        soname="a.so.1",
        libraries=["b.so"],
        runpath="$ORIGIN",
        versions={"libc.so.6": {"GLIBC_2.30": "x"}},
    )
    for elf in (
        read_elf(spec.data),
        examine(spec.data[:100]),
        ElfFile(machine="", bits=32, loadable=False),
    ):
        assert ElfFile.from_row(json.loads(json.dumps(elf.to_row()))) == elf


@pytest.mark.fault(18)
def test_a_broken_file_is_a_fact_as_well() -> None:
    elf = examine(ElfSpec().data[:100])
    assert elf.broken == "it ends too early"
    assert misfits(elf, AL2023) == ["is a broken ELF file (it ends too early)"]


def test_a_file_with_thousands_of_needs_is_broken() -> None:
    libraries = [f"lib{number}.so" for number in range(2000)]
    with pytest.raises(ElfError, match="2,000 dynamic entries"):
        read_elf(ElfSpec(libraries=libraries).data)


def test_a_file_without_section_headers_is_read_as_the_loader_reads_it() -> None:
    spec = ElfSpec(soname="a", versions={"libc.so.6": {"GLIBC_2.38": "strlcpy"}})
    bare = ElfSpec(soname="a", versions=spec.versions, section_headers=False)
    assert read_elf(bare.data) == read_elf(spec.data)
    assert len(bare.data) < len(spec.data)


@pytest.mark.parametrize("keep", [*range(4, 64, 7), 64, 100, 200, 300, 460])
def test_a_file_that_ends_too_early_is_broken(keep: int) -> None:
    versions = {"libc.so.6": {"GLIBC_2.38": "strlcpy"}}
    data = ElfSpec(versions=versions, section_headers=False).data
    assert keep < len(data)
    with pytest.raises(ElfError):
        read_elf(data[:keep])


def test_false_offsets_and_sizes_end_soon_in_an_error_or_in_facts() -> None:
    data = ElfSpec(soname="a", versions={"libc.so.6": {"GLIBC_2.38": "strlcpy"}}).data
    outcomes, slowest = set(), 0.0
    for at in range(4, len(data)):
        for byte in (0, 0x7F, 0xFF):
            start = time.process_time()
            try:
                read_elf(data[:at] + bytes([byte]) + data[at + 1 :])
            except ElfError:
                outcomes.add("error")
            else:
                outcomes.add("facts")
            slowest = max(slowest, time.process_time() - start)
    assert outcomes == {"error", "facts"}
    assert slowest < 2


@pytest.mark.parametrize(
    ("lie", "said"),
    [
        # Version, count, name of the library, where its versions begin, where the next library is.
        ((1, 0xFFFF, 1, 16, 0), "does not end"),
        ((1, 0, 1, 16, 0xFFFFFF), "ends too early"),
        ((1, 1, 0xFFFFFF, 16, 0), "does not end"),
    ],
)
def test_a_list_of_versions_that_leads_astray_is_an_error(lie: tuple[int, ...], said: str) -> None:
    elf = ElfSpec(versions={"libc.so.6": {"GLIBC_2.38": "strlcpy"}})
    data = bytearray(elf.data)
    struct.pack_into("<HHIII", data, data.index(struct.pack("<HH", 1, 1), 64 + 2 * 56), *lie)
    with pytest.raises(ElfError, match=said):
        read_elf(bytes(data))


def test_there_are_ceilings_for_every_runtime_and_architecture() -> None:
    path = Path(hatch_lambda_layer.__file__).with_name("targets") / "ceilings.toml"
    rows = tomllib.loads(path.read_text(encoding="utf-8"))["ceilings"]
    for runtime in runtimes().values():
        for architecture in Architecture:
            glibc = ".".join(map(str, runtime.glibc))
            assert set(rows[architecture.machine][glibc]) == {"GLIBCXX", "CXXABI", "GCC"}


@pytest.mark.parametrize("hash_style", ["gnu", "sysv"])
def test_a_library_of_a_real_compiler_is_read(tmp_path: Path, hash_style: str) -> None:
    cc = require(c_compiler)
    source = "double exp(double); int abs(int);\ndouble f(double x) { return exp(abs(x)); }\n"
    (tmp_path / "x.c").write_text(source, encoding="utf-8")
    argv = [cc, "-shared", "-fPIC", "-fno-builtin", "-Wl,-soname,libx.so.1"]
    argv += [f"-Wl,--hash-style={hash_style}", "x.c", "-lm", "-o", "libx.so"]
    subprocess.run(argv, cwd=tmp_path, check=True)
    elf = read_elf((tmp_path / "libx.so").read_bytes())
    assert (elf.machine, elf.bits, elf.soname) == (platform.machine(), 64, "libx.so.1")
    assert set(elf.libraries) == {"libc.so.6", "libm.so.6"}
    # exp() got a new version in glibc 2.29: above Amazon Linux 2's, below Amazon Linux 2023's.
    (exp,) = (each for each in elf.versions if each.library == "libm.so.6")
    assert exp == ("libm.so.6", "GLIBC_2.29", "exp")
    own = Architecture.parse(platform.machine())
    (reason,) = misfits(elf, Target(runtimes()["python3.11"], own))
    assert reason == "needs exp@GLIBC_2.29 of `libm.so.6`, the runtime has GLIBC up to 2.26"
    assert misfits(elf, Target(runtimes()["python3.13"], own)) == []


@pytest.mark.skipif(sys.platform != "linux", reason="the interpreter is an ELF file on Linux")
def test_the_running_interpreter_is_a_program_for_this_machine() -> None:
    elf = read_elf(Path(sys.executable).resolve().read_bytes())
    assert (elf.machine, elf.bits, elf.loadable) == (platform.machine(), 64, True)
    assert "libc.so.6" in elf.libraries


@pytest.mark.parametrize("data", [b"", b"#!/bin/sh\n", MAGIC, MAGIC + bytes(60)])
def test_what_has_only_the_first_bytes_of_an_elf_file_is_none(data: bytes) -> None:
    assert ElfSpec().data.startswith(MAGIC)
    with pytest.raises(ElfError):
        read_elf(data)


def test_a_big_endian_file_is_for_another_machine() -> None:
    data = bytearray(ElfSpec(machine=AARCH64).data)
    data[5:6] = b"\2"
    data[16:20] = struct.pack(">HH", 3, AARCH64)
    (reason,) = misfits(read_elf(bytes(data)), ARM)
    assert "64-bit big-endian aarch64, the runtime is aarch64" in reason
