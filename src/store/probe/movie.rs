//! How long an MP4 file plays by its movie header: what is left when the encoder's delay and padding are cut off by its
//! edit list, which symphonia does not read.

use super::guard::Watched;
use super::{Problem, Watch};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

/// More boxes than this before the header are no music file.
const BOXES_MAX: usize = 1_000;

/// In microseconds; none when the header does not say it, as in a stream.
pub(super) fn length_us(path: &Path, watch: &Arc<Watch>) -> Result<Option<i64>, Problem> {
    let mut file = Watched::open(path, watch)?;
    Ok(header(&mut file).ok().filter(|us| *us > 0))
}

fn header(file: &mut Watched) -> io::Result<i64> {
    find(file, *b"moov")?;
    find(file, *b"mvhd")?;
    let [version, ..]: [u8; 4] = bytes(file)?;
    let (timescale, duration) = if version == 1 {
        let _dates: [u8; 16] = bytes(file)?;
        (u32::from_be_bytes(bytes(file)?), u64::from_be_bytes(bytes(file)?))
    } else {
        let _dates: [u8; 8] = bytes(file)?;
        (u32::from_be_bytes(bytes(file)?), u64::from(u32::from_be_bytes(bytes(file)?)))
    };
    let us = u128::from(duration) * 1_000_000 / u128::from(timescale.max(1));
    Ok(i64::try_from(us).unwrap_or(0))
}

/// Leaves `file` at the body of the next box of this kind among the siblings from here on.
fn find(file: &mut Watched, wanted: [u8; 4]) -> io::Result<()> {
    for _ in 0..BOXES_MAX {
        let size = u64::from(u32::from_be_bytes(bytes(file)?));
        let kind: [u8; 4] = bytes(file)?;
        let body = match size {
            1 => u64::from_be_bytes(bytes(file)?).checked_sub(16),
            size => size.checked_sub(8),
        };
        if kind == wanted {
            return Ok(());
        }
        let skipped = body.and_then(|body| i64::try_from(body).ok()).ok_or(io::ErrorKind::InvalidData)?;
        file.seek(SeekFrom::Current(skipped))?;
    }
    Err(io::ErrorKind::InvalidData.into())
}

fn bytes<const N: usize>(file: &mut Watched) -> io::Result<[u8; N]> {
    let mut buffer = [0; N];
    file.read_exact(&mut buffer)?;
    Ok(buffer)
}
