//! The man pages and the completions, made from the arguments.

use super::args::Arguments;
use super::failure::Failure;
use super::out::print;
use clap::CommandFactory;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use std::path::Path;

const EXIT_STATUS: [(&str, &str); 7] = [
    ("0", "It is done."),
    ("1", "It failed; standard error says why."),
    ("2", "The arguments are wrong."),
    ("69", "No head unit runs on this bus, or there is no such bus."),
    ("75", "It is done and kept here, but the convoy does not know it yet; it is sent when a link returns."),
    (
        "77",
        "This user may not control the head unit, or this car may not do it now: another one is \
         the DJ; or the code to join by is wrong.",
    ),
    ("78", "The configuration is wrong (config check)."),
];

const ENVIRONMENT: [(&str, &str); 3] = [
    ("NO_COLOR", "Anything but nothing turns colours off."),
    ("DBUS_SESSION_BUS_ADDRESS", "Where the session bus is, for --bus session."),
    ("DBUS_SYSTEM_BUS_ADDRESS", "Where the system bus is, if not at its usual place."),
];

const JSON: [(&str, &str); 18] = [
    (
        "status",
        "One object: version, device, name, convoy, controller, is_controller, connection (socketIO: connected, \
         degraded or \
         disconnected; webRTC: by device connecting, connected or failed; activeSync: socket, webrtc or offline; \
         reason, \
         round_trip_us, dialect), members, muted (by device: reason, until_us), \
         now_playing (playing, entry, track, position_us, index), queue_length, \
         volume, ducked, \
         clock (synced, convoy_us, bound_us, rate_ppm, \
         through: the cars by whom it is had, but for the server itself), audio (output, rate_hz, delay_us, \
         in_sync, offset_us, correction_ppm, underruns, realigns, problem), library (tracks, problems, \
         scanning, fetching), changes (applied, pending), lead_us, queue_revision, taken_us.",
    ),
    (
        "watch",
        "One object a line: {\"event\": \"status\", \"status\": as above}, once a second and when something changes; \
         {\"event\": \"notice\", \"kind\", \"details\"}; {\"event\": \"seeked\", \"position_us\"}; {\"event\": \
             \"absent\"}.",
    ),
    (
        "play, pause, seek, queue add, join and the like",
        "{\"reach\": \"convoy\" or \"local\", \"changes\": [{\"device\", \"sequence\"}]}",
    ),
    ("found", "{\"convoy\", \"name\", \"code\", \"valid_s\"}"),
    ("volume", "{\"volume\": 0 to 1}"),
    ("queue list", "{\"revision\", \"entries\": [{\"place\", \"id\", \"current\", \"track\"}]}; places count from 1."),
    ("queue pending", "{\"pending\": as in history, oldest first}"),
    ("library scan", "{\"started\": true}"),
    ("library search", "{\"tracks\": [{\"id\", \"title\", \"artist\", \"album\", \"duration_us\", \"path\"}]}"),
    ("library problems", "{\"problems\": [{\"path\", \"problem\"}]}"),
    ("outputs", "{\"outputs\": [{\"name\", \"description\", \"active\"}]}"),
    ("outputs delay", "{\"output\", \"delay_us\"}"),
    (
        "calibrate",
        "{\"output\", \"delay_us\", \"before_us\": as it was set, \"clarity\": 0 to 1, how much of what was heard was \
         the chirps, \"stored\": true or false}; with --play {\"chirps\": how many times}",
    ),
    (
        "who",
        "{\"convoy\", \"controller\", \"members\": [{\"device\", \"user\", \"name\", \"online\", \"kind\", and of whom \
         this car does not hear for a time \"muted\": {\"reason\", \"until_us\"}}]}",
    ),
    (
        "invite",
        "{\"link\", \"others\": the same by this car's further addresses, \"role\": dj or listener, \
             \"expires_unix_s\": null where links do not expire, or nobody knows the time}",
    ),
    (
        "history",
        "{\"history\": [{\"id\", \"device\", \"user\", \"action\", \"subject\", \"convoy_time_us\", \
         \"recorded_unix_s\", \
         \"state\": pending, applied, superseded or refused, \"reason\"}]}",
    ),
    ("config", "{\"config\": the configuration in force, without secrets}"),
    ("a track", "{\"id\", \"title\", \"artist\", \"album\", \"duration_us\" and \"url\" if known}"),
];

const EXAMPLES: [(&str, &str); 6] = [
    ("jamzctl queue add --all beethoven", "Add everything by Beethoven."),
    ("jamzctl play 3", "Play the third entry of the queue."),
    ("jamzctl found Alps", "Found a convoy here, with no server, and show the code that others join by."),
    ("jamzctl join amber castle river twist", "Join it, in another car on the same network."),
    ("jamzctl seek -10", "Go ten seconds back."),
    ("jamzctl --json status | jq .connection.activeSync", "Over what the convoy is in step."),
];

/// Prints the completions for a shell.
pub(super) fn completions(shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "jamzctl", &mut script);
    print(&String::from_utf8_lossy(&script))
}

/// Writes one page for `jamzctl` and one for each of its verbs.
pub(super) fn write_pages(folder: &Path) -> Result<(), Failure> {
    let written = || -> std::io::Result<()> {
        std::fs::create_dir_all(folder)?;
        let command = Arguments::command().disable_help_subcommand(true);
        clap_mangen::generate_to(command.clone(), folder)?;
        std::fs::write(folder.join("jamzctl.1"), main_page(command)?)
    };
    written().map_err(|error| Failure::new(format!("the man pages cannot be written to {}: {error}", folder.display())))
}

fn main_page(command: clap::Command) -> std::io::Result<Vec<u8>> {
    let man = Man::new(command);
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    man.render_subcommands_section(&mut page)?;
    section("EXIT STATUS", &[], &EXIT_STATUS).to_writer(&mut page)?;
    let json = "With --json, standard output is one line of JSON per answer, and errors stay sentences on standard \
        error. Keys are \
                only ever added. Times and positions are in microseconds, and null or a missing key means not known.";
    section("JSON", &[json], &JSON).to_writer(&mut page)?;
    section("ENVIRONMENT", &[], &ENVIRONMENT).to_writer(&mut page)?;
    section("EXAMPLES", &[], &EXAMPLES).to_writer(&mut page)?;
    man.render_version_section(&mut page)?;
    Ok(page)
}

fn section(heading: &str, paragraphs: &[&str], items: &[(&str, &str)]) -> Roff {
    let mut roff = Roff::default();
    roff.control("SH", [heading]);
    for paragraph in paragraphs {
        roff.text([roman(*paragraph)]);
    }
    for (term, text) in items {
        roff.control("TP", []);
        roff.text([bold(*term)]);
        roff.text([roman(*text)]);
    }
    roff
}
