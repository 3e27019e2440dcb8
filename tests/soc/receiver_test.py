#!/usr/bin/env python3
"""socfwd against a real receiver (rsyslog, GnuTLS) in a network namespace of its own.

receiver_test.py SOCFWD SUPPORT-DIR UNPACKED-ROOT [CASE...]
Exit 77: skipped, with the reason.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SKIP = 77
ADDRESS = "10.66.3.10"
PORT = 6514
EVENTS = 20000


def skip(reason):
    print("SKIP:", reason)
    sys.exit(SKIP)


def enter_namespace():
    """Runs this program again inside a namespace that has nothing but a loopback."""
    if os.environ.get("GH_IN_NETNS") != "1":
        os.execvpe("unshare", ["unshare", "--net", "--", sys.executable, *sys.argv], {**os.environ, "GH_IN_NETNS": "1"})
    for command in (["ip", "link", "set", "lo", "up"], ["ip", "addr", "add", ADDRESS + "/32", "dev", "lo"]):
        subprocess.run(command, check=True)


class Bench:
    def __init__(self, socfwd, support, root, directory):
        self.socfwd, self.support, self.root, self.dir = socfwd, support, root, directory
        self.outputs = 0
        self.receiver = None
        self.forwarder = None
        self.certs("pki", "collector.soc.example", "gatehouse.example")

    def certs(self, name, server, client):
        subprocess.run([f"{self.support}/make-certs", f"{self.dir}/{name}", server, client, ADDRESS], check=True)

    def site(self, spool="spool", server_name="collector.soc.example", client="pki/client"):
        path = f"{self.dir}/site.yaml"
        with open(path, "w") as out:
            out.write(f"""
site: receiver-test
version: 1
zones:
  outside: {{interface: wan0, networks: any}}
  soc: {{interface: soc0, networks: [10.66.3.0/24], hosts: {{collector: [{ADDRESS}]}}}}
flows:
  - {{from: gatehouse, to: soc/collector, ports: [tcp/{PORT}], comment: alerts}}
soc:
  spool: {spool}
  receivers:
    siem: {{kind: syslog-tls, host: soc/collector, port: {PORT}, server-name: {server_name},
           ca: pki/ca.pem, certificate: {client}.pem, key: {client}.key}}
""")
        return path

    def start_receiver(self):
        self.outputs += 1
        self.receiver = subprocess.Popen([f"{self.support}/soc-receiver", self.root, f"{self.dir}/pki", str(PORT),
                                          f"{self.dir}/out.{self.outputs}", "gatehouse.example"])
        deadline = time.time() + 15
        while time.time() < deadline:
            if f":{PORT} " in subprocess.run(["ss", "-ltnH"], capture_output=True, text=True).stdout:
                return
            time.sleep(0.05)
        raise AssertionError("the receiver does not listen: " + open(f"{self.dir}/out.{self.outputs}.d/log").read())

    def stop_receiver(self, how=signal.SIGTERM):
        if self.receiver:
            self.receiver.send_signal(how)
            self.receiver.wait()
            self.receiver = None

    def start_forwarder(self, site):
        self.forwarder = subprocess.Popen([self.socfwd, "run", site, "--heartbeat", "1"])

    def stop_forwarder(self, how=signal.SIGTERM):
        if self.forwarder:
            self.forwarder.send_signal(how)
            status = self.forwarder.wait()
            self.forwarder = None
            return status
        return None

    def once(self, site):
        return subprocess.run([self.socfwd, "run", site, "--once", "--give-up", "2"], capture_output=True, text=True)

    def emit(self, first, count, spool="spool"):
        lines = "".join(json.dumps({"timestamp": "2026-11-21T20:30:00.123456+0000", "event_type": "alert", "flow_id": n,
                                    "alert": {"signature_id": 1, "severity": 2, "signature": "x" * 400}},
                                   separators=(",", ":")) + "\n" for n in range(first, first + count))
        subprocess.run([self.socfwd, "emit", "--spool", f"{self.dir}/{spool}", "--stream", "test"], input=lines, text=True,
                       check=True, stdout=subprocess.DEVNULL)

    def lines(self):
        """Every whole line of every receiver so far: (event id, msgid, message)."""
        for number in range(1, self.outputs + 1):
            try:
                content = open(f"{self.dir}/out.{number}", encoding="utf-8").read()
            except FileNotFoundError:
                continue
            for line in content.split("\n")[:-1]:
                _, event_id, msgid, message = line.split("\t", 3)
                yield event_id, msgid, message

    def received(self):
        return [(i, json.loads(m)) for i, kind, m in self.lines() if kind == "alert"]

    def spooled(self, spool="spool"):
        text = subprocess.run([self.socfwd, "cat", f"{self.dir}/{spool}", "--json"], capture_output=True, text=True,
                              check=True).stdout
        return {e["id"]: e["event"]["flow_id"] for e in map(json.loads, text.splitlines())}

    def status(self, site):
        done = subprocess.run([self.socfwd, "status", site, "--json"], capture_output=True, text=True)
        return done.returncode, json.loads(done.stdout)["sinks"][0]

    def wait_for(self, what, seconds=60):
        deadline = time.time() + seconds
        while time.time() < deadline:
            if what():
                return
            time.sleep(0.05)
        raise AssertionError("gave up waiting")

    def close(self):
        self.stop_forwarder(signal.SIGKILL)
        self.stop_receiver(signal.SIGKILL)


def check(condition, text):
    if not condition:
        raise AssertionError(text)


def names(bench):
    """Who is accepted: the table of accept and refuse, on both sides."""
    bench.start_receiver()
    bench.emit(0, 50)
    bench.certs("other", "collector.soc.example", "gatehouse.example")
    # A certificate of the right CA for another name.
    issue = ("cd {0} && openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout stranger.key -out s.csr "
             "-subj /CN=stranger.example 2>/dev/null && printf 'subjectAltName=DNS:stranger.example\\n"
             "extendedKeyUsage=clientAuth\\n' >s.ext && openssl x509 -req -in s.csr -CA ca.pem -CAkey ca.key "
             "-CAcreateserial -days 2 -extfile s.ext -out stranger.pem 2>/dev/null").format(f"{bench.dir}/pki")
    subprocess.run(["sh", "-c", issue], check=True)
    for label, changes in (("client of another CA", {"client": "other/client"}),
                           ("client of another name", {"client": "pki/stranger"}),
                           ("server of another name", {"server_name": "elsewhere.example"})):
        site = bench.site(**changes)
        done = bench.once(site)
        check(done.returncode == 3, f"{label}: exit {done.returncode}, {done.stderr}")
        check(not bench.received(), f"{label}: events were received")
        _, status = bench.status(site)
        check(status["delivered"] == 0 and status["lag_events"] == 50, f"{label}: the position moved: {status}")
        print(f"{label}: refused ({done.stderr.strip().splitlines()[-1].split('error: ')[-1]})")
    done = bench.once(bench.site())
    check(done.returncode == 0, done.stderr)
    got = bench.received()
    check(len(got) == 50 and dict((i, e["flow_id"]) for i, e in got) == bench.spooled(), "not every event arrived")
    code, status = bench.status(bench.site())
    check(code == 0 and status["delivered"] == 50 and status["lag_events"] == 0, f"status: {status}")
    print("right names: 50 of 50")


def account(bench, label):
    got = bench.received()
    unique = {}
    for event_id, event in got:
        check(unique.setdefault(event_id, event["flow_id"]) == event["flow_id"], f"{label}: {event_id} names two events")
        check(event["alert"]["metadata"]["gatehouse_event_id"] == [event_id], f"{label}: the line names another id")
    lost = len(set(range(EVENTS)) - set(unique.values()))
    print(f"{label}: {EVENTS} events, {len(got)} lines received, lost {lost}, duplicates {len(got) - len(unique)}")
    check(lost == 0, f"{label}: lost {lost}")
    check(sorted(unique.values()) == list(range(EVENTS)), f"{label}: one event came under two ids")


def receiver_killed(bench):
    """kill -9 of the receiver twice, and an absence, while 20,000 events flow."""
    site = bench.site()
    bench.start_receiver()
    bench.start_forwarder(site)
    for part in range(4):
        bench.emit(part * EVENTS // 4, EVENTS // 4)
        if part < 2:
            # In the middle of things: some of this part have arrived, not all.
            arrived = part * EVENTS // 4 + 500
            bench.wait_for(lambda: len({i for i, _ in bench.received()}) >= arrived)
            bench.stop_receiver(signal.SIGKILL)
            time.sleep(1.0 if part == 0 else 0.2)
            bench.start_receiver()
    bench.wait_for(lambda: len({i for i, _ in bench.received()}) == EVENTS)
    bench.wait_for(lambda: any(kind == "heartbeat" for _, kind, _ in bench.lines()), 10)
    check(bench.stop_forwarder() == 0, "socfwd did not end well")
    account(bench, "receiver killed twice")
    code, status = bench.status(site)
    check(code == 0 and status["lag_events"] == 0 and status["delivered"] == EVENTS, f"status: {status}")


def forwarder_killed(bench):
    """kill -9 of socfwd while it delivers, during an absence of the receiver, and once more."""
    site = bench.site()
    bench.start_receiver()
    bench.start_forwarder(site)
    bench.emit(0, EVENTS // 2)
    bench.wait_for(lambda: len(bench.received()) >= 1000)
    bench.stop_forwarder(signal.SIGKILL)
    bench.stop_receiver()
    bench.start_forwarder(site)
    bench.emit(EVENTS // 2, EVENTS // 2)
    time.sleep(0.5)
    bench.stop_forwarder(signal.SIGKILL)
    bench.start_receiver()
    bench.start_forwarder(site)
    bench.wait_for(lambda: len({i for i, _ in bench.received()}) == EVENTS)
    check(bench.stop_forwarder() == 0, "socfwd did not end well")
    account(bench, "forwarder killed twice, receiver away between")


CASES = {"names": names, "receiver_killed": receiver_killed, "forwarder_killed": forwarder_killed}


def main():
    socfwd, support, root = sys.argv[1:4]
    if os.geteuid() != 0:
        skip("network namespaces need root")
    if not os.path.exists(f"{root}/usr/sbin/rsyslogd"):
        done = subprocess.run([f"{support}/../../tools/deps", "--unpack", root, "demo-unpacked"], capture_output=True, text=True)
        if done.returncode != 0 or not os.path.exists(f"{root}/usr/sbin/rsyslogd"):
            skip("no rsyslog: " + done.stderr.strip()[-300:])
    enter_namespace()
    for name in sys.argv[4:] or CASES:
        directory = tempfile.mkdtemp(prefix="gh-soc-")
        bench = Bench(os.path.abspath(socfwd), os.path.abspath(support), os.path.abspath(root), directory)
        start = time.time()
        try:
            CASES[name](bench)
            print(f"{name}: {time.time() - start:.1f} s")
        finally:
            bench.close()
            shutil.rmtree(directory, ignore_errors=True)


main()
