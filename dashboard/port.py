"""Is the dashboard's port free? ``python -m dashboard.port 8501`` says what to do if it is not."""

from __future__ import annotations

import errno
import socket
import sys


def problem_with(port: str) -> str | None:
    """Why the dashboard cannot listen on 127.0.0.1:``port``, with the mend; None if it can."""
    if not port.isdecimal() or not 0 < int(port) < 65536:
        return f"PORT={port} is no port. Give a number from 1 to 65535: make run PORT=8502"
    with socket.socket() as probe:
        # As the server does: a port whose last connections linger in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", int(port)))
        except OSError as error:
            if error.errno == errno.EACCES:
                return (
                    f"Port {port} is for the administrator only. Choose one above 1023: PORT=8502"
                )
            free = int(port) + 1 if int(port) < 65535 else 8501
            return (
                f"Port {port} is taken, by another Ackboard perhaps. "
                f"Choose another: make run PORT={free}"
            )
    return None


if __name__ == "__main__":
    found = problem_with(sys.argv[1] if len(sys.argv) > 1 else "8501")
    if found is not None:
        sys.exit(f"error: {found}")
