"""Reads what the virtual cards wrote (see vdac.c): sound with the instant of each sample, and the silences between."""
import glob
import os
import wave
from dataclasses import dataclass

import numpy as np

# By ALSA's name of a format: how a sample is stored, and what makes it one of 16 bits.
FORMATS = {"S16_LE": ("<i2", 1.0), "S32_LE": ("<i4", 1 / 65536), "FLOAT_LE": ("<f4", 32768.0)}
# A piece of noise is never this soft for so long; a dithered silence is.
SILENT_MAX = 4
SILENCE_FRAMES_MIN = 48


@dataclass
class Piece:
    """What a card played without a stop, of its first channel."""

    start_s: float
    rate_hz: float
    samples: np.ndarray

    @property
    def end_s(self):
        return self.start_s + len(self.samples) / self.rate_hz


def cards(folder):
    """The names of all cards that have a record, in order."""
    return sorted({os.path.basename(path).split(".")[0] for path in glob.glob(f"{glob.escape(folder)}/*.seg")})


def pieces(folder, card):
    """All that a card played, in order."""
    found = []
    for path in glob.glob(f"{glob.escape(folder)}/{card}.*.seg"):
        found += _pieces_of(path)
    return sorted(found, key=lambda piece: piece.start_s)


def _pieces_of(path):
    found, start, channels, store, scale = [], None, 0, None, 1.0

    def add(end_frame):
        raw = np.memmap(path[:-4] + ".raw", dtype=store, mode="r")
        frames = raw[: len(raw) // channels * channels].reshape(-1, channels)
        start_ns, first_frame, rate_hz = start
        samples = np.asarray(frames[first_frame:end_frame, 0], dtype=np.float32) * np.float32(scale)
        if len(samples):
            found.append(Piece(start_ns * 1e-9, rate_hz, samples))

    if os.path.getsize(path[:-4] + ".raw") == 0:
        return found
    with open(path, encoding="ascii") as lines:
        for words in map(str.split, lines):
            if words[0] == "F":
                store, scale = FORMATS[words[1]]
                channels = int(words[2])
            elif words[0] == "S":
                start = (int(words[1]), int(words[2]), float(words[3]))
            elif words[0] == "E" and start:
                add(int(words[2]))
                start = None
    # Whoever was killed had no time to say when he stopped.
    if start:
        add(None)
    return found


def track(path):
    """A track's first channel, as a card would play it."""
    with wave.open(path, "rb") as file:
        frames = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").reshape(-1, file.getnchannels())
    return frames[:, 0].astype(np.float32)


def silences(played, from_s, to_s):
    """Every silence between two instants: (start, end), whether the card was fed zeros, ran dry or did not run."""
    found, heard_s = [], from_s
    for piece in played:
        if piece.start_s > heard_s:
            found.append((heard_s, piece.start_s))
        soft = np.concatenate([[0], np.abs(piece.samples) <= SILENT_MAX, [0]]).astype(np.int8)
        edges = np.flatnonzero(np.diff(soft))
        for first, end in zip(edges[::2], edges[1::2]):
            if end - first >= SILENCE_FRAMES_MIN:
                found.append((piece.start_s + first / piece.rate_hz, piece.start_s + end / piece.rate_hz))
        heard_s = max(heard_s, piece.end_s)
    if heard_s < to_s:
        found.append((heard_s, to_s))
    clipped = ((max(start, from_s), min(end, to_s)) for start, end in found)
    return [(start, end) for start, end in clipped if end > start]
