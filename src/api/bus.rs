//! Which bus: the system's, the session's, or one at an address.

use zbus::connection::Builder;

/// A builder for `bus`: `system`, `session`, or a D-Bus address such as `unix:path=/run/jamz/bus`.
pub(crate) fn builder(bus: &str) -> Builder<'_> {
    match bus {
        "system" => Builder::system(),
        "session" => Builder::session(),
        address => Builder::address(address),
    }
}

/// Whether an error means that there is no bus to talk to, rather than that it answered with an error.
pub(crate) fn is_unreachable(error: &zbus::Error) -> bool {
    matches!(
        error,
        zbus::Error::Connection(..) | zbus::Error::InputOutput(_) | zbus::Error::Address(_) | zbus::Error::Handshake(_)
    )
}
