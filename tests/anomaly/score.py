#!/usr/bin/env python3
"""Runs `ids` over labelled captures (captures.py) and says how well its detectors did.

    score.py IDS DIR [--bars] [--workers N] [--ablate] [--only WORD]

--bars    exit status 1 unless the bars hold: at most one attack in eighteen unseen, one in nine misnamed, no false
          event on benign captures nor beside attacks, at most five events an attack
--ablate  leave out one detector or one kind of evidence after the other, and tell which captures it costs
"""
import argparse
import bisect
import datetime
import ipaddress
import json
import os
import subprocess
import sys
import tempfile

DETECTORS = ["source_scan", "group_scan", "syn_flood", "packet_flood", "slow_connections", "request_flood", "guessing",
             "lost_uplink", "role_learner", "version_scan", "reflection_out", "protocol_flood"]
EVIDENCE = ["refused", "unreachable", "silent", "odd", "abandoned", "retried", "completed", "taken_back"]


def inside(address, places):
    try:
        address = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(address in ipaddress.ip_network(place, False) for place in places)


def events(ids, folder, workers, without):
    with tempfile.TemporaryDirectory() as out:
        config = os.path.join(out, "c.yaml")
        with open(config, "w") as f:
            f.write("anomaly.seed: 7\n" + (f"anomaly.without: [{', '.join(without)}]\n" if without else ""))
        subprocess.run([ids, "run", "--pcap", os.path.join(folder, "input.pcap"), "--log-dir", out, "--config", config,
                        "--workers", str(workers)], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        found = []
        with open(os.path.join(out, "eve.json")) as lines:
            for line in lines:
                event = json.loads(line)
                if event["event_type"] != "alert" or "detection" not in event:
                    continue
                found.append(event)
        return sorted(found, key=lambda e: e["timestamp"])


def part_of(event, attack):
    """Does the event name a party of this attack, and may it?"""
    d = event["detection"]
    family = d["class"].split(".")[0]
    if family != attack["class"].split(".")[0]:
        return False
    by = [s for s in [event["src_ip"], *d["sources"]] if not ipaddress.ip_address(s).is_unspecified]
    guilty = attack.get("attackers", []) + attack.get("decoys", []) + attack.get("reflectors", [])
    if any(inside(s, guilty) for s in by):
        return all(inside(s, guilty) for s in d["sources"])
    return not by and family == "dos" and inside(event["dest_ip"], attack.get("victims", []))


def score(label, found):
    attacks = ([label] + label.get("others", [])) if label["attack"] else []
    row = dict(seen=0, named=0, attacks=len(attacks), false=[], events=0, seconds=None, probes=None)
    told = [None] * len(attacks)
    informed = set()
    for event in found:
        klass = event["detection"]["class"]
        if klass.startswith("info."):
            if klass not in label.get("informs", []):
                row["false"].append((klass, event["src_ip"], event["dest_ip"]))
            informed.add(klass)
            continue
        owner = next((i for i, a in enumerate(attacks) if part_of(event, a)), None)
        if owner is None:
            row["false"].append((klass, event["src_ip"], event["dest_ip"]))
            continue
        row["events"] += 1
        names = [attacks[owner]["class"], *attacks[owner].get("also", [])]
        told[owner] = told[owner] or (klass in names)
        if owner == 0 and row["seconds"] is None:
            when = datetime.datetime.strptime(event["timestamp"], "%Y-%m-%dT%H:%M:%S.%f%z").timestamp()
            row["seconds"] = max(0.0, when - label["start"])
            row["probes"] = bisect.bisect_right(label["probe_times"], row["seconds"] + 1e-4)
    row["false"] += [("not told", klass) for klass in label.get("informs", []) if klass not in informed]
    row["seen"] = sum(t is not None for t in told)
    row["named"] = sum(bool(t) for t in told)
    return row


def run_all(options, without=()):
    rows = {}
    for name in sorted(os.listdir(options.folder)):
        if options.only not in name:
            continue
        folder = os.path.join(options.folder, name)
        with open(os.path.join(folder, "label.json")) as f:
            label = json.load(f)
        rows[name] = (label, score(label, events(options.ids, folder, options.workers, without)))
    return rows


def ablate(options, full):
    good = lambda label, row: row["seen"] == row["named"] == row["attacks"] and not row["false"]
    print("| left out | captures that fail without it |\n|---|---|")
    for part in DETECTORS + EVIDENCE:
        rows = run_all(options, [part])
        lost = [n for n, (label, row) in rows.items() if good(*full[n]) and not good(label, row)]
        print(f"| {part} | {', '.join(lost) or '–'} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ids")
    parser.add_argument("folder")
    parser.add_argument("--bars", action="store_true")
    parser.add_argument("--ablate", action="store_true")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    rows = run_all(options)
    for name, (label, row) in rows.items():
        quick = "" if row["seconds"] is None else f"{row['seconds']:9.3f} s {row['probes']:5d} probes"
        print(f"{name:38s} {label['class']:26s} {row['seen']}/{row['attacks']} seen {row['named']} named "
              f"{row['events']} events {quick} {row['false'] or ''}")
    total = {k: sum(r[k] for _, r in rows.values()) for k in ("attacks", "seen", "named", "events")}
    false = sum(len(r["false"]) for _, r in rows.values())
    benign = sum(not l["attack"] for l, _ in rows.values())
    fast = sum(1 for _, r in rows.values() if r["seconds"] is not None and (r["seconds"] < 1 or r["probes"] < 20))
    print(f"{total['attacks']} attacks: {total['seen']} seen, {total['named']} rightly named, {total['events']} events; "
          f"{fast} within a second or 20 probes; {benign} benign captures; {false} false events")
    if options.ablate:
        ablate(options, rows)
    met = (total["seen"] >= total["attacks"] * 17 / 18 and total["named"] >= total["attacks"] * 8 / 9 and false == 0
           and total["events"] <= 5 * max(total["seen"], 1))
    sys.exit(0 if met or not options.bars else 1)


if __name__ == "__main__":
    main()
