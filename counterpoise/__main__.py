"""`python -m counterpoise` is `counterpoise`."""

import sys

from counterpoise.cli.root import main

if __name__ == "__main__":
    sys.exit(main())
