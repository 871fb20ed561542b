"""Descriptions of the options, in words and as a JSON schema: the source of both, read by no build.

`docs/options.md` and `config/lambda-layer.schema.json` are made of it: `hatch run docs write`.
"""
