#!/usr/bin/python3
"""Whether the cards start together, and with the first sample: starts.py FOLDER TRACKS CONTROLS

TRACKS is the folder of the tracks; CONTROLS has a line of JSON for each control: at_s (by the monotonic clock), kind
(next, seek, pause or play), track (its file), and place_s, where in it that begins or is. Prints one JSON object: how
far apart the starts of each pair of cards were, and which of them lost something.
"""
import itertools
import json
import sys

import numpy as np

from offsets import ALIKE_MIN, TRACK_HZ, best_lag, figures
from records import cards, pieces, track

# A control has taken effect when so much time has gone by, and nothing else is done before.
EFFECT_S = 2.0
# So long before a pause its stretch was there for certain.
BEFORE_S = 0.5
# A stretch is followed back to its start in such steps, by so long windows, which may be off by so many frames.
STEP_FRAMES = 960
WINDOW_FRAMES = 1_024
SLACK_FRAMES = 24
# Around its edge it is looked at frame by frame, from a window so near.
AROUND_FRAMES = 2_400
SINC_LAGS = 32
# Whatever is not a track's beginning comes under a fade, half of which is reached so late.
HALF_FADE_FRAMES = 240
# What begins so much later in the track has lost something; what is so much earlier is not where it should be. Where
# one stretch fades into the other, the edge between them is known to 2 ms.
LATE_FRAMES = 120
EARLY_FRAMES = 480
# The first sample of each track is louder than all others (see noise.py), and still is where it falls between two
# frames.
FIRST_SAMPLE = 32_000
FIRST_SAMPLE_SHARE_MIN = 0.5
# How far in the track a stretch may be from where its control has it.
PLACE_S = 15


class Stretch:
    """A piece of a track that a card played: which frame of the card is which place in the track."""

    def __init__(self, piece, reference, at_s, from_s):
        self.piece, self.reference = piece, reference
        self.step = TRACK_HZ / piece.rate_hz
        self.frame = int((at_s - piece.start_s) * piece.rate_hz)
        first = max(0, int(from_s * TRACK_HZ))
        window = piece.samples[self.frame : self.frame + 8 * WINDOW_FRAMES]
        lag, alike = best_lag(window, reference[first : first + PLACE_S * TRACK_HZ])
        if alike < ALIKE_MIN:
            raise LookupError("the card does not play what it should")
        self.place = first + lag

    def _moved(self, frame):
        """Knows its place at that frame, if the stretch reaches so far."""
        window = self.piece.samples[frame : frame + WINDOW_FRAMES]
        expected = round(self.place + (frame - self.frame) * self.step)
        first = expected - SLACK_FRAMES
        if frame < 0 or first < 0 or len(window) < WINDOW_FRAMES:
            return False
        around = self.reference[first : first + WINDOW_FRAMES + 2 * SLACK_FRAMES]
        lag, alike = best_lag(window, around)
        if alike < ALIKE_MIN:
            return False
        self.frame, self.place = frame, first + lag
        return True

    def edge(self, direction):
        """The frame at which the stretch begins (-1) or ends (1), and the place there. It is known best there."""
        while self._moved(self.frame + direction * STEP_FRAMES):
            pass
        first = max(0, self.frame - AROUND_FRAMES)
        frames = np.arange(first, min(len(self.piece.samples), self.frame + AROUND_FRAMES))
        heard = self.piece.samples[frames].astype(np.float64)
        expected = self._reference_at(frames)
        gain = self._gain()
        # The frames of one side are the stretch, those of the other are not: the likeliest border between them.
        without, within = np.cumsum(heard**2), np.cumsum((heard - gain * expected) ** 2)
        if direction < 0:
            cost = without + within[-1] - within
            # What would be before the track's first sample says nothing.
            border = len(cost) - 1 - int(np.argmin(cost[::-1]))
        else:
            border = int(np.argmin(within + without[-1] - without))
        frame = int(frames[border]) + 1
        return frame, self.place + (frame - self.frame) * self.step

    def _reference_at(self, frames):
        """The track at these frames; over so few of them the fraction of a frame stays what it is."""
        whole, fraction = int(np.floor(self.place)), self.place - np.floor(self.place)
        lags = np.arange(-SINC_LAGS, SINC_LAGS + 1)
        kernel = np.sinc(lags + fraction) * np.cos(np.pi * (lags + fraction) / (2 * SINC_LAGS + 4)) ** 2
        first = whole + int(frames[0]) - self.frame - SINC_LAGS
        count = len(frames) + 2 * SINC_LAGS
        wanted = np.arange(first, first + count)
        inside = (wanted >= 0) & (wanted < len(self.reference))
        source = np.zeros(count)
        source[inside] = self.reference[wanted[inside]]
        return np.convolve(source, kernel, mode="valid")

    def _gain(self):
        frames = np.arange(self.frame, self.frame + WINDOW_FRAMES)
        expected = self._reference_at(frames)
        return float(expected @ self.piece.samples[frames] / (expected @ expected))

    def has_first_sample(self):
        first = self.frame - round(self.place / self.step)
        near = self.piece.samples[max(0, first - 1) : max(0, first + 2)]
        return bool(np.max(np.abs(near), initial=0) >= FIRST_SAMPLE_SHARE_MIN * FIRST_SAMPLE * self._gain())


    def at_s(self, place):
        """When the card was at a place of the track near the one that is known best."""
        return self.piece.start_s + (self.frame + (place - self.place) / self.step) / self.piece.rate_hz


def piece_at(played, at_s):
    for piece in played:
        if piece.start_s <= at_s < piece.end_s:
            return piece
    raise LookupError("the card does not run")


def start(played, reference, control, wanted):
    """When a card was where it had to begin, and what is wrong with how it began, if anything is."""
    at_s = control["at_s"] + EFFECT_S
    stretch = Stretch(piece_at(played, at_s), reference, at_s, control["place_s"])
    late = stretch.edge(-1)[1] - wanted
    wrong = None
    if control["kind"] == "next" and not stretch.has_first_sample():
        wrong = "without its first sample"
    elif not -EARLY_FRAMES < late < LATE_FRAMES:
        wrong = f"{late / TRACK_HZ * 1e3:+.2f} ms off in the track"
    return stretch.at_s(wanted), wrong


def main():
    folder, tracks, controls_path = sys.argv[1:4]
    with open(controls_path, encoding="ascii") as lines:
        controls = [json.loads(line) for line in lines]
    names = cards(folder)
    played = {name: pieces(folder, name) for name in names}
    references = {name: track(f"{tracks}/{name}") for name in {control["track"] for control in controls}}
    apart_s, lost, worst = [], [], []
    paused_at = None
    for control in controls:
        kind, reference = control["kind"], references[control["track"]]
        begun_s = {}
        if kind == "pause":
            # All pause at the same place, or the next start says that they did not.
            before_s = control["at_s"] - BEFORE_S
            paused = Stretch(piece_at(played[names[0]], before_s), reference, before_s, control["place_s"])
            paused_at = paused.edge(1)[1]
            continue
        wanted = {"next": 0, "seek": control["place_s"] * TRACK_HZ + HALF_FADE_FRAMES, "play": paused_at}[kind]
        for name in names:
            try:
                begun_s[name], wrong = start(played[name], reference, control, wanted)
            except LookupError as problem:
                wrong = str(problem)
            if wrong:
                lost.append([name, kind, round(control["at_s"], 1), wrong])
        apart_s += [begun_s[a] - begun_s[b] for a, b in itertools.combinations(sorted(begun_s), 2)]
        if begun_s:
            spread_ms = (max(begun_s.values()) - min(begun_s.values())) * 1e3
            worst.append([round(spread_ms, 3), kind, round(control["at_s"], 1)])
    starts = sum(control["kind"] != "pause" for control in controls)
    result = figures(np.array(apart_s))
    result["starts"], result["expected"] = starts, starts * len(names) * (len(names) - 1) // 2
    result["worst"] = sorted(worst, reverse=True)[:5]
    result["lost_count"], result["lost"] = len(lost), lost[:20]
    print(json.dumps(result))


if __name__ == "__main__":
    main()
