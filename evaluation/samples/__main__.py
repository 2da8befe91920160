"""`python -m evaluation.samples FOLDER`: see sweep.py."""

import sys

from evaluation.samples.sweep import main

sys.exit(main())
