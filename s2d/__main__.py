"""`python -m s2d` is `s2d`."""

import sys

from s2d.cli import main

sys.exit(main())
