"""`python -m counterpoise` is `counterpoise`."""

import sys

from desk.cli.root import main

if __name__ == "__main__":
    sys.exit(main())
