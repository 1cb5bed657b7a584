#!/usr/bin/python3
"""How far the cards were apart: offsets.py FOLDER TRACK.wav FROM_S TO_S [CARD=END_S...]

Finds where in the track each card was, ten times a second between two instants of the monotonic clock, and prints one
JSON object: |offset| of every pair of cards, over all the time and at its end, silences, and jumps in the track. A card
that was ended on purpose counts until then. What was found is kept in FOLDER/places.npz.
"""
import itertools
import json
import sys

import numpy as np

from records import cards, pieces, silences, track

TRACK_HZ = 48_000
STEP_S = 0.1
WINDOW_FRAMES = 8_192
JUMP_S = 1e-3
# The end of the time.
END_S = 10
# What a player had not yet given to its file when it was killed.
UNWRITTEN_S = 0.5
# Where the next window is looked for around where it should be, one after the other.
NEAR_FRAMES = (480, 12_000, 192_000)
# In the whole track only each so manieth window is looked for, as that is slow.
WHOLE_EACH = 60
BLOCK_FRAMES = 1 << 20
# How alike a window and its place are at least: noise is like itself or like nothing.
ALIKE_MIN = 0.5
# Around the best lag, correlation is interpolated in such steps by a windowed sinc of so many lags.
STEPS_PER_FRAME = 64
SINC_LAGS = 32


def best_lag(window, place):
    """Where in a place the window is, in fractions of a frame, and how alike the two are there."""
    size = 1 << (len(place) - 1).bit_length()
    spectrum = np.fft.rfft(place, size) * np.conj(np.fft.rfft(window, size))
    # What wraps around is beyond the last whole lag.
    correlation = np.fft.irfft(spectrum, size)[: len(place) - len(window) + 1]
    peak = int(np.argmax(correlation))
    there = place[peak : peak + len(window)]
    alike = correlation[peak] / (np.linalg.norm(there) * np.linalg.norm(window) + 1e-9)
    low, high = max(0, peak - SINC_LAGS), min(len(correlation), peak + SINC_LAGS + 1)
    lags = np.arange(low, high)
    fine = peak + np.arange(-STEPS_PER_FRAME, STEPS_PER_FRAME + 1) / STEPS_PER_FRAME
    apart = fine[:, None] - lags[None, :]
    values = (np.sinc(apart) * np.cos(np.pi * apart / (2 * SINC_LAGS + 4)) ** 2) @ correlation[low:high]
    best = int(np.argmax(values))
    lag = fine[best]
    if 0 < best < len(values) - 1:
        before, here, after = values[best - 1 : best + 2]
        bend = before - 2 * here + after
        lag += 0.5 * (before - after) / bend / STEPS_PER_FRAME if bend else 0
    return lag, alike


class Finder:
    """Knows where in the track a card was last, and looks for the next window from there."""

    def __init__(self, reference):
        self.reference = reference
        self.last = None
        self.missed = 0

    def find(self, window, at_s):
        """The window's place in the track in frames, or None."""
        place = self._near(window, at_s) if self.last else None
        if place is None and self.missed % WHOLE_EACH == 0:
            place = self._anywhere(window)
        if place is None:
            self.missed += 1
        else:
            self.last, self.missed = (place, at_s), 0
        return place

    def _in(self, window, start, end):
        start, end = max(0, start), min(len(self.reference), end)
        if end - start <= len(window):
            return None
        lag, alike = best_lag(window, self.reference[start:end])
        return start + lag if alike >= ALIKE_MIN else None

    def _near(self, window, at_s):
        place, then_s = self.last
        expected = int(place + (at_s - then_s) * TRACK_HZ)
        for around in NEAR_FRAMES if self.missed % 10 == 0 else NEAR_FRAMES[:-1]:
            found = self._in(window, expected - around, expected + around + len(window))
            if found is not None:
                return found
        return None

    def _anywhere(self, window):
        for start in range(0, len(self.reference), BLOCK_FRAMES):
            found = self._in(window, start, start + BLOCK_FRAMES + len(window))
            if found is not None:
                return found
        return None


def places(played, reference, from_s, to_s):
    """The instants of the common grid, and where in the track a card was at each, in seconds; NaN where unknown."""
    finder = Finder(reference)
    instants = np.arange(int(np.ceil(from_s / STEP_S)), int(to_s / STEP_S)) * STEP_S
    found = np.full(len(instants), np.nan)
    for piece in played:
        for n in np.flatnonzero((instants >= piece.start_s) & (instants < piece.end_s)):
            first = int(round((instants[n] - piece.start_s) * piece.rate_hz))
            window = piece.samples[first : first + WINDOW_FRAMES]
            if len(window) < WINDOW_FRAMES or np.mean(window == 0) > 0.3:
                continue
            # A frame is on the grid only by chance.
            at_s = piece.start_s + first / piece.rate_hz
            place = finder.find(window, at_s)
            if place is not None:
                found[n] = place / TRACK_HZ + instants[n] - at_s
    return instants, found


def jumps(instants, found):
    """Where the place in the track does not go on with time: (instant, seconds)."""
    known = np.isfinite(found)
    instants, found = instants[known], found[known]
    steps = np.diff(found) - np.diff(instants)
    return [(instants[n + 1], steps[n]) for n in np.flatnonzero(np.abs(steps) > JUMP_S)]


def figures(offsets_s):
    """What is said of offsets: of their amounts, in ms."""
    amounts = np.abs(offsets_s[np.isfinite(offsets_s)]) * 1e3
    if not len(amounts):
        return {"median_ms": None, "p95_ms": None, "p99_ms": None, "max_ms": None, "count": 0}
    median, p95, p99 = np.percentile(amounts, [50, 95, 99])
    values = {"median_ms": median, "p95_ms": p95, "p99_ms": p99, "max_ms": amounts.max()}
    return {name: round(float(value), 4) for name, value in values.items()} | {"count": len(amounts)}


def main():
    folder, track_path, from_s, to_s = sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4])
    ended_s = {card: float(end_s) - UNWRITTEN_S for card, end_s in (word.split("=") for word in sys.argv[5:])}
    names = cards(folder)
    reference = track(track_path)
    known, quiet, jumped = {}, {}, {}
    instants = None
    for name in names:
        played = pieces(folder, name)
        end_s = ended_s.get(name, to_s)
        instants, known[name] = places(played, reference, from_s, to_s)
        known[name][instants > end_s] = np.nan
        quiet[name] = silences(played, from_s, end_s)
        jumped[name] = jumps(instants, known[name])
    pairs = {f"{a}-{b}": known[a] - known[b] for a, b in itertools.combinations(names, 2)}
    np.savez(f"{folder}/places.npz", instants_s=instants, **known)
    result = figures(np.concatenate(list(pairs.values())))
    at_end = np.concatenate([offsets_s[instants > to_s - END_S] for offsets_s in pairs.values()])
    result["end_ms"] = figures(at_end)["max_ms"]
    living = [instants < min(ended_s.get(card, to_s) for card in pair.split("-")) for pair in pairs]
    result["expected"] = int(sum(map(np.sum, living)))
    result["pairs"] = {name: figures(offsets_s) for name, offsets_s in pairs.items()}
    result["silence_ms"] = round(sum(end - start for spans in quiet.values() for start, end in spans) * 1e3, 1)
    result["silences"] = {
        name: [[round(start - from_s, 3), round((end - start) * 1e3, 1)] for start, end in spans[:20]]
        for name, spans in quiet.items()
        if spans
    }
    result["jumps"] = sum(map(len, jumped.values()))
    result["jumped"] = {
        name: [[round(at_s - from_s, 1), round(step_s * 1e3, 2)] for at_s, step_s in spans[:20]]
        for name, spans in jumped.items()
        if spans
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
