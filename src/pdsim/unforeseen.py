"""An error that nobody foresaw: its traceback goes to a file, one line to the user."""

import sys
import tempfile
import traceback

from pdsim import __version__


def keep_trace(error: Exception) -> str:
    """Write the traceback of an error to a file, and return what to tell the user.

    Parameters
    ----------
    error : Exception

    Returns
    -------
    str
        One line: what happened, where the traceback is, what to do with it.
    """
    kind = "".join(traceback.format_exception_only(error)).splitlines()[0]
    trace = "".join(traceback.format_exception(error))
    text = f"pdsim {__version__}, Python {sys.version}, {sys.platform}\n{sys.argv}\n\n{trace}"
    told = f"pdsim failed in a way that was not foreseen ({kind:.200})."
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", errors="backslashreplace",
            prefix="pdsim-error-", suffix=".log", delete=False,
        ) as file:  # fmt: skip
            file.write(text)
    except OSError:
        return told
    return (
        f"{told} Nothing half-written is left. Please send {file.name}, and the input if you may, "
        "to those who maintain pdsim."
    )
