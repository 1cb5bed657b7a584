//! Heartbeats as compact JSON: they are most of what travels over a calm link.

use super::bounds::BEAT_BYTES_MAX;
use super::{EncodeError, FrameError, at_most, depth, exact, exact_unsigned, read, write};
use crate::core::clock::reference::THROUGH_MAX;
use crate::core::clock::{ClockMap, ConvoyTime, MonoTime};
use crate::core::election::Term;
use crate::core::id::{DeviceId, UserId};
use crate::core::mesh::{Beat, Claim, Echo, HOPS_MAX, Route, Source};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename = "beat")]
struct WireBeat {
    ask: bool,
    sent: i64,
    /// Sent, received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    echo: Option<(i64, i64)>,
    /// Monotonic origin, convoy time there, rate, error bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    clock: Option<(i64, i64, f64, i64)>,
    /// By whom the sender has that time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    through: Vec<DeviceId>,
    source: WireSource,
    path: Vec<DeviceId>,
    count: u64,
    /// In hex: not every peer holds 64 bits in a number.
    digest: String,
    #[serde(default)]
    members: u32,
    wanted: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WireSource {
    /// Its term.
    Server(u64),
    /// Term, established, knows the convoy's time, DJ, mains power, user, device.
    Member(u64, bool, bool, bool, bool, UserId, DeviceId),
}

/// Writes a beat for the `clock` channel.
///
/// # Errors
/// [`EncodeError`]; never for a beat of this core.
pub fn encode_beat(beat: &Beat) -> Result<String, EncodeError> {
    let source = match &beat.route.source {
        Source::Server { term } => WireSource::Server(term.0),
        Source::Member(claim) => WireSource::Member(
            claim.term.0,
            claim.established,
            claim.timed,
            claim.dj,
            claim.mains,
            claim.user.clone(),
            claim.device.clone(),
        ),
    };
    let text = write(&WireBeat {
        ask: beat.ask,
        sent: beat.sent.0,
        echo: beat.echo.map(|echo| (echo.sent.0, echo.received.0)),
        clock: beat.clock.map(|(map, bound_us)| (map.mono0.0, map.convoy0.0, map.rate, bound_us)),
        through: beat.clock_through.clone(),
        source,
        path: beat.route.path.clone(),
        count: beat.route.count,
        digest: format!("{:x}", beat.digest),
        members: beat.members,
        wanted: beat.wanted,
    })?;
    if text.len() > BEAT_BYTES_MAX {
        return Err(EncodeError::TooLong { kind: "beat", bytes: text.len(), bytes_max: BEAT_BYTES_MAX });
    }
    Ok(text)
}

/// Reads what came over the `clock` channel.
///
/// # Errors
/// [`FrameError`] when it is no beat within its bounds.
pub fn decode_beat(bytes: &[u8]) -> Result<Beat, FrameError> {
    if bytes.len() > BEAT_BYTES_MAX {
        return Err(FrameError::TooLong { kind: "beat", bytes: bytes.len(), bytes_max: BEAT_BYTES_MAX });
    }
    depth::check(bytes)?;
    let beat: WireBeat = read(bytes)?;
    at_most("steps of a route", beat.path.len(), HOPS_MAX)?;
    at_most("cars that a time goes through", beat.through.len(), THROUGH_MAX)?;
    let time = |us: i64| exact("a beat's time", us);
    let echo = match beat.echo {
        Some((sent, received)) => Some(Echo { sent: MonoTime(time(sent)?), received: MonoTime(time(received)?) }),
        None => None,
    };
    let clock = match beat.clock {
        Some((_, _, rate, bound_us)) if rate.abs() > ClockMap::RATE_MAX || bound_us < 0 => {
            return Err(FrameError::Range { what: "a beat's clock" });
        }
        Some((mono0, convoy0, rate, bound_us)) => {
            let (mono0, convoy0) = (MonoTime(time(mono0)?), ConvoyTime(time(convoy0)?));
            Some((ClockMap { mono0, convoy0, rate }, time(bound_us)?))
        }
        None => None,
    };
    let term = |term: u64| exact_unsigned("a term", term).map(Term);
    let source = match beat.source {
        WireSource::Server(number) => Source::Server { term: term(number)? },
        WireSource::Member(number, established, timed, dj, mains, user, device) => {
            Source::Member(Claim { term: term(number)?, established, timed, dj, mains, user, device })
        }
    };
    let digest = u64::from_str_radix(&beat.digest, 16).map_err(|_| FrameError::Range { what: "a beat's digest" })?;
    Ok(Beat {
        ask: beat.ask,
        sent: MonoTime(time(beat.sent)?),
        echo,
        clock,
        clock_through: beat.through,
        route: Route { source, path: beat.path, count: exact_unsigned("a beat's count", beat.count)? },
        digest,
        members: beat.members,
        wanted: beat.wanted,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(n: u8) -> DeviceId {
        DeviceId::new(format!("{n:02x}").repeat(32)).unwrap()
    }

    fn beat(source: Source) -> Beat {
        Beat {
            ask: true,
            sent: MonoTime(123_456_789),
            echo: Some(Echo { sent: MonoTime(-5), received: MonoTime(6) }),
            clock: Some((ClockMap { mono0: MonoTime(1), convoy0: ConvoyTime(2), rate: 1.234_567_890_123e-5 }, 90)),
            clock_through: Vec::new(),
            route: Route { source, path: (0..4).map(device).collect(), count: 99 },
            digest: u64::MAX,
            members: u32::MAX,
            wanted: false,
        }
    }

    fn claim() -> Claim {
        let user = UserId::new("ü".repeat(64)).unwrap();
        Claim { term: Term(7), established: true, timed: true, dj: false, mains: true, user, device: device(9) }
    }

    #[test]
    fn a_beat_comes_back_as_it_was_and_the_longest_fits() {
        let bare = Beat { echo: None, clock: None, ..beat(Source::Server { term: Term(3) }) };
        for beat in [bare, beat(Source::Member(claim()))] {
            let text = encode_beat(&beat).unwrap();
            assert_eq!(decode_beat(text.as_bytes()).as_ref(), Ok(&beat), "{text}");
        }
        let longest = Claim { user: UserId::new("\"".repeat(128)).unwrap(), ..claim() };
        let quoted: Vec<DeviceId> = (0..4).map(|_| DeviceId::new("\\".repeat(64)).unwrap()).collect();
        let mut longest = beat(Source::Member(longest));
        longest.clock_through = quoted[..THROUGH_MAX].to_vec();
        longest.route.path = quoted;
        assert_eq!(decode_beat(encode_beat(&longest).unwrap().as_bytes()), Ok(longest));
    }

    #[test]
    fn a_beat_in_the_calm_is_short() {
        let mut calm = beat(Source::Server { term: Term(3) });
        calm.route.path = vec![device(1)];
        let bytes = encode_beat(&calm).unwrap().len();
        assert!(bytes < 300, "{bytes} bytes");
    }

    #[test]
    fn hostile_beats_are_refused() {
        let good = encode_beat(&beat(Source::Member(claim()))).unwrap();
        let mut long = beat(Source::Server { term: Term(1) });
        long.route.path = (0..5).map(device).collect();
        let mut detour = beat(Source::Server { term: Term(1) });
        detour.clock_through = (0..4).map(device).collect();
        for long in [long, detour] {
            let text = encode_beat(&long).unwrap();
            assert!(matches!(decode_beat(text.as_bytes()), Err(FrameError::TooMany { .. })));
        }
        for (old, new) in [
            ("\"sent\":123456789", "\"sent\":9007199254740994"),
            ("\"count\":99", "\"count\":18446744073709551615"),
            ("0.00001234567890123", "0.5"),
            ("\"digest\":\"ffffffffffffffff\"", "\"digest\":\"fffffffffffffffff\""),
            (",90]", ",-1]"),
        ] {
            assert!(good.contains(old), "{old} in {good}");
            let bad = good.replace(old, new);
            assert!(matches!(decode_beat(bad.as_bytes()), Err(FrameError::Range { .. })), "{new}");
        }
        let huge = format!("{}{}", " ".repeat(BEAT_BYTES_MAX), good);
        assert!(matches!(decode_beat(huge.as_bytes()), Err(FrameError::TooLong { .. })));
        assert_eq!(decode_beat("[".repeat(999).as_bytes()), Err(FrameError::TooDeep));
        for text in ["", "{}", "null", "\u{0}", "{\"type\":\"hello\"}"] {
            assert!(matches!(decode_beat(text.as_bytes()), Err(FrameError::Malformed { .. })), "{text}");
        }
        assert!(matches!(decode_beat(&[0xff; 9]), Err(FrameError::Malformed { .. })));
    }
}
