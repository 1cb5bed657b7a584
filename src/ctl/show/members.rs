//! Who drives together.

use crate::core::id::short;
use crate::core::status::{MemberKind, Status};
use crate::ctl::style::Style;
use crate::ctl::table::{Align, Table};
use serde_json::{Value, json};

pub(in crate::ctl) fn text(status: &Status, style: Style) -> String {
    let columns = [("", Align::Right), ("Name", Align::Left), ("User", Align::Left), ("Kind", Align::Left)];
    let rest = [("State", Align::Left), ("Link", Align::Left), ("Device", Align::Left)];
    let mut table = Table::new(&[columns.as_slice(), &rest].concat());
    for member in &status.members {
        let kind = match member.kind {
            MemberKind::Car => "car",
            MemberKind::Phone => "phone",
        };
        let leads = status.controller.as_deref() == Some(&member.device);
        let mark = if leads { "DJ" } else { "" };
        let state = if member.online { "online" } else { "away" };
        let here = if member.device == status.device { "this car" } else { "" };
        let link = status.connection.web_rtc.get(&member.device).map_or(here, |peer| peer.as_str());
        let name = if member.name.is_empty() { short(&member.device) } else { &member.name };
        table.row(leads, [mark, name, &member.user, kind, state, link, short(&member.device)]);
    }
    if table.is_empty() {
        "Nobody else is known; join a convoy with `jamzctl join`.\n".into()
    } else {
        table.render(style)
    }
}

pub(in crate::ctl) fn as_json(status: &Status) -> Value {
    json!({"convoy": status.convoy, "controller": status.controller, "members": status.members})
}
