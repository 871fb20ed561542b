"""The readers of untrusted bytes, fed with mutations of real and of hostile files.

Whatever the bytes are, a reader returns a value or raises a `LambdaLayerError`, in bounded time and
memory.
"""
