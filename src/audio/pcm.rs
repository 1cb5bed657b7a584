//! What sound cards and microphones have in common with ALSA: their names, and what is wrong with them in words.

use cpal::traits::HostTrait;
use cpal::{Device, DeviceId, ErrorKind, Host, HostId};

/// By the name of a PCM, or of a card; `default` is what `default_of` says.
pub(super) fn find(name: &str, default_of: impl FnOnce(&Host) -> Option<Device>) -> Option<Device> {
    let host = cpal::default_host();
    if name == "default" {
        return default_of(&host);
    }
    let pcms = [name.to_owned(), format!("plughw:CARD={name},DEV=0"), format!("sysdefault:CARD={name}")];
    pcms.into_iter().find_map(|pcm| host.device_by_id(&DeviceId::new(HostId::Alsa, pcm)))
}

/// Why a card cannot be used.
pub(super) fn problem(error: &cpal::Error) -> String {
    match error.kind() {
        ErrorKind::DeviceBusy => "another program is using it".into(),
        ErrorKind::DeviceNotAvailable => "it is not there".into(),
        ErrorKind::PermissionDenied => "permission denied; is this user in the group `audio`?".into(),
        _ => error.to_string(),
    }
}
