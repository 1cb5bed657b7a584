//! Which music the demo plays: the folder named in `MUSIC`, the user's own, or the built-in tune.

use super::tune;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

const EXTENSIONS: [&str; 8] = ["mp3", "m4a", "aac", "flac", "ogg", "oga", "opus", "wav"];

pub struct Music {
    pub folder: PathBuf,
    /// The built-in tune sounds at every instant; what people bring may rest.
    pub has_silence: bool,
}

impl Music {
    /// Finds the music, or makes it in `dir`.
    ///
    /// # Errors
    /// When the folder in `MUSIC` has none, or the tune cannot be written.
    pub fn find(dir: &Path) -> Result<Self> {
        if let Some(folder) = std::env::var_os("MUSIC").filter(|folder| !folder.is_empty()) {
            let folder = PathBuf::from(folder);
            if !has_audio(&folder) {
                bail!("no audio file in {} (known: {})", folder.display(), EXTENSIONS.join(", "));
            }
            return Ok(Self { folder: folder.canonicalize()?, has_silence: true });
        }
        if let Some(folder) = users_folder().filter(|folder| has_audio(folder)) {
            return Ok(Self { folder, has_silence: true });
        }
        let folder = dir.join("music");
        fs::create_dir_all(&folder)?;
        tune::write_all(&folder).context("cannot write the built-in tune")?;
        Ok(Self { folder, has_silence: false })
    }
}

/// As the XDG user directories name it.
fn users_folder() -> Option<PathBuf> {
    let home = PathBuf::from(std::env::var_os("HOME")?);
    let config = std::env::var_os("XDG_CONFIG_HOME").map_or_else(|| home.join(".config"), PathBuf::from);
    let dirs = fs::read_to_string(config.join("user-dirs.dirs")).unwrap_or_default();
    let named = dirs.lines().find_map(|line| line.strip_prefix("XDG_MUSIC_DIR=\"")?.strip_suffix('"'));
    Some(match named {
        Some(named) => named.strip_prefix("$HOME/").map_or_else(|| PathBuf::from(named), |below| home.join(below)),
        None => home.join("Music"),
    })
}

fn has_audio(folder: &Path) -> bool {
    let is_audio = |path: &Path| {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        EXTENSIONS.contains(&extension.to_lowercase().as_str())
    };
    walkdir::WalkDir::new(folder).into_iter().flatten().any(|entry| is_audio(entry.path()))
}
