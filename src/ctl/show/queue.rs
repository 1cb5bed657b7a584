//! The playlist, with places counted from 1.

use crate::api::Queue;
use crate::core::status::Status;
use crate::ctl::style::Style;
use crate::ctl::table::{Align, Table};
use crate::ctl::text::duration;
use serde_json::{Value, json};

pub(in crate::ctl) fn text(queue: &Queue, status: &Status, style: Style) -> String {
    let columns = [("", Align::Right), ("#", Align::Right), ("Title", Align::Left), ("Artist", Align::Left)];
    let mut table = Table::new(&[columns.as_slice(), &[("Length", Align::Right), ("Entry", Align::Left)]].concat());
    for (i, entry) in queue.entries.iter().enumerate() {
        let track = &entry.track;
        let current = is_current(status, entry.id.as_str());
        let title =
            if track.title.is_empty() { track.url.as_deref().unwrap_or(track.id.as_str()) } else { &track.title };
        let length = track.duration_us.map(duration).unwrap_or_default();
        let mark = if current { ">" } else { "" };
        table.row(current, [mark, &(i + 1).to_string(), title, &track.artist, &length, entry.id.as_str()]);
    }
    if table.is_empty() {
        "The queue is empty; add to it with `jamzctl queue add`.\n".into()
    } else {
        table.render(style)
    }
}

pub(in crate::ctl) fn as_json(queue: &Queue, status: &Status) -> Value {
    let entries = queue.entries.iter().enumerate().map(|(i, entry)| {
        let current = is_current(status, entry.id.as_str());
        json!({"place": i + 1, "id": entry.id, "current": current, "track": entry.track})
    });
    json!({"revision": queue.revision, "entries": entries.collect::<Vec<_>>()})
}

fn is_current(status: &Status, entry: &str) -> bool {
    status.now_playing.entry.as_deref() == Some(entry)
}
