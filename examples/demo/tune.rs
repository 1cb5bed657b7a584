//! The built-in music: four short pieces composed and synthesised here, so that the demo needs no files of anyone's.
//!
//! Each is percussive and never repeats a bar exactly, so that what two cars played can be laid over each other.

use std::f32::consts::TAU;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

struct Piece {
    title: &'static str,
    seconds: u32,
    rate_hz: u32,
    beats_per_minute: f32,
    seed: u32,
    /// The chords, one a bar: root and third and fifth in semitones from the key.
    chords: [[i32; 3]; 4],
    /// The key's frequency in the bass.
    key_hz: f32,
}

const PIECES: [Piece; 4] = [
    Piece {
        title: "Coast Road",
        seconds: 48,
        rate_hz: 48_000,
        beats_per_minute: 112.0,
        seed: 11,
        chords: [[0, 4, 7], [-3, 0, 4], [-7, -3, 0], [-5, -1, 2]],
        key_hz: 65.41,
    },
    Piece {
        title: "Two Lanes",
        seconds: 42,
        rate_hz: 44_100,
        beats_per_minute: 126.0,
        seed: 23,
        chords: [[0, 3, 7], [-4, 0, 3], [3, 7, 10], [-2, 2, 5]],
        key_hz: 55.0,
    },
    Piece {
        title: "Tunnel Lights",
        seconds: 50,
        rate_hz: 48_000,
        beats_per_minute: 98.0,
        seed: 37,
        chords: [[0, 3, 7], [5, 8, 12], [-2, 2, 5], [3, 7, 10]],
        key_hz: 73.42,
    },
    Piece {
        title: "Last Exit",
        seconds: 38,
        rate_hz: 48_000,
        beats_per_minute: 104.0,
        seed: 53,
        chords: [[0, 4, 7], [2, 5, 9], [-3, 0, 4], [-5, -1, 2]],
        key_hz: 61.74,
    },
];

/// Writes the pieces into `dir` as WAV files that bear their titles.
///
/// # Errors
/// When a file cannot be written.
pub fn write_all(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let write = |piece: &Piece| {
        let path = dir.join(format!("{}.wav", piece.title));
        fs::write(&path, wav(piece, &Studio::render(piece))).map(|()| path)
    };
    PIECES.iter().map(write).collect()
}

/// Numbers without pattern, the same at each run.
struct Chance(u32);

impl Chance {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    /// From -1 to 1.
    fn noise(&mut self) -> f32 {
        self.next() as f32 / (u32::MAX as f32 / 2.0) - 1.0
    }

    fn below(&mut self, bound: u32) -> u32 {
        self.next() % bound
    }
}

struct Studio {
    /// Left and right.
    frames: Vec<[f32; 2]>,
    rate_hz: f32,
    chance: Chance,
}

impl Studio {
    fn render(piece: &Piece) -> Vec<[f32; 2]> {
        let frames = vec![[0.0; 2]; (piece.seconds * piece.rate_hz) as usize];
        let mut studio = Self { frames, rate_hz: piece.rate_hz as f32, chance: Chance(piece.seed) };
        let beat_s = 60.0 / piece.beats_per_minute;
        let bars = (piece.seconds as f32 / (4.0 * beat_s)).ceil() as usize;
        for (bar, chord) in piece.chords.iter().cycle().take(bars).enumerate() {
            studio.bar(bar as f32 * 4.0 * beat_s, beat_s, chord, piece.key_hz);
        }
        studio.echo((0.75 * beat_s * studio.rate_hz) as usize);
        studio.master();
        studio.frames
    }

    fn bar(&mut self, start_s: f32, beat_s: f32, chord: &[i32; 3], key_hz: f32) {
        let pitch = |semitones: i32, octave: i32| key_hz * (semitones as f32 / 12.0 + octave as f32).exp2();
        for (voice, note) in chord.iter().enumerate() {
            self.pad(start_s, 4.0 * beat_s, pitch(*note, 2), voice as f32 - 1.0);
        }
        for sixteenth in 0..16_u8 {
            let at_s = start_s + f32::from(sixteenth) * beat_s / 4.0;
            match sixteenth {
                0 | 8 => self.kick(at_s),
                4 | 12 => self.snare(at_s),
                7 | 10 if self.chance.below(3) == 0 => self.kick(at_s),
                _ => {}
            }
            self.hat(at_s, if sixteenth % 4 == 2 { 0.16 } else { 0.07 });
            if sixteenth % 2 == 0 && self.chance.below(4) != 0 {
                let [root, ..] = *chord;
                let octave = i32::from(self.chance.below(4) == 0);
                self.bass(at_s, beat_s * 0.5, pitch(root, octave));
            }
            if self.chance.below(5) > 1 {
                let step = self.chance.below(6) as usize;
                let note = chord.iter().cycle().nth(step).copied().unwrap_or_default() + 12 * i32::from(step > 2);
                let pan = self.chance.noise() * 0.7;
                self.pluck(at_s, pitch(note, 3), pan);
            }
        }
    }

    /// Adds a sound of `length_s` at `at_s`, from -1 left to 1 right; `sound` gives it at a time since its start.
    fn mix(&mut self, at_s: f32, length_s: f32, pan: f32, mut sound: impl FnMut(f32, &mut Chance) -> f32) {
        let start = (at_s * self.rate_hz) as usize;
        let length = (length_s * self.rate_hz) as usize;
        let gains = [((1.0 - pan) / 2.0).sqrt(), f32::midpoint(1.0, pan).sqrt()];
        for (n, frame) in self.frames.iter_mut().skip(start).take(length).enumerate() {
            let sample = sound(n as f32 / self.rate_hz, &mut self.chance);
            for (channel, gain) in frame.iter_mut().zip(gains) {
                *channel += sample * gain;
            }
        }
    }

    fn pad(&mut self, at_s: f32, length_s: f32, hz: f32, pan: f32) {
        let release_s = 0.4;
        self.mix(at_s, length_s + release_s, pan * 0.6, |t, _| {
            let swell = (t / 0.25).min(1.0) * ((length_s + release_s - t) / release_s).clamp(0.0, 1.0);
            let voices = [0.996, 1.0, 1.005].map(|detune| {
                let phase = TAU * hz * detune * t;
                phase.sin() + 0.35 * (2.0 * phase).sin() + 0.15 * (3.0 * phase).sin()
            });
            0.05 * swell * voices.iter().sum::<f32>()
        });
    }

    fn pluck(&mut self, at_s: f32, hz: f32, pan: f32) {
        let strength = 0.10 + 0.03 * self.chance.noise();
        self.mix(at_s, 0.7, pan, |t, _| {
            let partials =
                [1.0_f32, 2.0, 3.0, 5.0].map(|k| (TAU * hz * k * t).sin() / k * (-t * (4.0 + 2.0 * k)).exp());
            strength * partials.iter().sum::<f32>()
        });
    }

    fn bass(&mut self, at_s: f32, length_s: f32, hz: f32) {
        self.mix(at_s, length_s, 0.0, |t, _| {
            let phase = TAU * hz * t;
            let gate = (t / 0.005).min(1.0) * ((length_s - t) / 0.02).clamp(0.0, 1.0);
            0.28 * gate * (phase.sin() + 0.5 * (2.0 * phase).sin() + 0.2 * (3.0 * phase).sin()) * (-2.0 * t).exp()
        });
    }

    fn kick(&mut self, at_s: f32) {
        self.mix(at_s, 0.35, 0.0, |t, _| {
            let phase = TAU * (48.0 * t + 3.2 * (1.0 - (-35.0 * t).exp()));
            0.75 * phase.sin() * (-9.0 * t).exp()
        });
    }

    fn snare(&mut self, at_s: f32) {
        self.mix(at_s, 0.25, 0.1, |t, chance| {
            0.3 * chance.noise() * (-17.0 * t).exp() + 0.3 * (TAU * 185.0 * t).sin() * (-26.0 * t).exp()
        });
    }

    fn hat(&mut self, at_s: f32, strength: f32) {
        let mut last = 0.0;
        self.mix(at_s, 0.09, -0.25, |t, chance| {
            let noise = chance.noise();
            let bright = noise - last;
            last = noise;
            strength * bright * (-55.0 * t).exp()
        });
    }

    /// Each side's echo comes back from the other side.
    fn echo(&mut self, delay: usize) {
        for at in delay..self.frames.len() {
            let [left, right] = self.frames.get(at - delay).copied().unwrap_or_default();
            if let Some(frame) = self.frames.get_mut(at) {
                *frame = [frame[0] + 0.22 * right, frame[1] + 0.22 * left];
            }
        }
    }

    /// Keeps peaks below full scale, and lets the piece begin and end without a click.
    fn master(&mut self) {
        let (edge, length) = (self.rate_hz * 0.004, self.frames.len());
        for (at, frame) in self.frames.iter_mut().enumerate() {
            let fade = (at.min(length - 1 - at) as f32 / edge).min(1.0);
            *frame = frame.map(|sample| sample.tanh() * fade * 0.9);
        }
    }
}

fn wav(piece: &Piece, frames: &[[f32; 2]]) -> Vec<u8> {
    let chunk = |id: &[u8; 4], body: &[u8]| {
        let mut chunk = id.to_vec();
        chunk.extend((body.len() as u32).to_le_bytes());
        chunk.extend(body);
        chunk.extend(vec![0; body.len() % 2]);
        chunk
    };
    let mut format = Vec::new();
    format.extend(1_u16.to_le_bytes());
    format.extend(2_u16.to_le_bytes());
    format.extend(piece.rate_hz.to_le_bytes());
    format.extend((piece.rate_hz * 4).to_le_bytes());
    format.extend(4_u16.to_le_bytes());
    format.extend(16_u16.to_le_bytes());
    let sample = |value: &f32| ((value * f32::from(i16::MAX)) as i16).to_le_bytes();
    let data: Vec<u8> = frames.iter().flatten().flat_map(sample).collect();
    let body = [b"WAVE".as_slice(), &chunk(b"fmt ", &format), &chunk(b"data", &data)].concat();
    chunk(b"RIFF", &body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Comparison;
    use crate::record::{Record, Stretch};
    use crate::span::Span;

    #[test]
    fn a_piece_is_never_silent_and_never_clips() {
        let piece = Piece { seconds: 6, ..PIECES[1] };
        let frames = Studio::render(&piece);
        assert_eq!(frames.len(), 6 * 44_100);
        assert!(frames.iter().flatten().all(|sample| sample.abs() < 1.0));
        let loud = |window: &[[f32; 2]]| window.iter().flatten().any(|sample| sample.abs() > 0.001);
        assert!(frames.chunks(44_100 / 200).all(loud));
    }

    #[test]
    fn a_piece_laid_over_itself_fits_at_one_place_only() {
        let piece = Piece { seconds: 5, ..PIECES[0] };
        let sample = |sample: f32| (sample * f32::from(i16::MAX)) as i16;
        let frames: Vec<[i16; 2]> = Studio::render(&piece).into_iter().map(|frame| frame.map(sample)).collect();
        let record =
            |starts_s: f64| Record { stretches: vec![Stretch { starts_s, rate_hz: 48_000.0, frames: frames.clone() }] };
        let all = Span { from_s: 0.0, to_s: 1e9 };
        let offsets = Comparison::new().offsets_s(&record(7.0), &record(7.0305), all).unwrap();
        assert!(offsets.len() > 80 && offsets.iter().all(|offset| (offset - 0.0305).abs() < 5e-6), "{offsets:?}");
    }

    #[test]
    fn a_piece_sounds_the_same_each_time_it_is_made() {
        let piece = Piece { seconds: 2, ..PIECES[0] };
        assert_eq!(wav(&piece, &Studio::render(&piece)), wav(&piece, &Studio::render(&piece)));
    }
}
