"""What a person reads of a layer, word for word."""

from __future__ import annotations

from dataclasses import replace
from textwrap import dedent

from hatch_lambda_layer.layer.manifest import LayerManifest, LayerPackage
from hatch_lambda_layer.reports.text import layer_table, layer_totals, stage_times

MB = 1_048_576


def package(name: str, version: str, unpacked: int, zipped: int) -> LayerPackage:
    return LayerPackage(
        name=name,
        version=version,
        wheel=f"{name}-{version}-py3-none-any.whl",
        sha256="0" * 64,
        files=3,
        unpacked_size=unpacked,
        zipped_size=zipped,
    )


def manifest(
    *packages: LayerPackage, more: int = 0, headers: int = 0, files: int = 42
) -> LayerManifest:
    return LayerManifest(
        member="python3.13-arm64",
        layer=None,
        runtime="python3.13",
        architecture="arm64",
        input_digest="",
        content_digest="",
        code_sha256="",
        zipped_size=sum(each.zipped_size for each in packages) + headers,
        unpacked_size=sum(each.unpacked_size for each in packages) + more,
        files=files,
        packages=packages,
        findings=(),
    )


def table(text: str) -> str:
    return dedent(text).strip("\n")


def test_the_table_has_names_to_the_left_and_sizes_to_the_right() -> None:
    layer = manifest(
        package("numpy", "2.3.4", 65 * MB, 16 * MB),
        package("a-distribution-with-a-long-name", "1!2.0.post1+local", 1536, 700),
        package("six", "1.17.0", 1, 1),
        package("empty", "0", 0, 0),
    )

    assert layer_table(layer) == table("""
        package                          version            unpacked   zipped
        numpy                            2.3.4               65.0 MB  16.0 MB
        a-distribution-with-a-long-name  1!2.0.post1+local      2 KB     1 KB
        six                              1.17.0                 1 KB     1 KB
        empty                            0                      0 KB     0 KB
    """)


def test_files_that_belong_to_no_package_have_a_row_of_their_own() -> None:
    layer = manifest(package("six", "1.17.0", 40_000, 12_000), more=3 * MB, headers=2 * MB)

    assert layer_table(layer) == table("""
        package        version  unpacked  zipped
        six            1.17.0      40 KB   12 KB
        (other files)             3.0 MB
    """)


def test_a_table_without_packages_is_its_header_and_the_rest() -> None:
    assert layer_table(manifest(more=2048, headers=1024)) == table("""
        package        version  unpacked  zipped
        (other files)               2 KB
    """)


def test_the_headers_of_the_zip_alone_are_no_other_files() -> None:
    layer = manifest(package("six", "1.17.0", 1024, 1024), headers=5 * MB)

    assert layer_table(layer) == table("""
        package  version  unpacked  zipped
        six      1.17.0       1 KB    1 KB
    """)


def test_no_line_ends_in_spaces() -> None:
    layer = manifest(package("a", "1", 5, 5), package("a-longer-name", "1.0", 5, 5), more=1)

    assert all(line == line.rstrip() for line in layer_table(layer).splitlines())


def test_no_line_of_the_totals_is_too_long_for_a_terminal() -> None:
    layer = manifest(package("six", "1.17.0", 249 * MB, 130 * MB), files=12_345)
    totals = layer_totals(replace(layer, member="reports-python3.13-x86_64"))
    assert totals == table("""
        reports-python3.13-x86_64: 249.0 MB unpacked of 250 MB,
          130.0 MB zipped over 50 MB, so it goes through S3, 12,345 files
    """)


def test_the_totals_stand_beside_the_limits_of_lambda() -> None:
    layer = manifest(package("six", "1.17.0", 125 * MB, 30 * MB), files=12_345)

    assert layer_totals(layer) == (
        "python3.13-arm64: 125.0 MB unpacked of 250 MB,\n  30.0 MB zipped of 50 MB, 12,345 files"
    )


def test_a_zip_of_exactly_the_limit_can_be_sent_directly() -> None:
    assert "50.0 MB zipped of 50 MB" in layer_totals(manifest(package("a", "1", MB, 50 * MB)))


def test_a_larger_zip_goes_through_s3() -> None:
    layer = manifest(package("a", "1", 60 * MB, 50 * MB + 1), files=2)

    assert layer_totals(layer) == (
        "python3.13-arm64: 60.0 MB unpacked of 250 MB,\n"
        "  50.0 MB zipped over 50 MB, so it goes through S3, 2 files"
    )


def test_a_small_layer_is_told_in_kilobytes() -> None:
    assert "1 KB unpacked of 250 MB, 1 KB zipped" in layer_totals(manifest(package("a", "1", 9, 7)))


def test_the_stages_are_told_in_their_order() -> None:
    assert stage_times({"lock": 0.1234, "wheels": 12.0, "write": 0.0}) == (
        "lock 0.12 s, wheels 12.00 s, write 0.00 s"
    )


def test_a_name_or_a_version_that_is_too_long_has_a_line_of_its_own() -> None:
    version = "2.0.0.dev20260101+g0123456789abcdef0123456789abcdef.dirty"
    layer = manifest(
        package("numpy", "2.3.4", 65 * MB, 16 * MB),
        package("aws-cdk-cloud-assembly-schema-of-a-team", "48.20.0.post1", 3 * MB, MB),
        package("from-git", version, 1536, 700),
        package("from-a-repository-of-a-team", version, 1536, 700),
    )
    shown = layer_table(layer)
    assert shown == table("""
        package                                  version        unpacked   zipped
        numpy                                    2.3.4           65.0 MB  16.0 MB
        aws-cdk-cloud-assembly-schema-of-a-team  48.20.0.post1    3.0 MB   1.0 MB
        from-git  2.0.0.dev20260101+g0123456789abcdef0123456789abcdef.dirty
                                                                    2 KB     1 KB
        from-a-repository-of-a-team
          2.0.0.dev20260101+g0123456789abcdef0123456789abcdef.dirty
                                                                    2 KB     1 KB
    """)
    assert max(map(len, shown.splitlines())) <= 80
