//! Tracks found, files that cannot be used, and outputs.

use crate::core::request::{LibraryProblem, LibraryTrack, OutputInfo};
use crate::ctl::style::Style;
use crate::ctl::table::{Align, Table};
use crate::ctl::text::duration;

/// Digits of an id that are shown: enough to name it.
const ID_SHOWN: usize = 12;

pub(in crate::ctl) fn tracks(tracks: &[LibraryTrack], style: Style) -> String {
    let columns = [("Id", Align::Left), ("Title", Align::Left), ("Artist", Align::Left), ("Album", Align::Left)];
    let mut table = Table::new(&[columns.as_slice(), &[("Length", Align::Right)]].concat());
    for track in tracks {
        let id = track.id.as_str().get(..ID_SHOWN).unwrap_or(track.id.as_str());
        let title = if track.title.is_empty() { &track.path } else { &track.title };
        let length = track.duration_us.map(duration).unwrap_or_default();
        table.row(false, [id, title, &track.artist, &track.album, &length]);
    }
    if table.is_empty() { "No track of the library matches.\n".into() } else { table.render(style) }
}

pub(in crate::ctl) fn problems(problems: &[LibraryProblem], style: Style) -> String {
    let mut table = Table::new(&[("File", Align::Left), ("Problem", Align::Left)]);
    for problem in problems {
        table.row(false, [&problem.path, &problem.problem]);
    }
    if table.is_empty() { "Every file of the library can be used.\n".into() } else { table.render(style) }
}

pub(in crate::ctl) fn outputs(outputs: &[OutputInfo], style: Style) -> String {
    let mut table = Table::new(&[("", Align::Right), ("Name", Align::Left), ("Description", Align::Left)]);
    for output in outputs {
        let mark = if output.active { ">" } else { "" };
        table.row(output.active, [mark, &output.name, &output.description]);
    }
    if table.is_empty() { "There is no sound output.\n".into() } else { table.render(style) }
}
