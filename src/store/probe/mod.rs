//! What is in a file: whether it is music, what it says of itself, and how long it lasts. Every file is hostile until
//! read.

mod guard;
mod hash;
mod length;
mod movie;
mod problem;
mod tags;

pub(super) use guard::{Watch, guarded};
pub(super) use hash::hash;
pub(super) use problem::Problem;

use guard::Watched;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use symphonia::core::codecs::registry::CodecRegistry;
use symphonia::core::common::Limit;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;

/// Bytes of one tag that are read; what is shown is shorter yet.
const TAG_BYTES_MAX: usize = 64 << 10;

/// What a music file says of itself, and its length as it is decoded.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Probed {
    /// Empty when the file has none.
    pub title: String,
    pub artist: String,
    pub album: String,
    pub gain_db: Option<f32>,
    pub duration_us: i64,
    /// What is wrong with a file that can be played all the same.
    pub damage: Option<String>,
}

/// Reads all of a file except its samples; runs inside [`guarded`].
pub(super) fn probe(path: &Path, watch: &Arc<Watch>) -> Result<Probed, Problem> {
    let mut format = open(path, watch)?;
    let tags = tags::read(format.as_mut());
    let movie_us = if format.format_info().short_name == "isomp4" { movie::length_us(path, watch)? } else { None };
    watch.opened();
    let length = length::measure(format.as_mut(), movie_us)?;
    Ok(Probed {
        title: tags.title,
        artist: tags.artist,
        album: tags.album,
        gain_db: tags.gain_db,
        duration_us: length.us,
        damage: length.damage,
    })
}

fn open(path: &Path, watch: &Arc<Watch>) -> Result<Box<dyn FormatReader>, Problem> {
    let stream = MediaSourceStream::new(Box::new(Watched::open(path, watch)?), MediaSourceStreamOptions::default());
    let mut hint = Hint::new();
    if let Some(extension) = path.extension().and_then(|extension| extension.to_str()) {
        hint.with_extension(extension);
    }
    let limits = MetadataOptions::default()
        .limit_tag_bytes(Limit::Maximum(TAG_BYTES_MAX))
        .limit_visual_bytes(Limit::Maximum(TAG_BYTES_MAX));
    symphonia::default::get_probe()
        .probe(&hint, stream, FormatOptions::default(), limits)
        .map_err(|error| Problem::opening(error, watch))
}

/// All of symphonia's decoders, and libopus.
fn codecs() -> &'static CodecRegistry {
    static CODECS: OnceLock<CodecRegistry> = OnceLock::new();
    CODECS.get_or_init(|| {
        let mut codecs = CodecRegistry::new();
        symphonia::default::register_enabled_codecs(&mut codecs);
        codecs.register_audio_decoder::<symphonia_adapter_libopus::OpusDecoder>();
        codecs
    })
}
