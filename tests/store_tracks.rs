//! Tracks found in the library, fetched over real HTTP, kept, evicted; and everything a server can do wrong.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

#[path = "support/http.rs"]
mod http;
#[path = "support/tracks.rs"]
mod tracks;

use http::{Page, Site};
use jamz::core::io::{Input, TrackEvent};
use jamz::core::status::LibraryStatus;
use jamz::store::cache::{CacheConfig, Patience};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tracks::{length_us, patience, reopened, rig, rig_in, track, wav};

#[tokio::test(flavor = "multi_thread")]
async fn a_track_of_the_library_is_ready_at_once_with_its_length_and_gain() {
    let mut rig = rig(CacheConfig::default());
    while !matches!(rig.input().await, Input::Library(LibraryStatus { tracks: 12, scanning: None, .. })) {}
    let found = rig.tracks.library().search("tagged.flac", 1).remove(0);
    rig.tracks.resolve(track(found.id.as_str(), None)).unwrap();
    let TrackEvent::Ready { source, duration_us, gain_db, .. } = rig.event().await else { panic!() };
    assert_eq!((source.path, source.growing, duration_us, gain_db), (found.path, None, Some(500_000), Some(-6.5)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_track_that_is_nowhere_is_missing_with_a_word_why() {
    let mut rig = rig(CacheConfig::default());
    rig.tracks.resolve(track("unknown", None)).unwrap();
    assert!(matches!(rig.event().await, TrackEvent::Missing { problem, .. } if problem.contains("no address")));
    for address in ["file:///etc/passwd", "ftp://x/y", "/etc/passwd", "http://", "http://[::", "javascript:1"] {
        let problem = rig.problem("odd", address).await;
        assert!(problem.contains("no web address"), "{address}: {problem}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetched_track_is_ready_early_then_whole_and_then_at_once() {
    let site = Site::start().await;
    let body = wav(1_000_000);
    let page = Page::Slow { body: body.clone(), piece: 50_000, pause: Duration::from_millis(20) };
    let url = site.put("a.wav", page);
    let mut rig = rig(CacheConfig::default());
    let TrackEvent::Ready { source, .. } = rig.resolve("a", &url).await else { panic!() };
    assert_eq!(source.growing.unwrap().bytes_total, Some(1_000_000));
    let early = std::fs::File::open(&source.path).unwrap();
    let there = early.metadata().unwrap().len();
    assert!((256 << 10..1_000_000).contains(&there), "{there}");

    let TrackEvent::Ready { source, duration_us, .. } = rig.event().await else { panic!() };
    assert_eq!((source.growing, duration_us), (None, Some(length_us(1_000_000))));
    assert!(source.path.ends_with(&format!("{}.wav", blake3::hash(&body).to_hex())));
    assert_eq!(std::fs::read(&source.path).unwrap(), body);
    assert_eq!(early.metadata().unwrap().len(), 1_000_000, "the file that was opened early has grown whole");

    let TrackEvent::Ready { source: again, .. } = rig.resolve("a", &url).await else { panic!() };
    assert_eq!((again, site.hits("a.wav")), (source, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_is_shown_while_a_track_is_fetched() {
    let site = Site::start().await;
    let page = Page::Slow { body: wav(400_000), piece: 20_000, pause: Duration::from_millis(60) };
    let url = site.put("a.wav", page);
    let mut rig = rig(CacheConfig::default());
    rig.tracks.resolve(track("shown", Some(url))).unwrap();
    let mut seen = Vec::new();
    loop {
        match rig.input().await {
            Input::Library(status) => seen.extend(status.fetching),
            Input::Track(TrackEvent::Ready { source, .. }) if source.growing.is_none() => break,
            _ => {}
        }
    }
    assert!(seen.iter().all(|fetching| fetching.track == "shown"));
    assert!(seen.iter().any(|f| f.bytes > 0 && f.bytes < 400_000 && f.bytes_total == Some(400_000)), "{seen:?}");
    loop {
        if let Input::Library(status) = rig.input().await
            && status.fetching.is_empty()
        {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_connection_goes_on_where_it_broke_off() {
    let site = Site::start().await;
    let body = wav(600_000);
    let url = site.put("a.wav", Page::Ranges { body: body.clone(), tag: "\"1\"", breaks_after: 90_000 });
    let mut rig = rig(CacheConfig::default());
    assert_eq!(rig.whole("a", &url).await, (body, length_us(600_000)));
    let requests = site.requests.lock().unwrap().clone();
    assert!(requests.len() >= 7 && requests[1].to_lowercase().contains("range: bytes=90000-"), "{requests:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_ranges_is_asked_for_all_again_and_nothing_is_doubled() {
    let site = Site::start().await;
    let body = wav(500_000);
    let page =
        Page::Plain { body: body.clone(), kind: "application/octet-stream", breaks_after: vec![300_000, 10_000] };
    let url = site.put("a", page);
    let mut rig = rig(CacheConfig::default());
    assert_eq!(rig.whole("a", &url).await.0, body);
    assert_eq!(site.hits("a"), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changes_between_two_tries_is_fetched_anew_and_never_mixed() {
    let site = Site::start().await;
    let (old, mut new) = (wav(500_000), wav(500_000));
    new[1_000..400_000].fill(9);
    for (name, first, second) in [
        (
            "tagged",
            Page::Ranges { body: old.clone(), tag: "\"old\"", breaks_after: 300_000 },
            Page::Ranges { body: new.clone(), tag: "\"new\"", breaks_after: usize::MAX },
        ),
        (
            "plain",
            Page::Plain { body: old.clone(), kind: "audio/wav", breaks_after: vec![300_000] },
            Page::Plain { body: new.clone(), kind: "audio/wav", breaks_after: vec![] },
        ),
    ] {
        let url = site.put(name, Page::Then(Box::new(first), Box::new(second)));
        let mut rig = rig(CacheConfig::default());
        assert!(rig.whole(name, &url).await.0 == new, "{name}: mixed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_begun_before_a_restart_is_gone_on_with() {
    let site = Site::start().await;
    let body = wav(600_000);
    let url = site.put("a.wav", Page::Ranges { body: body.clone(), tag: "\"1\"", breaks_after: 400_000 });
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let once = Patience { tries_max: 1, tries: 1, ..patience() };
    let mut first = rig_in(Arc::clone(&dir), CacheConfig::default(), once);
    let problem = first.problem("a", &url).await;
    assert!(problem.contains("broke"), "{problem}");
    drop(first);
    let mut second = reopened(dir).await;
    assert_eq!(second.whole("a", &url).await.0, body);
    assert!(site.requests.lock().unwrap()[1].to_lowercase().contains("range: bytes=400000-"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cache_survives_a_restart() {
    let site = Site::start().await;
    let url = site.put("a.wav", Page::Plain { body: wav(300_000), kind: "audio/wav", breaks_after: vec![] });
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let mut first = rig_in(Arc::clone(&dir), CacheConfig::default(), patience());
    first.whole("a", &url).await;
    drop(first);
    let mut second = reopened(dir).await;
    // By its id, when the address has a new signature; and by its address, under another id.
    assert_eq!(second.whole("a", &format!("{url}?signature=2")).await.1, length_us(300_000));
    assert_eq!(second.whole("b", &url).await.1, length_us(300_000));
    assert_eq!(site.hits("a.wav"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_music_is_refused_and_leaves_nothing_behind() {
    let site = Site::start().await;
    let html = b"<!doctype html><html><body>Please log in</body></html>".repeat(50);
    let text = |status: &str, more: &str| Page::Head(format!("HTTP/1.1 {status}\r\n{more}Content-Length: 0\r\n\r\n"));
    let port = site.addr.port();
    let mut rig = rig(CacheConfig { file_mb_max: 1, ..CacheConfig::default() });
    let cases = [
        (Page::Plain { body: html.clone(), kind: "text/html", breaks_after: vec![] }, "text/html"),
        (Page::Plain { body: html, kind: "audio/mpeg", breaks_after: vec![] }, "web page"),
        (Page::Plain { body: b"{}".to_vec(), kind: "application/json", breaks_after: vec![] }, "application/json"),
        (Page::Plain { body: vec![], kind: "audio/mpeg", breaks_after: vec![] }, "not audio"),
        (Page::Plain { body: vec![b'x'; 9_000], kind: "audio/flac", breaks_after: vec![] }, "no music"),
        (Page::Plain { body: b"fLaC but not really".to_vec(), kind: "audio/flac", breaks_after: vec![] }, ":"),
        (Page::Plain { body: wav(1_000_001), kind: "audio/wav", breaks_after: vec![] }, "larger than 1 MB"),
        (Page::Endless { head: wav(1_000) }, "larger than 1 MB"),
        (Page::Head("HTTP/1.1 200 OK\r\nContent-Length: 999999999999999999\r\n\r\n".into()), "larger than 1 MB"),
        (text("404 Not Found", ""), "does not have it"),
        (text("403 Forbidden", ""), "does not give it out"),
        (text("302 Found", "Location: /p9\r\n"), "redirects badly"),
        (text("302 Found", "Location: /p10\r\n"), "redirects badly"),
        (text("302 Found", "Location: file:///etc/passwd\r\n"), "redirects badly"),
        (text("302 Found", &format!("Location: ftp://127.0.0.1:{port}/x\r\n")), "redirects badly"),
    ];
    for (n, (page, expected)) in cases.into_iter().enumerate() {
        let name = match n {
            11 => "p9".to_owned(),
            12 => "p10".to_owned(),
            n => format!("case{n}"),
        };
        let url = site.put(&name, page);
        let problem = rig.problem(&name, &url).await;
        assert!(problem.contains(expected), "case {n}: {problem}");
        assert!(!problem.contains("127.0.0.1"), "the address is told: {problem}");
    }
    assert!(rig.cached().is_empty(), "{:?}", rig.cached());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_track_that_cannot_be_had_now_is_missing_and_comes_when_the_server_is_back() {
    let site = Site::start().await;
    let down = || Box::new(Page::Head("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n".into()));
    let up = Box::new(Page::Plain { body: wav(5_000), kind: "audio/wav", breaks_after: vec![] });
    let page = (0..4).fold(up, |page, _| Box::new(Page::Then(down(), page)));
    let url = site.put("a", *page);
    let mut rig = rig(CacheConfig::default());
    assert!(matches!(rig.resolve("a", &url).await, TrackEvent::Missing { problem, .. } if problem.contains("503")));
    assert!(matches!(rig.event().await, TrackEvent::Ready { source, .. } if source.growing.is_none()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_falls_silent_is_left_in_time() {
    let site = Site::start().await;
    let url = site.put("a", Page::Stalls { body: wav(50_000), after: 20_000 });
    let mut rig =
        rig_in(Arc::new(tempfile::tempdir().unwrap()), CacheConfig::default(), Patience { tries: 1, ..patience() });
    let problem = rig.problem("a", &url).await;
    assert!(problem.contains("broke") || problem.contains("in time"), "{problem}");
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let problem = rig.problem("b", &format!("http://{gone}/x")).await;
    assert!(problem.contains("cannot be reached"), "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_is_a_hash_takes_that_recording_and_no_other() {
    let site = Site::start().await;
    let body = wav(5_000);
    let url = site.put("a", Page::Plain { body: body.clone(), kind: "audio/wav", breaks_after: vec![] });
    let mut rig = rig(CacheConfig::default());
    let problem = rig.problem(&"0".repeat(64), &url).await;
    assert!(problem.contains("another recording"), "{problem}");
    assert_eq!(rig.whole(blake3::hash(&body).to_hex().as_str(), &url).await.0, body);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_are_fetched_at_once_in_the_order_they_were_asked_for() {
    let site = Site::start().await;
    let mut rig = rig(CacheConfig::default());
    for n in 0..6 {
        let page = Page::Slow { body: wav(4_000), piece: 1_000, pause: Duration::from_millis(50) };
        let url = site.put(&format!("t{n}"), page);
        rig.tracks.resolve(track(&format!("t{n}"), Some(url))).unwrap();
    }
    let mut order = Vec::new();
    while order.len() < 6 {
        match rig.input().await {
            Input::Track(TrackEvent::Ready { track, .. }) => order.push(track.to_string()),
            Input::Library(status) => assert!(status.fetching.len() <= 2, "{status:?}"),
            other => panic!("{other:?}"),
        }
    }
    let mut pairs: Vec<Vec<String>> = order.chunks(2).map(<[String]>::to_vec).collect();
    for pair in &mut pairs {
        pair.sort();
    }
    assert_eq!(pairs, [["t0", "t1"], ["t2", "t3"], ["t4", "t5"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_longest_unused_goes_first_when_room_is_needed_but_not_what_was_just_asked_for() {
    let site = Site::start().await;
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let large = |n: u8| {
        let mut body = wav(400_000);
        body[100] = n;
        body
    };
    let url = |n: u8| {
        let name = format!("f{n}");
        site.put(&name, Page::Plain { body: large(n), kind: "audio/wav", breaks_after: vec![] })
    };
    let mut first = rig_in(Arc::clone(&dir), CacheConfig { size_mb_max: 1, file_mb_max: 1 }, patience());
    for n in 0..4 {
        first.whole(&format!("f{n}"), &url(n)).await;
    }
    assert_eq!(first.cached().len(), 4, "what was just asked for stays, whatever the limit");
    drop(first);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut second = rig_in(dir, CacheConfig { size_mb_max: 1, file_mb_max: 1 }, patience());
    assert_eq!(second.cached().len(), 2, "nothing is recent after a restart");
    second.whole("f3", &url(3)).await;
    assert_eq!(site.hits("f3"), 1, "the newest had stayed");
    second.whole("f0", &url(0)).await;
    assert_eq!(site.hits("f0"), 2, "the oldest had gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_files_in_the_cache_folder_are_left_alone_and_lost_ones_removed() {
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let cache = dir.path().join("cache");
    std::fs::create_dir(&cache).unwrap();
    std::fs::write(cache.join("README"), "mine").unwrap();
    std::fs::write(cache.join(format!("{}.part", "a".repeat(64))), "lost").unwrap();
    let rig = rig_in(dir, CacheConfig::default(), patience());
    assert_eq!(rig.cached(), [cache.join("README")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_track_that_was_missing_is_announced_when_its_music_stick_is_plugged_in() {
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let stick = dir.path().join("stick");
    let mut rig = tracks::rig_with(Arc::clone(&dir), CacheConfig::default(), patience(), stick.clone());
    let body = wav(5_000);
    rig.tracks.resolve(track(blake3::hash(&body).to_hex().as_str(), None)).unwrap();
    assert!(matches!(rig.event().await, TrackEvent::Missing { .. }));
    std::fs::create_dir(&stick).unwrap();
    std::fs::write(stick.join("song.wav"), body).unwrap();
    rig.tracks.library().scan();
    let TrackEvent::Ready { source, duration_us, .. } = rig.event().await else { panic!() };
    assert_eq!((PathBuf::from(source.path), duration_us), (stick.join("song.wav"), Some(length_us(5_000))));
}
