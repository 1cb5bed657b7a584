//! A page that is here: what it is told, by which device it has come, and when it is gone.

use super::answer::Body;
use crate::core::id::DeviceId;
use crate::core::mesh::{LanEvent, SignedSignal};
use crate::wire::web::{ALIVE, ToPhone};
use bytes::Bytes;
use futures_util::stream::poll_fn;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

/// Pages that are here at once, and of those that have not joined yet, from one address.
const VISITS_MAX: usize = 32;
const STRANGERS_MAX: usize = 4;
/// Who has not joined by then is sent away.
const JOIN_WITHIN: Duration = Duration::from_secs(10);
/// How often a page is told that the car is there: what does not arrive shows that the page is gone.
const ALIVE_EVERY: Duration = Duration::from_secs(5);
/// A page that takes in nothing for so long is gone.
const TAKES_WITHIN: Duration = Duration::from_secs(5);
/// What waits for one page; one that is further behind begins anew.
const OUTBOX_MAX: usize = 64;
/// Events that wait for the network.
const EVENTS_MAX: usize = 4;

/// A visit.
struct Visit {
    address: IpAddr,
    device: Option<DeviceId>,
    outbox: mpsc::Sender<ToPhone>,
    /// Which it was of all that began.
    number: u64,
}

/// All visits, by the challenge that nobody else knows.
pub(super) struct Visits {
    here: Mutex<BTreeMap<String, Visit>>,
    events: mpsc::Sender<LanEvent>,
    /// Held while the core is told who came and who went, so that it hears that in order.
    order: tokio::sync::Mutex<()>,
}

impl std::fmt::Debug for Visits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Visits")
    }
}

impl Visits {
    pub(super) fn new(events: mpsc::Sender<LanEvent>) -> Self {
        Self { here: Mutex::default(), events, order: tokio::sync::Mutex::default() }
    }

    fn here(&self) -> MutexGuard<'_, BTreeMap<String, Visit>> {
        self.here.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins one; none when there are too many. However many knock, who knocks last may come in.
    pub(super) fn begin(&self, challenge: &str, address: IpAddr) -> Option<mpsc::Receiver<ToPhone>> {
        let mut here = self.here();
        let strangers = here.values().filter(|visit| visit.device.is_none() && visit.address == address).count();
        if strangers >= STRANGERS_MAX {
            return None;
        }
        if here.len() >= VISITS_MAX {
            // Who means to come in has done so by now.
            let strangers = here.iter().filter(|(_, visit)| visit.device.is_none());
            let oldest = strangers.min_by_key(|(_, visit)| visit.number).map(|(challenge, _)| challenge.clone())?;
            here.remove(&oldest);
        }
        let (outbox, inbox) = mpsc::channel(OUTBOX_MAX);
        let number = here.values().map(|visit| visit.number + 1).max().unwrap_or(0);
        here.insert(challenge.to_owned(), Visit { address, device: None, outbox, number });
        Some(inbox)
    }

    /// Whether there is this visit, and nobody has come in it yet.
    pub(super) fn expects(&self, challenge: &str) -> bool {
        self.here().get(challenge).is_some_and(|visit| visit.device.is_none())
    }

    /// A device has come; false when the visit is over. An earlier visit of the same device ends.
    pub(super) async fn join(&self, challenge: &str, device: &DeviceId) -> bool {
        let _order = self.order.lock().await;
        {
            let mut here = self.here();
            if here.get(challenge).is_none_or(|visit| visit.device.is_some()) {
                return false;
            }
            if let Some(earlier) = here.values_mut().find(|visit| visit.device.as_ref() == Some(device)) {
                earlier.device = None;
                let reason = "a newer connection of this phone has taken its place".into();
                // Whoever is too far behind to hear it ends all the same.
                let _ = earlier.outbox.try_send(ToPhone::Refused { reason });
                earlier.outbox = mpsc::channel(1).0;
            }
            if let Some(visit) = here.get_mut(challenge) {
                visit.device = Some(device.clone());
            }
        }
        // Fails only when the car ends.
        let _ = self.events.send(LanEvent::Guest { device: device.clone() }).await;
        true
    }

    /// A page says a signal; false when it is not the one who signed that.
    pub(super) async fn hear(&self, challenge: &str, signed: Box<SignedSignal>) -> bool {
        let is_his = self.here().get(challenge).is_some_and(|visit| visit.device.as_ref() == Some(&signed.from));
        if is_his {
            let _ = self.events.send(LanEvent::Signal(signed)).await;
        }
        is_his
    }

    pub(super) fn has(&self, device: &DeviceId) -> bool {
        self.here().values().any(|visit| visit.device.as_ref() == Some(device))
    }

    pub(super) fn tell(&self, signed: &SignedSignal) {
        let mut here = self.here();
        let Some(visit) = here.values_mut().find(|visit| visit.device.as_ref() == Some(&signed.to)) else { return };
        if visit.outbox.try_send(ToPhone::signal(signed)).is_err() {
            tracing::debug!("a phone takes in less than it is told; its visit begins anew");
            // Without its outbox the visit ends.
            visit.outbox = mpsc::channel(1).0;
        }
    }

    pub(super) fn end_all(&self) {
        for visit in self.here().values_mut() {
            visit.outbox = mpsc::channel(1).0;
        }
    }

    async fn end(&self, challenge: &str) {
        let _order = self.order.lock().await;
        let gone = self.here().remove(challenge).and_then(|visit| visit.device);
        if let Some(device) = gone {
            tracing::debug!("a phone is here no more");
            let _ = self.events.send(LanEvent::Lost { device }).await;
        }
    }
}

/// The stream of what a page is told, which ends with the visit.
pub(super) fn receive(
    hello: ToPhone,
    challenge: String,
    mut inbox: mpsc::Receiver<ToPhone>,
    visits: Arc<Visits>,
) -> Body {
    let (events, mut stream) = mpsc::channel(EVENTS_MAX);
    tokio::spawn(async move {
        carry(hello, &challenge, &mut inbox, &events, &visits).await;
        visits.end(&challenge).await;
    });
    let told = |event: String| Ok::<_, Infallible>(Frame::data(Bytes::from(event)));
    StreamBody::new(poll_fn(move |context| stream.poll_recv(context).map(|event| event.map(told)))).boxed()
}

/// Until the page is gone, or is sent away.
async fn carry(
    hello: ToPhone,
    challenge: &str,
    inbox: &mut mpsc::Receiver<ToPhone>,
    events: &mpsc::Sender<String>,
    visits: &Visits,
) {
    let mut alive = tokio::time::interval(ALIVE_EVERY);
    let mut late = pin!(sleep(JOIN_WITHIN));
    let mut event = hello.event();
    let mut may_be_late = true;
    loop {
        if !matches!(timeout(TAKES_WITHIN, events.send(event)).await, Ok(Ok(()))) {
            return;
        }
        event = tokio::select! {
            said = inbox.recv() => match said {
                Some(said) => said.event(),
                None => return,
            },
            _ = alive.tick() => ALIVE.to_owned(),
            () = events.closed() => return,
            () = &mut late, if may_be_late => {
                may_be_late = false;
                if visits.expects(challenge) {
                    return;
                }
                ALIVE.to_owned()
            }
        };
    }
}
