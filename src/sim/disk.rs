//! What a car finds again after a crash.

use crate::core::changes::{Change, ChangeId, Verdict};
use crate::core::io::Saved;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Row {
    Pending,
    Counts,
    Lost,
}

/// A journal and the state that was kept last, as the store on a real disk has them.
#[derive(Debug, Default)]
pub(super) struct Disk {
    rows: Vec<(Change, Row)>,
    pub(super) saved: Option<Saved>,
    /// The boot of now, and the one in which the state was kept.
    pub(super) boot: u32,
    saved_in: Option<u32>,
    /// Rows that `saved` has already.
    covered: usize,
    pub(super) sequence: u64,
}

/// Changes of late that a start is given.
const RECENT_MAX: usize = 24_576;

impl Disk {
    pub(super) fn store(&mut self, change: Change) {
        self.sequence = self.sequence.max(change.id.sequence);
        self.rows.push((change, Row::Pending));
    }

    pub(super) fn record(&mut self, change: Change, verdict: &Verdict) {
        self.rows.push((change, row_of(verdict)));
    }

    pub(super) fn settle(&mut self, id: &ChangeId, verdict: &Verdict) {
        if let Some((_, row)) = self.rows.iter_mut().rev().find(|(change, _)| change.id == *id) {
            *row = row_of(verdict);
        }
    }

    pub(super) fn remember(&mut self, saved: Saved) {
        self.saved = Some(saved);
        self.saved_in = Some(self.boot);
        self.covered = self.rows.len();
    }

    /// Whether the state was kept in this boot, by the clock of now.
    pub(super) fn same_boot(&self) -> bool {
        self.saved_in == Some(self.boot)
    }

    pub(super) fn tail(&self) -> Vec<Change> {
        self.of(self.covered, Row::Counts)
    }

    pub(super) fn pending(&self) -> Vec<Change> {
        self.of(0, Row::Pending)
    }

    pub(super) fn recent(&self) -> Vec<Change> {
        self.of(self.rows.len().saturating_sub(RECENT_MAX), Row::Counts)
    }

    fn of(&self, from: usize, wanted: Row) -> Vec<Change> {
        let rows = self.rows.iter().skip(from);
        rows.filter(|(_, row)| *row == wanted).map(|(change, _)| change.clone()).collect()
    }
}

fn row_of(verdict: &Verdict) -> Row {
    match verdict {
        Verdict::Applied | Verdict::Duplicate => Row::Counts,
        Verdict::Superseded { .. } | Verdict::Refused { .. } => Row::Lost,
    }
}
