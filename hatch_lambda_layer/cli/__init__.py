"""The command `hatch-lambda-layer`: it translates and delegates."""
