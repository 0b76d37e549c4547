"""The command line: arguments in, one call of the library, text out."""

from pdsim.cli.entry import app as app
from pdsim.cli.entry import main as main
