"""What presets and patterns leave out of a layer, and what stays whatever they say."""

from __future__ import annotations

import pytest

from hatch_lambda_layer.layer.pruning import PRESETS, prune
from hatch_lambda_layer.layer.tree import Entry, LayerTree


def tree_of(*paths: str, owner: str = "pkg") -> LayerTree:
    return LayerTree(tuple(Entry.made(f"python/{path}", owner, b"") for path in paths))


def left(tree: LayerTree) -> list[str]:
    return [entry.path.removeprefix("python/") for entry in tree]


def goes(path: str, *patterns: str) -> bool:
    """Say whether `patterns` leave `path` out."""
    tree, _ = prune(tree_of(path, "other/kept.py"), patterns, ())
    assert "other/kept.py" in left(tree)
    return path not in left(tree)


@pytest.mark.parametrize(
    "path",
    [
        "pkg/tests/test_core.py",
        "pkg/tests/core_test.py",
        "pkg/tests/conftest.py",
        "pkg/tests/data/table.csv",
        "pkg/tests/data/model.pkl",
        "pkg/test/test_core.py",
        "pkg/sub/deep/tests/test_core.py",
        "tests/test_core.py",
        "test/data.bin",
        "pandas/tests/io/data/legacy.h5",
        "numpy/_core/tests/data/umath-validation-set-sin.csv",
        "sklearn/datasets/tests/data/openml/1/api-v1-jd-1.json.gz",
    ],
)
def test_the_preset_tests_leaves_out_test_modules_and_their_data(path: str) -> None:
    assert goes(path, "tests")


@pytest.mark.parametrize(
    "path",
    [
        "pkg/testing/__init__.py",
        "pkg/testing/data.json",
        "pkg/tests/__init__.py",
        "pkg/tests/helper.py",
        "pkg/tests/runner.py",
        "pkg/test.py",
        "pkg/tests.py",
        "pkg/test_client.py",
        "pkg/conftest.py",
        "pkg/latest/notes.txt",
        "pkg/contests/data.json",
        "pkg/tests/latest_results.py",
        "pkg/tests/contest_rules.py",
        "pkg/tests/backtest_engine.py",
        "numpy/_core/_rational_tests.so",
        "numpy/_core/_rational_tests.cpython-313-x86_64-linux-gnu.so",
        "numpy/_core/tests/_native.cpython-313-x86_64-linux-gnu.so",
        "pkg/tests/libthing.so.1.2",
        "pkg/tests/cached.pyc",
        "numpy/testing/_private/utils.py",
        "django/test/client.py",
        "django/test/__init__.py",
        "django/test/utils.py",
        "astropy/tests/runner.py",
        "astropy/tests/helper.py",
        "sympy/testing/runtests.py",
        "pkg-1.0.dist-info/tests/data.json",
    ],
)
def test_the_preset_tests_keeps_what_may_be_imported(path: str) -> None:
    assert not goes(path, "tests")


@pytest.mark.parametrize(
    "path", ["pkg/core.pyi", "pkg/__init__.pyi", "pandas-stubs/core/frame.pyi", "six-stubs/x.py"]
)
def test_the_preset_stubs_leaves_out_stubs(path: str) -> None:
    assert goes(path, "stubs")


@pytest.mark.parametrize(
    "path",
    [
        "pkg/py.typed",
        "pkg/core.py",
        "pkg/stubs/core.py",
        "pkg/my-stubs/core.py",
        "pkg_stubs-1.0.dist-info/METADATA",
        "types_six-1.0.dist-info/RECORD",
        "pkg/api.pyi.txt",
    ],
)
def test_the_preset_stubs_keeps_everything_else(path: str) -> None:
    assert not goes(path, "stubs")


def test_stubs_that_a_lazy_loader_reads_stay() -> None:
    tree = LayerTree(
        tree_of("skimage/__init__.pyi", "skimage/io/__init__.pyi", owner="scikit-image").entries
        + tree_of("numpy/__init__.pyi", owner="numpy").entries
    )

    kept, _ = prune(tree, ["stubs"], {"scikit-image"})

    assert left(kept) == ["skimage/__init__.pyi", "skimage/io/__init__.pyi"]


def test_stubs_of_a_lazy_loader_go_when_a_pattern_says_so() -> None:
    tree = tree_of("skimage/__init__.pyi", "skimage/__init__.py", owner="scikit-image")

    kept, _ = prune(tree, ["*.pyi"], {"scikit-image"})

    assert left(kept) == ["skimage/__init__.py"]


@pytest.mark.parametrize(
    "path",
    [
        "numpy/_core/include/numpy/arrayobject.h",
        "pyarrow/include/arrow/api.hpp",
        "lxml/etree.pyx",
        "lxml/includes/tree.pxd",
        "pkg/speedups.c",
        "pkg/speedups.cpp",
        "numpy/_core/lib/libnpymath.a",
        "pyarrow/lib/cmake/Arrow/ArrowConfig.cmake",
        "numpy/_core/lib/pkgconfig/numpy.pc",
        "scipy/linalg/solve.f90",
        "nvidia/cuda_runtime/include/vector_types.cuh",
        "pkg/include/deep/kernels.cu",
        "pkg/include/pyopencl-ranluxcl.cl",
        "pkg/include/shaders.metal",
    ],
)
def test_the_preset_headers_leaves_out_what_a_compiler_reads(path: str) -> None:
    assert goes(path, "headers")


@pytest.mark.parametrize(
    "path",
    [
        "pkg/speedups.so",
        "pkg/lib/libthing.so.6",
        "pkg/include/readme.txt",
        "pkg/include/__init__.py",
        "pkg/data.csv",
        "pkg/page.html",
        "pkg/grammar.h5",
        "pkg/x.cfg",
        "thinc/backends/_custom_kernels.cu",
        "thinc/backends/_murmur3.cuh",
        "pyopencl/cl/pyopencl-airy.cl",
        "mlx/backend/kernels.metal",
        "includes/kernels.cu",
        "pkg-1.0.dist-info/licenses/vendor.h",
    ],
)
def test_the_preset_headers_keeps_everything_else(path: str) -> None:
    assert not goes(path, "headers")


@pytest.mark.parametrize(
    ("patterns", "path"),
    [
        (("headers", "!python/thing/*.pyx"), "thing/core.pyx"),
        (("!*.pyx", "headers"), "thing/core.pyx"),
        (("tests", "headers", "!*.csv"), "pkg/tests/data/table.csv"),
        (("stubs", "!*.pyi"), "pkg/core.pyi"),
        (("headers", "pkg", "!*.h"), "other/x.h"),
    ],
)
def test_a_pattern_with_an_exclamation_mark_brings_back_what_a_preset_took(
    patterns: tuple[str, ...], path: str
) -> None:
    assert not goes(path, *patterns)


def test_a_pattern_takes_again_what_an_earlier_one_brought_back() -> None:
    assert goes("thing/core.pyx", "headers", "!*.pyx", "core.pyx")
    assert goes("thing/core.pxd", "headers", "!*.pyx")


# Each row was compared with what `git check-ignore --no-index` says.
GLOBS = [
    (("*.txt",), "pkg/deep/a.txt", True),
    (("*.txt",), "pkg/a.txt.py", False),
    (("*.TXT",), "pkg/a.txt", False),
    (("data/",), "pkg/data/a.csv", True),
    (("data/",), "pkg/data", False),
    (("data",), "pkg/data", True),
    (("python/pkg/data",), "pkg/data/deep/a.csv", True),
    (("/python/pkg/data",), "pkg/data/a.csv", True),
    (("pkg/data",), "pkg/data/a.csv", False),
    (("/data",), "data/a.csv", False),
    (("**/pkg/data",), "pkg/data/a.csv", True),
    (("python/**/data",), "pkg/deep/data/a.csv", True),
    (("python/pkg/**",), "pkg/deep/a.csv", True),
    (("python/pkg/*",), "pkg/deep/a.csv", True),
    (("python/*/a.csv",), "pkg/deep/a.csv", False),
    (("python/pkg/?.csv",), "pkg/a.csv", True),
    (("python/pkg/?.csv",), "pkg/ab.csv", False),
    (("python/pkg/[ab].csv",), "pkg/b.csv", True),
    (("python/pkg/[!ab].csv",), "pkg/b.csv", False),
    (("\\!keep.txt",), "pkg/!keep.txt", True),
    (("\\#note.txt",), "pkg/#note.txt", True),
    (("# a comment",), "pkg/# a comment", False),
    (("*.csv", "!b.csv"), "pkg/a.csv", True),
    (("*.csv", "!b.csv"), "pkg/b.csv", False),
    (("!b.csv", "*.csv"), "pkg/b.csv", True),
    (("python/pkg/data/*", "!python/pkg/data/keep.json"), "pkg/data/keep.json", False),
    (("python/pkg/data/*", "!python/pkg/data/keep.json"), "pkg/data/gone.json", True),
    (("*.csv", "!a*.csv", "ab.csv"), "pkg/ab.csv", True),
]


@pytest.mark.parametrize(
    ("patterns", "path", "expected"),
    GLOBS,
    ids=[f"{' '.join(patterns)} on {path}" for patterns, path, _ in GLOBS],
)
def test_a_pattern_means_what_it_means_in_gitignore(
    patterns: tuple[str, ...],
    path: str,
    expected: bool,  # noqa: FBT001
) -> None:
    assert goes(path, *patterns) is expected


def test_metadata_stays_whatever_the_pattern() -> None:
    tree = tree_of("pkg/__init__.py", "pkg-1.0.dist-info/METADATA", "pkg-1.0.dist-info/RECORD")

    kept, warnings = prune(tree, ["**"], ())

    assert left(kept) == ["pkg-1.0.dist-info/METADATA", "pkg-1.0.dist-info/RECORD"]
    assert warnings == []


def test_presets_and_patterns_add_up() -> None:
    tree = tree_of("pkg/a.py", "pkg/a.pyi", "pkg/a.h", "pkg/tests/test_a.py", "pkg/big.bin")

    kept, warnings = prune(tree, [*PRESETS, "*.bin"], ())

    assert left(kept) == ["pkg/a.py"]
    assert warnings == []


@pytest.mark.parametrize(
    ("pattern", "preset"),
    [("test", "tests"), ("Tests", "tests"), ("stub", "stubs"), ("header", "headers")],
)
def test_a_pattern_that_matches_nothing_warns_with_the_nearest_preset(
    pattern: str, preset: str
) -> None:
    tree, warnings = prune(tree_of("pkg/a.py"), [pattern], ())

    assert left(tree) == ["pkg/a.py"]
    (warning,) = warnings
    assert warning.startswith(f"`prune` pattern {pattern!r} matches nothing in the layer")
    assert warning.endswith(f"(did you mean the preset `{preset}`?)")


def test_a_pattern_that_is_like_no_preset_warns_without_a_suggestion() -> None:
    _, warnings = prune(tree_of("pkg/a.py"), ["python/pkg/*.json"], ())

    assert warnings == ["`prune` pattern 'python/pkg/*.json' matches nothing in the layer"]


def test_a_pattern_that_matches_only_metadata_warns_too() -> None:
    _, warnings = prune(tree_of("pkg/a.py", "pkg-1.0.dist-info/METADATA"), ["METADATA"], ())

    assert len(warnings) == 1


def test_a_preset_that_matches_nothing_is_no_fault() -> None:
    assert prune(tree_of("pkg/a.py"), list(PRESETS), ())[1] == []


def test_a_tree_without_patterns_is_as_it_was() -> None:
    tree = tree_of("pkg/a.py", "pkg/tests/test_a.py")

    assert prune(tree, [], ()) == (tree, [])
