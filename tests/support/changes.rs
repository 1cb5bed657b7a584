//! Changes and states to store, of any number and size.

use jamz::core::changes::{Action, Change, ChangeId, Hlc};
use jamz::core::clock::ConvoyTime;
use jamz::core::convoy::Snapshot;
use jamz::core::election::Term;
use jamz::core::id::{ConvoyId, DeviceId, EntryId, TrackId};
use jamz::core::io::Saved;
use jamz::core::order::OrderKey;
use jamz::core::playlist::Track;

pub(crate) fn id(device: &str, sequence: u64) -> ChangeId {
    ChangeId { device: DeviceId::new(device).unwrap(), sequence }
}

pub(crate) fn change(device: &str, sequence: u64, action: Action) -> Change {
    Change {
        id: id(device, sequence),
        hlc: Hlc { time_us: sequence as i64 * 1_000, count: 0 },
        term: Term(1),
        user: None,
        action,
        signature: None,
    }
}

pub(crate) fn add(device: &str, sequence: u64, title: &str) -> Change {
    let track = Track {
        id: TrackId::new(format!("track-{sequence}")).unwrap(),
        title: title.into(),
        artist: String::new(),
        album: String::new(),
        duration_us: None,
        url: None,
        extra: serde_json::Map::new(),
    };
    let entry = EntryId::new(format!("{device}:{sequence}")).unwrap();
    change(device, sequence, Action::Add { entry, track, order: OrderKey::between(None, None) })
}

pub(crate) fn saved(sequence: u64, volume: f64) -> Saved {
    Saved {
        convoy: ConvoyId::new("Конвой").ok(),
        snapshot: Snapshot::default(),
        clock: None,
        at: ConvoyTime(0),
        sequence,
        attempt: 0,
        tickets: jamz::core::ticket::Tickets::default(),
        passed_unix_us: 0,
        known_as: None,
        delays_us: std::collections::BTreeMap::default(),
        volume,
    }
}
