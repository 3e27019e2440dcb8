#!/usr/bin/env python3
"""A capture cut into parts that are run one after the other with a state file: the same attacks as in one run?

    split.py IDS DIR [--cuts N] [--seed N] [--only WORD] [--workers N]

DIR is what captures.py made. Each capture is cut at N places drawn at random. What a connection was that the cut goes
through is forgotten with the flows, so figures may differ, of the names that the label calls right another may be
given, of several attackers another may come first, and of an outage another of those it hit. Otherwise class, source,
target and phase of every event are the same.
"""
import argparse
import collections
import ipaddress
import json
import os
import random
import struct
import subprocess
import sys
import tempfile


def read(path):
    with open(path, "rb") as f:
        head, packets = f.read(24), []
        while len(record := f.read(16)) == 16:
            packets.append(record + f.read(struct.unpack("<IIII", record)[2]))
    return head, packets


def events(ids, captures, folder, workers, label):
    """Of the captures run in turn with one state file. All names that are right count as one, all attackers too."""
    names = [label["class"], *label.get("also", [])]
    guilty = [ipaddress.ip_network(a) for a in label["attackers"] + label["decoys"]]
    found = collections.Counter()
    for number, capture in enumerate(captures):
        out = os.path.join(folder, f"out{number}")
        config = os.path.join(folder, "c.yaml")
        with open(config, "w") as f:
            f.write("anomaly.seed: 7\n")
        run = subprocess.run([ids, "run", "--pcap", capture, "--log-dir", out, "--config", config, "--workers",
                              str(workers), "--state", os.path.join(folder, "state")], check=True,
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if "is not used" in run.stderr:
            sys.exit(run.stderr)
        with open(os.path.join(out, "eve.json")) as lines:
            for line in lines:
                event = json.loads(line)
                if event["event_type"] == "alert" and "detection" in event:
                    d = event["detection"]
                    who = event["src_ip"], event["dest_ip"]
                    if d["class"] == "info.lost_uplink":
                        who = ("anyone", "anyone")
                    elif any(ipaddress.ip_address(who[0]) in network for network in guilty):
                        who = ("attacker", who[1])
                    found[names[0] if d["class"] in names else d["class"], d["phase"], *who] += 1
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ids")
    parser.add_argument("folder")
    parser.add_argument("--cuts", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    draw = random.Random(options.seed)
    differ = 0
    for name in sorted(os.listdir(options.folder)):
        if options.only not in name:
            continue
        whole = os.path.join(options.folder, name, "input.pcap")
        head, packets = read(whole)
        with open(os.path.join(options.folder, name, "label.json")) as f:
            label = json.load(f)
        cuts = sorted(draw.randrange(1, len(packets)) for _ in range(options.cuts))
        with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as many:
            parts = []
            for number, (start, end) in enumerate(zip([0, *cuts], [*cuts, len(packets)])):
                parts.append(os.path.join(many, f"{number}.pcap"))
                with open(parts[-1], "wb") as f:
                    f.write(head + b"".join(packets[start:end]))
            expected = events(options.ids, [whole], one, options.workers, label)
            got = events(options.ids, parts, many, options.workers, label)
        if expected != got:
            differ += 1
            print(f"{name}: cut at {cuts} of {len(packets)}\n  missing {dict(expected - got)}\n  extra {dict(got - expected)}")
    print(f"{differ} captures differ")
    sys.exit(1 if differ else 0)


if __name__ == "__main__":
    main()
