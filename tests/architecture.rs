//! The layer table of `src/lib.rs`, enforced on what `src/` really names, with the limits that keep each file readable.
//!
//! The table is the rule: a layer may name those that its third column lists. A violation says file, line and why.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test stops at what it did not expect"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

const FILE_LINES_MAX: usize = 400;
const BIN_LINES_MAX: usize = 40;
const LINE_CHARS_MAX: usize = 120;
/// What the deciding and encoding layers must do without, below `std` and by crate.
const PURE: [&str; 2] = ["core", "wire"];
const BANNED_STD: [&str; 7] = ["fs", "net", "thread", "time", "env", "process", "os"];
const BANNED_CRATES: [&str; 5] = ["tokio", "rand", "futures_util", "rustix", "zbus"];
const BANNED_WORDS: [&str; 4] = ["async", "await", "HashMap", "HashSet"];
const LEFTOVERS: [&str; 3] = ["TODO", "FIXME", "XXX"];

#[derive(Debug, PartialEq, Eq)]
struct Finding {
    file: PathBuf,
    line: usize,
    why: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.why)
    }
}

/// A word, a `::` or another mark of the code, without comments and without the inside of strings.
struct Token {
    text: String,
    line: usize,
}

#[derive(Default)]
struct Source {
    tokens: Vec<Token>,
    comments: Vec<Token>,
}

impl Source {
    fn read(text: &str) -> Self {
        let chars: Vec<char> = text.chars().collect();
        let mut source = Self::default();
        let (mut at, mut line) = (0, 1);
        while at < chars.len() {
            let end = Self::end_of_token(&chars, at);
            let text: String = chars[at..end].iter().collect();
            let lines = text.matches('\n').count();
            if text.starts_with("//") || text.starts_with("/*") {
                source.comments.push(Token { text, line });
            } else if !text.starts_with(['"', '\'']) && !text.ends_with('"') && !text.trim().is_empty() {
                source.tokens.push(Token { text, line });
            }
            line += lines;
            at = end;
        }
        source
    }

    fn end_of_token(chars: &[char], start: usize) -> usize {
        let is = |at: usize, c: char| chars.get(at) == Some(&c);
        let find = |from: usize, stop: &dyn Fn(usize) -> bool| (from..chars.len()).find(|&i| stop(i));
        match chars[start] {
            '/' if is(start + 1, '/') => find(start, &|i| chars[i] == '\n').unwrap_or(chars.len()),
            '/' if is(start + 1, '*') => {
                find(start + 2, &|i| chars[i] == '*' && is(i + 1, '/')).map_or(chars.len(), |i| i + 2)
            }
            '"' => Self::end_of_string(chars, start),
            '\'' if is(start + 1, '\\') => find(start + 3, &|i| chars[i] == '\'').map_or(chars.len(), |i| i + 1),
            '\'' if is(start + 2, '\'') => start + 3,
            ':' if is(start + 1, ':') => start + 2,
            c if c.is_alphanumeric() || c == '_' => {
                let end = find(start, &|i| !(chars[i].is_alphanumeric() || chars[i] == '_')).unwrap_or(chars.len());
                let hashes = chars[end..].iter().take_while(|&&c| c == '#').count();
                let word: String = chars[start..end].iter().collect();
                if matches!(word.as_str(), "r" | "br" | "cr") && is(end + hashes, '"') {
                    let close = |i: usize| chars[i] == '"' && (1..=hashes).all(|n| is(i + n, '#'));
                    return find(end + hashes + 1, &close).map_or(chars.len(), |i| i + 1);
                }
                if matches!(word.as_str(), "b" | "c") && is(end, '"') { Self::end_of_string(chars, end) } else { end }
            }
            _ => start + 1,
        }
    }

    fn end_of_string(chars: &[char], quote: usize) -> usize {
        let mut at = quote + 1;
        while at < chars.len() && chars[at] != '"' {
            at += if chars[at] == '\\' { 2 } else { 1 };
        }
        (at + 1).min(chars.len())
    }

    fn text(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |t| &t.text)
    }

    /// Every path of the file with its groups unfolded and its `super`s resolved: what starts at the crate's root is
    /// given as `crate::...`.
    fn paths(&self, module_depth: usize) -> Vec<(usize, Vec<String>)> {
        let mut paths = Vec::new();
        let mut braces = Vec::new();
        let mut at = 0;
        while at < self.tokens.len() {
            match self.text(at) {
                "{" => braces.push(at >= 2 && self.text(at - 2) == "mod"),
                "}" => drop(braces.pop()),
                word if is_word(word) => {
                    let first = paths.len();
                    at = self.unfold(at, &[], &mut paths);
                    let depth = module_depth + braces.iter().filter(|inline| **inline).count();
                    paths[first..].iter_mut().for_each(|(_, path)| resolve(path, depth));
                    continue;
                }
                _ => {}
            }
            at += 1;
        }
        paths
    }

    fn unfold(&self, mut at: usize, prefix: &[String], paths: &mut Vec<(usize, Vec<String>)>) -> usize {
        let mut path = prefix.to_vec();
        while at < self.tokens.len() {
            if self.text(at) == "{" && !path.is_empty() {
                at += 1;
                while at < self.tokens.len() && self.text(at) != "}" {
                    at = if self.text(at) == "," { at + 1 } else { self.unfold(at, &path, paths) };
                }
                return at + 1;
            }
            path.push(self.text(at).to_owned());
            at += 1;
            if self.text(at) != "::" || !(is_word(self.text(at + 1)) || matches!(self.text(at + 1), "{" | "*")) {
                break;
            }
            at += 1;
        }
        paths.push((self.tokens[at - 1].line, path));
        at
    }
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

fn resolve(path: &mut Vec<String>, depth: usize) {
    let supers = path.iter().take_while(|step| *step == "super").count();
    if supers > 0 && supers == depth {
        path.splice(..supers, ["crate".to_owned()]);
    }
}

/// Who may name whom, as the table in `src/lib.rs` says.
fn layer_table(lib: &str) -> BTreeMap<String, BTreeSet<String>> {
    let words = |cell: &str| -> Vec<String> {
        let mut words: Vec<String> = cell.split(|c: char| !c.is_alphanumeric()).map(str::to_owned).collect();
        words.retain(|word| !word.is_empty());
        words
    };
    let rows: Vec<Vec<&str>> =
        lib.lines().filter_map(|l| l.strip_prefix("//! |")).map(|l| l.split('|').collect()).skip(2).collect();
    let names: BTreeSet<String> = rows.iter().flat_map(|row| words(row[0])).collect();
    let mut table = BTreeMap::new();
    for row in &rows {
        let listed: BTreeSet<String> = words(row[2]).into_iter().filter(|word| names.contains(word)).collect();
        let may = if row[2].contains("all but") { names.difference(&listed).cloned().collect() } else { listed };
        for layer in words(row[0]) {
            table.insert(layer, may.clone());
        }
    }
    table
}

fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let entries = fs::read_dir(dir).into_iter().flatten();
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// All that is wrong in the package at `root`.
fn check(root: &Path) -> Vec<Finding> {
    let table = layer_table(&fs::read_to_string(root.join("src/lib.rs")).unwrap());
    let mut findings = Vec::new();
    for folder in ["src", "tests", "examples", "benches"] {
        for path in rust_files(&root.join(folder)) {
            let file = path.strip_prefix(root).unwrap().to_owned();
            let text = fs::read_to_string(&path).unwrap();
            let source = Source::read(&text);
            let mut say = |line: usize, why: String| findings.push(Finding { file: file.clone(), line, why });
            check_form(&file, &text, &source, &mut say);
            if folder == "src" {
                check_layer(&file, &source, &table, &mut say);
            }
        }
    }
    findings
}

fn check_form(file: &Path, text: &str, source: &Source, say: &mut dyn FnMut(usize, String)) {
    let lines_max = if file.starts_with("src/bin") { BIN_LINES_MAX } else { FILE_LINES_MAX };
    let lines = text.lines().count();
    if lines > lines_max {
        say(lines_max + 1, format!("{lines} lines, at most {lines_max}: find the second subject and give it a file"));
    }
    for (at, line) in text.lines().enumerate().filter(|(_, line)| line.chars().count() > LINE_CHARS_MAX) {
        say(at + 1, format!("{} characters wide, at most {LINE_CHARS_MAX}", line.chars().count()));
    }
    let opening: Vec<&str> = text.lines().map_while(|l| l.strip_prefix("//! ")).collect();
    if !opening.last().is_some_and(|last| last.ends_with(['.', ':', '|'])) || opening.join(" ").split(' ').count() < 3 {
        say(1, "open the file with a `//!` sentence that says what it is for".to_owned());
    }
    for comment in &source.comments {
        for (at, line) in comment.text.lines().enumerate() {
            if LEFTOVERS.iter().any(|word| line.split(|c: char| !c.is_alphanumeric()).any(|w| w == *word)) {
                say(comment.line + at, "do it now or open an issue: no leftovers in the code".to_owned());
            }
        }
    }
    for at in 0..source.tokens.len() {
        if matches!(source.text(at), "todo" | "unimplemented") && source.text(at + 1) == "!" {
            say(source.tokens[at].line, format!("`{}!`: nothing half-made is committed", source.text(at)));
        }
    }
}

fn check_layer(
    file: &Path,
    source: &Source,
    table: &BTreeMap<String, BTreeSet<String>>,
    say: &mut dyn FnMut(usize, String),
) {
    let steps: Vec<&str> = file.iter().skip(1).map(|step| step.to_str().unwrap()).collect();
    let [layer, .., last] = steps.as_slice() else {
        if steps != ["lib.rs"] {
            say(1, "a file outside the layers: move it into one".to_owned());
        }
        return;
    };
    let Some(may) = table.get(*layer) else {
        return say(1, format!("`{layer}` is not in the table of src/lib.rs"));
    };
    let depth = steps.len() - usize::from(*last == "mod.rs");
    let root = if *layer == "bin" { "jamz" } else { "crate" };
    for (line, path) in source.paths(depth) {
        let step = |at: usize| path.get(at).map_or("", String::as_str);
        if step(0) == root && path.len() > 1 && step(1) != *layer && !may.contains(step(1)) {
            say(line, format!("`{layer}` may not name `{}`", path[1..].join("::")));
        }
        if *layer != "host" && is_reading_of_the_machine(&path) {
            say(line, format!("`{}`: only `host` reads the machine's clocks and entropy", path.join("::")));
        }
        if PURE.contains(layer) {
            let std = step(0) == "std" && BANNED_STD.contains(&step(1));
            let foreign = path.len() > 1 && BANNED_CRATES.contains(&step(0));
            if std || foreign || path.iter().any(|word| BANNED_WORDS.contains(&word.as_str())) {
                say(
                    line,
                    format!("`{}` in `{layer}`, which has no I/O, no clock, no chance, no async", path.join("::")),
                );
            }
        }
    }
}

fn is_reading_of_the_machine(path: &[String]) -> bool {
    let clock = path.windows(2).any(|w| matches!(w[0].as_str(), "Instant" | "SystemTime") && w[1] == "now");
    clock || path.iter().any(|word| matches!(word.as_str(), "clock_gettime" | "getrandom"))
}

#[test]
fn the_house_is_in_order() {
    let findings = check(Path::new(env!("CARGO_MANIFEST_DIR")));
    let list: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(list.is_empty(), "{} violation(s):\n{}", list.len(), list.join("\n"));
}

#[test]
fn the_table_is_read_as_it_is_meant() {
    let table = layer_table(&fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/lib.rs")).unwrap());
    let may = |layer: &str| table[layer].iter().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(may("core"), [""; 0]);
    assert_eq!(may("tier"), ["core", "wire"]);
    assert_eq!(may("server"), ["core", "host", "page", "store", "wire"]);
    assert!(may("daemon").contains(&"audio") && !may("daemon").contains(&"sim") && !may("daemon").contains(&"server"));
}

/// A copy of `src/` with a file planted into it, checked; the findings that concern that file.
fn plant(file: &str, text: &str) -> Vec<Finding> {
    let root = tempfile::tempdir().unwrap();
    for path in rust_files(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))) {
        let to = root.path().join(path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(&path, &to).unwrap();
    }
    let to = root.path().join(file);
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::write(&to, text).unwrap();
    check(root.path()).into_iter().filter(|finding| finding.file == Path::new(file)).collect()
}

#[test]
fn every_kind_of_violation_is_found_at_its_line() {
    let cases = [
        ("src/core/planted.rs", "use crate::wire::mesh;", 2),
        ("src/core/clock/planted.rs", "use super::super::super::wire::mesh;", 2),
        ("src/core/planted.rs", "mod inner {\n    use super::super::super::tier::server;\n}", 3),
        ("src/wire/planted.rs", "use crate::{core::id,\n    tier::server};", 3),
        ("src/audio/planted.rs", "fn f() {\n    let _ = crate::store::open();\n}", 3),
        ("src/api/planted.rs", "use crate::daemon::run;", 2),
        ("src/server/planted.rs", "use crate::audio::pace;", 2),
        ("src/host/planted.rs", "use crate::store::open;", 2),
        ("src/daemon/planted.rs", "use crate::server::run;", 2),
        ("src/bin/planted.rs", "use jamz::audio::pace;", 2),
        ("src/core/planted.rs", "use std::{fmt, fs::File};", 2),
        ("src/core/planted.rs", "use std::time::Duration;", 2),
        ("src/wire/planted.rs", "fn f() { std::thread::yield_now(); }", 2),
        ("src/wire/planted.rs", "use std::net::IpAddr;", 2),
        ("src/core/planted.rs", "fn f() { tokio::spawn(g()); }", 2),
        ("src/core/planted.rs", "fn f() { rand::random(); }", 2),
        ("src/core/planted.rs", "async fn f() {}", 2),
        ("src/core/planted.rs", "use std::collections::HashMap;", 2),
        ("src/tier/planted.rs", "fn f() { std::time::Instant::now(); }", 2),
        ("src/tier/planted.rs", "// TODO: later", 2),
        ("src/tier/planted.rs", "fn f() {\n    todo!()\n}", 3),
        ("src/tier/planted.rs", "fn f() { unimplemented!() }", 2),
        ("src/helpers/planted.rs", "fn f() {}", 1),
        ("src/planted.rs", "fn f() {}", 1),
        ("tests/planted.rs", "// FIXME", 2),
    ];
    for (file, code, line) in cases {
        let findings = plant(file, &format!("//! A planted violation, to be found.\n{code}\n"));
        assert!(findings.iter().any(|f| f.line == line), "{file} with {code:?}: {findings:?}");
    }
}

#[test]
fn a_file_that_is_too_long_too_wide_or_unexplained_is_found() {
    let long = |lines: usize| format!("//! A planted file that is long.\n{}", "const A: u8 = 1;\n".repeat(lines - 1));
    assert_eq!(plant("src/tier/planted.rs", &long(400)), []);
    assert_eq!(plant("src/tier/planted.rs", &long(401))[0].line, 401);
    assert_eq!(plant("src/bin/planted.rs", &long(41))[0].line, 41);
    let wide = format!("//! A planted file that is wide.\n\n// {}\n", "w".repeat(118));
    assert_eq!(plant("src/tier/planted.rs", &wide)[0].line, 3);
    assert_eq!(plant("src/tier/planted.rs", "fn f() {}\n")[0].line, 1);
    assert_eq!(plant("src/tier/planted.rs", "//! TBD\n")[0].line, 1);
}

#[test]
fn what_is_only_spoken_of_is_no_violation() {
    let text = "//! A planted file that speaks of `crate::daemon`.\n/* std::fs */\n\
                const A: &str = \"crate::daemon::run\";\nconst B: &str = r#\"tokio::spawn \" TODO\"#;\n\
                const C: char = '\"';\n\
                use super::id::TrackId;\n\
                mod inner {\n    use super::super::id::UserId;\n    fn f<'a>(x: &'a str) {}\n}\n";
    assert_eq!(plant("src/core/planted.rs", text), []);
}

#[test]
fn the_library_and_the_player_know_the_same_codecs() {
    let codecs = |file: &str| {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        let (_, function) = text.split_once("\nfn codecs() ").unwrap();
        function.split("\n}\n").next().unwrap().to_owned()
    };
    let (library, player) = (codecs("src/store/probe/mod.rs"), codecs("src/audio/decode/mod.rs"));
    assert!(library.contains("register"), "{library}");
    assert_eq!(library, player, "what the library calls music must be what the player plays");
}
