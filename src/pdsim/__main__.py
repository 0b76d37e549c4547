"""`python -m pdsim` is the command line, also where no scripts are on the path."""

from pdsim.cli import main

if __name__ == "__main__":
    main()
