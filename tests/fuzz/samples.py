"""The files that mutations begin with: real ones in small, and the hostile ones of the tests."""

from __future__ import annotations

import base64
import bz2
import io
import lzma
import tarfile
from dataclasses import replace
from typing import TYPE_CHECKING

from hatch_lambda_layer.findings import codes
from hatch_lambda_layer.layer.manifest import LayerManifest, LayerPackage
from hatch_lambda_layer.publishing.descriptions import VersionTag
from tests.support.elf_factory import AARCH64, ElfSpec
from tests.support.hostile_wheels import HOSTILE
from tests.support.lock_factory import LockedFile, LockedPackage, locked, pylock
from tests.support.unusual_wheels import UNUSUAL
from tests.support.wheel_factory import WheelSpec, deflated

from .mutation import MAX_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterator

DEMO = WheelSpec(name="demo", requires_dist=["other>=1; extra == 'x'"])
PAGE = "https://index.example/simple/demo/"
# Between the parts of an input that stands for several files.
CUT = b"\n# ---- next file ----\n"
_SHA = "a" * 64
_HASH = f"sha256:{_SHA}"


def wheels() -> list[bytes]:
    """Return a wheel, and the unusual and the hostile ones, without those that are large."""
    hostile = (
        made().data
        for name, made in HOSTILE.items()
        if not name.startswith(("zip-bomb", "too-many"))
    )
    unusual = (made().data for made in UNUSUAL.values())
    return [each for each in (DEMO.data, *unusual, *hostile) if len(each) < MAX_SIZE]


def records() -> list[bytes]:
    """Return RECORD files."""
    right = next(each.data for each in DEMO.members if each.path.endswith("RECORD"))
    return [right, right.replace(b"\n", b"\r\n"), b'"a,b",sha256=x,1\n', b'"""', b"\xff\xfe\n,,,\n"]


def metadata() -> list[bytes]:
    """Return METADATA files."""
    long = "".join(f"X-{number}: y\n" for number in range(2000))
    encoded = "Author: =?utf-8?b?w6Q=?= <a@b>\nDescription-Content-Type: text/x-rst\n"
    bodies = ("", long, encoded, "Requires-Dist: a\n\tb; c\n\nText\n", "Name: other\n", "\n:\n \n")
    wheels = (replace(DEMO, extra_metadata=each) for each in bodies)
    return [each.metadata for each in wheels]


def wheel_files() -> list[bytes]:
    """Return WHEEL files."""
    return [DEMO.wheel_file, b"Wheel-Version: 2.0\n", b"\xff\n"]


def elf_files() -> list[bytes]:
    """Return shared libraries, one of them as large as real ones."""
    needs = {"libc.so.6": {"GLIBC_2.34": "dlopen", "GLIBC_ABI_DT_RELR": None}}
    needs["libstdc++.so.6"] = {"GLIBCXX_3.4.30": "x" * 300, "CXXABI_1.3": None}
    many = {f"lib{number}.so": {f"V_{number}.{n}": f"s{n}" for n in range(40)} for number in "abc"}
    specs = (
        ElfSpec(),
        ElfSpec(bits=32),
        ElfSpec(machine=AARCH64, kind=1),
        ElfSpec(versions=needs, soname="libx.so", libraries=["libm.so.6"]),
        ElfSpec(versions=many, section_headers=False),
    )
    return [each.data for each in specs]


def html_pages() -> list[bytes]:
    """Return pages of an index as PEP 503 describes them."""
    link = (
        f'<a href="../../files/demo-1.0-py3-none-any.whl#sha256={_SHA}" '
        'data-requires-python="&gt;=3.8" data-yanked="why">demo-1.0-py3-none-any.whl</a><br>\n'
    )
    odd = "<a href='http://[::1'>x</a><a href><a HREF=//x:99999/y><![foo[<!DOCTYPE x [<!--"
    return [f"<!DOCTYPE html><html><body>{each}".encode() for each in (link, link * 20, odd)]


def json_pages() -> list[bytes]:
    """Return pages of an index as PEP 691 describes them."""
    file = (
        '{"filename": "demo-1.0-py3-none-any.whl", "url": "/files/demo-1.0-py3-none-any.whl", '
        f'"hashes": {{"sha256": "{_SHA}"}}, "requires-python": ">=3.8", "yanked": false, '
        '"size": 1, "upload-time": "2026-01-01T00:00:00Z"}'
    )
    odd = file.replace("false", "5").replace('"/files', '"http://[::1')
    text = '{"meta": {"api-version": "1.1"}, "name": "demo", "files": [%s], "versions": ["1.0"]}'
    bodies = (file, ",".join([file] * 20), odd, file.replace(f'"{_SHA}"', "[]"))
    return [(text % each).encode() for each in bodies]


def pylocks() -> list[bytes]:
    """Return lockfiles of PEP 751, as uv exports them and as other tools write them."""
    wheel = locked(DEMO, "https://files.example/demo-1.0-py3-none-any.whl")
    archive = LockedFile(filename="x-1.0.tar.gz", data=b"x", url="https://files.example/x-1.0.zip")
    sdist = replace(archive, filename="s-1.0.tar.gz")
    packages = (
        wheel,
        LockedPackage(sdist=sdist, marker="'cli' in extras or 'dev' in dependency_groups"),
        LockedPackage(name="x", archive=archive, marker="python_version >= '3.8'"),
        LockedPackage(name="g", vcs={"type": "git", "url": "https://g.example", "commit-id": "ab"}),
        LockedPackage(name="d", directory={"path": "../d", "editable": True}),
    )
    texts = (
        pylock(),
        pylock(*packages, extras=["cli"], dependency_groups=["dev"], default_groups=["dev"]),
        pylock(wheel, environments=["sys_platform == 'linux'", "python_version === '3.13'"]),
        pylock(replace(wheel, marker="extra == 'x' and (os_name == 'posix' or not_a_name == '')")),
    )
    return [each.encode() for each in texts]


def uv_locks() -> list[bytes]:
    """Return a `uv.lock` of several forms, each with the project that it was made from."""
    head = 'version = 1\nrevision = 5\nrequires-python = ">=3.11, !=3.12.*"\n'
    source = f'[[package]]\nname = "demo"\nversion = "1.0"\nsource = {{ registry = "{PAGE}" }}\n'
    app = '[[package]]\nname = "app"\nversion = "1"\nsource = { virtual = "." }\n'
    metadata = (
        '[package.metadata]\nprovides-extras = ["x"]\nrequires-dist = [\n'
        '{ name = "demo", extras = ["y"], specifier = ">=1", marker = "extra == \'x\'" },\n'
        '{ name = "g", git = "https://g.example/g?rev=main" },\n'
        '{ name = "lib", editable = "lib" }]\n'
        '[package.metadata.requires-dev]\ndev = [{ name = "demo", index = "https://i.example" }]\n'
    )
    lib = '[[package]]\nname = "lib"\nsource = { editable = "lib" }\n'
    manifest = (
        '[manifest]\nmembers = ["app", "lib"]\nconstraints = [{ name = "demo" }]\n'
        'overrides = ["a"]\nexcludes = ["zeta"]\n[manifest.dependency-groups]\n'
        '[[manifest.dependency-metadata]]\nname = "demo"\nrequires-dist = ["a; os_name == \'x\'"]\n'
    )
    project = (
        '[project]\nname = "app"\nversion = "1"\ndependencies = ["g", "lib", "x @ ${A}"]\n'
        'optional-dependencies.x = ["demo[y]>=1"]\n[dependency-groups]\ndev = ["demo"]\n'
        'more = [{ include-group = "dev" }]\n'
        '[tool.uv.sources]\ng = { git = "https://g.example/g" }\n'
        'lib = [{ path = "lib", marker = "os_name != \'nt\'" }, { workspace = "x" }]\n'
        'demo = { index = "loop", extra = "x" }\n[[tool.uv.index]]\nname = "loop"\nurl = "i"\n'
        '[tool.uv]\nconflicts = [[{ extra = "x" }, { group = "dev" }]]\nenvironments = "os_name"\n'
        'workspace = { members = ["*"], exclude = ["y"] }\nconstraint-dependencies = ["demo"]\n'
        'dependency-metadata = [{ name = "demo" }]\noverride-dependencies = [{ package = "a" }]\n'
    )
    other = (
        '[dependency-groups]\ndev = ["demo", "x @ file:///lib", "y @ git+ssh://g@h/r@v#egg=y"]\n'
    )
    locks = (
        head + app + metadata + lib + source,
        head + manifest + app + metadata.replace(">=1", "===x"),
        f'{head}conflicts = [[{{ package = "app", extra = "x" }}]]\n{app}{source}',
        'requires-python = "===x"\n',
    )
    projects = (project, other, '[project]\nname = "app"\ndynamic = ["dependencies"]\n')
    return [lock.encode() + CUT + each.encode() for lock in locks for each in projects]


def poetry_locks() -> list[bytes]:
    """Return a `poetry.lock` of each form, each with the project that it was made from."""
    source = '[package.source]\ntype = "{0}"\nurl = "{1}"\nreference = "loop"\n'
    git = source.format("git", "git@g.example:a/b.git") + 'resolved_reference = "abcdef"\n'
    files = f'files = [{{file = "demo-1.0-py3-none-any.whl", hash = "{_HASH}"}}]\n'
    package = '[[package]]\nname = "demo"\nversion = "1.0"\ndevelop = true\n'
    grouped = f'{package}groups = ["main", "dev"]\nmarkers = {{main = "os_name != \'x\'"}}\n'
    needy = (
        '[package.dependencies]\ndemo = [{version = "^1 || ~0.9", markers = "os_name != \'x\'"}]\n'
        'other = {version = "*", optional = true, extras = ["y"], python = "<3.9"}\n'
        '[package.extras]\nx = ["other (>=1)", "demo[y]"]\n'
    )
    end = '\n[metadata]\nlock-version = "{0}"\npython-versions = ">=3.11,<4 || ^3.9"\n'
    end += f'content-hash = "{_HASH}"\n'
    new, older = end.format("2.1"), end.format("2.0")
    old = end.format("1.1") + "[metadata.files]\n"
    old += f'demo = [{{file = "a-1.0.tar.gz", hash = "{_HASH}"}}]\n'
    head = (
        "# This file is automatically @generated by Poetry {0} and should not be changed by hand.\n"
    )
    locks = (
        f"{head.format('2.5.1')}{grouped}{files}\n{source.format('legacy', PAGE)}{new}",
        f"{package}\n{needy}{source.format('legacy', PAGE)}{old}",
        head.format("9.0") + package + files + needy + git + older,
        f"{package}{files}{source.format('directory', 'lib')}{older}",
        f"{package}{files}{source.format('url', PAGE)}{older}",
    )
    projects = (
        (
            '[tool.poetry]\nname = "app"\n[tool.poetry.dependencies]\npython = "^3.11"\n'
            'demo = [{version = "^1", extras = ["x"], source = "loop"}, {git = "g", rev = "v"}]\n'
            '[tool.poetry.extras]\nx = ["demo"]\n[tool.poetry.group.dev]\ninclude-groups = ["a"]\n'
        ),
        (
            '[project]\nname = "app"\nversion = "1"\n'
            "dependencies = [\"demo[x]>=1; os_name != 'nt'\"]\n"
            '[tool.poetry.dependencies]\ndemo = { path = "../demo", develop = true }\n'
        ),
    )
    return [lock.encode() + CUT + each.encode() for lock in locks for each in projects]


def pdm_locks() -> list[bytes]:
    """Return a `pdm.lock` of each form, each with the project that it was made from."""
    project = (
        '[project]\nname = "app"\nversion = "1"\ndependencies = ["demo[x]>=1; os_name != \'nt\'"]\n'
        f'[[tool.pdm.source]]\nname = "loop"\nurl = "{PAGE}"\ninclude_packages = ["d*"]\n'
    )
    head = (
        '[metadata]\ngroups = ["default", "dev"]\nstrategy = ["inherit_metadata", "static_urls"]\n'
        f'lock_version = "4.5.0"\ncontent_hash = "{_HASH}"\n[[metadata.targets]]\n'
        'requires_python = ">=3.11"\nplatform = "manylinux_2_17_x86_64"\nimplementation = "cpython"'
    )
    package = '\n[[package]]\nname = "demo"\nversion = "1.0"\ngroups = ["default"]\n'
    package += 'extras = ["x"]\nmarker = "python_version > \'3\'"\ndependencies = ["demo>=1"]\n'
    named = f'files = [{{file = "demo-1.0-py3-none-any.whl", hash = "{_HASH}"}}]\n'
    kinds = (
        named,
        f'files = [{{url = "https://u:p@files.example/demo-1.0.tar.gz", hash = "{_HASH}"}}]\n',
        'git = "https://g.example/a.git"\nref = "main"\nrevision = "abcdef"\n',
        'path = "file:///${PROJECT_ROOT}/lib"\neditable = true\n',
        f'url = "https://files.example/demo.zip"\n{named}',
    )
    return [f"{head}\n{package}{kind}".encode() + CUT + project.encode() for kind in kinds]


def requirements() -> list[bytes]:
    """Return requirements files, each with one that it may include."""
    pairs = (
        (f"demo==1.0 \\\n    --hash={_HASH}\n", ""),
        ("-r other.txt\n-c other.txt # c\n--index-url=https://u:${X}@i.example\n", "-r main.txt\n"),
        ("-i '\n--extra-index-url x -iy\n-e git+https://g.example\n", "\ufeffdemo\n"),
        ("\\\n\\\n# x\\\n--require-hashes\n", "--find-links ${HOME}\n"),
    )
    marked = "demo\n".encode("utf-16")
    return [*(one.encode() + CUT + two.encode() for one, two in pairs), marked]


def netrcs() -> list[bytes]:
    """Return netrc files."""
    return [
        b'machine a.example login me password "p \\" w"\ndefault login you password x\n',
        b"machine a account b macdef m\nx\n\n# c\nmachine",
        b"machine \xff login \xe4 password \x00\n",
    ]


def layer_manifests() -> list[bytes]:
    """Return `layer.json` files."""
    package = LayerPackage(
        name="demo",
        version="1.0",
        wheel=DEMO.filename,
        sha256=_SHA,
        files=1,
        unpacked_size=1,
        zipped_size=1,
    )
    manifest = LayerManifest(
        member="python3.13-x86_64",
        layer=None,
        runtime="python3.13",
        architecture="x86_64",
        input_digest=_HASH,
        content_digest=_HASH,
        code_sha256=base64.b64encode(bytes(32)).decode(),
        zipped_size=1,
        unpacked_size=1,
        files=1,
        packages=(package,),
        findings=(codes.NEARLY_FULL.finding("max-size", "it is large"),),
    )
    return [manifest.to_json().encode(), b"[]", b"null", b'{"schema": 1}']


def layer_versions() -> list[bytes]:
    """Return `layer-versions.json` files."""
    row = b'{"layer_name": "a", "account": "1", "region": "eu-west-1", "arn": "x", "version": 1}'
    return [b'{"schema": 1, "versions": [%s]}' % row, b'{"schema": 1, "versions": {"a": []}}']


def descriptions() -> list[bytes]:
    """Return Descriptions of layer versions."""
    tag = VersionTag(content_digest=_HASH, code="c" * 12, inputs="i" * 16, project="0" * 8)
    return [
        each.describe(text).encode()
        for each in (tag, replace(tag, forced=True))
        for text in ("", "Our layer", "\u00e4 [hatch-lambda-layer 1 ")
    ]


def pyprojects() -> list[bytes]:
    """Return `pyproject.toml` files with every table of ours."""
    layer = (
        '[tool.lambda-layer]\nruntimes = ["python3.13"]\narchitectures = ["arm64"]\n'
        'max-size = "250 MiB"\nprune = ["tests", "**/*.md"]\nexclude = ["aws-sdk"]\n'
    )
    whole = (
        f'[project]\nname = "app"\nversion = "1"\n{layer}build = "auto"\n'
        '[tool.lambda-layer.force-include]\n"a" = "python/a"\n'
        '[tool.lambda-layer.container]\nengine = "docker"\nimage = "i"\n'
        f'[[tool.lambda-layer.indexes]]\nname = "own"\nurl = "{PAGE}"\npackages = ["a*"]\n'
        '[tool.lambda-layer.layers.ml]\ngroups = ["ml"]\n'
        '[tool.lambda-layer.publish]\nlayer-name = "app-{runtime}"\ns3-dir = "s3://b/{region}"\n'
        'regions = ["eu-west-1"]\nretain = 2\npermissions = { accounts = ["111122223333"] }\n'
        'tags = { a = "b" }\nssm-parameter = "/layers/{layer-name}"\n'
    )
    return [layer.encode(), whole.encode(), whole.replace("\n[", "\n\n[").encode("utf-8-sig")]


def requires_dist() -> list[bytes]:
    """Return the dependencies in METADATA of any age, one a line."""
    lines = (
        "other[a,b] (>=1.0,<2) ; extra == 'x' and python_version >= \"3.8\"",
        "other @ https://files.example/other-1.0.zip ; sys_platform == 'linux'",
        "other (>=0.dev-r5) ; python_full_version in '3.1 3.2' or (os_name != 'nt')",
        "demo[x]; platform_release >= '6' and 'a' not in extra",
    )
    return ["\n".join(lines).encode(), *(each.encode() for each in lines)]


def build_systems() -> list[bytes]:
    """Return the `pyproject.toml` of sources."""
    text = (
        '[build-system]\nrequires = ["hatchling>=1; os_name != \'nt\'", "cython"]\n'
        'build-backend = "backend:x.y"\nbackend-path = [".", "sub"]\n[tool.hatch.version]\n'
        'source = "vcs"\n'
    )
    return [text.encode(), b"[build-system]\nrequires = []\n", b'[project]\nname = "x"\n']


def sources() -> list[bytes]:
    """Return source archives, compressed and not: what is compressed hides from mutations."""
    plain = [_tar(form) for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT)]
    packed = [lzma.compress(plain[0]), bz2.compress(plain[0]), _gzip(plain[1])]
    return [*plain, *packed, DEMO.data]


def _tar(form: int) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form) as tar:
        for member in _members():
            tar.addfile(member, io.BytesIO(bytes(member.size)))
    return stream.getvalue()


def _members() -> Iterator[tarfile.TarInfo]:
    for name in ("demo-1.0/pyproject.toml", "demo-1.0/" + "long/" * 30 + "\u00e4.py"):
        member = tarfile.TarInfo(name)
        member.size = 20
        yield member
    for kind, linkname in ((tarfile.SYMTYPE, "pyproject.toml"), (tarfile.DIRTYPE, "")):
        member = tarfile.TarInfo("demo-1.0/other")
        member.type, member.linkname = kind, linkname
        yield member


def _gzip(data: bytes) -> bytes:
    return b"\x1f\x8b\x08" + bytes(7) + deflated(data) + bytes(8)


def messages() -> list[bytes]:
    """Return texts that a message may quote."""
    return [
        b"https://user:secret@host/path?token=x and https://a:b@c\n::error::x\n##vso[x]\x1b[31m",
        "\u202e \u2028 ##[group] \ud800".encode("utf-8", "surrogatepass"),
        b"https://" * 50 + b"@" * 50,
    ]
