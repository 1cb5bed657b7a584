//! `found` and `join`: a convoy that cars on one network form by themselves, by a code that people speak.

use super::failure::Failure;
use super::out::Out;
use super::style::Style;
use super::text::plain;
use crate::api::client::Client;
use crate::core::code::{Code, Likeness, likeness};
use crate::core::id::{ConvoyId, ConvoyName};
use crate::core::request::Done;
use crate::core::roadside::Invitation;
use serde_json::json;
use std::io::{IsTerminal, Write};

/// Founds a convoy, or names a new code for the one that the car is in.
pub(super) async fn found(client: &Client, name: Option<String>, out: Out) -> Result<(), Failure> {
    let name = name.map(ConvoyName::new).transpose().map_err(|error| Failure::usage(error.to_string()))?;
    let invitation = client.found(name.as_ref()).await?;
    let Invitation { convoy, name, code, valid_s } = &invitation;
    let value = json!({"convoy": convoy, "name": name, "code": code.text(), "valid_s": valid_s});
    out.show(&value, |style| text(&invitation, style))
}

fn text(invitation: &Invitation, style: Style) -> String {
    let Invitation { convoy, name, code, valid_s } = invitation;
    let time = if valid_s % 60 == 0 { format!("{} min", valid_s / 60) } else { format!("{valid_s} s") };
    format!(
        "{} ({}) is open to others for {time}. On this network, they join by\n\n    jamzctl join {}\n\n\
         `jamzctl found` again names a new code.\n",
        plain(name.as_str()),
        plain(convoy.as_str()),
        style.good(&code.text().replace('-', " ")),
    )
}

/// Joins by a code or by an id, whichever the text is.
pub(super) async fn join(client: &Client, text: &str, is_code: bool, is_id: bool) -> Result<Done, Failure> {
    let meant = match likeness(text) {
        _ if is_code => Likeness::Code,
        _ if is_id => Likeness::Id,
        likeness => likeness,
    };
    match meant {
        Likeness::Id => {
            let convoy = ConvoyId::new(text).map_err(|error| Failure::usage(error.to_string()))?;
            Ok(client.join(&convoy).await?)
        }
        Likeness::Code => {
            let code = Code::parse(text).map_err(|error| {
                Failure::usage(format!("{error}; nothing was tried (`--id` takes it for a convoy's id)"))
            })?;
            if std::io::stderr().is_terminal() {
                let _ = writeln!(std::io::stderr(), "Looking for the convoy on this network…");
            }
            let done = client.join_by_code(&code).await?;
            if std::io::stderr().is_terminal() {
                let convoy = client.status().await?.convoy.unwrap_or_default();
                let _ = writeln!(std::io::stderr(), "Joined {}.", plain(&convoy));
            }
            Ok(done)
        }
        Likeness::Unclear => Err(Failure::usage(format!(
            "half of `{}` is in no code; say `--code` to be told what it may have been, or `--id` if it is a \
             convoy's id",
            plain(text)
        ))),
    }
}
