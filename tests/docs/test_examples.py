"""The examples for other tools are valid: templates, scripts, pipelines."""

from __future__ import annotations

import ast
import re

import pytest
import yaml
from cfnlint import lint_all

from tests.docs.generated import DOCS, pages


def blocks(kind: str) -> list[tuple[str, str]]:
    """Give the blocks of a kind in all pages, each with the name of its page."""
    return [
        (str(page.relative_to(DOCS.parent)), text)
        for page in pages()
        for text in re.findall(rf"(?ms)^```{kind}\n(.*?)^```", page.read_text(encoding="utf-8"))
    ]


class _Loader(yaml.SafeLoader):
    """A loader that knows the tags of CloudFormation and GitLab, and wants no key twice."""


def _any_tag(loader: yaml.SafeLoader, _suffix: str, node: yaml.Node) -> object:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    assert isinstance(node, yaml.MappingNode)
    return loader.construct_mapping(node, deep=True)


_Loader.add_multi_constructor("!", _any_tag)


@pytest.mark.parametrize(("page", "text"), blocks("yaml"))
def test_every_yaml_example_is_valid(page: str, text: str) -> None:
    assert yaml.load(text, _Loader), page  # noqa: S506  # a safe loader with more tags


TEMPLATES = [text for _, text in blocks("yaml") if "AWSTemplateFormatVersion" in text]


@pytest.mark.parametrize("text", TEMPLATES)
def test_every_template_passes_the_linter_of_aws(text: str) -> None:
    # `aws cloudformation package` puts bucket and key in its place.
    packaged = text.replace(
        " Content: dist/layer.zip", " Content: {S3Bucket: uploads, S3Key: layer.zip}"
    )
    # Its remarks, I…, are about whole applications.
    found = [match for match in lint_all(packaged) if not match.rule.id.startswith("I")]
    assert [str(match) for match in found] == []


def test_there_are_templates_for_sam_and_cloudformation() -> None:
    assert len(TEMPLATES) >= 3


@pytest.mark.parametrize(("page", "text"), blocks("python"))
def test_every_python_example_is_valid(page: str, text: str) -> None:
    assert ast.parse(text, page).body
