//! How much of everything a member may say and do: one place for the numbers, each with the reason for its height.

/// What is counted: the first of whom a link is with, the others of whoever signed it, whoever brings it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Matter {
    /// Messages of every kind together.
    Messages,
    Beats,
    /// Changes that are known already.
    Repeats,
    /// Controls of others that he passes on, and changes of authors that nobody has heard of.
    Brought,
    Newcomers,
    /// What he knows, which may cost a whole state to answer; what he wants; his own whole state; who is with him.
    Versions,
    Wants,
    States,
    Members,
    Hellos,
    Revocations,
    Goodbyes,
    /// Joins at a server, each answered with the whole state.
    Joins,
    /// What is asked of a server, over however many connections: each new one begins anew.
    Asks,
    /// What is not signed by whom it says.
    Forgeries,
    /// Passings of authority that he claims, and steps of the clock while he leads.
    Terms,
    Steps,
    /// Controls of playback,
    Controls,
    /// control taken and given back,
    Takes,
    /// and either of these that was done long ago, as by someone who was alone; as far as people hear it, it counts as
    /// a control as well.
    Belated,
    /// Edits of the playlist, and what they weigh, in bytes.
    Edits,
    EditBytes,
    /// What no car of good faith makes.
    OutOfBounds,
    Signals,
}

/// So much for long, and so much at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    pub(super) per_second: f64,
    pub(super) burst: f64,
}

const fn allow(burst: u32, per_second: f64) -> Allowance {
    Allowance { per_second, burst: burst as f64 }
}

impl Matter {
    #[allow(clippy::match_same_arms, reason = "each number has a reason of its own")]
    pub(super) const fn allowance(self) -> Allowance {
        match self {
            // Who has been away is given changes by the thousand, and verdicts on his own.
            Self::Messages => allow(10_000, 3_000.0),
            // Ten questions a second while a clock is learned, an answer to each, and one for each thing that happens.
            Self::Beats => allow(400, 100.0),
            // Everything may come twice, over the hub and over the standby.
            Self::Repeats => allow(3_000, 1_500.0),
            // Of a dozen people who all press buttons.
            Self::Brought => allow(1_000, 100.0),
            Self::Newcomers => allow(128, 1.0),
            // One for each time that the two were found to differ: every 400 ms at most, and one after each state.
            Self::Versions | Self::Wants => allow(40, 5.0),
            // After each control of a car that has not heard yet that it does not lead.
            Self::States => allow(100, 10.0),
            Self::Members => allow(150, 20.0),
            // A link that comes and goes on a bad road; a program that is started anew.
            Self::Hellos => allow(20, 0.5),
            // A list of each issuer at the start of each link, and when someone was put out.
            Self::Revocations => allow(80, 2.0),
            // Only who leaves says it, or whose program ends in order: not the road, however bad it is.
            Self::Goodbyes => allow(2, 0.1),
            // Twice what a car asks for by itself (`JOIN_US`).
            Self::Joins => allow(60, 8.0),
            // Twice what a car asks for that makes changes without end (`SERVER_US`), signals beside them.
            Self::Asks => allow(1_000, 500.0),
            Self::Forgeries => allow(5, 0.1),
            Self::Terms => allow(12, 0.5),
            Self::Steps => allow(3, 0.02),
            // A person who presses `next` five times a second, or drags a slider, for as long as that is fun.
            Self::Controls => allow(100, 10.0),
            Self::Takes => allow(30, 2.0),
            Self::Belated => allow(1_000, 5.0),
            // A whole library, as fast as a car gives out what it made (`LINK_US`) and is asked for the rest.
            Self::Edits => allow(5_000, 1_500.0),
            Self::EditBytes => allow(4 << 20, 2_097_152.0),
            // By a clock that is not known well yet it may seem so.
            Self::OutOfBounds => allow(20, 0.5),
            // Attempts at all members of a convoy at once, with every address that a car has.
            Self::Signals => allow(300, 30.0),
        }
    }

    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Messages => "too many messages",
            Self::Beats => "too many heartbeats",
            Self::Repeats => "the same changes over and over",
            Self::Brought => "too many controls of others",
            Self::Newcomers => "changes of too many strangers",
            Self::Versions => "asks for the state too often",
            Self::Wants => "asks for changes too often",
            Self::States => "gives its state too often",
            Self::Members => "says too often who is with it",
            Self::Hellos => "comes and goes too often",
            Self::Revocations => "says too often who was put out",
            Self::Goodbyes => "leaves and comes back too often",
            Self::Joins => "joins too often",
            Self::Asks => "floods the server over one connection after another",
            Self::Forgeries => "what it brings is not signed by whom it says",
            Self::Terms => "claims authority too often",
            Self::Steps => "its clock steps too often",
            Self::Controls => "too many controls of playback",
            Self::Takes => "takes control too often",
            Self::Belated => "too many controls of long ago",
            Self::Edits => "too many edits of the playlist",
            Self::EditBytes => "edits of the playlist that are too large",
            Self::OutOfBounds => "changes that cannot be",
            Self::Signals => "too many signals",
        }
    }
}
