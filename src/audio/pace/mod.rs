//! The right sound at the right moment: renders the plan, block by block, for a sound card whose every frame has a
//! known instant. Reads no clock and owns no thread, so tests drive it as fast as they like.

mod chirps;
mod dac_clock;
mod fade;
mod grid;
mod heard;
mod kernel;
mod voice;
mod window;

pub use chirps::Chirps;
pub use dac_clock::{DacClock, DacLine, Observation};
pub use heard::Heard;
pub use kernel::Kernel;

use super::Frame;
use super::decode::Library;
use crate::core::clock::{ClockMap, ConvoyTime};
use crate::core::io::{Plan, Segment};
use fade::{Fade, VOLUME_US};
use grid::Grid;
use std::collections::BTreeMap;
use std::sync::Arc;
use voice::{Stage, Voice};

/// A position error is worked off in this time.
const HORIZON_US: f64 = 1_500_000.0;
/// Pitch is never bent by more than this.
const CORRECTION_MAX: f64 = 500e-6;
/// A larger error is not worked off but jumped, under a fade.
const REALIGN_US: f64 = 30_000.0;
/// After the card or the convoy's time itself has jumped, anything audible is.
const REALIGN_JOLTED_US: f64 = 1_000.0;
/// So many frames after such a jump still belong to it.
const JOLT_FRAMES: u64 = 48_000;
/// A track is opened so long before it is heard; the next one is open always, as someone may skip to it.
const AHEAD_US: i64 = 8_000_000;
/// A voice is opened a little before the place where it will be read, for its filter.
const RUN_UP_US: i64 = 20_000;
/// Two stretches that lie so close are one after the other without a gap.
const JOINED_US: i64 = 2;
/// A track that has ended may ring out for so long.
const RING_OUT_US: i64 = 50_000;
/// What is to be heard no more sounds for so many frames at most while what takes its place is opened.
const STAY_FRAMES: u64 = 24_000;
const VOICES_MAX: usize = 8;
const IN_SYNC_US: f64 = 5_000.0;

/// Renders the plan.
pub struct Pacer {
    device_hz: u32,
    /// What the sound still needs after the card has let it go.
    pub delay_us: i64,
    library: Box<dyn Library>,
    plan: Plan,
    map: Option<ClockMap>,
    voices: Vec<Voice>,
    kernels: BTreeMap<u32, Arc<Kernel>>,
    volume: Fade,
    pub chirps: Chirps,
    /// The next frame to render, as the card counts.
    frame: u64,
    epoch: Option<u32>,
    jolted_until: u64,
    heard: Heard,
}

impl Pacer {
    #[must_use]
    pub fn new(library: Box<dyn Library>, device_hz: u32, delay_us: i64) -> Self {
        Self {
            device_hz,
            delay_us,
            library,
            plan: Plan::default(),
            map: None,
            voices: Vec::new(),
            kernels: BTreeMap::new(),
            volume: Fade::new(1.0, VOLUME_US, device_hz),
            chirps: Chirps::default(),
            frame: 0,
            epoch: None,
            jolted_until: 0,
            heard: Heard::default(),
        }
    }

    /// A card was opened: its frames count from nought, at this rate.
    pub fn open(&mut self, device_hz: u32) {
        let level = self.volume.level();
        self.close();
        self.device_hz = device_hz;
        self.volume = Fade::new(level, VOLUME_US, device_hz);
        self.kernels.clear();
        (self.frame, self.epoch, self.jolted_until) = (0, None, 0);
    }

    /// The card is gone.
    pub fn close(&mut self) {
        self.voices.clear();
        self.heard = Heard { realigns: self.heard.realigns, ..Heard::default() };
    }

    /// The next frame that will be rendered.
    #[must_use]
    pub fn frame(&self) -> u64 {
        self.frame
    }

    #[must_use]
    pub fn heard(&self) -> &Heard {
        &self.heard
    }

    pub fn set_clock(&mut self, map: Option<ClockMap>) {
        let was = std::mem::replace(&mut self.map, map);
        let jump_us = was.zip(map).map_or(0, |(was, is)| is.convoy0 - was.convoy(is.mono0));
        if jump_us.abs() as f64 > REALIGN_JOLTED_US {
            self.jolted_until = self.frame + JOLT_FRAMES;
        }
    }

    /// From 0 to 1. Loudness is felt by the cube, as PulseAudio and PipeWire have it.
    pub fn set_volume(&mut self, volume: f64) {
        let volume = if volume.is_finite() { volume.clamp(0.0, 1.0) } else { 0.0 };
        self.volume.to(volume.powi(3) as f32);
    }

    /// Takes a new plan; voices that play what it still has go on untouched.
    pub fn set_plan(&mut self, plan: Plan) {
        for voice in &mut self.voices {
            voice.slot = None;
        }
        for (slot, segment) in plan.segments.iter().enumerate() {
            for voice in &mut self.voices {
                if voice.slot.is_none() && voice.plays(segment) {
                    voice.follow(segment, slot);
                }
            }
        }
        for voice in self.voices.iter_mut().filter(|voice| voice.slot.is_none()) {
            voice.stays_until.get_or_insert(self.frame + STAY_FRAMES);
        }
        self.plan = plan;
    }

    /// Moves on without rendering: the card has already gone past these frames.
    pub fn skip(&mut self, frames: u64) {
        self.frame += frames;
        for voice in self.voices.iter_mut().filter(|v| v.stage == Stage::Playing) {
            if let Some(source_hz) = voice.source_hz() {
                voice.skip(frames as f64 * source_hz / f64::from(self.device_hz));
            }
        }
    }

    /// Renders the next block; silence as long as the card's or the convoy's time is not known.
    pub fn render(&mut self, line: Option<&DacLine>, block: &mut [Frame]) {
        block.fill([0.0; 2]);
        let grid = match (&self.map, line) {
            (Some(map), Some(line)) => {
                if self.epoch.replace(line.epoch).is_some_and(|epoch| epoch != line.epoch) {
                    self.jolted_until = self.frame + JOLT_FRAMES;
                }
                Some(Grid::new(map, line, self.frame, self.delay_us))
            }
            _ => None,
        };
        self.heard.in_sync = false;
        (self.heard.offset_us, self.heard.correction_ppm, self.heard.problem) = (None, 0.0, None);
        if let Some(grid) = &grid {
            self.cast(grid);
        } else {
            self.voices.iter_mut().for_each(|voice| voice.slot = None);
        }
        self.mix(grid.as_ref(), block);
        self.voices.retain(|voice| voice.stage != Stage::Over);
        self.chirps.mix(line, self.frame, block);
        for frame in block.iter_mut() {
            let volume = self.volume.next();
            *frame = frame.map(|sample| (sample * volume).clamp(-1.0, 1.0));
        }
        self.frame += block.len() as u64;
    }

    /// Opens the voices that are needed now or soon, and sends away those that are not.
    fn cast(&mut self, grid: &Grid) {
        let now = grid.start();
        let awaits = self.awaits(now);
        for voice in &mut self.voices {
            let stays = awaits && voice.stays_until.is_some_and(|until| self.frame < until);
            let over = voice.segment.ends.is_some_and(|ends| now - ends > RING_OUT_US);
            let unwanted = voice.slot.is_none() || over;
            // It was opened where the file was before it was complete, too late.
            let astray = voice.failed.is_some() && voice.opened != voice.segment.source;
            if (unwanted && !(stays && voice.stage == Stage::Playing)) || astray {
                voice.leave();
            }
        }
        for slot in 0..self.plan.segments.len() {
            let Some(segment) = self.plan.segments.get(slot) else { return };
            if slot > 1 && segment.starts - now > AHEAD_US {
                return;
            }
            let over = segment.ends.is_some_and(|ends| ends <= now);
            let taken = self.voices.iter().any(|v| v.slot == Some(slot) && v.stage != Stage::Leaving && !v.relieved);
            if !over && !taken && self.voices.len() < VOICES_MAX {
                self.open_voice(slot, now);
            }
        }
    }

    /// Whether something should be heard already, and is still being opened: a control was heard of late.
    fn awaits(&self, now: ConvoyTime) -> bool {
        let is_due = |s: &Segment| s.starts <= now && s.ends.is_none_or(|ends| ends > now);
        self.opening().any(|(_, segment)| is_due(segment))
    }

    /// What is still being opened.
    fn opening(&self) -> impl Iterator<Item = (usize, &Segment)> {
        let opens = |slot| {
            let mut voices = self.voices.iter().filter(move |v| v.slot == Some(slot));
            voices.all(|v| v.stage == Stage::Waiting && v.failed.is_none())
        };
        let segments = self.plan.segments.iter().enumerate();
        segments.filter(move |(slot, segment)| segment.source.is_some() && opens(*slot))
    }

    fn open_voice(&mut self, slot: usize, now: ConvoyTime) {
        let Some(segment) = self.plan.segments.get(slot) else { return };
        let Some(source) = &segment.source else { return };
        let position_us = segment.position_us + (now - segment.starts).max(0);
        let feed = self.library.open(source, (position_us - RUN_UP_US).max(0));
        self.voices.push(Voice::new(segment.clone(), slot, feed, self.device_hz));
    }

    /// The newest voices first, so that those they relieve know of it.
    fn mix(&mut self, grid: Option<&Grid>, block: &mut [Frame]) {
        let opening: Vec<(usize, ConvoyTime)> = self.opening().map(|(slot, segment)| (slot, segment.starts)).collect();
        let mut voices = std::mem::take(&mut self.voices);
        let joins: Vec<(ConvoyTime, f64)> = voices
            .iter()
            .filter(|v| v.stage == Stage::Playing && v.error_us.abs() < IN_SYNC_US)
            .filter_map(|v| Some((v.segment.ends?, v.error_us)))
            .collect();
        let mut begun: Vec<(usize, usize)> = Vec::new();
        let mut relieve: Vec<usize> = Vec::new();
        for voice in voices.iter_mut().rev() {
            if voice.stage == Stage::Waiting
                && let Some(grid) = grid
                && let Some(index) = self.begin(voice, grid, &joins, block.len())
            {
                begun.extend(voice.slot.map(|slot| (slot, index)));
                self.play(voice, grid, block, index, None);
                continue;
            }
            match (voice.stage, grid) {
                (Stage::Playing, Some(grid)) => {
                    let next = opening.iter().find(|(_, starts)| voice.ends_at(*starts)).map(|(slot, _)| *slot);
                    let takes_over = |slot: usize| {
                        voice.slot.is_none_or(|own| own == slot) || (voice.stays_until.is_some() && next == Some(slot))
                    };
                    let relief = begun.iter().find(|(slot, _)| takes_over(*slot)).map(|(_, index)| *index);
                    let awaited = next.is_some_and(|next| begun.iter().all(|(slot, _)| *slot != next));
                    if awaited && voice.segment.ends.is_some_and(|ends| grid.index_of(ends) < block.len() as f64) {
                        voice.stays_until.get_or_insert(self.frame + STAY_FRAMES);
                    }
                    if self.play(voice, grid, block, 0, relief) {
                        relieve.extend(voice.slot);
                    }
                }
                (Stage::Playing | Stage::Leaving, _) => {
                    voice.leave();
                    let us_per_frame = grid.map_or(1e6 / f64::from(self.device_hz), |g| g.us_per_frame);
                    let step = voice.source_hz().unwrap_or_default() * us_per_frame / 1e6;
                    self.sound(voice, block, step);
                }
                (Stage::Waiting | Stage::Over, _) => {}
            }
        }
        self.voices = voices;
        if let Some(grid) = grid {
            for slot in relieve {
                self.heard.realigns += 1;
                self.open_voice(slot, grid.start());
            }
        }
    }

    /// Whether a waiting voice begins in this block, and at which frame of it.
    fn begin(&mut self, voice: &mut Voice, grid: &Grid, joins: &[(ConvoyTime, f64)], count: usize) -> Option<usize> {
        self.pull(voice, 0.0);
        let segment = &voice.segment;
        if let Some(problem) = &voice.failed {
            if grid.since_us(segment.starts, 0.0) > 0.0 {
                self.heard.problem = Some(format!("cannot play this track: {problem}"));
            }
            return None;
        }
        let source_hz = voice.source_hz()?;
        // A track that follows another without a gap inherits its error, or there would be a gap.
        let join = (segment.position_us == 0)
            .then(|| joins.iter().find(|(ends, _)| (*ends - segment.starts).abs() <= JOINED_US))
            .flatten();
        let shift_us = join.map_or(0.0, |(_, error_us)| *error_us);
        let step = source_hz * grid.us_per_frame / 1e6;
        let first = (grid.index_of(segment.starts) - shift_us / grid.us_per_frame - 1e-6).ceil();
        // Joined tracks overlap by the length of the filter, as if they were one.
        let first = if join.is_some() { first - (voice.half() as f64 / step).floor() } else { first };
        let ends = segment.ends.map_or(f64::INFINITY, |ends| grid.index_of(ends));
        if first >= count as f64 || ends <= 0.0 {
            return None;
        }
        let index = first.max(0.0);
        let wanted = |index: f64| {
            (grid.since_us(segment.starts, index) + shift_us + segment.position_us as f64) * source_hz / 1e6
        };
        let (from, to) = (wanted(index), wanted(count as f64));
        let at_start = segment.position_us == 0 && (first > -1.0 || from < 0.0);
        let stale = voice.is_past(from);
        self.pull(voice, to + voice.half() as f64 + 2.0);
        if stale {
            // The wanted place has moved back, before all that is decoded.
            voice.stage = Stage::Over;
            return None;
        }
        if !voice.covers(from, to) {
            voice.skip(from - voice.position());
            return None;
        }
        voice.begin(from, !at_start);
        Some(index as usize)
    }

    /// Plays a voice from frame `index` of the block. Returns true when it is so wrong that another must take its
    /// place.
    fn play(
        &mut self,
        voice: &mut Voice,
        grid: &Grid,
        block: &mut [Frame],
        index: usize,
        relief: Option<usize>,
    ) -> bool {
        let Some(source_hz) = voice.source_hz() else { return false };
        let (starts, position_us, ends) = (voice.segment.starts, voice.segment.position_us, voice.segment.ends);
        let wanted_us = grid.since_us(starts, index as f64) + position_us as f64;
        let error_us = voice.position() * 1e6 / source_hz - wanted_us;
        let limit_us = if self.frame < self.jolted_until { REALIGN_JOLTED_US } else { REALIGN_US };
        let astray = error_us.abs() > limit_us && !voice.relieved;
        let correction = (-error_us / HORIZON_US).clamp(-CORRECTION_MAX, CORRECTION_MAX);
        let step = source_hz * grid.us_per_frame / 1e6 * (1.0 + correction);
        self.pull(voice, voice.position() + (block.len() - index) as f64 * step + voice.half() as f64 + 2.0);
        voice.error_us = error_us;
        voice.relieved |= astray;
        if voice.slot.is_some() {
            self.heard.in_sync = voice.failed.is_none() && error_us.abs() < IN_SYNC_US;
            self.heard.offset_us = Some(error_us);
            self.heard.correction_ppm = (step * f64::from(self.device_hz) / source_hz - 1.0) * 1e6;
        }
        if let Some(problem) = &voice.failed {
            self.heard.problem = Some(format!("this track broke off: {problem}"));
        }
        let ends = ends.map_or(f64::INFINITY, |ends| grid.index_of(ends).ceil());
        let stays = voice.stays_until.is_some_and(|until| self.frame < until) || voice.ends_naturally(source_hz);
        let ends = if ends < block.len() as f64 && !stays { ends } else { f64::INFINITY };
        let leaves = ends.min(relief.map_or(f64::INFINITY, |index| index as f64));
        let split = leaves.clamp(index as f64, block.len() as f64) as usize;
        let (before, after) = block.split_at_mut(split);
        self.sound(voice, before.get_mut(index..).unwrap_or_default(), step);
        if !after.is_empty() {
            voice.leave();
            self.sound(voice, after, step);
        }
        astray
    }

    /// Lets a voice sound as far as its frames go.
    fn sound(&mut self, voice: &mut Voice, out: &mut [Frame], step: f64) {
        let needed = out.len() as f64 * step;
        self.pull(voice, voice.position() + needed + voice.half() as f64 + 2.0);
        let available = voice.available();
        if available >= needed {
            voice.render(out, step);
        } else {
            let count = (available / step).max(0.0) as usize;
            self.heard.in_sync = false;
            voice.starve(out.get_mut(..count).unwrap_or_default(), step);
        }
    }

    fn pull(&mut self, voice: &mut Voice, position: f64) {
        let (kernels, device_hz) = (&mut self.kernels, self.device_hz);
        voice.pull(position, &mut |source_hz| {
            Arc::clone(kernels.entry(source_hz).or_insert_with(|| Arc::new(Kernel::new(source_hz, device_hz))))
        });
    }
}
