"""The console that commands print on."""

from rich.console import Console


def plain_console(*, stderr: bool = False) -> Console:
    """Return a console that prints text as it is.

    What commands print holds names of files: brackets in them are no markup,
    ``:warning:`` is no emoji, and a name on two lines cannot be copied.

    Args:
        stderr: Print to standard error: messages and progress. Standard output
            is for results.

    Returns:
        The console. Tables with markup in their cells need one of their own.
    """
    return Console(
        stderr=stderr,
        soft_wrap=True,
        markup=False,
        emoji=False,
        highlight=False,
    )
