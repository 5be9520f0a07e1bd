"""`leash.py SIGNAL COMMAND...`: runs a command that ends when whoever started it is gone.

The starter holds the other end of this process' standard input. When that end closes, on purpose
or because the starter was killed, the command gets SIGNAL, and SIGKILL if it has not ended within
the grace. So no way of ending the stack leaves processes behind, on any POSIX system. Only the
standard library's smallest parts are imported: this starts in milliseconds.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from typing import Final

_GRACE_SECONDS: Final = 5.0


def main(number: signal.Signals, command: list[str]) -> int:
    """The command's exit code; 128 and the signal's number, as in a shell, if one ended it."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def stop(*_: object) -> None:
        child.send_signal(number)

    def follow_starter() -> None:
        while os.read(0, 1):
            pass
        stop()
        time.sleep(_GRACE_SECONDS)
        child.kill()

    for asked in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(asked, stop)
    threading.Thread(target=follow_starter, daemon=True).start()
    code = child.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(signal.Signals[sys.argv[1]], sys.argv[2:]))
