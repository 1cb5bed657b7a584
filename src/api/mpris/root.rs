//! `org.mpris.MediaPlayer2`: which program this is.

use crate::api::interface::Quiet;
use zbus::interface;

pub(crate) struct Root;

impl Quiet for Root {
    const QUIET: &'static [&'static str] = &[];
}

#[interface(name = "org.mpris.MediaPlayer2", introspection_docs = false)]
impl Root {
    /// There is no window to raise.
    fn raise(&self) {}

    /// The head unit is ended by the system, not by a remote control.
    fn quit(&self) {}

    #[zbus(property(emits_changed_signal = "const"))]
    fn can_quit(&self) -> bool {
        false
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn can_raise(&self) -> bool {
        false
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn has_track_list(&self) -> bool {
        false
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn identity(&self) -> String {
        "TrafficJamz".into()
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn supported_uri_schemes(&self) -> Vec<String> {
        vec!["http".into(), "https".into()]
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn supported_mime_types(&self) -> Vec<String> {
        ["audio/mpeg", "audio/mp4", "audio/aac", "audio/flac", "audio/ogg", "audio/opus", "audio/wav"]
            .map(String::from)
            .to_vec()
    }
}
