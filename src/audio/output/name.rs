//! The name of an output, as a configuration writes it.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// `alsa`, `alsa:CARD`, `virtual` or `wav:PATH`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum OutputName {
    /// A card by its name (`sndrpihifiberry`), or any PCM that ALSA knows (`plughw:CARD=Device,DEV=0`).
    Alsa(String),
    Virtual,
    Wav(PathBuf),
}

/// Why a text names no output.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no output: write \"alsa\", \"alsa:CARD\" with a card of `jamzctl outputs`, \"virtual\" or \"wav:PATH\""
)]
pub struct OutputNameError(String);

impl Default for OutputName {
    fn default() -> Self {
        Self::Alsa("default".into())
    }
}

impl FromStr for OutputName {
    type Err = OutputNameError;

    fn from_str(text: &str) -> Result<Self, OutputNameError> {
        match text.split_once(':') {
            None if text == "alsa" => Ok(Self::default()),
            None if text == "virtual" => Ok(Self::Virtual),
            Some(("alsa", card)) if !card.is_empty() => Ok(Self::Alsa(card.into())),
            Some(("wav", path)) if !path.is_empty() => Ok(Self::Wav(path.into())),
            _ => Err(OutputNameError(text.into())),
        }
    }
}

impl fmt::Display for OutputName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alsa(card) => write!(f, "alsa:{card}"),
            Self::Virtual => f.write_str("virtual"),
            Self::Wav(path) => write!(f, "wav:{}", path.display()),
        }
    }
}

impl TryFrom<String> for OutputName {
    type Error = OutputNameError;

    fn try_from(text: String) -> Result<Self, OutputNameError> {
        text.parse()
    }
}

impl From<OutputName> for String {
    fn from(name: OutputName) -> Self {
        name.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_is_named_as_the_manual_says_and_nonsense_is_refused_with_what_to_write() {
        assert_eq!("alsa".parse(), Ok(OutputName::Alsa("default".into())));
        assert_eq!("alsa:hw:CARD=Device,DEV=0".parse(), Ok(OutputName::Alsa("hw:CARD=Device,DEV=0".into())));
        assert_eq!("virtual".parse(), Ok(OutputName::Virtual));
        assert_eq!("wav:/tmp/a b.wav".parse(), Ok(OutputName::Wav("/tmp/a b.wav".into())));
        for nonsense in ["", "alsa:", "wav:", "pulse", "Virtual", "virtual:"] {
            let error = nonsense.parse::<OutputName>().unwrap_err().to_string();
            assert!(error.contains("jamzctl outputs"), "{error}");
        }
    }
}
