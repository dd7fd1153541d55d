"""Splits a script's own arguments from those that it passes on."""


def split_arguments(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Returns the arguments before the first `--` and those after it."""
    split = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:split], arguments[split + 1 :]
