"""Python imports this at start when its folder is on PYTHONPATH: then no socket leaves the machine.

Every refused attempt is also written to the file $PTM_REFUSED, because code that tries the network, fails and
goes on would look fine here and hang where packets are dropped.
"""

import os
import sys

LOCAL = {"", "localhost", "127.0.0.1", "::1", "0.0.0.0", "::"}


def refuse(event, args):
    if event == "socket.connect":
        address = args[1]
        host = address[0] if isinstance(address, tuple) else ""  # a plain string is a Unix socket
    elif event == "socket.getaddrinfo":
        host = args[0] or ""
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    if host not in LOCAL:
        if "PTM_REFUSED" in os.environ:
            with open(os.environ["PTM_REFUSED"], "a", encoding="utf-8") as file:
                file.write(f"{host}\n")
        raise OSError(f"this test runs offline, and something wanted to reach {host}")


sys.addaudithook(refuse)
