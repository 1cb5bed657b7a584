//! The library over real files of every format: exact lengths, tags in any script, and nothing that a file can do to
//! it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

#[path = "support/library.rs"]
mod library;
#[path = "support/rerun.rs"]
mod rerun;

use jamz::core::id::TrackId;
use jamz::core::request::LibraryTrack;
use library::{fixtures, start};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

fn name(track: &LibraryTrack) -> String {
    Path::new(&track.path).file_name().unwrap().to_str().unwrap().to_owned()
}

/// A folder with copies of these good files.
fn folder_of(names: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in names {
        fs::copy(fixtures("good").join(name), dir.path().join(name)).unwrap();
    }
    dir
}

#[test]
fn every_format_is_indexed_with_its_length_exact_to_the_microsecond() {
    let state = tempfile::tempdir().unwrap();
    let running = start(&[fixtures("good")], state.path());
    let lengths: BTreeMap<String, i64> =
        running.library.all(100).iter().map(|track| (name(track), track.duration_us.unwrap())).collect();
    // What was put into the encoders; a raw AAC and an MP3 without a LAME tag keep whole packets of 1,024 and 1,152
    // frames.
    let expected = [
        ("long.ogg", 32_123, 8_000),
        ("long.opus", 32_123, 8_000),
        ("lossless.m4a", 22_050, 44_100),
        ("phone.wav", 2_000, 8_000),
        ("plain-cbr.mp3", 21 * 1_152, 44_100),
        ("plain-vbr.mp3", 21 * 1_152, 44_100),
        ("raw.aac", 23 * 1_024, 44_100),
        ("tagged.flac", 22_050, 44_100),
        ("tagged.m4a", 22_050, 44_100),
        ("tagged.mp3", 22_050, 44_100),
        ("tagged.ogg", 22_050, 44_100),
        ("tagged.opus", 24_000, 48_000),
    ];
    let expected: BTreeMap<String, i64> = expected
        .into_iter()
        .map(|(name, frames, rate)| (name.to_owned(), (frames * 1_000_000 + rate / 2) / rate))
        .collect();
    assert_eq!(lengths, expected);
    assert_eq!(running.library.problems(), []);
}

#[test]
fn tags_are_read_from_every_format_and_a_missing_title_is_the_file_name() {
    let state = tempfile::tempdir().unwrap();
    let running = start(&[fixtures("good")], state.path());
    let tags: BTreeMap<String, (String, String, String, Option<f32>)> = running
        .library
        .all(100)
        .into_iter()
        .map(|track| {
            let gain_db = running.library.get(&track.id).unwrap().gain_db;
            (name(&track), (track.title, track.artist, track.album, gain_db))
        })
        .collect();
    let expect = |file: &str, title: &str, artist: &str, album: &str, gain_db: Option<f32>| {
        assert_eq!(tags[file], (title.into(), artist.into(), album.into(), gain_db), "{file}");
    };
    expect("tagged.mp3", "Дорога 道", "Convoy", "Album", None);
    expect("tagged.flac", "Flac title", "Flac artist", "Flac album", Some(-6.5));
    expect("tagged.ogg", "Ogg title", "Ogg artist", "Ogg album", Some(1.25));
    expect("tagged.opus", "Opus title", "Opus artist", "Opus album", Some(3.0));
    expect("tagged.m4a", "M4a title", "M4a artist", "M4a album", None);
    expect("phone.wav", "phone", "", "", None);
}

#[test]
fn a_track_is_the_hash_of_its_file_and_is_found_by_it() {
    let state = tempfile::tempdir().unwrap();
    let running = start(&[fixtures("good")], state.path());
    let path = fixtures("good").join("tagged.flac");
    let id = TrackId::new(blake3::hash(&fs::read(&path).unwrap()).to_hex().as_str()).unwrap();
    assert_eq!(Path::new(&running.library.get(&id).unwrap().track.path), path);
    assert!(running.library.get(&TrackId::new("0".repeat(64)).unwrap()).is_none());
}

#[test]
fn a_track_is_found_by_the_beginning_of_its_id() {
    let folder = folder_of(&["tagged.mp3", "tagged.flac"]);
    let state = tempfile::tempdir().unwrap();
    let running = library::start(&[folder.path().to_owned()], state.path());
    for track in running.library.all(9) {
        for length in [8, 12, 63, 64] {
            let prefix = track.id.as_str()[..length].to_uppercase();
            assert_eq!(running.library.search(&prefix, 9), std::slice::from_ref(&track), "{prefix}");
        }
        assert!(running.library.search(&track.id.as_str()[..7], 9).is_empty());
    }
}

#[test]
fn search_takes_words_of_any_script_in_any_order_and_case() {
    let state = tempfile::tempdir().unwrap();
    let running = start(&[fixtures("good")], state.path());
    let find = |text: &str| running.library.search(text, 10).iter().map(name).collect::<Vec<_>>();
    assert_eq!(find("ДОРОГА convoy"), ["tagged.mp3"]);
    assert_eq!(find("道 album дОрОгА"), ["tagged.mp3"]);
    assert_eq!(find("VBR"), ["plain-vbr.mp3"]);
    assert_eq!(find("title flac"), ["tagged.flac"]);
    assert_eq!(find("flac ogg"), [""; 0]);
    assert_eq!(find("' OR 1=1 -- %_"), [""; 0]);
    assert_eq!(running.library.search("tagged", 2).len(), 2);
    assert_eq!(find(&"word ".repeat(10_000)), [""; 0]);
}

#[test]
fn each_hostile_file_is_reported_once_with_a_sentence_and_harms_nothing() {
    let state = tempfile::tempdir().unwrap();
    let running = start(&[fixtures("hostile"), fixtures("good")], state.path());
    for _ in 0..2 {
        let problems: BTreeMap<String, String> = running
            .library
            .problems()
            .into_iter()
            .map(|problem| (problem.path.rsplit('/').next().unwrap().to_owned(), problem.problem))
            .collect();
        let files =
            fs::read_dir(fixtures("hostile")).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        let silent: Vec<String> = files.filter(|file| !problems.contains_key(file)).collect();
        assert_eq!(silent, [""; 0], "{problems:#?}");
        let kind = |file: &str| problems[file].split(':').next().unwrap().to_owned();
        assert_eq!(kind("text.flac"), "not audio");
        assert_eq!(kind("page.mp3"), "not audio");
        assert_eq!(kind("33-bytes.mp3"), "not audio");
        assert_eq!(problems["empty.mp3"], "damaged: it is empty");
        assert_eq!(kind("huge-length.flac"), "damaged");
        assert!(problems.values().all(|problem| problem.len() > 12 && problem.len() < 200), "{problems:#?}");
        assert_eq!(problems.len(), running.library.problems().len());
        running.rescan();
    }
    assert!(running.library.all(100).len() >= 12);
}

#[test]
#[ignore = "the process that the next test gives little memory"]
fn child_that_indexes_hostile_files() {
    let state = tempfile::tempdir().unwrap();
    assert!(start(&[fixtures("hostile")], state.path()).library.problems().len() > 20);
    println!("indexed");
}

#[test]
fn files_that_claim_to_be_huge_take_no_memory() {
    let mut child =
        rerun::Rerun::start("child_that_indexes_hostile_files", "export MALLOC_ARENA_MAX=1; ulimit -v 200000", &[]);
    let output = std::io::read_to_string(child.stdout()).unwrap();
    assert!(output.contains("indexed"), "{output}");
}

#[test]
fn a_cut_file_plays_as_far_as_it_goes_and_is_reported() {
    let state = tempfile::tempdir().unwrap();
    let dir = tempfile::tempdir().unwrap();
    for (file, bytes) in [("long.opus", 1_000), ("tagged.flac", 3_000), ("tagged.mp3", 1_500)] {
        let whole = fs::read(fixtures("good").join(file)).unwrap();
        fs::write(dir.path().join(file), &whole[..whole.len() - bytes]).unwrap();
    }
    let running = start(&[dir.path().to_owned()], state.path());
    let lengths: Vec<i64> = running.library.all(10).iter().map(|track| track.duration_us.unwrap()).collect();
    assert!(lengths.len() == 3 && lengths.iter().all(|us| (100_000..3_950_000).contains(us)), "{lengths:?}");
    let problems = running.library.problems();
    assert!(problems.len() >= 2 && problems.iter().all(|problem| problem.problem.contains("plays")), "{problems:?}");
}

#[test]
fn new_changed_moved_and_removed_files_are_followed() {
    let state = tempfile::tempdir().unwrap();
    let dir = folder_of(&["tagged.flac", "tagged.ogg"]);
    let running = start(&[dir.path().to_owned()], state.path());
    let flac = running.library.search("flac", 1).remove(0);

    fs::create_dir(dir.path().join("новая папка")).unwrap();
    let moved = dir.path().join("новая папка/другое имя.flac");
    fs::rename(dir.path().join("tagged.flac"), &moved).unwrap();
    fs::remove_file(dir.path().join("tagged.ogg")).unwrap();
    fs::copy(fixtures("good").join("phone.wav"), dir.path().join("new.WAV")).unwrap();
    assert_eq!(running.rescan().tracks, 2);
    let found = running.library.get(&flac.id).unwrap();
    assert_eq!(Path::new(&found.track.path), moved);
    assert_eq!((found.track.title, found.gain_db), ("Flac title".into(), Some(-6.5)));
    assert_eq!(running.library.search("ogg", 9), []);

    fs::copy(fixtures("good").join("tagged.m4a"), dir.path().join("new.WAV")).unwrap();
    assert_eq!(running.rescan().tracks, 2);
    assert_eq!(running.library.search("m4a", 9).len(), 1);
}

#[test]
fn the_index_survives_a_restart_and_a_rescan_reads_no_unchanged_file() {
    let state = tempfile::tempdir().unwrap();
    let dir = folder_of(&["tagged.flac", "tagged.ogg"]);
    drop(start(&[dir.path().to_owned()], state.path()));
    // The content is replaced behind the index' back: same size, same time.
    let path = dir.path().join("tagged.flac");
    let times = fs::metadata(&path).unwrap().modified().unwrap();
    let rubbish = vec![b'x'; fs::metadata(&path).unwrap().len() as usize];
    fs::write(&path, rubbish).unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_modified(times).unwrap();
    let running = start(&[dir.path().to_owned()], state.path());
    assert_eq!((running.library.all(10).len(), running.library.problems()), (2, vec![]));
    fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(times + std::time::Duration::from_secs(1))
        .unwrap();
    let status = running.rescan();
    assert_eq!((status.tracks, status.problems), (1, 1));
}

#[test]
fn a_music_stick_that_is_pulled_and_plugged_in_again_need_not_be_read_again() {
    let state = tempfile::tempdir().unwrap();
    let mount = tempfile::tempdir().unwrap();
    let (stick, drawer) = (mount.path().join("stick"), mount.path().join("drawer"));
    fs::create_dir(&stick).unwrap();
    fs::copy(fixtures("good").join("tagged.flac"), stick.join("a.flac")).unwrap();
    let running = start(std::slice::from_ref(&stick), state.path());
    fs::rename(&stick, &drawer).unwrap();
    let status = running.rescan();
    assert_eq!((status.tracks, status.problems), (0, 1));
    let problem = &running.library.problems()[0];
    assert!(problem.problem.contains("cannot be read") && problem.path.ends_with("stick"), "{problem:?}");
    let file = drawer.join("a.flac");
    let times = fs::metadata(&file).unwrap().modified().unwrap();
    fs::write(&file, vec![0; fs::metadata(&file).unwrap().len() as usize]).unwrap();
    fs::File::options().write(true).open(&file).unwrap().set_modified(times).unwrap();
    fs::rename(&drawer, &stick).unwrap();
    let status = running.rescan();
    assert_eq!((status.tracks, status.problems), (1, 0));
}

#[test]
fn links_in_circles_hidden_files_and_odd_names_do_no_harm() {
    let state = tempfile::tempdir().unwrap();
    let dir = folder_of(&["tagged.flac"]);
    symlink(dir.path(), dir.path().join("circle")).unwrap();
    symlink("/nonexistent/file.mp3", dir.path().join("dangling.mp3")).unwrap();
    symlink(dir.path().join("self.mp3"), dir.path().join("self.mp3")).unwrap();
    fs::write(dir.path().join("._tagged.flac"), "resource fork").unwrap();
    fs::write(dir.path().join("cover.jpg"), "picture").unwrap();
    let long = format!("{}.mp3", "長".repeat(80));
    fs::copy(fixtures("good").join("tagged.mp3"), dir.path().join(&long)).unwrap();
    let broken = std::ffi::OsStr::new(std::str::from_utf8(b"x").unwrap());
    let mut broken = broken.to_owned();
    broken.push(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"\xff.mp3"));
    fs::copy(fixtures("good").join("plain-cbr.mp3"), dir.path().join(broken)).unwrap();
    let running = start(&[dir.path().to_owned()], state.path());
    assert_eq!(running.library.all(10).len(), 2);
    let problems = running.library.problems();
    assert!(problems.iter().any(|problem| problem.problem.contains("UTF-8")), "{problems:?}");
    assert!(
        !problems.iter().any(|problem| problem.path.contains("circle") || problem.path.contains("._")),
        "{problems:?}"
    );
}

#[test]
fn a_file_that_links_name_twice_is_one_and_a_link_out_of_the_folder_is_told_and_not_followed() {
    let state = tempfile::tempdir().unwrap();
    let outside = folder_of(&["tagged.ogg"]);
    let music = outside.path().join("music");
    fs::create_dir_all(music.join("album")).unwrap();
    fs::copy(fixtures("good").join("tagged.flac"), music.join("album/a.flac")).unwrap();
    fs::write(music.join("album/broken.mp3"), "no music").unwrap();
    symlink(music.join("album"), music.join("again")).unwrap();
    symlink(music.join("album/broken.mp3"), music.join("broken too.mp3")).unwrap();
    symlink("..", music.join("up")).unwrap();
    let running = start(&[music.clone(), music.join("album")], state.path());
    assert_eq!(running.library.all(10).len(), 1, "what lies outside is not the convoy's music");
    let problems = running.library.problems();
    assert_eq!(problems.len(), 2, "{problems:?}");
    let link = problems.iter().find(|problem| problem.path.ends_with("/up")).unwrap();
    assert!(link.problem.contains("name what it leads to in `folders`"), "{link:?}");
    assert_eq!(running.rescan().problems, 2, "and the same after another scan");
}

#[test]
fn a_missing_music_folder_is_a_problem_and_is_indexed_when_it_appears() {
    let state = tempfile::tempdir().unwrap();
    let mount = tempfile::tempdir().unwrap();
    let folder = mount.path().join("music");
    let running = start(std::slice::from_ref(&folder), state.path());
    assert_eq!(running.library.problems().len(), 1);
    fs::create_dir(&folder).unwrap();
    fs::copy(fixtures("good").join("phone.wav"), folder.join("a.wav")).unwrap();
    let status = running.rescan();
    assert_eq!((status.tracks, status.problems), (1, 0));
}

#[test]
fn a_file_that_ends_the_program_is_read_no_more_after_the_third_time() {
    let state = tempfile::tempdir().unwrap();
    let dir = folder_of(&["tagged.flac"]);
    drop(start(&[], state.path()));
    let path = dir.path().join("tagged.flac");
    // What is left behind by a program that died three times while it read this file.
    rusqlite::Connection::open(state.path().join("library.db"))
        .unwrap()
        .execute("INSERT INTO files VALUES (1, ?1, -1, 0, NULL, NULL, 0, 3, '')", [path.to_str()])
        .unwrap();
    let running = start(&[dir.path().to_owned()], state.path());
    let problems = running.library.problems();
    assert!(problems[0].problem.contains("ended the daemon"), "{problems:?}");
    assert_eq!(running.rescan().tracks, 0);
    fs::copy(fixtures("good").join("tagged.ogg"), &path).unwrap();
    assert_eq!(running.rescan().tracks, 1);
}

#[test]
fn ten_thousand_files_are_indexed_and_looked_through_again_in_no_time() {
    let state = tempfile::tempdir().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let wav = fs::read(fixtures("good").join("phone.wav")).unwrap();
    for n in 0..10_000_u32 {
        let folder = dir.path().join(format!("album {}", n / 20));
        fs::create_dir_all(&folder).unwrap();
        let mut file = wav[..444].to_vec();
        file[40..44].copy_from_slice(&400_u32.to_le_bytes());
        file[100..104].copy_from_slice(&n.to_le_bytes());
        fs::write(folder.join(format!("{n}.wav")), file).unwrap();
    }
    let running = start(&[dir.path().to_owned()], state.path());
    assert_eq!(running.library.all(u32::MAX).len(), 10_000);
    let started = jamz::core::clock::Monotonic::now(&jamz::host::MonotonicClock);
    assert_eq!(running.rescan().tracks, 10_000);
    let took_us = jamz::core::clock::Monotonic::now(&jamz::host::MonotonicClock) - started;
    assert!(took_us < 10_000_000, "{took_us} us");
    println!("second scan: {} ms", took_us / 1_000);
    assert_eq!(running.library.search("album 499 9999.wav", 10).len(), 1);
}

#[test]
fn an_unreadable_file_is_read_as_soon_as_it_may_be() {
    if rustix::process::geteuid().is_root() {
        // Root may read all; the mode of a file cannot keep it out.
        return;
    }
    let state = tempfile::tempdir().unwrap();
    let dir = folder_of(&["tagged.flac"]);
    let path = dir.path().join("tagged.flac");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    let running = start(&[dir.path().to_owned()], state.path());
    assert!(running.library.problems()[0].problem.starts_with("permission denied"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(running.rescan().tracks, 1);
}
