"""`python -m hatch_lambda_layer`: the command `hatch-lambda-layer`."""

from __future__ import annotations

from .cli.main import main

if __name__ == "__main__":
    main(prog_name="hatch-lambda-layer")
