//! Any number of channels to stereo.

use crate::audio::Frame;
use symphonia::core::audio::{Channels, Position};

/// -3 dB: what is in the middle or behind goes to both sides with the same power.
const SIDE: f32 = std::f32::consts::FRAC_1_SQRT_2;

const LEFT: Position = Position::REAR_LEFT
    .union(Position::SIDE_LEFT)
    .union(Position::FRONT_LEFT_CENTER)
    .union(Position::TOP_FRONT_LEFT)
    .union(Position::TOP_REAR_LEFT)
    .union(Position::TOP_SIDE_LEFT);
const RIGHT: Position = Position::REAR_RIGHT
    .union(Position::SIDE_RIGHT)
    .union(Position::FRONT_RIGHT_CENTER)
    .union(Position::TOP_FRONT_RIGHT)
    .union(Position::TOP_REAR_RIGHT)
    .union(Position::TOP_SIDE_RIGHT);

/// How loud each channel is on either side.
pub(super) struct Downmix {
    weights: Vec<Frame>,
}

impl Downmix {
    pub(super) fn new(channels: &Channels) -> Self {
        let count = channels.count();
        let weights = match channels {
            _ if count == 1 => vec![[1.0, 1.0]],
            Channels::Positioned(positions) if count > 2 => normalized(positions.iter().map(weight).collect()),
            _ => (0..count).map(|i| if i % 2 == 0 { [1.0, 0.0] } else { [0.0, 1.0] }).collect(),
        };
        Self { weights }
    }

    /// Appends interleaved samples as stereo frames.
    pub(super) fn append(&self, interleaved: &[f32], frames: &mut Vec<Frame>) {
        match self.weights.as_slice() {
            [_] => frames.extend(interleaved.iter().map(|s| [*s, *s])),
            [_, _] => frames.extend(interleaved.as_chunks().0),
            weights => frames.extend(interleaved.chunks_exact(weights.len().max(1)).map(|samples| {
                samples
                    .iter()
                    .zip(weights)
                    .fold([0.0, 0.0], |[l, r], (sample, [wl, wr])| [l + sample * wl, r + sample * wr])
            })),
        }
    }
}

fn weight(position: Position) -> Frame {
    match position {
        Position::FRONT_LEFT => [1.0, 0.0],
        Position::FRONT_RIGHT => [0.0, 1.0],
        Position::LFE1 | Position::LFE2 => [0.0, 0.0],
        p if LEFT.contains(p) => [SIDE, 0.0],
        p if RIGHT.contains(p) => [0.0, SIDE],
        _ => [SIDE, SIDE],
    }
}

/// So that nothing can clip that did not before.
fn normalized(weights: Vec<Frame>) -> Vec<Frame> {
    let [left, right] = weights.iter().fold([0.0_f32, 0.0], |[l, r], [wl, wr]| [l + wl, r + wr]);
    let scale = 1.0 / left.max(right).max(1.0);
    weights.into_iter().map(|[l, r]| [l * scale, r * scale]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use symphonia::core::audio::layouts;

    fn mixed(channels: &Channels, interleaved: &[f32]) -> Vec<Frame> {
        let mut frames = Vec::new();
        Downmix::new(channels).append(interleaved, &mut frames);
        frames
    }

    #[test]
    fn mono_sounds_on_both_sides_and_stereo_is_left_alone() {
        assert_eq!(mixed(&layouts::CHANNEL_LAYOUT_MONO, &[0.5, -0.5]), [[0.5, 0.5], [-0.5, -0.5]]);
        assert_eq!(mixed(&layouts::CHANNEL_LAYOUT_STEREO, &[0.1, 0.2, 0.3, 0.4]), [[0.1, 0.2], [0.3, 0.4]]);
    }

    #[test]
    fn surround_keeps_its_sides_and_cannot_clip() {
        let frames = mixed(&layouts::CHANNEL_LAYOUT_5P1, &[1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
        let [first, second] = frames.as_slice() else { panic!("two frames expected") };
        assert!(first[0] > 0.3 && first[1].abs() < 1e-6, "{first:?}");
        assert!((second[0] - 1.0).abs() < 1e-6 && (second[1] - 1.0).abs() < 1e-6, "{second:?}");
    }
}
