//! Who drives together.

use crate::core::id::short;
use crate::core::status::{Member, MemberKind, Status};
use crate::ctl::style::Style;
use crate::ctl::table::{Align, Table};
use crate::ctl::text::plain;
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
        let state = match status.muted.get(&member.device) {
            Some(_) => "muted",
            None if member.online => "online",
            None => "away",
        };
        let here = if member.device == status.device { "this car" } else { "" };
        let link = status.connection.web_rtc.get(&member.device).map_or(here, |peer| peer.as_str());
        let name = name(member);
        table.row(leads, [mark, name, &member.user, kind, state, link, short(&member.device)]);
    }
    if table.is_empty() {
        "Nobody else is known; join a convoy with `jamzctl join`.\n".into()
    } else {
        let mutes: String = status.members.iter().filter_map(|member| muted(member, status)).collect();
        table.render(style) + &mutes
    }
}

/// As what people know a member.
fn name(member: &Member) -> &str {
    if member.name.is_empty() { short(&member.device) } else { &member.name }
}

/// Why a member is not heard here, and for how long.
fn muted(member: &Member, status: &Status) -> Option<String> {
    let muted = status.muted.get(&member.device)?;
    let left_s = (muted.until_us - status.taken_us).max(0) / 1_000_000 + 1;
    Some(format!("{} is not heard here for {left_s} s: {}\n", plain(name(member)), plain(&muted.reason)))
}

pub(in crate::ctl) fn as_json(status: &Status) -> Value {
    let row = |member: &Member| {
        let mut row = json!(member);
        if let (Some(muted), Value::Object(fields)) = (status.muted.get(&member.device), &mut row) {
            fields.insert("muted".into(), json!(muted));
        }
        row
    };
    let members: Vec<Value> = status.members.iter().map(row).collect();
    json!({"convoy": status.convoy, "controller": status.controller, "members": members})
}
