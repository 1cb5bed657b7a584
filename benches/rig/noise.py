#!/usr/bin/python3
"""Writes a track of white noise, any piece of which tells its place: noise.py FILE.wav SECONDS SEED

16 bit, 48 kHz, the same on both channels, and the same again from the same seed. It is soft, so that a peer's FLAC has
about music's bit rate; only the first sample is as loud as can be, so that it is missed where it is not heard.
"""
import sys
import wave

import numpy as np

RATE_HZ = 48_000
LOUDNESS_RMS = 3_000
PEAK = 32_000

path, seconds, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
random = np.random.default_rng(seed)
with wave.open(path, "wb") as file:
    file.setnchannels(2)
    file.setsampwidth(2)
    file.setframerate(RATE_HZ)
    for second in range(seconds):
        samples = np.clip(np.round(random.standard_normal(RATE_HZ) * LOUDNESS_RMS), -PEAK, PEAK).astype("<i2")
        if second == 0:
            samples[0] = PEAK
        file.writeframes(np.repeat(samples[:, None], 2, axis=1).tobytes())
