//! Which secret a convoy's members are known by: that of the convoy that was founded on the roadside, else the
//! configured one.

use super::secret::Secret;
use crate::core::id::ConvoyId;
use crate::core::roadside::Roadside;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// A convoy whose members are looked for, and their secret.
pub(super) type Sought = Option<(ConvoyId, Secret)>;

#[derive(Debug)]
pub(super) struct Keys {
    known: Mutex<Known>,
    sought: watch::Sender<Sought>,
    /// The convoy that is kept, while it is the one that is wanted.
    founded: watch::Sender<Option<Roadside>>,
}

#[derive(Debug)]
struct Known {
    wanted: Option<ConvoyId>,
    configured: Option<Secret>,
    kept: Option<Roadside>,
}

impl Keys {
    pub(super) fn new(configured: Option<Secret>, kept: Option<Roadside>) -> Self {
        let known = Mutex::new(Known { wanted: None, configured, kept });
        Self { known, sought: watch::channel(None).0, founded: watch::channel(None).0 }
    }

    pub(super) fn sought(&self) -> watch::Receiver<Sought> {
        self.sought.subscribe()
    }

    pub(super) fn founded(&self) -> watch::Receiver<Option<Roadside>> {
        self.founded.subscribe()
    }

    pub(super) fn want(&self, convoy: Option<ConvoyId>) {
        let mut known = self.known();
        known.wanted = convoy;
        self.tell(&known);
    }

    pub(super) fn keep(&self, kept: Option<Roadside>) {
        let mut known = self.known();
        known.kept = kept;
        self.tell(&known);
    }

    pub(super) fn kept(&self) -> Option<Roadside> {
        self.known().kept.clone()
    }

    fn tell(&self, known: &Known) {
        let founded = known.kept.clone().filter(|kept| known.wanted.as_ref() == Some(&kept.convoy));
        tell_news(&self.founded, founded);
        let sought = known.wanted.clone().and_then(|convoy| {
            let kept = known.kept.as_ref().filter(|kept| kept.convoy == convoy);
            let secret =
                kept.map(|kept| Secret::of(kept.secret.text().as_bytes())).or_else(|| known.configured.clone());
            if secret.is_none() {
                tracing::info!(
                    "cars on the same network are not looked for: the convoy was not founded by `jamzctl found`, and \
                     `secret_file` under [convoy] is not set"
                );
            }
            Some((convoy, secret?))
        });
        tell_news(&self.sought, sought);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn tell_news<T: PartialEq>(to: &watch::Sender<T>, now: T) {
    to.send_if_modified(|before| {
        let is_new = *before != now;
        *before = now;
        is_new
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::id::ConvoyName;
    use crate::core::signature::DeviceKey;
    use crate::core::ticket::WallTime;

    #[test]
    fn a_convoy_of_the_roadside_has_its_own_secret_and_every_other_the_configured_one() {
        let name = ConvoyName::new("alps").unwrap();
        let founder = DeviceKey::from_secret(&[1; 32]).unwrap();
        let kept = Roadside::found(name, &founder, WallTime::default(), ([1; 32], [2; 32])).unwrap();
        let configured = Secret::of(b"configured");
        let keys = Keys::new(Some(configured.clone()), None);
        let sought = keys.sought();
        let secret = |convoy: &ConvoyId| {
            keys.want(Some(convoy.clone()));
            sought.borrow().clone().map(|(_, secret)| secret)
        };
        let other = ConvoyId::new("jura").unwrap();
        assert_eq!(secret(&kept.convoy), Some(configured.clone()));
        keys.keep(Some(kept.clone()));
        assert_eq!(secret(&kept.convoy), Some(Secret::of("02".repeat(32).as_bytes())));
        assert_eq!(secret(&other), Some(configured));
        assert_eq!(*keys.founded().borrow(), None, "another convoy is wanted than the one that is kept");
        keys.want(Some(kept.convoy.clone()));
        assert_eq!(*keys.founded().borrow(), Some(kept));
        keys.want(None);
        assert!(sought.borrow().is_none() && keys.founded().borrow().is_none());
    }
}
