//! Bugs that the simulator plants, to show that its rules would find them. Without the feature `sim` there is none:
//! every question after one is a constant, and the branch that asks is not in the program.

/// A bug that breaks the core on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plant {
    /// A person is told that something is done before it is on the disk.
    LostAcknowledgement,
    /// What of a record reached the disk before the power went passes for the record.
    TornTailAccepted,
    /// The convoy's clock steps when the wall clock does.
    WallClockUsed,
    /// The leases of a link, and of who leads by it, run from the last question, and not from the last sign of life.
    LeaseOffByOne,
    /// What comes again over a link is taken in as if it were new.
    ReplayAccepted,
    /// A change that is known is applied once more.
    DuplicateApplied,
    /// A removal forgets that the entry was ever there.
    RemovalResurrects,
    /// Who leads goes on leading when he meets a better one.
    HubNeverStepsDown,
    /// The error bound of a clock leaves out how far the estimate may be off.
    ErrorBoundTooSmall,
    /// Of what another lacks, the first is left out.
    VersionVectorOffByOne,
}

#[cfg(feature = "sim")]
mod switch {
    use super::Plant;
    use std::cell::Cell;

    thread_local! {
        static PLANTED: Cell<Option<Plant>> = const { Cell::new(None) };
    }

    /// Plants a bug in all cores of this thread from now on, or none.
    pub fn plant(planted: Option<Plant>) {
        PLANTED.set(planted);
    }

    pub(crate) fn is_planted(plant: Plant) -> bool {
        PLANTED.get() == Some(plant)
    }
}

#[cfg(feature = "sim")]
pub(crate) use switch::is_planted;
#[cfg(feature = "sim")]
pub use switch::plant;

#[cfg(not(feature = "sim"))]
pub(crate) const fn is_planted(_: Plant) -> bool {
    false
}

impl Plant {
    pub const ALL: [Self; 10] = [
        Self::LostAcknowledgement,
        Self::TornTailAccepted,
        Self::WallClockUsed,
        Self::LeaseOffByOne,
        Self::ReplayAccepted,
        Self::DuplicateApplied,
        Self::RemovalResurrects,
        Self::HubNeverStepsDown,
        Self::ErrorBoundTooSmall,
        Self::VersionVectorOffByOne,
    ];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::LostAcknowledgement => "lost-acknowledgement",
            Self::TornTailAccepted => "torn-tail-accepted",
            Self::WallClockUsed => "wall-clock-used",
            Self::LeaseOffByOne => "lease-off-by-one",
            Self::ReplayAccepted => "replay-accepted",
            Self::DuplicateApplied => "duplicate-applied",
            Self::RemovalResurrects => "removal-resurrects",
            Self::HubNeverStepsDown => "hub-never-steps-down",
            Self::ErrorBoundTooSmall => "error-bound-too-small",
            Self::VersionVectorOffByOne => "version-vector-off-by-one",
        }
    }
}
