"""Sphinx's configuration: `python3 .ci/hatch run docs build` writes the pages to `docs/_build`."""

from hatch_lambda_layer import __version__

project = "hatch-lambda-layer"
author = "The hatch-lambda-layer authors"
copyright = author  # noqa: A001  # Sphinx's name
release = __version__

extensions = ["myst_parser", "sphinx_copybutton"]
exclude_patterns = ["_build"]
# Links to headings are checked as deep as these are.
myst_heading_anchors = 4
nitpicky = True
highlight_language = "none"
copybutton_prompt_text = "$ "
# Of a console block, what is printed is not copied.
copybutton_only_copy_prompt_lines = True

html_theme = "furo"
html_title = "hatch-lambda-layer"
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
