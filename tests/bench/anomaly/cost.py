#!/usr/bin/env python3
"""What the anomaly detectors cost a packet: `ids` over captures with detectors on and off, in turn.

    cost.py IDS CAPTURE... [--runs N] [--bars]

CPU time (user and system) of the whole program, the least of N runs each; no rules, alerts only. --bars: exit status
1 when the mean over the captures is above 50 ns a packet, or any capture is above 120 ns.
"""
import argparse
import os
import resource
import struct
import subprocess
import sys
import tempfile

OFF = "anomaly.scan.enabled: no\nanomaly.flood.enabled: no\n"
EVE = "eve:\n  types:\n    alert: {}\n"


def packets(path):
    """How many packets a classic capture file has."""
    count = 0
    with open(path, "rb") as f:
        order = "<" if f.read(24)[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
        while True:
            head = f.read(16)
            if len(head) < 16:
                return count
            f.seek(struct.unpack(order + "IIII", head)[2], 1)
            count += 1


def cpu(ids, capture, settings):
    with tempfile.TemporaryDirectory() as out:
        config = os.path.join(out, "c.yaml")
        with open(config, "w") as f:
            f.write("settings:\n" + "".join(f"  {line}\n" for line in settings.splitlines()) + EVE)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([ids, "run", "--pcap", capture, "--log-dir", out, "--config", config], check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ids")
    parser.add_argument("captures", nargs="+")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--bars", action="store_true")
    options = parser.parse_args()
    costs = []
    for capture in options.captures:
        count = packets(capture)
        least = {"on": 1e9, "off": 1e9}
        for _ in range(options.runs):
            least["off"] = min(least["off"], cpu(options.ids, capture, OFF))
            least["on"] = min(least["on"], cpu(options.ids, capture, "anomaly.seed: 7\n"))
        each = (least["on"] - least["off"]) / count * 1e9
        costs.append(each)
        print(f"{os.path.basename(capture):24s} {count:9d} packets  off {least['off'] / count * 1e9:7.0f} ns  "
              f"on {least['on'] / count * 1e9:7.0f} ns  detectors {each:6.1f} ns a packet", flush=True)
    mean = sum(costs) / len(costs)
    print(f"mean {mean:.1f} ns a packet")
    sys.exit(1 if options.bars and (mean > 50 or max(costs) > 120) else 0)


if __name__ == "__main__":
    main()
