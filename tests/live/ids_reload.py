#!/usr/bin/env python3
"""Rules are replaced while packets flow: each packet must be inspected, by the old rules or the new.

usage: ids_reload.py IDS

In a network namespace of its own, numbered packets go over a veth pair at 4,000 a second. One rule sees every
packet and is in every version of the rules; another changes with each version. Exit status 0 all held, 1 not,
77 no namespaces here.
"""

import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

from namespaces import in_own_namespace, run, wait_for

RATE = 4000
RELOADS = 5
MASS = 3000  # rules beside those that matter, so that a reload takes time
failures = []


def check(holds, what):
    print(("ok: " if holds else "FAILED: ") + what)
    if not holds:
        failures.append(what)


def expect_soon(condition, seconds, what):
    holds = wait_for(condition, seconds)
    if not holds:
        check(False, what)
    return holds


def frame(number):
    """An UDP packet from 10.9.0.1 to port 9 of 10.9.0.2 that says which it is."""
    payload = b"probe %08d" % number
    udp = struct.pack(">HHHH", 40000 + number % 64, 9, 8 + len(payload), 0) + payload
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, socket.inet_aton("10.9.0.1"),
                     socket.inet_aton("10.9.0.2"))
    total = sum(struct.unpack(">10H", ip))
    total = (total & 0xFFFF) + (total >> 16)
    total = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    return b"\x02\0\0\0\0\2\x02\0\0\0\0\1\x08\0" + ip[:10] + struct.pack(">H", total) + ip[12:] + udp


class Sender(threading.Thread):
    def __init__(self):
        super().__init__()
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self.socket.bind(("gh-a", 0))
        self.sent = 0
        self.stop = False

    def run(self):
        start = time.monotonic()
        while not self.stop:
            while self.sent < (time.monotonic() - start) * RATE and not self.stop:
                self.socket.send(frame(self.sent))
                self.sent += 1
            time.sleep(0.002)


def write_rules(path, version):
    rules = ['alert udp any any -> any 9 (msg:"every"; content:"probe"; sid:1; rev:%d;)' % version,
             'alert udp any any -> any 9 (msg:"version"; content:"probe"; content:"000"; sid:%d;)' % (100 + version)]
    rules += ['alert http any any -> any any (msg:"mass"; http.uri; content:"/mass-%d-%d/"; pcre:"/x[0-9]{%d}y/"; '
              "sid:%d;)" % (version, i, i % 7 + 1, 1000 + i) for i in range(MASS)]
    with open(path + ".new", "w") as out:
        out.write("\n".join(rules) + "\n")
    os.rename(path + ".new", path)


def main():
    for command in ("ip link add gh-a type veth peer name gh-b", "ip link set gh-a up", "ip link set gh-b up"):
        run(command)
    work = tempfile.mkdtemp(prefix="gh-reload-")
    ids = None
    try:
        rules = os.path.join(work, "site.rules")
        thresholds = os.path.join(work, "threshold.config")
        config = os.path.join(work, "config.yaml")
        talk_path = os.path.join(work, "talk")
        with open(thresholds, "w") as out:
            out.write("suppress gen_id 1, sig_id 101\n")
        with open(config, "w") as out:
            out.write("{threshold-file: %s}\n" % thresholds)
        write_rules(rules, 1)
        talk = open(talk_path, "w")
        ids = subprocess.Popen([sys.argv[1], "run", "--interface", "gh-b", "--rules", rules, "--config", config,
                                "--log-dir", work], stderr=talk, stdout=talk)
        said = lambda: open(talk_path).read()
        if not expect_soon(lambda: "ready:" in said(), 60, "the engine comes up"):
            return 1
        sender = Sender()
        sender.start()
        time.sleep(0.5)
        for version in range(2, 2 + RELOADS):
            write_rules(rules, version)
            with open(thresholds, "w") as out:  # what the file says counts from the reload on
                out.write("suppress gen_id 1, sig_id %d\n" % (104 if version == 4 else 9999))
            ids.send_signal(signal.SIGHUP)
            expect_soon(lambda: said().count("reload finished") == version - 1, 60, "reload %d ends" % (version - 1))
            time.sleep(0.3)
        with open(rules, "w") as out:
            out.write("alert udp any any -> any 9 (no-such-keyword; sid:1;)\n")
        ids.send_signal(signal.SIGHUP)
        expect_soon(lambda: "the old rules stay in force" in said(), 60, "bad rules are refused")
        time.sleep(0.5)
        sender.stop = True
        sender.join()
        time.sleep(0.5)
        ids.send_signal(signal.SIGTERM)
        check(ids.wait(60) == 0, "the engine ends well")
        versions, others = {}, {}
        stats = None
        with open(os.path.join(work, "eve.json")) as events:
            for line in events:
                event = json.loads(line)
                if event["event_type"] == "stats":
                    stats = event["stats"]
                if event["event_type"] != "alert":
                    continue
                sid = event["alert"]["signature_id"]
                if sid == 1:
                    rev = event["alert"]["rev"]
                    versions[rev] = versions.get(rev, 0) + 1
                else:
                    others[sid] = others.get(sid, 0) + 1
        text = said()
        print(text)
        alerts = sum(versions.values())
        check(alerts == sender.sent, "each of %d packets was inspected: %d alerts" % (sender.sent, alerts))
        check(sorted(versions) == list(range(1, 2 + RELOADS)), "by every version of the rules: %s" % versions)
        check(sorted(others) == [100 + v for v in (2, 3, 5, 6)],
              "thresholds are read with the rules: %s" % others)
        check(stats["capture"]["kernel_drops"] == 0, "the kernel dropped none")
        check(re.findall(r"packets not inspected: (\d+)", text) == ["0"] * RELOADS, "and each reload says so")
        check(len(re.findall(r"reload begins: needs about [1-9]\d* MiB", text)) == RELOADS + 1,
              "what memory it needs is said before")
        check("last_reload" in stats["detect"]["engines"][0], "stats tell when")
    finally:
        if ids is not None and ids.poll() is None:
            ids.kill()
        shutil.rmtree(work)
    return 1 if failures else 0


sys.exit(in_own_namespace(main))
