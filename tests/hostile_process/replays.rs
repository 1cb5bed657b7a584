//! A hundred thousand messages that must not count, at a running car: none does, and its memory stays as it is.

use crate::daemon::memory_kb;
use crate::network::is_possible;
use crate::stage::{Stage, add, alps, key, ticket, ticket_by, told};
use jamz::core::changes::{Action, Change};
use jamz::core::mesh::PeerMessage;
use jamz::core::status::Status;
use jamz::core::ticket::{Revocations, Role};
use std::time::Duration;

const MESSAGES: usize = 100_000;
/// So many are under way at once, and so long after each other: as fast as a car bears replays before it mutes whoever
/// says them.
const BATCH: usize = 200;
const BATCH_EVERY: Duration = Duration::from_millis(150);
/// What a car may grow by from a tenth of them to the last, in kilobytes.
const GROWTH_KB_MAX: u64 = 24 << 10;

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_thousand_replayed_and_mixed_messages_none_counts_and_memory_stays_flat() {
    if !is_possible() {
        return;
    }
    let mut stage = Stage::linked().await;
    let good = key(101);
    let shown = ticket(&good, Role::Dj);
    let known: Vec<Change> = (1..=20).map(|n| stage.change(&good, n, add(&format!("good {n}")))).collect();
    for change in &known {
        stage.rogue.say(told(change, Some(&shown)));
    }
    stage.is_through().await;
    let pid = stage.van.daemon.pid();
    let has = |entries: usize| move |status: &Status| status.queue_length == entries;
    let before = stage.van.daemon.until(&stage.van.client, "what is good", has(known.len())).await;
    let mut warm_kb = 0;
    let mut said = 0;
    let mut pace = tokio::time::interval(BATCH_EVERY);
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while said < MESSAGES {
        pace.tick().await;
        for n in said..said + BATCH {
            stage.rogue.say(mixed(&stage, n, &known));
        }
        said += BATCH;
        if said % (10 * BATCH) == 0 {
            stage.is_through().await;
        }
        stage.rogue.has_heard();
        if said == MESSAGES / 10 {
            warm_kb = memory_kb(pid, "VmRSS:");
        }
    }
    // What has changed shows by then.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (end_kb, peak_kb) = (memory_kb(pid, "VmRSS:"), memory_kb(pid, "VmHWM:"));
    let after = stage.van.status().await;
    let accepted = after.changes.applied - before.changes.applied;
    eprintln!("{said} messages: {accepted} accepted; RSS {warm_kb}, {end_kb}, at most {peak_kb} kB");
    assert_eq!((accepted, after.queue_length, after.controller), (0, before.queue_length, before.controller));
    assert!(end_kb < warm_kb + GROWTH_KB_MAX, "{warm_kb} kB, then {end_kb} kB");

    // What is good is still heard.
    stage.rogue.say(told(&stage.change(&good, 21, add("at last")), Some(&shown)));
    stage.van.daemon.until(&stage.van.client, "heard at last", has(known.len() + 1)).await;
}

/// Something that is known already, or must never be: of each kind as much as a car bears before it mutes whoever says
/// it.
fn mixed(stage: &Stage, n: usize, known: &[Change]) -> PeerMessage {
    let replayed = &known[n % known.len()];
    let sequence = 1_000 + n as u64;
    match (n % 1_000, n / 1_000) {
        // By someone without a ticket.
        (1, _) => told(&stage.change(&key(103), sequence, add("unticketed")), None),
        // By someone whose ticket is his own work.
        (2, thousands) if thousands % 2 == 0 => {
            let own = ticket_by(&key(104), &key(104), Role::Owner, 1_800_000_000 + sequence);
            told(&stage.change(&key(104), sequence, Action::TakeControl), Some(&own))
        }
        // Altered on its way.
        (3, thousands) if thousands % 25 == 0 => {
            let mut altered = replayed.clone();
            altered.id.sequence = sequence;
            told(&altered, None)
        }
        (4, thousands) if thousands % 2 == 0 => {
            let number = 4_000_000_000_000_000 + n as u64;
            PeerMessage::Revoked(Box::new(Revocations::issue(&key(105), &alps(), ([].into(), [].into()), number)))
        }
        _ => told(replayed, None),
    }
}
