//! A link by which a phone joins, also as a square code that its camera reads.

use super::history;
use crate::core::request::InvitationLink;
use crate::core::ticket::Role;
use crate::ctl::style::Style;
use crate::ctl::text::plain;
use qrcode::{Color, EcLevel, QrCode};

/// Light rows and columns that a code needs around it.
const QUIET: usize = 4;
const BLACK_ON_WHITE: &str = "\u{1b}[38;5;16;48;5;231m";
const RESET: &str = "\u{1b}[0m";

pub(in crate::ctl) fn text(invitation: &InvitationLink, style: Style) -> String {
    let InvitationLink { link, others, role, expires_unix_s } = invitation;
    let link = plain(link);
    let certificate = certificate_of(&link);
    // A code is for eyes; a pipe wants the link.
    let code = style.columns.map(|columns| code(&link, columns, style.colour));
    let may =
        if *role == Role::Listener { "see what plays" } else { "see what plays, take control, edit the playlist" };
    let until = match expires_unix_s {
        Some(unix_s) => format!("until {} UTC", history::time(i64::try_from(*unix_s).unwrap_or(i64::MAX))),
        None if certificate.is_some() => "for a day".into(),
        None => "without end".into(),
    };
    let mut lines = vec![link.clone(), format!("Whoever has this link is let in {until}, and may {may}.")];
    if let Some(certificate) = certificate {
        lines.push(by_the_car(certificate));
        lines.extend(others.iter().map(|other| format!("If that leads nowhere: {}", plain(other))));
    } else if !browsers_sign(&link) {
        lines.push(
            "Over http a browser only shows, and controls nothing: put a proxy with a certificate before the server, \
             and https into `url` under [server]."
                .into(),
        );
    }
    code.unwrap_or_default() + &lines.join("\n") + "\n"
}

/// What the certificate's fingerprint begins with, of a link that leads to a car.
fn certificate_of(link: &str) -> Option<&str> {
    link.split_once("/#car=")?.1.split('&').next()
}

/// What whoever opens such a link will see, and should do.
fn by_the_car(certificate: &str) -> String {
    let pairs: Vec<&str> = (0..certificate.len()).step_by(2).filter_map(|at| certificate.get(at..at + 2)).collect();
    format!(
        "It leads to this car: the phone has to be on the same Wi-Fi. Its browser warns that it does not know the\n\
         car's certificate: go on all the same (Chrome: Advanced, Proceed; Safari: Show Details, visit this website;\n\
         Firefox: Advanced, Accept the Risk). Only who compares the certificate's SHA-256 fingerprint, which begins\n\
         with {}, knows that nobody on this Wi-Fi stands between.\n\
         The first phone that comes by the link keeps it; for another one, show another link.",
        pairs.join(":").to_uppercase()
    )
}

/// Whether a page of this address is one by which browsers let people sign.
fn browsers_sign(link: &str) -> bool {
    let Some(rest) = link.strip_prefix("http://") else { return true };
    ["localhost", "127.", "[::1]"].iter().any(|host| rest.starts_with(host))
}

/// The code in half blocks, or why there is none.
fn code(link: &str, columns: usize, colour: bool) -> String {
    let Ok(code) = QrCode::with_error_correction_level(link, EcLevel::L) else {
        return "The link is too long for a code.\n".into();
    };
    let (width, modules) = (code.width(), code.to_colors());
    if width + 2 * QUIET > columns {
        return format!("The terminal is too narrow for the code: it takes {} columns.\n", width + 2 * QUIET);
    }
    let is_dark = |x: usize, y: usize| {
        let (x, y) = (x.checked_sub(QUIET).filter(|x| *x < width), y.checked_sub(QUIET).filter(|y| *y < width));
        x.zip(y).is_some_and(|(x, y)| modules.get(y * width + x) == Some(&Color::Dark))
    };
    let side = width + 2 * QUIET;
    let mut text = String::new();
    for y in (0..side).step_by(2) {
        // Without colours a terminal is taken for a dark one, on which what is drawn is light.
        let half = |x: usize| match (is_dark(x, y) == colour, is_dark(x, y + 1) == colour) {
            (true, true) => '█',
            (true, false) => '▀',
            (false, true) => '▄',
            (false, false) => ' ',
        };
        let line: String = (0..side).map(half).collect();
        let (begin, end) = if colour { (BLACK_ON_WHITE, RESET) } else { ("", "") };
        text.extend([begin, &line, end, "\n"]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ctl::style::Style;

    fn shown(link: &str, others: &[&str]) -> String {
        let others = others.iter().map(|&other| other.to_owned()).collect();
        let invitation = InvitationLink { link: link.into(), others, role: Role::Listener, expires_unix_s: None };
        text(&invitation, Style { colour: false, columns: None, rows: None })
    }

    #[test]
    fn of_a_link_that_leads_to_a_car_people_are_told_what_their_browser_will_say() {
        let other = "https://10.0.0.1:8443/#car=ab12cd&c=alps-1&r=listener&t=T";
        let said = shown("https://169.254.8.1:8443/#car=ab12cd&c=alps-1&r=listener&t=T", &[other]);
        for words in ["same Wi-Fi", "AB:12:CD", "for a day", "see what plays", "first phone", other] {
            assert!(said.contains(words), "{words}: {said}");
        }
        let said = shown("https://jamz.example.org/#t=T", &[]);
        assert!(said.contains("without end") && !said.contains("Wi-Fi") && !said.contains("certificate"), "{said}");
    }
}
