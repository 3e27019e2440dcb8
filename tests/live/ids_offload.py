#!/usr/bin/env python3
"""A short connection of this machine is inspected, though no card has computed its checksums yet.

usage: ids_offload.py IDS

Two network namespaces with a veth pair between, whose ends leave checksums to each other. Exit status 0 seen,
1 not, 77 no namespaces here.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

from namespaces import in_own_namespace, run, wait_for


def main():
    work = tempfile.mkdtemp(prefix="gh-offload-")
    # Its namespace is the client's; it ends when its input does.
    other = subprocess.Popen(["unshare", "-n", "cat"], stdin=subprocess.PIPE)
    ids = None
    try:
        own = os.readlink("/proc/self/ns/net")
        if not wait_for(lambda: os.readlink("/proc/%d/ns/net" % other.pid) != own, 10):
            print("no second namespace")
            return 1
        inside = "nsenter -t %d -n " % other.pid
        for command in ("ip link add gh-a type veth peer name gh-b", "ip link set gh-b netns %d" % other.pid,
                        "ip address add 10.9.0.1/24 dev gh-a", "ip link set gh-a up", "ip link set lo up",
                        inside + "ip address add 10.9.0.2/24 dev gh-b", inside + "ip link set gh-b up"):
            run(command)
        rules = os.path.join(work, "site.rules")
        with open(rules, "w") as out:
            out.write('alert tcp any any -> any 25 (msg:"asked"; flow:established,to_server; content:"question"; '
                      'sid:1;)\n'
                      'alert tcp any 25 -> any any (msg:"answered"; flow:established,to_client; content:"answer"; '
                      'sid:2;)\n')
        talk_path = os.path.join(work, "talk")
        talk = open(talk_path, "w")
        ids = subprocess.Popen([sys.argv[1], "run", "--interface", "gh-a", "--rules", rules, "--log-dir", work],
                               stderr=talk, stdout=talk)
        if not wait_for(lambda: "ready:" in open(talk_path).read(), 60):
            print("the engine did not come up:\n" + open(talk_path).read())
            return 1
        server = socket.create_server(("10.9.0.1", 25))

        def serve():
            peer, _ = server.accept()
            peer.recv(100)
            peer.sendall(b"the answer\r\n")
            peer.close()

        threading.Thread(target=serve, daemon=True).start()
        client = ("import socket; s = socket.create_connection(('10.9.0.1', 25), 10); "
                  "s.sendall(b'a question\\r\\n'); assert s.recv(100)")
        subprocess.run(inside.split() + [sys.executable, "-c", client], check=True, timeout=30)
        time.sleep(0.5)
        ids.terminate()
        if ids.wait(60) != 0:
            print("the engine ended badly:\n" + open(talk_path).read())
            return 1
        seen = set()
        with open(os.path.join(work, "eve.json")) as events:
            for line in events:
                event = json.loads(line)
                if event["event_type"] == "alert":
                    seen.add(event["alert"]["signature_id"])
        print("alerts: %s" % sorted(seen))
        return 0 if {1, 2} <= seen else 1
    finally:
        if ids is not None and ids.poll() is None:
            ids.kill()
        other.stdin.close()
        other.wait()
        shutil.rmtree(work)


sys.exit(in_own_namespace(main))
