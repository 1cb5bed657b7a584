#!/usr/bin/python3
"""Whether cars were as near to each other as their clocks say: bounds.py PLACES.npz BOUNDS

BOUNDS has one line of JSON for each car and second. Two cars are inside their bounds when the offset between their
cards is not larger than what both admit together. Prints one JSON object.
"""
import itertools
import json
import sys

import numpy as np


def main():
    known = np.load(sys.argv[1])
    seconds = known["instants_s"] - known["instants_s"][0]
    bounds_s = {}
    with open(sys.argv[2], encoding="ascii") as lines:
        for note in map(json.loads, lines):
            bound_us = note["bound_us"]
            bounds_s.setdefault(note["card"], {})[note["second"]] = np.nan if bound_us is None else bound_us * 1e-6
    inside = []
    for a, b in itertools.combinations(sorted(bounds_s), 2):
        offsets_s = np.abs(known[a] - known[b])
        for second in sorted(bounds_s[a].keys() & bounds_s[b].keys()):
            # The largest offset of the second that followed; a bound that is not told holds nothing.
            following = offsets_s[(seconds >= second) & (seconds < second + 1)]
            following = following[np.isfinite(following)]
            if len(following):
                inside.append(bool(following.max() <= bounds_s[a][second] + bounds_s[b][second]))
    medians_ms = {}
    for card, told in bounds_s.items():
        median_s = float(np.median(list(told.values())))
        medians_ms[card] = None if np.isnan(median_s) else round(median_s * 1e3, 3)
    share = round(float(np.mean(inside)), 4) if inside else None
    print(json.dumps({"inside_share": share, "inside_count": len(inside), "bound_median_ms": medians_ms}))


if __name__ == "__main__":
    main()
