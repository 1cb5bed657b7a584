//! The ways in which a member misbehaves, by name.

/// What a rogue does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// Valid changes of every kind, 300 a second.
    ChangeFlood,
    /// He controls, and seeks fifty times a second.
    SeekStorm,
    /// He takes control twenty times a second.
    TakeStorm,
    /// He claims to lead as somebody whom no one outranks.
    FalseRank,
    /// He claims the highest term, or a higher one with each beat.
    FalseTerm,
    /// He leads, and his clock steps, by much or by little.
    FalseClock,
    /// Tracks of endless titles, 400 a second.
    HugePlaylist,
    /// He says again what others did, 4,000 times a second.
    Replay,
    /// He asks for the whole state, and for changes, a hundred times a second.
    StateStorm,
    /// Signals to everyone, 400 a second.
    SignalStorm,
    /// He says goodbye, and is there again.
    Flapping,
}

impl Behaviour {
    pub const ALL: [Self; 11] = [
        Self::ChangeFlood,
        Self::SeekStorm,
        Self::TakeStorm,
        Self::FalseRank,
        Self::FalseTerm,
        Self::FalseClock,
        Self::HugePlaylist,
        Self::Replay,
        Self::StateStorm,
        Self::SignalStorm,
        Self::Flapping,
    ];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ChangeFlood => "change-flood",
            Self::SeekStorm => "seek-storm",
            Self::TakeStorm => "take-storm",
            Self::FalseRank => "false-rank",
            Self::FalseTerm => "false-term",
            Self::FalseClock => "false-clock",
            Self::HugePlaylist => "huge-playlist",
            Self::Replay => "replay",
            Self::StateStorm => "state-storm",
            Self::SignalStorm => "signal-storm",
            Self::Flapping => "flapping",
        }
    }

    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|behaviour| behaviour.name() == name)
    }

    /// Whether it takes a server's authority to bear it, too.
    pub(super) fn reaches_server(self) -> bool {
        matches!(self, Self::ChangeFlood | Self::SeekStorm | Self::TakeStorm | Self::HugePlaylist)
    }

    /// Whether he is the DJ, and so the hub; none: either.
    pub(super) fn leads(self) -> Option<bool> {
        match self {
            Self::SeekStorm | Self::FalseClock => Some(true),
            Self::TakeStorm | Self::Flapping => Some(false),
            _ => None,
        }
    }
}
