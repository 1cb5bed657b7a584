//! Who may do what: only the controller's playback changes count, anyone may edit the playlist.

use super::changes::Action;
use super::id::DeviceId;

/// Whether `device` may do `action` while `controller` leads (nobody: then anyone may, and leads from then on).
#[must_use]
pub fn may(device: &DeviceId, action: &Action, controller: Option<&DeviceId>) -> bool {
    match action {
        Action::Play { .. } | Action::Pause { .. } | Action::Seek { .. } | Action::ChangeTrack { .. } => {
            controller.is_none_or(|c| c == device)
        }
        Action::ReleaseControl => controller == Some(device),
        Action::TakeControl | Action::Add { .. } | Action::Remove { .. } | Action::Move { .. } => true,
    }
}
