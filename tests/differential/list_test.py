#!/usr/bin/env python3
"""Checks the list of known differences: its form, that every reason has a case that explains it and expects
alerts or their absence, and that every case is a reason of the list. Exit 1 and one line a problem."""
import importlib.machinery
import importlib.util
import os
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def differential():
    path = os.path.join(HERE, "../bench/ids_differential")
    loader = importlib.machinery.SourceFileLoader("ids_differential", path)
    sys.dont_write_bytecode = True
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("ids_differential", loader))
    loader.exec_module(module)
    return module


def problems_of(folder):
    try:
        known = differential().read_known(os.path.join(folder, "known.tsv"))
    except (OSError, ValueError) as error:
        return [str(error)]
    problems = [] if list(known) == sorted(known, key=lambda k: (k[1], int(k[0]), k[2])) else [
        "known.tsv: not sorted by capture and sid"]
    reasons = set(known.values())
    for reason in sorted(reasons):
        case = os.path.join(folder, reason, "case.yaml")
        if os.path.basename(reason) != reason or not os.path.exists(case):
            problems.append("%s: no case shows this reason" % reason)
            continue
        with open(case) as lines:
            keys = {line.split(":", 1)[0] for line in lines if line[:1].isalpha()}
        for key in ("about", "alerts"):
            if key not in keys:
                problems.append("%s: the case says no `%s`" % (reason, key))
        if not any(name.endswith(".rules") for name in os.listdir(os.path.dirname(case))):
            problems.append("%s: the case has no rules of its own" % reason)
    for name in sorted(os.listdir(folder)):
        if os.path.isdir(os.path.join(folder, name)) and name != "__pycache__" and name not in reasons:
            problems.append("%s: a case for no row of the list" % name)
    return problems


def self_test():
    """Each way in which list and cases can come apart is found."""
    row = "7\tweb-0123abcd\tids\tsome-reason\n"
    good = "about: why\nalerts: [1]\n"
    table = [
        ("all is well", row, {"some-reason": good}, False),
        ("a reason without a case", row, {}, True),
        ("a case without a row", row, {"some-reason": good, "other": good}, True),
        ("a case that explains nothing", row, {"some-reason": "alerts: [1]\n"}, True),
        ("a case that expects nothing", row, {"some-reason": "about: why\n"}, True),
        ("a row with a wrong side", row.replace("ids", "us"), {"some-reason": good}, True),
        ("a row for any sid", row.replace("7\t", "*\t"), {"some-reason": good}, True),
        ("a capture without its digest", row.replace("-0123abcd", ""), {"some-reason": good}, True),
        ("a row twice", row + row, {"some-reason": good}, True),
        ("rows out of order", row + row.replace("7", "6"), {"some-reason": good}, True),
        ("a reason outside of the folder", row.replace("some", "../some"), {"some-reason": good}, True),
    ]
    wrong = 0
    for name, rows, cases, must_fail in table:
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "known.tsv"), "w") as out:
                out.write(rows)
            for case, text in cases.items():
                os.mkdir(os.path.join(folder, case))
                for file, content in (("case.yaml", text), ("a.rules", "")):
                    with open(os.path.join(folder, case, file), "w") as out:
                        out.write(content)
            found = problems_of(folder)
            if bool(found) != must_fail:
                print("%s: %s" % (name, found))
                wrong += 1
    return wrong


if __name__ == "__main__":
    if sys.argv[1:] == ["--self-test"]:
        sys.exit(1 if self_test() else 0)
    found_problems = problems_of(HERE)
    print("\n".join(found_problems) if found_problems else "list and cases agree")
    sys.exit(1 if found_problems else 0)
