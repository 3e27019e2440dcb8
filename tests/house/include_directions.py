#!/usr/bin/env python3
"""Checks every #include against directions.txt: includes point one way, and a library that the
design gives to one place is included there alone. Exit 1 and one line a violation."""
import os
import re
import sys
import tempfile

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def read_table(path):
    rules, only = [], []
    with open(path, encoding="utf-8") as fh:
        for line in fh:
            line = line.split("#", 1)[0].strip()
            if not line:
                continue
            left, right = line.split(":", 1)
            if left.startswith("only "):
                only.append((left[5:].strip(), right.split()))
            else:
                rules.append((left, right.split()))
    return rules, only


def within(path, place):
    return path == place or path.startswith(place + "/") or path.startswith(place + ".")


def allowed_in_tests(name):
    return within(name, "tests") or within(name, "site/load") or "/testing" in name


def sources(root):
    for top, dirs, files in os.walk(root):
        dirs[:] = sorted(d for d in dirs if d not in (".git", "build", "out"))
        for name in sorted(files):
            if name.endswith((".cc", ".h")):
                yield os.path.relpath(os.path.join(top, name), root)


def check(root, table):
    rules, only = read_table(table)
    parts = {folder.split("/")[0] for folder, _ in rules}
    problems = []
    for path in sources(root):
        rule = next((r for r in rules if within(path, r[0])), None)
        if rule is None:
            problems.append("%s: no rule in directions.txt covers this file" % path)
            continue
        # Tests may use test support and load the shipped policies; production code may not.
        test = path.endswith(("_test.cc", "_fuzz.cc"))
        for number, line in enumerate(open(os.path.join(root, path), encoding="utf-8"), 1):
            m = INCLUDE.match(line)
            if not m:
                continue
            kind, name = m.groups()
            if kind == "<":
                for header, places in only:
                    if within(name, header) and not any(within(path, p) for p in places) and not test:
                        problems.append("%s:%d: <%s> belongs to %s alone" % (path, number, name, " ".join(places)))
                continue
            if name.split("/")[0] not in parts or name.endswith(".inc"):
                continue
            if not any(within(name, p) for p in rule[1] + [rule[0]]) and not (test and allowed_in_tests(name)):
                problems.append('%s:%d: "%s" may not be included from %s' % (path, number, name, rule[0]))
    return problems


def self_test():
    """A wrong include must be found: a check that cannot fail proves nothing."""
    with tempfile.TemporaryDirectory() as root:
        os.makedirs(root + "/core")
        os.makedirs(root + "/ids/match")
        table = root + "/directions.txt"
        open(table, "w").write("core:\nids/match: core\nonly hs.h: ids/match\n")
        open(root + "/core/a.h", "w").write('#include "ids/match/m.h"\n#include <hs.h>\n')
        open(root + "/ids/match/m.h", "w").write('#include "core/a.h"\n#include <hs.h>\n')
        open(root + "/stray.cc", "w").write("\n")
        found = check(root, table)
        good = len(found) == 3 and any("core/a.h:1" in p for p in found) and any("core/a.h:2" in p for p in found)
        print("\n".join(found))
        return 0 if good else 1


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    root = sys.argv[1]
    problems = check(root, os.path.join(os.path.dirname(os.path.abspath(__file__)), "directions.txt"))
    print("\n".join(problems) or "includes point one way")
    return 1 if problems else 0


sys.exit(main())
