#!/usr/bin/env python3
"""Bad input to every program: each row must end with its exit status, say why on standard error,
and leave nothing behind. usage: bad_input.py SOURCE_DIR BIN_DIR"""
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile

SOURCE, BIN = sys.argv[1:3]
SITE = os.path.join(SOURCE, "rules/site/web-mail.yaml")
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


def pcap(packets, cut=0):
    out = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    for p in packets:
        out += struct.pack("<IIII", 1, 0, len(p), len(p)) + p
    return out[:len(out) - cut]


def make_inputs(d):
    files = {
        "broken.yaml": "site: [a\n",
        "unknown.yaml": "site: x\nzoness: {}\nzones: {o: {interface: e, networks: any}}\n",
        "empty.yaml": "",
        "binary.yaml": b"\xff\xfe\x00\x01" * 64,
        "loop.yaml": "a: &a [*a]\n",
        "profile.yaml": "profile: x\ndefault: errno EPERM\nallow: [raed]\n",
        "one-bad.rules": 'alert tcp any any -> any any (msg:"good"; content:"abcd"; sid:1;)\n'
                         'alert tcp any any -> any any (msg:"bad"; contnet:"abcd"; sid:2;)\n',
        "all-bad.rules": "alert tcp any any => \nnonsense\n",
        "empty.pcap": b"",
        "not.pcap": b"this is not a capture file at all, only text\n" * 4,
        "cut.pcap": pcap([bytes(60)] * 3, cut=20),
        "good.pcap": pcap([bytes(60)] * 3),
        "huge-length.pcap": pcap([]) + struct.pack("<IIII", 1, 0, 0x7FFFFFFF, 0x7FFFFFFF) + b"x" * 10,
        "bad-key.json": '{"settings": {"stream.reasembly.depth": "1 MiB"}}\n',
        "bad-value.json": '{"settings": {"stream.reassembly.depth": "lots"}}\n',
    }
    for name, content in files.items():
        with open(os.path.join(d, name), "wb") as fh:
            fh.write(content if isinstance(content, bytes) else content.encode())
    os.mkdir(os.path.join(d, "directory"))


# name, command (FILES in {d}), exit status, what standard error (or standard output) must say.
ROWS = [
    # the site policy, by every tool that reads it
    *[("%s-%s" % (tool, name), [tool, verb, file] + extra, 2, says)
      for tool, verb, extra in [("gatehouse", "check", []), ("fwctl", "check", []), ("fwctl", "apply", []),
                                ("mac", "check", []), ("socfwd", "status", [])]
      for name, file, says in [
          ("broken-yaml", "{d}/broken.yaml", r"broken\.yaml:\d+:\d+: error:"),
          ("unknown-key", "{d}/unknown.yaml", r"unknown\.yaml:2:1: error: unknown key `zoness`(.|\n)*did you mean `zones`"),
          ("empty", "{d}/empty.yaml", r"empty\.yaml.*error"),
          ("binary", "{d}/binary.yaml", r"binary\.yaml"),
          ("alias", "{d}/loop.yaml", r"loop\.yaml:1:\d+: error:"),
          ("missing", "{d}/nothing.yaml", r"nothing\.yaml.*No such file"),
          ("a-directory", "{d}/directory", r"directory"),
      ]],
    # usage
    ("no-verb", ["fwctl"], 2, r"SYNOPSIS"),
    ("verb-typo", ["ids", "chekc"], 2, r"did you mean `check`"),
    ("option-typo", ["ids", "run", "--pcpa", "x"], 2, r"--pcpa"),
    ("missing-argument", ["mac", "query", SITE], 2, r"usage"),
    ("unknown-domain", ["mac", "query", SITE, "wbe", "read", "/etc/shadow"], 2, r"web"),
    ("unknown-permission", ["mac", "query", SITE, "web", "raed", "/etc/shadow"], 2, r"read"),
    ("unknown-syscall", ["harden", "check", "{d}/profile.yaml"], 2, r"profile\.yaml:3:\d+(.|\n)*raed"),
    ("missing-profile", ["harden", "run", "{d}/none.yaml", "--", "true"], 2, r"none\.yaml"),
    ("spool-missing", ["socfwd", "cat", "{d}/no-spool"], 2, r"no-spool"),
    # rules
    ("one-bad-rule", ["ids", "check", "{d}/one-bad.rules"], 1, r"one-bad\.rules:2:\d+: error:.*contnet(.|\n)*content"),
    ("all-bad-rules", ["ids", "check", "{d}/all-bad.rules"], 1, r"all-bad\.rules:1:(.|\n)*all-bad\.rules:2:"),
    ("run-all-bad-rules", ["ids", "run", "--rules", "{d}/all-bad.rules", "--pcap", "{d}/good.pcap", "--log-dir", "{d}/l0"], 2, r"all-bad\.rules:1:"),
    ("rules-missing", ["ids", "check", "{d}/none.rules"], 2, r"none\.rules"),
    # captures
    ("pcap-empty", ["ids", "run", "--rules", "{d}/one-bad.rules", "--pcap", "{d}/empty.pcap", "--log-dir", "{d}/l1"], 2, r"empty\.pcap"),
    ("pcap-text", ["ids", "run", "--rules", "{d}/one-bad.rules", "--pcap", "{d}/not.pcap", "--log-dir", "{d}/l2"], 2, r"not\.pcap"),
    ("pcap-cut", ["ids", "run", "--rules", "{d}/one-bad.rules", "--pcap", "{d}/cut.pcap", "--log-dir", "{d}/l3"], 0, r"cut\.pcap.*trunc"),
    ("pcap-length", ["ids", "run", "--rules", "{d}/one-bad.rules", "--pcap", "{d}/huge-length.pcap", "--log-dir", "{d}/l4"], 2, r"huge-length\.pcap"),
    ("pcap-missing", ["ids", "run", "--rules", "{d}/one-bad.rules", "--pcap", "{d}/none.pcap", "--log-dir", "{d}/l5"], 2, r"none\.pcap"),
    # engine settings
    ("setting-typo", ["ids", "run", "--rules", "{d}/one-bad.rules", "--pcap", "{d}/good.pcap", "--log-dir", "{d}/l6", "--config", "{d}/bad-key.json"], 2,
     r"bad-key\.json:1:\d+: error:(.|\n)*stream\.reassembly\.depth"),
    ("setting-value", ["ids", "run", "--rules", "{d}/one-bad.rules", "--pcap", "{d}/good.pcap", "--log-dir", "{d}/l7", "--config", "{d}/bad-value.json"], 2,
     r"bad-value\.json:1:\d+: error:"),
    # the system says no
    ("interface-missing", ["ids", "run", "--rules", "{d}/one-bad.rules", "--interface", "gh-none0", "--log-dir", "{d}/l8"], (2, 3), r"gh-none0"),
]
UNPRIVILEGED = [
    ("fwctl-no-root", ["fwctl", "apply", SITE], 3, r"(?i)permission|CAP_NET_ADMIN|not permitted"),
    ("ids-no-root", ["ids", "run", "--rules", "{d}/one-bad.rules", "--interface", "lo", "--log-dir", "{d}/l9"], 3, r"(?i)permi|CAP_NET_RAW"),
]


def run(row, d, prefix, results):
    name, command, wanted, says = row
    argv = prefix + [os.path.join(BIN, command[0])] + [a.replace("{d}", d) for a in command[1:]]
    try:
        p = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, cwd=d)
    except subprocess.TimeoutExpired:
        results.append((name, "hung for 30 s"))
        return
    err = p.stderr.decode("utf-8", "replace")
    both = err + p.stdout.decode("utf-8", "replace")
    allowed = wanted if isinstance(wanted, tuple) else (wanted,)
    if p.returncode not in allowed:
        results.append((name, "exit %s, wanted %s: %s" % (p.returncode, wanted, both[-400:])))
    elif not re.search(says, both):
        results.append((name, "says nothing like /%s/: %s" % (says, both[-400:])))
    else:
        results.append((name, None))


def main():
    rows = [r for r in ROWS if os.path.exists(os.path.join(BIN, r[1][0]))]
    missing = sorted({r[1][0] for r in ROWS + UNPRIVILEGED if not os.path.exists(os.path.join(BIN, r[1][0]))})
    d = tempfile.mkdtemp(prefix="gatehouse-bad-")
    os.chmod(d, 0o777)
    results = []
    try:
        make_inputs(d)
        for row in rows:
            run(row, d, [], results)
        if os.geteuid() == 0 and shutil.which("setpriv"):
            for row in UNPRIVILEGED:
                run(row, d, NOBODY, results)
        leftovers = [f for f in os.listdir(d) if ".tmp" in f]
        if leftovers:
            results.append(("leftovers", "half-written files: %s" % leftovers))
    finally:
        shutil.rmtree(d, ignore_errors=True)
    bad = [(n, why) for n, why in results if why]
    for name, why in bad:
        print("FAIL %s: %s" % (name, why))
    for tool in missing:
        print("FAIL: %s is not built" % tool)
    print("%d rows, %d wrong" % (len(results), len(bad) + len(missing)))
    return 1 if bad or missing else 0


sys.exit(main())
