#!/usr/bin/python3
"""Prints what was measured as a table for people, and as JSON in the last line: report.py RESULTS

Ends with status 1 when something of ours missed its bar. Others' players are measured beside, and miss nothing.
"""
import json
import os
import sys

HEAD = ["condition", "who", "seconds", "bar", "median", "p95", "p99", "max", "silence ms", "jumps", "load", "verdict"]
FIGURES = ["median_ms", "p95_ms", "p99_ms", "max_ms"]


def cell(value, digits):
    return "-" if value is None else f"{value:.{digits}f}"


def verdict(result):
    if "error" in result:
        return result["error"]
    if result["who"] != "jamz":
        return "-"
    return "ok" if result["ok"] else "MISSED"


def row(result):
    return [
        result["condition"],
        result["who"],
        cell(result.get("seconds"), 0),
        result["bar"] or "-",
        *(cell(result.get(name), 3) for name in FIGURES),
        cell(result.get("silence_ms"), 0),
        cell(result.get("jumps"), 0),
        cell(result.get("load"), 1),
        verdict(result),
    ]


def main():
    with open(sys.argv[1], encoding="utf-8") as lines:
        results = [json.loads(line) for line in lines]
    rows = [HEAD] + [row(result) for result in results]
    widths = [max(len(cells[column]) for cells in rows) for column in range(len(HEAD))]
    print("|offset| of every pair of cards, in ms")
    for cells in rows:
        print("  ".join(text.ljust(width) for text, width in zip(cells, widths)).rstrip())
    ours = [result for result in results if result["who"] == "jamz"]
    missed = [result["condition"] for result in ours if not result["ok"]]
    is_ok = bool(ours) and not missed
    print(json.dumps({"results": results, "missed": missed, "load": round(os.getloadavg()[0], 2), "ok": is_ok}))
    sys.exit(0 if is_ok else 1)


if __name__ == "__main__":
    main()
