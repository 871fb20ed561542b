"""The command, also as `python -m hatch_lambda_layer`: signals first, then everything else."""

import signal


def _end(number: int, _frame: object) -> None:
    """End the process at once: there is nothing yet, or nothing any more, to be cleaned up."""
    import os

    os.write(2, b"error: Interrupted\n")
    os._exit(128 + number)


# Before the imports of the command, which take a while: a traceback would end them.
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, _end)
if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
    signal.signal(signal.SIGTERM, _end)


def main() -> None:
    """Run the command."""
    from .cli.main import main as command

    command(prog_name="hatch-lambda-layer")


if __name__ == "__main__":
    main()
