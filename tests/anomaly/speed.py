#!/usr/bin/env python3
"""The same attacks whatever the pace and the number of workers?

    speed.py IDS DIR [NAME ...]

Replays captures of DIR (what captures.py made) at once, 200 times as fast as they came and 40 times, and runs them with
one worker and with four: every event of the detectors must be the same.
"""
import json
import os
import subprocess
import sys
import tempfile

NAMES = ["scan-random-ports", "scan-shared-by-forty", "scan-inside-a-synflood", "slow-readers", "sweep-ipv6",
         "smtp-guesses-of-a-network", "dns-answers-to-a-victim", "tls-handshakes-of-many", "benign-uplink-lost"]


def events(ids, words, out):
    subprocess.run([ids, *words, "--log-dir", out], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    with open(os.path.join(out, "eve.json")) as lines:
        found = [json.loads(line) for line in lines]
    # Of one moment the order is that of the output.
    return sorted(json.dumps([e["timestamp"], e["src_ip"], e["dest_ip"], e["detection"]], sort_keys=True)
                  for e in found if e["event_type"] == "alert" and "detection" in e)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    ids, folder = sys.argv[1:3]
    differ = 0
    for name in sys.argv[3:] or NAMES:
        with tempfile.TemporaryDirectory() as out:
            config = os.path.join(out, "c.yaml")
            with open(config, "w") as f:
                f.write("anomaly.seed: 7\n")
            of = ["--pcap", os.path.join(folder, name, "input.pcap"), "--config", config]
            ways = {f"speed {speed}": ["anomaly", "replay", *of, "--speed", speed] for speed in ("0", "200", "40")}
            ways |= {f"{workers} workers": ["run", *of, "--workers", workers] for workers in ("1", "4")}
            told = {way: events(ids, words, os.path.join(out, way.replace(" ", ""))) for way, words in ways.items()}
        first = told["speed 0"]
        if not first:
            sys.exit(f"{name}: nothing was found")
        for way, found in told.items():
            if found != first:
                differ += 1
                print(f"{name}, {way}: {len(found)} events, {len(first)} at once\n  " +
                      "\n  ".join(sorted(set(found) ^ set(first))[:4]))
    print(f"{differ} differ")
    sys.exit(1 if differ else 0)


if __name__ == "__main__":
    main()
