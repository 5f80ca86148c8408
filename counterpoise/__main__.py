"""`python -m counterpoise` is `counterpoise`.

Python puts the working directory first on the path here, unlike for the console command. It goes before anything else is imported:
a `queue.py` beside a user's data must not be run.
"""

import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    del sys.path[0]

from desk.cli.root import main

if __name__ == "__main__":
    sys.exit(main())
