"""The documentation as a site: Sphinx builds it without a warning, so that no link is dead."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer._internal import address
from hatch_lambda_layer._internal.address import PUBLIC_ADDRESS
from tests.docs.generated import DOCS, ROOT, pages, with_address

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site; a page that is in no list of `index.md` is a warning, too."""
    folder = tmp_path_factory.mktemp("site")
    # What Sphinx has read is kept beside the pages unless another folder is named.
    doctrees = tmp_path_factory.mktemp("doctrees")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-d", str(doctrees)]
    done = subprocess.run([*command, DOCS, folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stderr}\nA new page belongs into a list of docs/index.md."
    return folder


def test_every_page_is_built(site: Path) -> None:
    made = {path.relative_to(site).with_suffix("") for path in site.rglob("*.html")}
    written = {page.relative_to(DOCS).with_suffix("") for page in pages() if DOCS in page.parents}
    assert written - made == set()
    assert len(written) > 15


def test_the_table_of_options_is_a_table_on_the_site(site: Path) -> None:
    html = (site / "options.html").read_text(encoding="utf-8")
    assert re.search(r"<td>.*python-full-version.*</td>", html)


def test_pages_load_nothing_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        html = page.read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|img|iframe)[^>]*\ssrc=\"(https?:[^\"]+)", html)
        loaded += re.findall(r"<link[^>]*rel=\"stylesheet\"[^>]*href=\"(https?:[^\"]+)", html)
        assert loaded == [], page.name


def test_no_page_names_an_address_of_the_project_that_is_not_there() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert ("[project.urls]" in project) is bool(PUBLIC_ADDRESS)
    assert PUBLIC_ADDRESS in project
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert ("](docs/" in readme) is not bool(PUBLIC_ADDRESS)


def test_with_an_address_the_links_of_the_readme_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address, "PUBLIC_ADDRESS", "https://host.test/layers/")
    text = with_address("[a](docs/use.md#sam), [b](https://b.test), [c](#more)")
    assert text == "[a](https://host.test/layers/docs/use.md#sam), [b](https://b.test), [c](#more)"
    assert with_address(text) == text
