"""The options of `[[tool.lambda-layer.indexes]]`."""

from __future__ import annotations

from ..indexes import CODEARTIFACT, EXAMPLES, NAME, PATTERN
from .forms import Option, table, text, texts

_MEANINGS = {
    "domain": "the name of the domain",
    "domain-owner": "the number of the account that owns the domain",
    "repository": "the name of the repository",
    "region": "the Region of the domain",
}
CODEARTIFACT_TABLE = tuple(
    Option(
        key=key,
        form=text(CODEARTIFACT[key].pattern),
        default="required",
        description=f'{meaning}, such as `"{EXAMPLES[key]}"`',
    )
    for key, meaning in _MEANINGS.items()
)
INDEX = (
    Option(
        key="name",
        form=text(NAME.pattern),
        default="required",
        description="the name by which its credentials are found, such as `acme`",
        page="indexes.md#credentials",
    ),
    Option(
        key="url",
        form=text(r"https?://[^\s@?#]+"),
        default="that of `codeartifact`",
        description="the URL of the simple index, without user name and password",
    ),
    Option(
        key="codeartifact",
        form=table(CODEARTIFACT_TABLE, required=[*CODEARTIFACT]),
        default="none",
        description="a repository of AWS CodeArtifact: gives the URL, and a token as password",
        page="how-to/codeartifact.md",
    ),
    Option(
        key="packages",
        form=texts(PATTERN.pattern),
        default="`[]`",
        description="names, or patterns of names, of packages that come from this index only",
    ),
)
