//! The convoy that this car founded or was let into, kept in the state folder for its owner alone.

use crate::core::roadside::Roadside;
use std::fs::{self, File, OpenOptions};
use std::io::{Error, ErrorKind, Result, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

const FILE: &str = "convoy.json";
const FILE_BYTES_MAX: u64 = 16 << 10;

/// What is kept; none when nothing is.
///
/// # Errors
/// What is wrong with the file, in words for the driver. It is left as it is.
pub(super) fn read(folder: &Path) -> Result<Option<Roadside>> {
    let path = folder.join(FILE);
    let metadata = match fs::metadata(&path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let problem = format!("it may be read or written by others (mode {mode:o}); `chmod 600` it");
        return Err(Error::new(ErrorKind::PermissionDenied, problem));
    }
    let damaged = || Error::new(ErrorKind::InvalidData, "it is damaged; remove it, and join the convoy again");
    if metadata.len() > FILE_BYTES_MAX {
        return Err(damaged());
    }
    // The parser's own words may hold what it read.
    serde_json::from_slice(&fs::read(&path)?).map(Some).map_err(|_| damaged())
}

/// Written whole under another name first: a power cut leaves the old one or the new one.
///
/// # Errors
/// As the disk says.
pub(super) fn write(folder: &Path, kept: &Roadside) -> Result<()> {
    let path = folder.join(FILE);
    let draft = path.with_extension("json.new");
    gone(&draft)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    serde_json::to_writer(&file, kept)?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(&draft, &path)?;
    File::open(folder)?.sync_all()
}

/// # Errors
/// As the disk says.
pub(super) fn forget(folder: &Path) -> Result<()> {
    gone(&folder.join(FILE))?;
    File::open(folder)?.sync_all()
}

fn gone(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::id::ConvoyName;
    use crate::core::signature::DeviceKey;
    use crate::core::ticket::WallTime;

    fn roadside(name: &str) -> Roadside {
        let founder = DeviceKey::from_secret(&[1; 32]).unwrap();
        let name = ConvoyName::new(name).unwrap();
        Roadside::found(name, &founder, WallTime::default(), ([1; 32], [0xab; 32])).unwrap()
    }

    #[test]
    fn what_is_kept_is_its_owners_alone_until_it_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path()).unwrap(), None);
        fs::write(folder.path().join("convoy.json.new"), "a power cut left this").unwrap();
        write(folder.path(), &roadside("alps")).unwrap();
        write(folder.path(), &roadside("jura")).unwrap();
        assert_eq!(read(folder.path()).unwrap(), Some(roadside("jura")));
        assert_eq!(fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        forget(folder.path()).unwrap();
        forget(folder.path()).unwrap();
        assert_eq!(read(folder.path()).unwrap(), None);
    }

    #[test]
    fn a_file_that_is_damaged_or_open_to_others_is_refused_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &roadside("alps")).unwrap();
        let path = folder.path().join(FILE);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(read(folder.path()).unwrap_err().to_string().contains("chmod 600"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        for text in ["", "{}", "{\"secret\": \"hush\"}", &"[".repeat(20_000)] {
            fs::write(&path, text).unwrap();
            let said = read(folder.path()).unwrap_err().to_string();
            assert!(said.contains("join the convoy again") && !said.contains("hush"), "{said}");
        }
    }
}
