"""Reads a drill's JSON result: every row must have failed in the expected way.

Usage: expect_red.py SAFEGUARD outcome|report ATTACKS-FILE < RESULT
"outcome": the attack was carried out and its outcome is bad, or it was not seen.
"report": the attack was seen, and the SOC did not get it.
"""
import json
import sys


def reason_is_right(row, how):
    problem = row.get("problem", "")
    if how == "report":
        return row.get("seen") is True and row.get("reported") is False
    return problem.startswith(("not stopped", "does not work", "not seen"))


def main():
    safeguard, how, attacks_file = sys.argv[1:4]
    with open(attacks_file, encoding="utf-8") as fh:
        expected = {a["id"] for a in json.load(fh) if a["control"] == safeguard}
    rows = json.load(sys.stdin)["rows"]
    bad = []
    if not rows or (how == "outcome" and {r["id"] for r in rows} != expected):
        bad.append("the rows are not those of the safeguard")
    for row in rows:
        red = not row["holds"] and reason_is_right(row, how)
        print("%-8s %-20s without %s: %s (%s)" % (
            "red" if red else "NOT RED", row["id"], safeguard, row.get("problem", "holds"), row["fact"]))
        if not red:
            bad.append(row["id"])
    return 1 if bad else 0


sys.exit(main())
