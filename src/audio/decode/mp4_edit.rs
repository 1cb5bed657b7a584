//! The edit list of an MP4 file: which part of the decoded audio is the music. symphonia 0.6 reads and ignores it.

use std::io::{self, Read, Seek, SeekFrom};

/// What an edit list says of the first audio track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Edit {
    /// Decoded time before the music starts (the encoder's delay), in units of the track's timescale.
    pub media_time: u64,
    /// Length of the music, in units of the movie's timescale.
    pub duration: u64,
    pub movie_timescale: u32,
    pub track_timescale: u32,
}

/// More boxes than this are no music file.
const BOXES_MAX: usize = 10_000;

struct BoxHeader {
    kind: [u8; 4],
    body: u64,
    end: u64,
}

/// Reads the edit of the first sound track that has one; leaves the reader anywhere.
///
/// # Errors
/// When the file cannot be read; a file of another kind is none.
pub(super) fn read<R: Read + Seek>(file: &mut R, end: u64) -> io::Result<Option<Edit>> {
    let Some(moov) = find(file, 0, end, *b"moov")? else { return Ok(None) };
    let Some(movie_timescale) = timescale(file, &moov, *b"mvhd")? else { return Ok(None) };
    let mut next = moov.body;
    while let Some(trak) = find(file, next, moov.end, *b"trak")? {
        next = trak.end;
        let Some(mdia) = find(file, trak.body, trak.end, *b"mdia")? else { continue };
        if !is_sound(file, &mdia)? {
            continue;
        }
        let Some(track_timescale) = timescale(file, &mdia, *b"mdhd")? else { continue };
        let Some(edts) = find(file, trak.body, trak.end, *b"edts")? else { return Ok(None) };
        let Some(elst) = find(file, edts.body, edts.end, *b"elst")? else { return Ok(None) };
        return Ok(first_edit(file, &elst)?.map(|(duration, media_time)| Edit {
            media_time,
            duration,
            movie_timescale,
            track_timescale,
        }));
    }
    Ok(None)
}

/// The next box of this kind at or after `at`, among siblings.
fn find<R: Read + Seek>(file: &mut R, mut at: u64, end: u64, kind: [u8; 4]) -> io::Result<Option<BoxHeader>> {
    for _ in 0..BOXES_MAX {
        if at.saturating_add(8) > end {
            return Ok(None);
        }
        file.seek(SeekFrom::Start(at))?;
        let size = u64::from(u32::from_be_bytes(bytes(file)?));
        let found: [u8; 4] = bytes(file)?;
        let (size, header) = match size {
            0 => (end - at, 8),
            1 => (u64::from_be_bytes(bytes(file)?), 16),
            size => (size, 8),
        };
        let next = at.saturating_add(size);
        if size < header || next > end {
            return Ok(None);
        }
        if found == kind {
            return Ok(Some(BoxHeader { kind: found, body: at + header, end: next }));
        }
        at = next;
    }
    Ok(None)
}

/// The timescale in a `mvhd` or `mdhd`, which begin alike.
fn timescale<R: Read + Seek>(file: &mut R, parent: &BoxHeader, kind: [u8; 4]) -> io::Result<Option<u32>> {
    let Some(header) = find(file, parent.body, parent.end, kind)? else { return Ok(None) };
    debug_assert_eq!(header.kind, kind);
    file.seek(SeekFrom::Start(header.body))?;
    let [version, ..]: [u8; 4] = bytes(file)?;
    file.seek(SeekFrom::Current(if version == 1 { 16 } else { 8 }))?;
    Ok(Some(u32::from_be_bytes(bytes(file)?)).filter(|timescale| *timescale > 0))
}

fn is_sound<R: Read + Seek>(file: &mut R, mdia: &BoxHeader) -> io::Result<bool> {
    let Some(hdlr) = find(file, mdia.body, mdia.end, *b"hdlr")? else { return Ok(false) };
    file.seek(SeekFrom::Start(hdlr.body + 8))?;
    let handler: [u8; 4] = bytes(file)?;
    Ok(&handler == b"soun")
}

/// Duration and media time of the first edit that is not empty.
fn first_edit<R: Read + Seek>(file: &mut R, elst: &BoxHeader) -> io::Result<Option<(u64, u64)>> {
    file.seek(SeekFrom::Start(elst.body))?;
    let [version, ..]: [u8; 4] = bytes(file)?;
    let entries = u32::from_be_bytes(bytes(file)?);
    for _ in 0..entries.min(16) {
        let (duration, media_time) = if version == 1 {
            (u64::from_be_bytes(bytes(file)?), i64::from_be_bytes(bytes(file)?))
        } else {
            (u64::from(u32::from_be_bytes(bytes(file)?)), i64::from(i32::from_be_bytes(bytes(file)?)))
        };
        let _rate: [u8; 4] = bytes(file)?;
        if let Ok(media_time) = u64::try_from(media_time) {
            return Ok(Some((duration, media_time)));
        }
    }
    Ok(None)
}

fn bytes<const N: usize>(file: &mut impl Read) -> io::Result<[u8; N]> {
    let mut buffer = [0; N];
    file.read_exact(&mut buffer)?;
    Ok(buffer)
}
