//! Music that is not there any more, or never was: removed entries, missing files.

use super::*;

fn entry_of(bench: &Bench, index: usize) -> EntryId {
    bench.car.queue().nth(index).unwrap().0.clone()
}

fn title(bench: &Bench) -> Option<String> {
    bench.status().now_playing.track.map(|track| track.title)
}

#[test]
fn the_removal_of_the_playing_entry_lets_it_play_to_its_end_and_then_what_followed() {
    let mut bench = Bench::new(start());
    bench.add(&[track("a", 10), track("b", 10), track("c", 10)]);
    bench.command(Command::Play { entry: None });
    bench.wait(3 * SECOND);
    let planned = bench.plan.clone();
    bench.command(Command::QueueRemove { entry: entry_of(&bench, 0) });
    assert_eq!(bench.plan, planned, "the music does not notice");
    let playing = bench.status().now_playing;
    assert_eq!((playing.playing, playing.index, title(&bench).as_deref()), (true, None, Some("a")));
    let again = bench.command(Command::QueueRemove { entry: EntryId::new(playing.entry.unwrap()).unwrap() });
    assert!(matches!(bench.reply(again), Some(Err(Refusal::Invalid(_)))), "it is in the playlist no more");
    bench.wait(8 * SECOND);
    assert_eq!(title(&bench).as_deref(), Some("b"));
}

#[test]
fn next_goes_on_from_the_place_of_the_entry_that_was_removed() {
    let mut bench = Bench::new(start());
    bench.add(&[track("a", 100), track("b", 100), track("c", 100)]);
    bench.command(Command::Play { entry: Some(entry_of(&bench, 1)) });
    bench.wait(SECOND);
    bench.command(Command::QueueRemove { entry: entry_of(&bench, 1) });
    bench.command(Command::Next);
    bench.wait(SECOND);
    assert_eq!(title(&bench).as_deref(), Some("c"));
}

#[test]
fn a_cleared_and_filled_playlist_plays_what_is_in_it_now() {
    for waits in [0, 200 * SECOND] {
        let mut bench = Bench::new(start());
        bench.add(&[track("a", 100), track("b", 100)]);
        bench.command(Command::Play { entry: None });
        bench.wait(SECOND);
        bench.command(Command::QueueClear);
        bench.wait(waits);
        bench.add(&[track("x", 100)]);
        let played = bench.command(Command::Play { entry: None });
        assert!(matches!(bench.reply(played), Some(Ok(_))));
        bench.wait(SECOND);
        assert_eq!((title(&bench).as_deref(), bench.status().now_playing.playing), (Some("x"), true));
    }
}

#[test]
fn what_is_added_to_a_cleared_playlist_follows_what_still_plays() {
    let mut bench = Bench::new(start());
    bench.add(&[track("a", 10), track("b", 10)]);
    bench.command(Command::Play { entry: None });
    bench.command(Command::Next);
    bench.wait(SECOND);
    bench.command(Command::QueueClear);
    bench.add(&[track("x", 100)]);
    bench.wait(12 * SECOND);
    assert_eq!(title(&bench).as_deref(), Some("x"));
}
