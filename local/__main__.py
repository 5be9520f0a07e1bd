"""`python -m local run` serves the local stack; `python -m local demo` shows that it works."""

import sys
import time

_started = time.monotonic()

from local.command_line import main  # noqa: E402 - the clock starts before the imports

if __name__ == "__main__":
    sys.exit(main(_started))
