"""No worker waits for the workbenches of tests: loading one costs more than most of them."""

from __future__ import annotations

import os

os.environ["GOODFIT_STANDBY"] = "0"
