"""What tests of live programs share: a network namespace of their own, and waiting."""

import os
import subprocess
import sys
import time


def in_own_namespace(main):
    """Runs this script again in a new network namespace, and main() there. The exit status: 77 where there are
    none."""
    if os.geteuid() != 0:
        print("skipped: needs root")
        return 77
    if "GH_INSIDE" in os.environ:
        return main()
    if subprocess.run(["unshare", "-n", "true"], stderr=subprocess.DEVNULL).returncode != 0:
        print("skipped: no network namespaces here")
        return 77
    return subprocess.run(["unshare", "-n", sys.executable] + sys.argv,
                          env=dict(os.environ, GH_INSIDE="1")).returncode


def run(command):
    subprocess.run(command.split(), check=True, stdout=subprocess.DEVNULL)


def wait_for(condition, seconds):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
