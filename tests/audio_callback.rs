//! The real-time callback allocates nothing: this program's allocator ends it on the spot if it does.
#![allow(clippy::float_cmp, reason = "frames carry whole numbers here")]

use assert_no_alloc::{AllocDisabler, assert_no_alloc};
use jamz::audio::output::line;
use jamz::core::clock::{MonoTime, Monotonic};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: AllocDisabler = AllocDisabler;

#[derive(Default)]
struct TestClock(AtomicI64);

impl Monotonic for TestClock {
    fn now(&self) -> MonoTime {
        MonoTime(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

#[test]
fn the_callback_allocates_nothing_whether_frames_are_there_late_or_missing() {
    let (mut to_card, mut player) = line(48_000, Arc::new(TestClock::default()));
    let shared = player.shared();
    let mut heard = [[0.0_f32; 2]; 480];
    for round in 0..2_000 {
        if round % 3 != 1 {
            let block = [[0.5; 2]; 240];
            while to_card.wanted() >= block.len() {
                to_card.send(&block);
            }
        }
        if round % 50 == 7 {
            to_card.skip(100);
        }
        assert_no_alloc(|| {
            for _ in 0..3 {
                player.play(480, Some(20_000), |i, frame| heard[i] = frame);
            }
            // The other callback, of a card that ran empty.
            if round % 20 == 3 {
                shared.restarted();
            }
        });
        if round % 100 == 0 {
            while to_card.observation().is_some() {}
        }
    }
    assert!(to_card.underruns() > 100);
    assert!(heard.iter().flatten().all(|sample| sample.abs() <= 0.5));
}

#[test]
#[cfg(debug_assertions)]
fn the_allocator_of_this_test_does_notice() {
    if std::env::var_os("JAMZ_ALLOCATE").is_some() {
        assert_no_alloc(|| drop(std::hint::black_box(vec![1_u8; 100])));
        return;
    }
    let itself = std::env::current_exe().unwrap();
    let run = std::process::Command::new(itself)
        .args(["--exact", "the_allocator_of_this_test_does_notice"])
        .env("JAMZ_ALLOCATE", "1")
        .output()
        .unwrap();
    assert!(!run.status.success(), "an allocation was not noticed");
}

#[test]
fn a_hole_costs_its_own_length_and_no_more() {
    let (mut to_card, mut player) = line(48_000, Arc::new(TestClock::default()));
    // Each frame carries its own number.
    let mut sent = 0_u32;
    let mut send = |line: &mut jamz::audio::output::Line, count: u32| {
        let block: Vec<_> = (sent..sent + count).map(|n| [n as f32; 2]).collect();
        line.send(&block);
        sent += count;
    };
    send(&mut to_card, 1_000);
    let mut heard = vec![[0.0; 2]; 1_600];
    player.play(1_600, Some(0), |i, frame| heard[i] = frame);
    assert_eq!(heard[999], [999.0; 2]);
    assert!(heard[1_000][0] < 999.0 && heard[1_599][0] < 1.0, "the hole fades away");
    assert_eq!((to_card.underruns(), to_card.played()), (1, 1_600));
    send(&mut to_card, 1_500);
    player.play(900, Some(0), |i, frame| heard[i] = frame);
    // Frame 1600 + i is heard at place 1600 + i again, after a short fade.
    assert_eq!(heard[300], [1_900.0; 2]);
    assert_eq!(heard[899], [2_499.0; 2]);
    assert_eq!(to_card.underruns(), 1);
}

#[test]
fn a_card_that_is_filled_up_before_it_runs_has_no_underrun() {
    let (mut to_card, mut player) = line(48_000, Arc::new(TestClock::default()));
    player.play(960, None, |_, _| {});
    to_card.send(&[[0.5; 2]; 1_900]);
    for _ in 0..3 {
        player.play(960, None, |_, _| {});
    }
    assert_eq!(to_card.underruns(), 0);
    while to_card.wanted() >= 240 {
        to_card.send(&[[0.5; 2]; 240]);
    }
    for _ in 0..9 {
        player.play(960, Some(20_000), |_, _| {});
    }
    assert_eq!(to_card.underruns(), 1);
}

#[test]
fn the_card_wakes_the_pacer_when_it_has_taken_frames() {
    let (made, players) = channel();
    let (woken, news) = channel();
    let pacer = std::thread::spawn(move || {
        let (to_card, player) = line(48_000, Arc::new(TestClock::default()));
        made.send(player).unwrap();
        while to_card.buffers() == 0 {
            std::thread::park();
        }
        woken.send(()).unwrap();
    });
    let mut player = players.recv().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    player.play(480, None, |_, _| {});
    news.recv_timeout(Duration::from_secs(30)).expect("nobody woke the pacer");
    pacer.join().unwrap();
}
