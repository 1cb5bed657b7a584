//! The arguments of `jamzctl`: the one place that says which verbs there are. Help, man pages and completions come from
//! here.

use super::position::{Loudness, Position};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Parser)]
#[command(
    name = "jamzctl",
    version,
    about = "Controls a TrafficJamz head unit: the same music, at the same moment, in every car of a convoy",
    after_help = "Exit status: 0 done, 1 failed, 2 wrong usage, 69 no head unit, 75 done here but not yet known to \
        the convoy, \
                  77 denied, 78 wrong configuration.",
    max_term_width = 100
)]
pub(super) struct Arguments {
    /// The bus of the head unit: system, session, or a D-Bus address
    #[arg(long, global = true, value_name = "ADDRESS", default_value = "system")]
    pub(super) bus: String,
    /// Print JSON, as the man page describes it
    #[arg(long, global = true)]
    pub(super) json: bool,
    #[command(subcommand)]
    pub(super) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Show what plays, with whom, and how well
    Status,
    /// Show it live, until interrupted
    Watch,
    /// Go on, or play an entry of the queue from its start
    Play {
        /// Place in the queue, or an entry's id
        entry: Option<String>,
    },
    /// Stop the music where it is
    Pause,
    /// Pause when playing, play when paused
    Toggle,
    /// Go to a position of the track
    Seek {
        /// 1:23, 83.5 (seconds), +10 or -10
        #[arg(value_name = "POS", allow_hyphen_values = true)]
        position: Position,
    },
    /// Go to the next track
    Next,
    /// Go to the previous track
    Previous,
    /// Show or set this car's loudness
    Volume {
        /// 0 to 100, +5 or -5 (percent)
        #[arg(value_name = "LEVEL", allow_hyphen_values = true)]
        level: Option<Loudness>,
    },
    /// Play quieter for as long as a call or the navigation speaks
    Duck { switch: Switch },
    /// Show or change the convoy's playlist
    #[command(subcommand)]
    Queue(QueueVerb),
    /// Show or search the music of this car
    #[command(subcommand)]
    Library(LibraryVerb),
    /// List the sound outputs that the configuration may name, or set what one needs to be heard
    Outputs(OutputsArguments),
    /// Measure what the output in use needs to be heard, and remember it as `outputs delay` does
    ///
    /// With a microphone in this car, near the ear that counts: `jamzctl calibrate` plays some chirps, listens, and
    /// stores how much later than they left the card they came in. Each meter from the speaker is 2.9 ms. What the
    /// microphone itself needs is subtracted as far as its driver tells it; what it does not tell (a Bluetooth
    /// microphone's way) is taken for the output's.
    ///
    /// Without one, with a telephone that records two cars of one convoy, of which one is heard in time already (by
    /// wire, say): start the recording, as far from one car's speaker as from the other's; within some seconds of
    /// each other, call `jamzctl calibrate --play reference` in that car, and `jamzctl calibrate --play measured` in
    /// this one; when both have ended, bring the recording here: `jamzctl calibrate --recording FILE`. A recording
    /// alone does not say when it was made, so it is the difference of the two that counts.
    ///
    /// The delay that was set before plays no part in the measurement. The music has to be paused.
    Calibrate(CalibrateArguments),
    /// Found a convoy on the roadside, or name a new code for it, so that others on this network can join
    Found {
        /// What to call it
        name: Option<String>,
    },
    /// Join a convoy, by the code that `jamzctl found` named in a car on this network, or by its id
    Join {
        /// Take it for a code, whatever it looks like
        #[arg(long, conflicts_with = "id")]
        code: bool,
        /// Take it for an id, whatever it looks like
        #[arg(long)]
        id: bool,
        /// The code's four words, or the convoy's id
        #[arg(required = true, value_name = "CODE or ID")]
        convoy: Vec<String>,
    },
    /// Leave the convoy
    Leave,
    /// Take control: this car is the DJ's from now on
    Take,
    /// Give control back
    Release,
    /// Show a link, and a square code of it, by which a phone joins with its browser
    ///
    /// Whoever has the link is let in, for a day, and may do what this car may: take control, and edit the playlist.
    ///
    /// In a convoy that was founded on the roadside, with no server in reach, the link leads to this car: the phone has
    /// to be on the same Wi-Fi, its browser warns of a certificate that it does not know, and the link is the first
    /// phone's that comes by it.
    Invite {
        /// Who comes by it may only look
        #[arg(long)]
        listener: bool,
    },
    /// List the members of the convoy
    Who,
    /// List what was done, and what became of it, the newest first
    History {
        /// Most changes to list
        #[arg(long, value_name = "COUNT", default_value_t = 50)]
        #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
    },
    /// Show the configuration in force, or check a file
    Config(ConfigArguments),
    /// Print completions for a shell
    Completions { shell: clap_complete::Shell },
    /// Write the man pages into a folder
    Man {
        #[arg(value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
        folder: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum QueueVerb {
    /// Add tracks of the library, or addresses of audio files
    Add {
        /// Place in the queue, counted from 1; the end if not given
        #[arg(long, value_name = "PLACE", value_parser = clap::value_parser!(u64).range(1..))]
        at: Option<u64>,
        /// Add every track that a search text finds, not only a single one
        #[arg(long)]
        all: bool,
        /// A track's id or its beginning (8 hex digits or more), an http(s) address, or words to search for
        #[arg(required = true, value_name = "TRACK")]
        tracks: Vec<String>,
    },
    /// Remove entries
    Remove {
        /// Place in the queue, or an entry's id
        #[arg(required = true, value_name = "ENTRY")]
        entries: Vec<String>,
    },
    /// Move an entry
    Move {
        /// Place in the queue, or an entry's id
        entry: String,
        /// The place it shall have, counted from 1
        #[arg(value_parser = clap::value_parser!(u64).range(1..))]
        place: u64,
    },
    /// List the entries
    List,
    /// List what was done here and no server or leader has yet, the oldest first
    Pending {
        /// Most changes to list
        #[arg(long, value_name = "COUNT", default_value_t = 50)]
        #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
    },
    /// Remove all entries
    Clear,
}

#[derive(Debug, Subcommand)]
pub(super) enum LibraryVerb {
    /// Index the music folders anew, in the background
    Scan,
    /// Find tracks by words of title, artist, album or path
    Search {
        /// Most tracks to list
        #[arg(long, value_name = "COUNT", default_value_t = 100)]
        #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        #[arg(required = true, value_name = "WORD")]
        words: Vec<String>,
    },
    /// List files that cannot be used, and why
    Problems,
}

#[derive(Debug, Args)]
pub(super) struct OutputsArguments {
    #[command(subcommand)]
    pub(super) verb: Option<OutputsVerb>,
}

#[derive(Debug, Subcommand)]
pub(super) enum OutputsVerb {
    /// Show or set what the sound needs from the card to the ear: an amplifier's delay, or a Bluetooth speaker's
    ///
    /// It is remembered by the output's name, and counts in place of the configuration's latency_us.
    Delay {
        /// Milliseconds, -2000 to 2000; negative where the card claims too much
        #[arg(value_name = "MS", allow_hyphen_values = true)]
        delay_ms: Option<f64>,
        /// Another output than the one in use
        #[arg(long, value_name = "NAME", requires = "delay_ms")]
        output: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(super) struct CalibrateArguments {
    /// Listen by this microphone: alsa, alsa:CARD, or virtual (which hears the virtual card)
    #[arg(long, value_name = "NAME", conflicts_with_all = ["recording", "play"])]
    pub(super) microphone: Option<String>,
    /// Find the delay in a recording of two cars: WAV, FLAC, MP3 or M4A, of 180 s at most
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath, conflicts_with = "play")]
    pub(super) recording: Option<PathBuf>,
    /// Only play, for half a minute, to be recorded
    #[arg(long, value_name = "CAR")]
    pub(super) play: Option<ChirpPart>,
    /// Show what was found, and change nothing
    #[arg(long, conflicts_with = "play")]
    pub(super) dry_run: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ChirpPart {
    /// The car that is heard in time already
    Reference,
    /// The car whose delay is to be found
    Measured,
}

#[derive(Debug, Args)]
pub(super) struct ConfigArguments {
    #[command(subcommand)]
    pub(super) verb: Option<ConfigVerb>,
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigVerb {
    /// Check a configuration file without starting anything
    Check {
        #[arg(value_hint = clap::ValueHint::FilePath)]
        file: PathBuf,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Switch {
    On,
    Off,
}
