//! The mesh: every kind of change and ticket that must not count, and those beside them that do.

use crate::network::is_possible;
use crate::stage::{DAY_S, Stage, add, alps, device, house, key, now_unix_s, ticket, ticket_by, told};
use jamz::core::changes::{Action, Change, Hlc};
use jamz::core::election::Term;
use jamz::core::id::ConvoyId;
use jamz::core::mesh::{PeerMessage, Signal, SignalKind};
use jamz::core::status::Status;
use jamz::core::ticket::{Revocations, Role, Ticket};
use std::time::Duration;

/// What has changed shows within this.
const SHOWN_WITHIN: Duration = Duration::from_secs(1);

/// So much that its author has not signed is borne of a neighbour before he is muted.
const ROWS_BORNE: usize = 4;
/// The author of the last row.
const PUT_OUT: u8 = 121;

/// A row's change, and the ticket that goes with it.
type Row = (&'static str, Change, Option<Ticket>);

/// Each adds a track that is named as the row, in the name of an author of its own.
fn rows(stage: &Stage) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut author = 100;
    let mut row = |name: &'static str, spoil: &dyn Fn(u8, &mut Change, &mut Option<Ticket>)| {
        author += 1;
        let (mut change, mut shown) = (stage.change(&key(author), 1, add(name)), Some(ticket(&key(author), Role::Dj)));
        spoil(author, &mut change, &mut shown);
        rows.push((name, change, shown));
    };
    let jura = ConvoyId::new("jura").unwrap();
    let signal = Signal { attempt: jamz::core::mesh::Attempt(1), kind: SignalKind::Offer, body: "v=0".into() };
    let of = |by: &jamz::core::signature::DeviceKey, n: u8, alter: &dyn Fn(&mut Ticket)| {
        let mut ticket = ticket(&key(n), Role::Dj);
        alter(&mut ticket);
        let issuer = ticket.issuer.clone();
        by.sign_ticket(&mut ticket);
        Some(Ticket { issuer, ..ticket })
    };

    row("the change is forged", &|_, change, _| change.hlc.count += 1);
    row("the change is not signed (alg none)", &|_, change, _| change.signature = None);
    row("the change has an empty signature", &|_, change, _| change.signature = Some(String::new()));
    row("the change is signed with a wrong key", &|_, change, _| {
        let id = change.id.clone();
        key(99).sign_change(change, &alps());
        change.id = id;
    });
    row("the change is signed again by who passes it on", &|_, change, _| {
        change.action = add("the change is signed again by who passes it on");
        stage.rogue.key.sign_change(change, &alps());
    });
    row("the change names another author", &|_, change, _| change.id.device = device(99));
    row("the change is for another convoy", &|n, change, _| {
        *change = stage.change_in(&jura, &key(n), 1, change.action.clone());
    });
    row("the signature was made for something else (wrong audience)", &|n, change, _| {
        change.signature = Some(key(n).prove_join(&alps(), "challenge"));
    });
    row("the signature is a signal's", &|n, change, _| {
        change.signature = Some(key(n).sign_signal(device(1), signal.clone(), alps()).signature);
    });
    row("the change is dated two centuries ahead", &|n, change, _| {
        change.hlc.time_us += 200 * 365 * 86_400_000_000;
        key(n).sign_change(change, &alps());
    });
    row("there is no ticket", &|_, _, shown| *shown = None);
    row("the ticket is forged", &|_, _, shown| shown.as_mut().unwrap().role = Role::Owner);
    row("the ticket is not signed", &|_, _, shown| shown.as_mut().unwrap().signature.clear());
    row("the ticket is signed again by its bearer", &|n, _, shown| *shown = of(&key(n), n, &|t| t.role = Role::Owner));
    row("the ticket has another issuer", &|n, _, shown| {
        *shown = Some(ticket_by(&key(99), &key(n), Role::Dj, now_unix_s()));
    });
    row("the ticket is for another convoy", &|n, _, shown| *shown = of(&house(), n, &|t| t.convoy = jura.clone()));
    row("the ticket is another device's", &|_, _, shown| *shown = Some(ticket(&key(98), Role::Dj)));
    row("the ticket has expired", &|n, _, shown| {
        *shown = Some(ticket_by(&house(), &key(n), Role::Dj, now_unix_s() - 2 * DAY_S));
    });
    row("the ticket is not valid yet", &|n, _, shown| {
        *shown = of(&house(), n, &|t| {
            (t.not_before_unix_s, t.expires_unix_s) = (now_unix_s() + DAY_S, now_unix_s() + 2 * DAY_S);
        });
    });
    row("the role is a listener's", &|n, _, shown| *shown = Some(ticket(&key(n), Role::Listener)));
    row("the user was put out", &|_, _, _| {});
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn of_all_that_is_spoiled_on_the_mesh_nothing_counts_and_all_that_is_good_beside_it() {
    if !is_possible() {
        return;
    }
    let (mut spoiled, mut good) = (0, 0);
    loop {
        let mut stage = Stage::linked().await;
        let rows = rows(&stage);
        let Some(some) = rows.get(spoiled..).filter(|some| !some.is_empty()) else { break };
        let some = some.get(..ROWS_BORNE).unwrap_or(some);
        good += judged(&mut stage, some).await;
        spoiled += some.len();
    }
    eprintln!("{spoiled} spoiled: 0 accepted; {spoiled} good: {good} accepted");
    assert!(spoiled > 20 && good == spoiled);
}

/// Says these, and one that is good after each; how many of those count. Of these none may.
async fn judged(stage: &mut Stage, rows: &[Row]) -> usize {
    let out = ticket(&key(PUT_OUT), Role::Dj);
    let forgiven = Revocations::issue(&key(99), &alps(), ([].into(), [].into()), (out.serial + 9) * 2);
    let list = Revocations::issue(
        &house(),
        &alps(),
        ([(out.user, out.serial + 60_000_000)].into(), [].into()),
        out.serial + 1,
    );
    for list in [list, forgiven] {
        stage.rogue.say(PeerMessage::Revoked(Box::new(list)));
    }
    for (n, (_, change, ticket)) in rows.iter().enumerate() {
        stage.rogue.say(told(change, ticket.as_ref()));
        let (author, name) = (key(200 + n as u8), format!("good {n}"));
        let good = self::ticket(&author, if n.is_multiple_of(2) { Role::Dj } else { Role::Owner });
        stage.rogue.say(told(&stage.change(&author, 1, add(&name)), Some(&good)));
    }
    stage.is_through().await;
    stage.van.daemon.until(&stage.van.client, "what is good", |status| status.queue_length >= rows.len()).await;
    tokio::time::sleep(SHOWN_WITHIN).await;
    let titles: Vec<String> =
        stage.van.client.queue().await.unwrap().entries.into_iter().map(|row| row.track.title).collect();
    let counted: Vec<_> = rows.iter().map(|row| row.0).filter(|name| titles.contains(&(*name).to_owned())).collect();
    assert_eq!(counted, [""; 0]);
    titles.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_again_or_in_another_order_or_from_a_term_that_is_over_changes_nothing() {
    if !is_possible() {
        return;
    }
    let mut stage = Stage::linked().await;
    let (first, second) = (key(101), key(102));
    let [of_first, of_second] = [&first, &second].map(|key| ticket(key, Role::Dj));
    let early = stage.change(&first, 1, Action::TakeControl);
    let added = stage.change(&first, 2, add("once"));
    let late = stage.change(&second, 1, Action::TakeControl);
    let earlier_term = |mut change: Change| {
        change.term = Term(stage.term.0.saturating_sub(1));
        change.hlc = Hlc { time_us: stage.convoy_time().0, count: 0 };
        first.sign_change(&mut change, &alps());
        change
    };
    let stale = earlier_term(stage.change(&first, 3, Action::TakeControl));
    stage.rogue.say(told(&added, Some(&of_first)));
    stage.rogue.say(told(&late, Some(&of_second)));
    let controller = |status: &Status| status.controller == Some(second.device().to_string());
    let counts = |status: &Status| controller(status) && status.queue_length == 1;
    let before = stage.van.daemon.until(&stage.van.client, "led by the second", counts).await.changes.applied;
    for _ in 0..50 {
        for (change, ticket) in [(&early, &of_first), (&added, &of_first), (&late, &of_second), (&stale, &of_first)] {
            stage.rogue.say(told(change, Some(ticket)));
        }
    }
    stage.is_through().await;
    tokio::time::sleep(SHOWN_WITHIN).await;
    let status = stage.van.status().await;
    // The earlier and the stale one are known, and count for nothing; the van leads, and may have taken control for the
    // second, who is not there.
    assert_ne!(status.controller, Some(first.device().to_string()));
    assert_eq!(status.queue_length, 1);
    assert!((before + 2..=before + 3).contains(&status.changes.applied), "{before}, then {status:#?}");
}
