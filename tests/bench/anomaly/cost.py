#!/usr/bin/env python3
"""What the anomaly detectors cost a packet: `ids` over captures with detectors on and off, in turn.

    cost.py IDS CAPTURE... [--runs N] [--instructions] [--bars]

CPU time (user and system) of the whole program; no rules, alerts only. Two figures: the difference of the least times,
and the median of the differences of neighbouring runs; where others use the machine neither is exact.
--instructions: those executed in user space as well, exact to a few (`perf stat` where the processor lets it count,
else one run each under valgrind). --bars: exit status 1 when the mean over the captures is above 50 ns a packet, or
any capture is above 120 ns.
"""
import argparse
import os
import re
import resource
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile

OFF = "anomaly.scan.enabled: no\nanomaly.flood.enabled: no\n"
ON = "anomaly.seed: 7\n"
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


def run(command, settings, capture, ids):
    with tempfile.TemporaryDirectory() as out:
        config = os.path.join(out, "c.yaml")
        with open(config, "w") as f:
            f.write("settings:\n" + "".join(f"  {line}\n" for line in settings.splitlines()) + EVE)
        return subprocess.run([*command, ids, "run", "--pcap", capture, "--log-dir", out, "--config", config], check=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True).stderr


def cpu(ids, capture, settings):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run([], settings, capture, ids)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def instructions(ids, capture, settings):
    """Executed in user space; None: nothing here can count them."""
    if shutil.which("perf"):
        found = re.search(r"^(\d+),", run(["perf", "stat", "-x,", "-e", "instructions:u"], settings, capture, ids), re.M)
        if found:
            return int(found[1])
    if shutil.which("valgrind"):
        found = re.search(r"I +refs: +([\d,]+)",
                          run(["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"],
                              settings, capture, ids))
        if found:
            return int(found[1].replace(",", ""))
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ids")
    parser.add_argument("captures", nargs="+")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--instructions", action="store_true")
    parser.add_argument("--bars", action="store_true")
    options = parser.parse_args()
    costs = []
    for capture in options.captures:
        count = packets(capture)
        times = {"off": [], "on": []}
        for _ in range(options.runs):
            for which, settings in (("off", OFF), ("on", ON)):
                times[which].append(cpu(options.ids, capture, settings))
        least = {which: min(each) for which, each in times.items()}
        each = (least["on"] - least["off"]) / count * 1e9
        median = statistics.median(on - off for on, off in zip(times["on"], times["off"])) / count * 1e9
        costs.append(each)
        more = ""
        if options.instructions:
            on, off = instructions(options.ids, capture, ON), instructions(options.ids, capture, OFF)
            more = f"  {(on - off) / count:6.1f} instructions" if on and off else "  instructions cannot be counted here"
        print(f"{os.path.basename(capture):24s} {count:9d} packets  off {least['off'] / count * 1e9:7.0f} ns  "
              f"on {least['on'] / count * 1e9:7.0f} ns  detectors {each:6.1f} ns a packet (median {median:.1f}){more}",
              flush=True)
    mean = sum(costs) / len(costs)
    print(f"mean {mean:.1f} ns a packet")
    sys.exit(1 if options.bars and (mean > 50 or max(costs) > 120) else 0)


if __name__ == "__main__":
    main()
