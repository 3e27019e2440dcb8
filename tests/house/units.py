#!/usr/bin/env python3
"""Whether the systemd units fit the program that they start.

  units.py FWCTL UNITS_DIRECTORY SBIN_DIRECTORY SITE

- systemd-analyze verify has nothing to say (where there is systemd);
- what they start is where it is installed, and knows the verb, its options and as many arguments;
- directories that they make are those that the program uses by itself;
- as root: the program does its work with the capabilities that its unit leaves it, in a network namespace.
"""
import os, re, shutil, signal, subprocess, sys, tempfile, time

mistakes = []


def wrong(text):
    mistakes.append(text)
    print(text, file=sys.stderr)


def entries(text, key):
    return [line.split("=", 1)[1].strip() for line in text.splitlines() if line.startswith(key + "=")]


def told(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def check_command(name, line, fwctl, sbin):
    words = [w for w in line.split() if not w.startswith("$")]  # a variable may be nothing
    if words[0] != f"{sbin}/fwctl":
        wrong(f"{name}: starts {words[0]}, and installed is {sbin}/fwctl")
    status, page = told(fwctl, words[1], "--help")
    if status != 0:
        return wrong(f"{name}: there is no `{words[1]}`: {page}")
    options = dict(re.findall(r"^ {7}(--[a-z-]+)(?: ([A-Z]+))? ", page, re.M))
    arguments, at = [], 2
    while at < len(words):
        if words[at] in options:
            at += 2 if options[words[at]] else 1
            continue
        if words[at].startswith("-"):
            wrong(f"{name}: `{words[1]}` knows no {words[at]}")
        arguments.append(words[at])
        at += 1
    known = re.search(r"^ {7}fwctl " + words[1] + r" \[options\](.*)$", page, re.M).group(1).split()
    if len(arguments) > len(known):
        wrong(f"{name}: {arguments} are more than {known}")


def verify(units, fwctl, sbin):
    if shutil.which("systemd-analyze") is None:
        return print("no systemd-analyze here")
    with tempfile.TemporaryDirectory() as work:
        for name, text in units.items():
            with open(f"{work}/{name}", "w") as out:
                out.write(text.replace(f"{sbin}/fwctl", fwctl))
        # It warns of unknown keys, and exits 0.
        status, said = told("systemd-analyze", "verify", "--man=no", *(f"{work}/{n}" for n in units))
        about_us = [line for line in said.splitlines() if "gatehouse" in line or work in line]
        if status != 0 or about_us:
            wrong(f"systemd-analyze: {said}")


def run_guard(text, fwctl, site):
    """With no more than the unit's capabilities, and the directories that it would make."""
    kept = entries(text, "CapabilityBoundingSet")[0].split()
    bounds = ",".join(["-all"] + ["+" + c.removeprefix("CAP_").lower() for c in kept])
    with tempfile.TemporaryDirectory() as work:
        env = dict(os.environ, GATEHOUSE_STATE=f"{work}/state", GATEHOUSE_RUN=f"{work}/run")
        # Of a build with sanitizers: the search for leaks reads /proc and traces threads, which the guard's own
        # sandbox rightly forbids; the other reports stay.
        env["ASAN_OPTIONS"] = ":".join(filter(None, [env.get("ASAN_OPTIONS"), "detect_leaks=0"]))
        for d in ("state", "run", "run/metrics"):
            os.mkdir(f"{work}/{d}")
        with open(f"{work}/log", "w+") as log:
            guard = subprocess.Popen(["unshare", "-n", "setpriv", f"--bounding-set={bounds}", fwctl, "guard", "--metrics",
                                      f"{work}/run/metrics/fwctl.prom", site], env=env, stdout=log, stderr=log)
            said, until = "", time.monotonic() + 60
            while "guarding " not in said and guard.poll() is None and time.monotonic() < until:
                time.sleep(0.05)
                said = open(f"{work}/log").read()
            guard.send_signal(signal.SIGTERM)
            status = guard.wait(60)
            if "guarding " not in said or status != 0:
                wrong(f"the guard with {kept} ended with {status}: {open(f'{work}/log').read()}")
            if not os.path.exists(f"{work}/run/metrics/fwctl.prom"):
                wrong("the guard wrote no metrics")


def main():
    fwctl, directory, sbin, site = sys.argv[1:]
    fwctl = os.path.abspath(fwctl)
    units = {n: open(f"{directory}/{n}").read() for n in sorted(os.listdir(directory)) if n.endswith(".service")}
    if len(units) < 2:
        wrong(f"no units in {directory}")
    for name, text in units.items():
        for line in entries(text, "ExecStart"):
            check_command(name, line, fwctl, sbin)
    verify(units, fwctl, sbin)
    guard = units["gatehouse-firewall.service"]
    # The program's own ones: /run/gatehouse, /var/lib/gatehouse/fwctl (docs/fwctl.md).
    if "gatehouse" not in entries(guard, "RuntimeDirectory")[0].split():
        wrong("nobody makes /run/gatehouse")
    if entries(guard, "StateDirectory") != ["gatehouse/fwctl"]:
        wrong("nobody makes /var/lib/gatehouse/fwctl")
    if os.geteuid() == 0 and subprocess.run(["unshare", "-n", "true"]).returncode == 0:
        run_guard(guard, fwctl, site)
    sys.exit(1 if mistakes else 0)


main()
