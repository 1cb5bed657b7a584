//! What a car finds again after a crash.

use super::chance::Chance;
use crate::core::changes::{CHANGES_KEPT_MAX, Change, ChangeId, Verdict};
use crate::core::io::Saved;
use crate::core::planted::{Plant, is_planted};
use std::collections::VecDeque;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Row {
    Pending,
    Counts,
    Lost,
}

/// A change in the journal.
#[derive(Debug)]
struct Line {
    change: Change,
    row: Row,
    /// `saved` has it: it counted when that was kept.
    kept: bool,
}

/// Something that is written.
#[derive(Debug)]
enum Write {
    Row(Box<Change>, Row),
    Settle(ChangeId, Row),
    Remember(Box<Saved>),
}

/// A journal and the state that was kept last, as the store on a real disk has them.
#[derive(Debug, Default)]
pub(super) struct Disk {
    rows: Vec<Line>,
    pub(super) saved: Option<Saved>,
    /// The boot of now, and the one in which the state was kept.
    pub(super) boot: u32,
    saved_in: Option<u32>,
    pub(super) sequence: u64,
    /// What is written is lost with the power until it is synced.
    pub(super) is_lazy: bool,
    unsynced: VecDeque<Write>,
}

impl Disk {
    /// An own change is given to the disk; it is durable when [`Self::stored`] is called.
    pub(super) fn begin_store(&mut self, change: &Change) {
        if self.is_lazy {
            self.unsynced.push_back(Write::Row(Box::new(change.clone()), Row::Pending));
        }
    }

    /// An own change has become durable, and with it what was written before.
    pub(super) fn stored(&mut self, change: Change) {
        if !self.is_lazy {
            self.take(Write::Row(Box::new(change), Row::Pending));
            return;
        }
        let is_it = |write: &Write| matches!(write, Write::Row(written, Row::Pending) if written.id == change.id);
        let place = self.unsynced.iter().position(is_it);
        for _ in 0..place.map_or(0, |place| place + 1) {
            self.sync_next();
        }
    }

    pub(super) fn record(&mut self, change: Change, verdict: &Verdict) {
        self.write(Write::Row(Box::new(change), row_of(verdict)));
    }

    pub(super) fn settle(&mut self, id: &ChangeId, verdict: &Verdict) {
        self.write(Write::Settle(id.clone(), row_of(verdict)));
    }

    pub(super) fn remember(&mut self, saved: Saved) {
        self.write(Write::Remember(Box::new(saved)));
    }

    /// All that was written is durable.
    pub(super) fn sync(&mut self) {
        while !self.unsynced.is_empty() {
            self.sync_next();
        }
    }

    /// The power goes: of what was not synced, a part is there all the same, and what was being written is torn.
    pub(super) fn cut(&mut self, chance: &mut Chance) {
        if self.unsynced.is_empty() {
            return;
        }
        for _ in 0..chance.below(self.unsynced.len() + 1) {
            self.sync_next();
        }
        // A torn record is told by its checksum.
        if is_planted(Plant::TornTailAccepted)
            && let Some(Write::Row(mut change, row)) = self.unsynced.pop_front()
        {
            change.hlc.time_us &= !0xf_ffff;
            self.take(Write::Row(change, row));
        }
        self.unsynced.clear();
    }

    fn write(&mut self, write: Write) {
        if self.is_lazy {
            self.unsynced.push_back(write);
        } else {
            self.take(write);
        }
    }

    fn sync_next(&mut self) {
        if let Some(write) = self.unsynced.pop_front() {
            self.take(write);
        }
    }

    fn take(&mut self, write: Write) {
        match write {
            Write::Row(change, row) => {
                if row == Row::Pending {
                    self.sequence = self.sequence.max(change.id.sequence);
                }
                self.rows.push(Line { change: *change, row, kept: false });
            }
            Write::Settle(id, settled) => {
                if let Some(line) = self.rows.iter_mut().rev().find(|line| line.change.id == id) {
                    line.row = settled;
                }
            }
            Write::Remember(saved) => {
                self.saved = Some(*saved);
                self.saved_in = Some(self.boot);
                self.rows.iter_mut().filter(|line| line.row == Row::Counts).for_each(|line| line.kept = true);
            }
        }
    }

    /// Whether the state was kept in this boot, by the clock of now.
    pub(super) fn same_boot(&self) -> bool {
        self.saved_in == Some(self.boot)
    }

    pub(super) fn tail(&self) -> Vec<Change> {
        changes(self.rows.iter().filter(|line| !line.kept), Row::Counts)
    }

    pub(super) fn pending(&self) -> Vec<Change> {
        changes(self.rows.iter(), Row::Pending)
    }

    pub(super) fn recent(&self) -> Vec<Change> {
        changes(self.rows.iter().skip(self.rows.len().saturating_sub(CHANGES_KEPT_MAX)), Row::Counts)
    }
}

fn changes<'a>(lines: impl Iterator<Item = &'a Line>, wanted: Row) -> Vec<Change> {
    lines.filter(|line| line.row == wanted).map(|line| line.change.clone()).collect()
}

fn row_of(verdict: &Verdict) -> Row {
    match verdict {
        Verdict::Applied | Verdict::Duplicate => Row::Counts,
        Verdict::Superseded { .. } | Verdict::Refused { .. } => Row::Lost,
    }
}
