"""Runs inside a lab (GATEHOUSE_LAB): kills the daemons under traffic and compares spool and SOC.

What a killed writer had not yet handed to the kernel has no place in the spool and no number; what
has one must arrive. The numbers of a stream go on over restarts, so a hole in them is a loss, also
in segments that the forwarder has given back meanwhile.
"""
import json
import os
import re
import signal
import subprocess
import sys
import time

ROUNDS = 4
SPOOL = "/var/spool/gatehouse"


def read_lab(path):
    text = open(path, encoding="utf-8").read()
    machines = {name: re.findall(r'"([^"]*)"', words)
                for name, words in re.findall(r"^  (\w+):\n    enter: \[(.*)\]$", text, re.M)}
    return machines, re.search(r"^received-file: (.*)$", text, re.M).group(1)


def run(machine, *command):
    return subprocess.run(machine + list(command), capture_output=True, text=True, check=False)


def pids(machine, program):
    return run(machine, "pgrep", "-x", program).stdout.split()


def wait_until(what, limit, test):
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        if test():
            return
        time.sleep(0.1)
    sys.exit("FAILED: " + what)


def kill_and_wait_for_another(gatehouse, program):
    old = pids(gatehouse, program)
    if not old:
        sys.exit("FAILED: %s does not run" % program)
    run(gatehouse, "kill", "-KILL", *old)
    wait_until("%s did not come back" % program, 20,
               lambda: pids(gatehouse, program) and not set(pids(gatehouse, program)) & set(old))


def spool_ids(gatehouse):
    out = run(gatehouse, "socfwd", "cat", "--json", SPOOL)
    if out.returncode != 0:
        sys.exit("FAILED: socfwd cat: " + out.stderr)
    return [(event["id"], event["skipped"]) for event in map(json.loads, out.stdout.splitlines())
            if event["stream"] == "ids"]


def received_ids(path):
    with open(path, encoding="utf-8") as fh:
        return [fields[1] for fields in (line.split("\t") for line in fh) if len(fields) == 4 and fields[1]]


def holes(ids):
    numbers = {int(i.rsplit("-", 1)[1]) for i in ids}
    return sorted(set(range(1, max(numbers) + 1)) - numbers) if numbers else []


def main():
    machines, received = read_lab(os.environ["GATEHOUSE_LAB"])
    gatehouse, outside = machines["gatehouse"], machines["outside"]
    attack = "while :; do curl -s -o /dev/null --max-time 2 -A '() { :;}; /bin/id' http://10.66.1.10/cgi-bin/x; sleep 0.05; done"
    traffic = subprocess.Popen(outside + ["bash", "-c", attack], start_new_session=True)
    try:
        for _ in range(ROUNDS):
            time.sleep(2)
            kill_and_wait_for_another(gatehouse, "socfwd")
            time.sleep(1)
            kill_and_wait_for_another(gatehouse, "ids")
        time.sleep(3)
    finally:
        os.killpg(traffic.pid, signal.SIGKILL)
    time.sleep(2)  # the writer syncs at most 200 ms later; flows of the last requests may still end

    wanted = spool_ids(gatehouse)
    wait_until("the SOC does not have every event of the spool", 60,
               lambda: {i for i, _ in wanted} <= set(received_ids(received)))
    got = received_ids(received)
    lost = holes(got)
    restarts = len({i.rsplit("-", 1)[0] for i in got})
    print("%d events received, %d of them twice; %d runs of the writer; %d missing" % (
        len(set(got)), len(got) - len(set(got)), restarts, len(lost)))
    if lost or any(skipped for _, skipped in wanted):
        sys.exit("FAILED: events are missing: %s" % lost[:20])
    if len(set(got)) < 50 or restarts < ROUNDS:
        sys.exit("FAILED: too little happened to prove anything")


main()
