//! What is taken as a configuration, and how the rest is refused.

use super::*;

fn written(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jamzd.toml");
    std::fs::write(&file, text).unwrap();
    (folder, file)
}

#[test]
fn an_unknown_key_is_refused_with_its_line_and_the_nearest_known_one() {
    let (_folder, file) = written("# a comment\n[car]\nname = \"x\"\n\n[convoy]\nidd = \"y\"\n");
    let error = load(Some(&file)).unwrap_err().to_string();
    assert!(error.contains("jamzd.toml:6:") && error.contains("`idd`") && error.contains("`id`"), "{error}");
    let (_folder, file) = written("[muzak]\n");
    let error = load(Some(&file)).unwrap_err().to_string();
    assert!(error.contains(":1:") && error.contains("`muzak`"), "{error}");
}

#[test]
fn broken_toml_and_wrong_types_name_the_line() {
    let (_folder, file) = written("[car]\nname = \n");
    assert!(load(Some(&file)).unwrap_err().to_string().contains(":2:"));
    let (_folder, file) = written("[car]\nname = 5\n");
    assert!(load(Some(&file)).unwrap_err().to_string().contains(":2:"));
    let (_folder, file) = written("[convoy]\nid = \"\"\n");
    assert!(load(Some(&file)).unwrap_err().to_string().contains("must not be empty"));
}

#[test]
fn values_out_of_bounds_name_their_line() {
    for (text, line, said) in [
        ("[car]\n\n[audio]\noutput = \"virtual\"\nbuffer_us = 5\n", 5, "audio.buffer_us is 5"),
        ("[server]\n# the old one\nurl = \"gopher://x\"\n", 3, "`url` under [server]"),
        ("[server]\nuser = \"\"\n", 2, "`user` under [server]"),
        ("audio = { virtual_ppm = 1e9 }\n", 1, "audio.virtual_ppm"),
        ("[audio]\noutput = \"pulse\"\n", 2, "jamzctl outputs"),
        ("[convoy]\ncode_valid_s = 5\n", 2, "from 30 to 86400"),
        ("[audio]\noutput = 5\n", 2, "string"),
    ] {
        let (_folder, file) = written(text);
        let error = load(Some(&file)).unwrap_err().to_string();
        assert!(error.contains(&format!("jamzd.toml:{line}:")) && error.contains(said), "{error}");
    }
}

#[test]
fn drop_ins_override_in_the_order_of_their_names() {
    let (folder, file) = written("[car]\nname = \"main\"\n[convoy]\nid = \"alps\"\n");
    let drop_ins = folder.path().join("jamzd.toml.d");
    std::fs::create_dir(&drop_ins).unwrap();
    std::fs::write(drop_ins.join("20.toml"), "[car]\nname = \"second\"\n").unwrap();
    std::fs::write(drop_ins.join("10.toml"), "[car]\nname = \"first\"\n").unwrap();
    std::fs::write(drop_ins.join("README"), "not read").unwrap();
    let config = load(Some(&file)).unwrap();
    assert_eq!(config.car.name.as_deref(), Some("second"));
    assert_eq!(config.convoy.id, ConvoyId::new("alps").ok());
}

#[test]
fn a_missing_file_is_named() {
    let error = load(Some(Path::new("/nonexistent/jamzd.toml"))).unwrap_err().to_string();
    assert!(error.contains("/nonexistent/jamzd.toml"), "{error}");
}

/// What means something in TOML, or nothing anywhere.
const ODD: &[u8] = b"\0\xff\"'[]{}=#.-9e\n";

/// The shipped file with every key set, cut, doubled and garbled in every way, from a fixed sequence of chance.
#[test]
fn a_file_of_any_content_is_refused_with_its_name_or_taken() {
    let shipped = include_str!("../../../config/jamzd.toml");
    let set = |line: &str| line.strip_prefix("# ").filter(|line| line.contains(" = ")).unwrap_or(line).to_owned();
    let lines: Vec<String> = shipped.lines().map(set).collect();
    let mut state = 0x9E37_79B9_u64;
    let mut below = |end: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % end
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jamzd.toml");
    let (mut taken, mut refused) = (0, 0);
    for _ in 0..3_000 {
        let mut lines = lines.clone();
        for _ in 0..below(3) {
            let (at, other) = (below(lines.len()), lines[below(lines.len())].clone());
            match below(3) {
                0 => lines[at] = other,
                1 => lines.insert(at, other),
                _ => drop(lines.remove(at)),
            }
        }
        let mut bytes = lines.join("\n").into_bytes();
        for _ in 0..below(3) {
            let at = below(bytes.len());
            match below(4) {
                0 => bytes[at] = ODD[below(ODD.len())],
                1 => bytes.truncate(at + 1),
                2 => bytes[at] ^= 1 << below(8),
                _ => bytes.insert(at, ODD[below(ODD.len())]),
            }
        }
        std::fs::write(&file, bytes).unwrap();
        match load(Some(&file)) {
            Ok(config) => {
                taken += 1;
                let _ = config.remarks();
            }
            Err(error) => {
                refused += 1;
                assert!(error.to_string().contains("jamzd.toml"), "{error}");
            }
        }
    }
    assert!(taken > 100 && refused > 1_000, "{taken} taken, {refused} refused");
}
