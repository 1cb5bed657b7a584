//! The rules by their names, which stand in front of whatever breaks one.

use crate::core::planted::Plant;

/// What must be so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sim) enum Rule {
    /// What a person was told is done stays done, or he is told otherwise.
    NoAcknowledgedChangeLost,
    /// Who knows of a removal does not have what it removed.
    RemovedStaysRemoved,
    /// Who reach each other come to the same state, and to know within a second what is done.
    ConnectedMembersConverge,
    /// Of those who reach each other one leads, and one controls, after a second.
    OneControllerPerComponent,
    /// Convoy time, and with it the position, never runs back,
    PositionNeverRunsBack,
    /// nor jumps further than the clock was said to be off, at most.
    PositionNeverJumps,
    /// Convoy time is the same for all who reach each other.
    ConvoyTimeAgrees,
    /// However often it arrives.
    NoControlAppliedTwice,
    /// Queues, state and traffic stay within what people can have done.
    Bounded,
    /// The clock is off by no more than a car says.
    ErrorBoundHolds,
    /// A link that carries nothing any more is given up.
    DeadLinksEnd,
    /// In the calm no link comes or goes.
    CalmLinksStay,
    /// What a listener does counts for nobody else.
    ListenersAreNotHeeded,
    /// Nobody who behaves is muted.
    NobodyHonestIsMuted,
}

impl Rule {
    pub(in crate::sim) fn name(self) -> &'static str {
        match self {
            Self::NoAcknowledgedChangeLost => "no-acknowledged-change-lost",
            Self::RemovedStaysRemoved => "removed-stays-removed",
            Self::ConnectedMembersConverge => "connected-members-converge",
            Self::OneControllerPerComponent => "one-controller-per-component",
            Self::PositionNeverRunsBack => "position-never-runs-back",
            Self::PositionNeverJumps => "position-never-jumps-beyond-its-bound",
            Self::ConvoyTimeAgrees => "convoy-time-agrees",
            Self::NoControlAppliedTwice => "no-control-applied-twice",
            Self::Bounded => "queues-and-memory-bounded",
            Self::ErrorBoundHolds => "error-bound-holds",
            Self::DeadLinksEnd => "dead-links-end",
            Self::CalmLinksStay => "calm-links-stay",
            Self::ListenersAreNotHeeded => "listeners-are-not-heeded",
            Self::NobodyHonestIsMuted => "nobody-honest-is-muted",
        }
    }
}

/// Whether what went wrong is what a planted bug is about; to run into another rule, because the drive went another
/// way, would be luck.
#[must_use]
pub fn is_about(planted: Plant, wrong: &str) -> bool {
    let rules: &[Rule] = match planted {
        Plant::LostAcknowledgement => &[Rule::NoAcknowledgedChangeLost],
        // Nobody was told that it is done; but nobody else has it, or takes it, as it is not what its author signed.
        Plant::TornTailAccepted => &[Rule::ConnectedMembersConverge, Rule::NobodyHonestIsMuted],
        Plant::WallClockUsed => {
            &[Rule::PositionNeverJumps, Rule::PositionNeverRunsBack, Rule::ErrorBoundHolds, Rule::ConvoyTimeAgrees]
        }
        Plant::LeaseOffByOne => &[Rule::DeadLinksEnd, Rule::OneControllerPerComponent],
        Plant::ReplayAccepted | Plant::DuplicateApplied => &[Rule::NoControlAppliedTwice],
        Plant::RemovalResurrects => &[Rule::RemovedStaysRemoved],
        Plant::HubNeverStepsDown => &[Rule::OneControllerPerComponent],
        Plant::ErrorBoundTooSmall => &[Rule::ErrorBoundHolds],
        Plant::VersionVectorOffByOne => &[Rule::ConnectedMembersConverge],
    };
    rules.iter().any(|rule| wrong.contains(rule.name()))
}
