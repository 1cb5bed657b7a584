//! The daemon's configuration: which files it is read from, in which order, and what is said when something in them is
//! wrong.

use crate::core::id::ConvoyId;
use crate::core::mesh::MeshSettings;
use crate::store::cache::CacheConfig;
use crate::store::library::LibraryConfig;
use crate::{api, audio, tier};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Everything that can be configured. Every key has a default; a file names only what differs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub car: Car,
    pub convoy: Convoy,
    pub server: tier::server::Config,
    pub mesh: Mesh,
    pub page: Page,
    pub audio: audio::Config,
    pub library: LibraryConfig,
    pub cache: CacheConfig,
    pub bus: api::Config,
    pub paths: Paths,
}

/// Who this car is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Car {
    /// As people call it; the machine's host name when it is not given.
    pub name: Option<String>,
}

/// Which convoy to be in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Convoy {
    /// Joined at every start, but for one that was founded on the roadside; without it, the one that was last joined.
    pub id: Option<ConvoyId>,
    /// Holds what the convoy's members share (at least 16 bytes), so that cars on the same network find each other
    /// without a server. Nobody else may read it (mode 0600).
    pub secret_file: Option<PathBuf>,
    /// How long a code that `jamzctl found` names is good, in seconds.
    pub code_valid_s: u32,
}

impl Default for Convoy {
    fn default() -> Self {
        Self { id: None, secret_file: None, code_valid_s: 600 }
    }
}

/// Shorter, nobody could type it; longer, everyone would have heard it.
const CODE_VALID_S: std::ops::RangeInclusive<u32> = 30..=86_400;

/// Links between the cars, for when the server cannot be reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mesh {
    /// Whether this car links with others at all.
    pub enabled: bool,
    /// The mesh counts as a tier with so many cars that reach each other, this one among them.
    pub group_size_min: usize,
    /// A link that neither side needs is closed after so many seconds.
    pub idle_s: u32,
    /// This car runs on a battery, and does not lead where another can.
    pub battery: bool,
    /// `stun:host[:port]`.
    pub stun: Vec<String>,
    /// `turn:host[:port]`, over UDP.
    pub turn: Vec<String>,
    /// User name and password for the TURN servers, in two lines. Nobody else may read it (mode 0600).
    pub turn_credentials_file: Option<PathBuf>,
    /// Never shows this car's addresses to others: everything goes over a TURN server.
    pub relay_only: bool,
}

impl Default for Mesh {
    fn default() -> Self {
        let MeshSettings { group_size_min, idle_us, battery, .. } = MeshSettings::default();
        Self {
            enabled: true,
            group_size_min,
            idle_s: u32::try_from(idle_us / 1_000_000).unwrap_or(u32::MAX),
            battery,
            stun: Vec::new(),
            turn: Vec::new(),
            turn_credentials_file: None,
            relay_only: false,
        }
    }
}

impl Mesh {
    /// What of it decides something.
    pub(super) fn settings(&self) -> MeshSettings {
        MeshSettings {
            enabled: self.enabled,
            group_size_min: self.group_size_min,
            idle_us: i64::from(self.idle_s) * 1_000_000,
            battery: self.battery,
        }
    }

    /// The servers that help links through NATs.
    pub(super) fn ice(&self) -> tier::mesh::IceConfig {
        tier::mesh::IceConfig {
            stun: self.stun.clone(),
            turn: self.turn.clone(),
            turn_credentials_file: self.turn_credentials_file.clone(),
            relay_only: self.relay_only,
        }
    }
}

/// The page by which phones come to this car where there is no server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Page {
    /// The TCP port of it, open while the car is in a convoy that was founded on the roadside; 0: never.
    pub port: u16,
}

impl Default for Page {
    fn default() -> Self {
        Self { port: 8443 }
    }
}

/// Where the daemon keeps its things.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Paths {
    pub state: PathBuf,
    pub cache: PathBuf,
}

impl Default for Paths {
    fn default() -> Self {
        Self { state: "/var/lib/jamzd".into(), cache: "/var/cache/jamzd".into() }
    }
}

/// What is wrong with a configuration, and where.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("{}: {problem}", path.display())]
    Unreadable { path: PathBuf, problem: String },
    #[error("{}:{line}: {problem}", path.display())]
    Wrong { path: PathBuf, line: usize, problem: String },
}

/// Folders that hold `jamzd.toml` and `jamzd.d/*.toml`, the vendor's first; what is read later overrides.
pub const FOLDERS: [&str; 2] = ["/usr/lib/jamzd", "/etc/jamzd"];
/// No configuration needs more.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Reads the configuration: of `file` alone (with `file.d/*.toml`, if there is such a folder), or of the system's
/// folders.
///
/// # Errors
/// [`ConfigError`] for the first thing that is wrong, with its file and line.
pub fn load(file: Option<&Path>) -> Result<Config, ConfigError> {
    let files = match file {
        Some(file) => with_drop_ins(file),
        None => FOLDERS.iter().flat_map(|folder| system_files(Path::new(folder))).collect(),
    };
    let mut merged = toml::Table::new();
    let mut last = PathBuf::new();
    for path in files {
        merge(&mut merged, read(&path)?);
        last = path;
    }
    let wrong = |problem: String| ConfigError::Wrong { path: last, line: 0, problem };
    Config::deserialize(merged).map_err(|error| wrong(error.to_string()))
}

impl Config {
    /// Checks what the types of the values do not say: bounds, and what an address looks like.
    ///
    /// # Errors
    /// The section and the key that are wrong, where one key is, and what to do.
    fn check(&self) -> Result<(), Fault> {
        let fault = |section, problem: String| Fault { section, problem };
        self.audio.check().map_err(|error| fault("audio", error.to_string()))?;
        self.server.check().map_err(|error| fault("server", error.to_string()))?;
        self.mesh.ice().check().map_err(|error| fault("mesh", error.to_string()))?;
        self.cache.check().map_err(|error| fault("cache", error.to_string()))?;
        self.bus.check().map_err(|error| fault("bus", error.to_string()))?;
        if !CODE_VALID_S.contains(&self.convoy.code_valid_s) {
            let (least, most) = CODE_VALID_S.into_inner();
            let problem = format!("code_valid_s is {}; it goes from {least} to {most}", self.convoy.code_valid_s);
            return Err(fault("convoy", problem));
        }
        for (key, path) in [("state", &self.paths.state), ("cache", &self.paths.cache)] {
            if !path.is_absolute() {
                let problem = format!("{key} is {}; write the whole path, from / on", path.display());
                return Err(fault("paths", problem));
            }
        }
        Ok(())
    }

    /// What is no mistake in the configuration, and keeps the car from being what it says until it is mended.
    #[must_use]
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        for (key, file) in [
            ("token_file", &self.server.token_file),
            ("credentials_file", &self.server.credentials_file),
            ("ca_file", &self.server.ca_file),
        ] {
            if let Some(Err(error)) = file.as_ref().map(std::fs::metadata) {
                let file = file.as_deref().unwrap_or(Path::new("")).display();
                remarks.push(format!("{key} under [server]: {file}: {error}"));
            }
        }
        for folder in self.library.folders.iter().filter(|folder| !folder.is_dir()) {
            remarks.push(format!("folders under [library]: {} is no folder now", folder.display()));
        }
        let output = self.audio.output.to_string();
        // Anything else than a card's name is for ALSA to understand.
        let card = output.strip_prefix("alsa:").filter(|card| *card != "default" && !card.contains([':', ',', '=']));
        if card.is_some() && !audio::outputs().iter().any(|known| known.name == output) {
            remarks.push(format!("output under [audio]: there is no {output} now (`jamzctl outputs`)"));
        }
        remarks
    }
}

/// A value that is out of its bounds.
struct Fault {
    section: &'static str,
    problem: String,
}

impl Fault {
    /// The line of the key that the problem names; else of its section.
    fn line(&self, text: &str) -> usize {
        let Ok(document) = toml::de::DeTable::parse(text) else { return 1 };
        let Some((name, value)) = document.get_ref().get_key_value(self.section) else { return 1 };
        let named = |key: &str| self.problem.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == key);
        let keys = value.get_ref().as_table().into_iter().flatten();
        let key = keys.map(|(key, _)| key).find(|key| named(key.get_ref()));
        line_at(text, key.unwrap_or(name).span().start)
    }
}

fn line_at(text: &str, offset: usize) -> usize {
    text.get(..offset).map_or(1, |before| before.matches('\n').count() + 1)
}

fn system_files(folder: &Path) -> Vec<PathBuf> {
    let main = folder.join("jamzd.toml");
    let mut files: Vec<PathBuf> = main.exists().then_some(main).into_iter().collect();
    files.extend(drop_ins(&folder.join("jamzd.d")));
    files
}

fn with_drop_ins(file: &Path) -> Vec<PathBuf> {
    let mut folder = file.as_os_str().to_owned();
    folder.push(".d");
    std::iter::once(file.to_owned()).chain(drop_ins(Path::new(&folder))).collect()
}

/// The folder's `*.toml`, sorted by name.
fn drop_ins(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    files
}

/// Reads one file and checks it by itself, so that a mistake is shown where it was made.
fn read(path: &Path) -> Result<toml::Table, ConfigError> {
    let unreadable = |problem: String| ConfigError::Unreadable { path: path.to_owned(), problem };
    let bytes = std::fs::metadata(path).map_err(|e| unreadable(e.to_string()))?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(unreadable(format!("{bytes} bytes is no configuration; is this the right file?")));
    }
    let text = std::fs::read_to_string(path).map_err(|e| unreadable(e.to_string()))?;
    let alone: Config = toml::from_str(&text).map_err(|error| explain(path, &text, &error))?;
    if let Err(fault) = alone.check() {
        return Err(ConfigError::Wrong { path: path.to_owned(), line: fault.line(&text), problem: fault.problem });
    }
    toml::from_str(&text).map_err(|error| explain(path, &text, &error))
}

fn explain(path: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let start = error.span().map_or(0, |span| span.start);
    let line = line_at(text, start);
    let problem = unknown_key(error.message()).unwrap_or_else(|| error.message().to_owned());
    ConfigError::Wrong { path: path.to_owned(), line, problem }
}

/// Turns serde's "unknown field `a`, expected one of `b`, `c`" into a word on the nearest known key.
fn unknown_key(message: &str) -> Option<String> {
    let rest = message.strip_prefix("unknown field `")?;
    let (key, known) = rest.split_once('`')?;
    let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
    let nearest = known.iter().min_by_key(|candidate| strsim::damerau_levenshtein(key, candidate));
    Some(match nearest {
        Some(nearest) => format!("unknown key `{key}`; did you mean `{nearest}`? Known here: {}", known.join(", ")),
        None => format!("unknown key `{key}`; nothing can be set here"),
    })
}

/// Lays `over` on `base`: tables are merged, everything else is replaced.
fn merge(base: &mut toml::Table, over: toml::Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(toml::Value::Table(below)), toml::Value::Table(above)) => merge(below, above),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests;
