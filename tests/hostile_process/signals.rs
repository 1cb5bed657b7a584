//! The local network: every kind of signal that must begin no link, and the good one beside them that does.

use crate::network::is_possible;
use crate::rogue::{Heard, Spoil};
use crate::stage::{Stage, alps, device, key};
use jamz::core::id::ConvoyId;
use jamz::core::mesh::{Attempt, SignalKind, SignedSignal};
use jamz::core::signature::DeviceKey;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// An answer that is owed comes within this.
const ANSWER_WITHIN: Duration = Duration::from_secs(4);

/// What can be made of a good offer, each for an attempt of its own.
fn rows(good: &SignedSignal, own: &DeviceKey) -> Vec<(&'static str, SignedSignal)> {
    let mut attempt = good.signal.attempt.0;
    let mut fresh = || {
        attempt += 1;
        let signal = jamz::core::mesh::Signal { attempt: Attempt(attempt), ..good.signal.clone() };
        own.sign_signal(good.to.clone(), signal, alps())
    };
    let with = |mut signed: SignedSignal, alter: &dyn Fn(&mut SignedSignal)| {
        alter(&mut signed);
        signed
    };
    let jura = ConvoyId::new("jura").unwrap();
    let by = |signer: &DeviceKey, signed: &SignedSignal, convoy: ConvoyId| {
        signer.sign_signal(signed.to.clone(), signed.signal.clone(), convoy)
    };
    vec![
        ("forged", with(fresh(), &|s| s.signal.body.push_str("a=x\r\n"))),
        ("of another attempt than was signed", with(fresh(), &|s| s.signal.attempt.0 += 1_000)),
        ("not signed (alg none)", with(fresh(), &|s| s.signature.clear())),
        ("signed with a wrong key", with(fresh(), &|s| s.signature = by(&key(99), s, alps()).signature)),
        ("in another's name", with(fresh(), &|s| s.from = device(99))),
        (
            "signed again in another's name",
            with(fresh(), &|s| {
                s.from = device(99);
                s.signature = by(own, s, alps()).signature;
            }),
        ),
        ("for another convoy", with(fresh(), &|s| *s = by(own, s, jura.clone()))),
        (
            "of another convoy under this one's name",
            with(fresh(), &|s| s.signature = by(own, s, jura.clone()).signature),
        ),
        ("for another device", with(fresh(), &|s| *s = own.sign_signal(device(98), s.signal.clone(), alps()))),
        ("to another device, signed for this one", with(fresh(), &|s| s.to = device(98))),
        (
            "with a signature for something else (wrong audience)",
            with(fresh(), &|s| {
                s.signature = own.prove_join(&alps(), "challenge");
            }),
        ),
        (
            "longer than any",
            with(fresh(), &|s| {
                s.signal.body = "a=x\r\n".repeat(14_000);
                *s = by(own, s, alps());
            }),
        ),
    ]
}

fn answers(heard: &[Heard]) -> usize {
    heard
        .iter()
        .filter(|heard| matches!(heard, Heard::Signal(signed) if signed.signal.kind == SignalKind::Answer))
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_all_signals_that_are_spoiled_none_begins_a_link_and_the_good_one_does() {
    if !is_possible() {
        return;
    }
    // The core's own offers are kept, and none goes out.
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keeper = kept.clone();
    let spoil: Spoil = Box::new(move |signed| {
        keeper.lock().unwrap().push(signed);
        vec![]
    });
    let mut stage = Stage::new(Some(spoil)).await;
    let good = loop {
        let offer = kept.lock().unwrap().iter().find(|signed| signed.signal.kind == SignalKind::Offer).cloned();
        match offer {
            Some(offer) => break offer,
            None => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    };
    let rows = rows(&good, &stage.rogue.key);
    stage.rogue.has_heard();
    for (_, signed) in &rows {
        stage.rogue.signal(signed.clone());
    }
    tokio::time::sleep(ANSWER_WITHIN).await;
    let spoiled = answers(&stage.rogue.has_heard());
    let peers = stage.van.status().await.connection.web_rtc;
    assert!(peers.keys().all(|device| device == stage.rogue.key.device().as_str()), "{peers:?}");

    // The good one is answered, and said again it is not.
    let mut all = 0;
    for _ in 0..2 {
        stage.rogue.signal(good.clone());
        tokio::time::sleep(ANSWER_WITHIN).await;
        all += answers(&stage.rogue.has_heard());
    }
    eprintln!("{} spoiled: {spoiled} answered; 1 good, said twice: {all} answered", rows.len());
    assert_eq!((spoiled, all), (0, 1));

    // With all as it should be there is a link, and what was said before it does not disturb it.
    stage.rogue.behave();
    stage.rogue.hears("a link", |heard| matches!(heard, Heard::Up).then_some(())).await;
    stage.rogue.signal(good.clone());
    for (_, signed) in &rows {
        stage.rogue.signal(signed.clone());
    }
    tokio::time::sleep(ANSWER_WITHIN).await;
    let heard = stage.rogue.has_heard();
    assert!(answers(&heard) == 0 && !heard.iter().any(|heard| matches!(heard, Heard::Down)), "{heard:?}");
}
