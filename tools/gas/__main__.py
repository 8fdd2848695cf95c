"""`python -m tools.gas`: measure, and write the records."""

import sys

from tools.gas.measure import main

sys.exit(main())
