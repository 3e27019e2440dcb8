"""The program that is measured: as a fresh machine builds it, with detectors of scans and floods on or off."""
import os
import pathlib
import subprocess
from typing import NamedTuple

ROOT = pathlib.Path(__file__).resolve().parents[2]
EVE = "eve:\n  types:\n    alert: {}\n"
SETTINGS = {"on": "settings:\n  anomaly.seed: 7\n",
            "off": "settings:\n  anomaly.scan.enabled: no\n  anomaly.flood.enabled: no\n"}


def build():
    """Builds `ids` with what users get, and returns its path."""
    folder = ROOT / "build" / "bench"
    subprocess.run(["cmake", "-S", ROOT, "-B", folder, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=RelWithDebInfo"],
                   check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", folder, "ids"], check=True, stdout=subprocess.DEVNULL)
    return str(folder / "bin" / "ids")


class Run(NamedTuple):
    cpu: float  # seconds, user and system
    memory: float  # peak, MiB
    said: str  # on stderr


def detect(ids, capture, which, folder, before=()):
    """Runs `ids` over a capture with detectors "on" or "off", without rules; alerts go to eve.json in `folder`."""
    config = pathlib.Path(folder) / "config.yaml"
    config.write_text(SETTINGS[which] + EVE)
    child = subprocess.Popen([*before, ids, "run", "--pcap", str(capture), "--log-dir", str(folder), "--config", str(config)],
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    said = child.stderr.read()
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise SystemExit(f"{ids} over {capture}: {said[-2000:]}")
    return Run(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, said)
