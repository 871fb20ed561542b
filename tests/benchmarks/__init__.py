"""Measures this tool against what people use instead, in the same run on the same machine.

`python -m tests.benchmarks --help` says how. Only ratios of runs in turn mean anything: absolute
times drift with the machine and with what else runs on it.
"""
