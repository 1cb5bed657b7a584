//! Decoding: each format, to the sample, from any place; and files that are not what they say.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise, and its support files serve several"
)]

#[path = "support/sound.rs"]
mod sound;

use jamz::audio::Frame;
use jamz::audio::decode::{Control, DecodeError, Decoder};
use jamz::core::clock::Monotonic;
use jamz::core::io::{Growing, Source};
use jamz::host::MonotonicClock;
use sound::{SWEEP_FRAMES, error_db, frames, source, sweep, write_wav};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tones").join(name)
}

fn open(source: &Source) -> Result<Decoder, DecodeError> {
    let clock: Arc<dyn Monotonic> = Arc::new(MonotonicClock);
    Decoder::open(source, &Arc::new(Control::default()), &clock)
}

/// All frames from `from` on; their positions must leave no hole.
fn decode(source: &Source, from: u64) -> Result<(u32, Vec<Frame>), DecodeError> {
    let mut decoder = open(source)?;
    decoder.seek(from)?;
    let mut all = Vec::new();
    while let Some(first) = decoder.next(&mut all)? {
        let expected_max = from + all.len() as u64;
        assert!(first >= from && first < expected_max, "frames at {first}, {} frames from {from} on", all.len());
    }
    Ok((decoder.rate_hz(), all))
}

/// The shift, in samples, at which `a` is most like `b`.
fn best_shift(a: &[Frame], b: &[Frame]) -> i64 {
    let likeness = |shift: i64| -> f64 {
        (2_000..20_000_i64).map(|i| f64::from(a[(i + shift) as usize][0]) * f64::from(b[i as usize][0])).sum()
    };
    (-1_500..=1_500).max_by(|x, y| likeness(*x).total_cmp(&likeness(*y))).unwrap()
}

#[test]
fn every_format_is_aligned_and_as_long_as_the_music_to_the_sample() {
    let dir = tempfile::tempdir().unwrap();
    let wav = dir.path().join("sweep.wav");
    write_wav(&wav, 44_100, &frames(sweep, 44_100, SWEEP_FRAMES));
    let files = [
        (wav, 44_100, -120.0),
        (fixture("sweep.flac"), 44_100, -80.0),
        (fixture("sweep.mp3"), 44_100, -15.0),
        (fixture("sweep.ogg"), 44_100, -15.0),
        (fixture("sweep.m4a"), 44_100, -15.0),
        (fixture("sweep.opus"), 48_000, -15.0),
    ];
    let mut wrong = Vec::new();
    for (path, rate_hz, error_max_db) in files {
        let (rate, found) = decode(&source(&path), 0).unwrap();
        let length = (SWEEP_FRAMES as f64 * f64::from(rate_hz) / 44_100.0).ceil() as usize;
        let ideal = frames(sweep, rate_hz, found.len().max(length));
        let (shift, error) = (best_shift(&found, &ideal), error_db(&found, &ideal[..found.len()]));
        println!("{}: {} frames, shift {shift}, error {error:.1} dB", path.display(), found.len());
        if rate != rate_hz || found.len() != length || shift != 0 || error > error_max_db {
            wrong.push(format!(
                "{}: {rate} Hz, {} of {length} frames, shift {shift}, {error:.1} dB",
                path.display(),
                found.len()
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_seek_gives_the_same_samples_at_the_same_places() {
    let mut wrong = Vec::new();
    for name in ["sweep.flac", "sweep.mp3", "sweep.ogg", "sweep.m4a", "sweep.opus"] {
        let source = source(&fixture(name));
        let (_, whole) = decode(&source, 0).unwrap();
        for from in [1, 4_000, 13_000, 19_999, 26_000] {
            let (_, part) = decode(&source, from as u64).unwrap();
            let rest = &whole[from..];
            let error = if part.len() == rest.len() { error_db(&part, rest) } else { f64::INFINITY };
            println!("{name} from {from}: {} of {} frames, {error:.1} dB", part.len(), rest.len());
            // AAC fills quiet bands with noise, which is another each time.
            let error_max_db = if name.ends_with("m4a") { -40.0 } else { -60.0 };
            if error > error_max_db {
                wrong.push(format!("{name} from {from}: {} of {} frames, {error:.1} dB", part.len(), rest.len()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_seek_beyond_the_end_gives_nothing() {
    for name in ["sweep.flac", "sweep.mp3", "sweep.ogg", "sweep.m4a", "sweep.opus"] {
        let (_, rest) = decode(&source(&fixture(name)), 10_000_000).unwrap();
        assert!(rest.is_empty(), "{name} gave {} frames", rest.len());
    }
}

#[test]
fn mono_comes_out_on_both_sides() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mono.wav");
    let mut bytes = Vec::from(*b"RIFF\x2c\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00");
    bytes.extend([8_000_u32, 16_000].map(u32::to_le_bytes).concat());
    bytes.extend([2_u16, 16].map(u16::to_le_bytes).concat());
    bytes.extend(b"data\x08\x00\x00\x00");
    bytes.extend([0_i16, 8_192, -16_384, 0].map(i16::to_le_bytes).concat());
    fs::write(&path, bytes).unwrap();
    let (rate_hz, found) = decode(&source(&path), 0).unwrap();
    assert_eq!((rate_hz, found), (8_000, vec![[0.0, 0.0], [0.25, 0.25], [-0.5, -0.5], [0.0, 0.0]]));
}

#[test]
fn what_is_no_music_is_refused_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        source(&path)
    };
    let mut tagged = Vec::from(*b"ID3\x03\x00\x00\x00\x00\x00\x0f");
    tagged.resize(33, 0xff);
    for hostile in [
        write("tag.mp3", &tagged),
        write("text.flac", "This is a shopping list, not a song.\n".repeat(500).as_bytes()),
        write("empty.ogg", b""),
        write("one.wav", b"R"),
        write("head.flac", &fs::read(fixture("sweep.flac")).unwrap()[..20]),
        source(dir.path()),
        source(&dir.path().join("absent.mp3")),
    ] {
        let error = match open(&hostile) {
            Err(error) => error.to_string(),
            Ok(_) => panic!("{} was opened", hostile.path),
        };
        println!("{}: {error}", hostile.path);
        assert!(error.starts_with("the file") || error.starts_with("this is no music"), "{error}");
    }
}

#[test]
fn a_truncated_file_plays_as_far_as_it_goes() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["sweep.flac", "sweep.mp3", "sweep.ogg", "sweep.m4a", "sweep.opus"] {
        let whole = fs::read(fixture(name)).unwrap();
        for part in [whole.len() * 3 / 4, whole.len() / 2, whole.len() - 1] {
            let path = dir.path().join(name);
            fs::write(&path, &whole[..part]).unwrap();
            // An error is an answer too; a panic or a hang is not.
            if let Ok((_, found)) = decode(&source(&path), 0) {
                assert!(found.len() <= 28_802, "{name} cut to {part} bytes gave {} frames", found.len());
            }
        }
    }
}

#[test]
fn a_file_damaged_in_any_way_never_brings_the_decoder_down() {
    let dir = tempfile::tempdir().unwrap();
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut below = move |end: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % end as u64).unwrap()
    };
    for name in ["sweep.flac", "sweep.mp3", "sweep.ogg", "sweep.m4a", "sweep.opus", "../library/good/phone.wav"] {
        let whole = fs::read(fixture(name)).unwrap();
        let path = dir.path().join(Path::new(name).file_name().unwrap());
        for _ in 0..80 {
            let mut damaged = whole.clone();
            // Headers are short, and decide most.
            let reach = [64, 512, damaged.len()][below(3)].min(damaged.len());
            match below(5) {
                0 | 1 => (0..8).for_each(|_| damaged[below(reach)] ^= 1 << below(8)),
                2 => damaged.truncate(1 + below(reach)),
                3 => {
                    let (from, length) = (below(reach), 1 + below(4_096));
                    let to = (from + length).min(damaged.len());
                    damaged[from..to].fill([0, 0xff][below(2)]);
                }
                _ => {
                    let (from, to) = (below(reach), below(damaged.len()));
                    let part = damaged[from..(from + 1 + below(2_048)).min(whole.len())].to_vec();
                    damaged.splice(to..to, part);
                }
            }
            fs::write(&path, damaged).unwrap();
            if let Ok((_, found)) = decode_loosely(&source(&path)) {
                assert!(found < 10_000_000, "{name} gave {found} frames");
            }
        }
    }
}

/// Counts the frames of a file that may say anything of their places.
fn decode_loosely(source: &Source) -> Result<(u32, usize), DecodeError> {
    let mut decoder = open(source)?;
    let (mut count, mut some) = (0, Vec::new());
    while decoder.next(&mut some)?.is_some() {
        count += some.len();
        some.clear();
    }
    Ok((decoder.rate_hz(), count))
}

#[test]
fn a_wav_header_that_claims_four_gigabytes_costs_no_memory() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("huge.wav");
    write_wav(&path, 44_100, &frames(sweep, 44_100, 5_000));
    let mut bytes = fs::read(&path).unwrap();
    bytes[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    bytes[40..44].copy_from_slice(&(u32::MAX - 36).to_le_bytes());
    fs::write(&path, bytes).unwrap();
    let (_, found) = decode(&source(&path), 0).unwrap();
    assert!((4_000..=5_000).contains(&found.len()), "{} frames", found.len());
}

#[test]
fn a_file_that_is_still_being_fetched_is_played_as_it_grows() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["sweep.flac", "sweep.mp3", "sweep.ogg", "sweep.opus"] {
        let whole = fs::read(fixture(name)).unwrap();
        let (_, expected) = decode(&source(&fixture(name)), 0).unwrap();
        let path = dir.path().join(name);
        fs::write(&path, &whole[..whole.len() / 3]).unwrap();
        let growing = Source { growing: Some(Growing { bytes_total: Some(whole.len() as u64) }), ..source(&path) };
        let writer = std::thread::spawn({
            let (path, rest) = (path.clone(), whole[whole.len() / 3..].to_vec());
            move || {
                let mut file = fs::OpenOptions::new().append(true).open(path).unwrap();
                for piece in rest.chunks(rest.len() / 4) {
                    std::thread::sleep(Duration::from_millis(60));
                    file.write_all(piece).unwrap();
                }
            }
        });
        let (_, found) = decode(&growing, 0).unwrap();
        writer.join().unwrap();
        assert_eq!(found.len(), expected.len(), "{name}");
        assert!(error_db(&found, &expected) < -60.0, "{name}");
    }
}

#[test]
fn a_reader_that_waits_for_a_growing_file_gives_up_when_nobody_listens() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("half.flac");
    let whole = fs::read(fixture("sweep.flac")).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let growing = Source { growing: Some(Growing { bytes_total: None }), ..source(&path) };
    let control = Arc::new(Control::default());
    let thread = std::thread::spawn({
        let control = Arc::clone(&control);
        move || {
            let clock: Arc<dyn Monotonic> = Arc::new(MonotonicClock);
            let mut decoder = Decoder::open(&growing, &control, &clock)?;
            let mut frames = Vec::new();
            while decoder.next(&mut frames)?.is_some() {}
            Ok::<_, DecodeError>(frames.len())
        }
    });
    std::thread::sleep(Duration::from_millis(200));
    assert!(!thread.is_finished(), "it should wait for more");
    control.cancelled.store(true, Ordering::Release);
    let began = MonotonicClock.now();
    assert!(thread.join().unwrap().is_err());
    assert!(MonotonicClock.now() - began < 2_000_000);
}
