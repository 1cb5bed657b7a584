//! A code that is open: this car listens for newcomers, and lets in those who prove that they were told it.

use super::gate::Gate;
use super::meeting::{self, Role};
use super::tries::Tries;
use super::{discovery, links};
use crate::core::clock::Monotonic;
use crate::core::code::Code;
use crate::core::id::DeviceId;
use crate::core::mesh::LanEvent;
use crate::core::roadside::Roadside;
use crate::core::signature::{DeviceKey, check_meeting};
use crate::wire::founding::{
    CONFIRMATION_BYTES, ELEMENT_BYTES, Gift, GiftHead, OPENING_BYTES, Opening, PROOF_BYTES, Verdict,
};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

/// Newcomers that are heard at once.
const MEETINGS_MAX: usize = 4;
/// All that a stranger may take until it has proved itself,
const PROVE_WITHIN: Duration = Duration::from_secs(3);
/// and to take in what it is told.
const TELL_WITHIN: Duration = Duration::from_secs(2);
/// Between two failures to accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// An open code; dropping it closes it.
#[derive(Debug)]
pub(super) struct Door {
    task: JoinHandle<()>,
}

/// What a door opens to.
pub(super) struct Offer {
    pub(super) code: Code,
    pub(super) roadside: Roadside,
    pub(super) key: DeviceKey,
    pub(super) valid: Duration,
    pub(super) clock: Arc<dyn Monotonic>,
    pub(super) events: mpsc::Sender<LanEvent>,
}

/// What became of a newcomer.
enum Outcome {
    LetIn(DeviceId),
    WrongGuess,
    Nothing(String),
}

impl Door {
    /// Listens and announces that it does, until the code's time is over or it is burnt.
    ///
    /// # Errors
    /// Why that is not possible on this machine.
    pub(super) async fn open(offer: Offer) -> io::Result<Self> {
        let listener = links::listen().await?;
        let port = listener.local_addr()?.port();
        let shown = discovery::show_code(offer.key.device(), port).map_err(io::Error::other)?;
        let task = tokio::spawn(async move {
            let valid = offer.valid;
            if timeout(valid, receive(listener, Arc::new(offer))).await.is_ok() {
                tracing::warn!("the code was guessed wrong too often; it is good no more");
            } else {
                tracing::info!("the code's time is over");
            }
            drop(shown);
        });
        Ok(Self { task })
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Until the code is burnt.
async fn receive(listener: TcpListener, offer: Arc<Offer>) {
    let (mut gate, mut tries) = (Gate::default(), Tries::default());
    let mut meetings = JoinSet::new();
    while !tries.is_burnt() {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, address)) => {
                    let now = offer.clock.now();
                    if meetings.len() < MEETINGS_MAX && gate.admits(canonical(address), now) {
                        let may = tries.begin(now);
                        meetings.spawn(meet(stream, offer.clone(), may));
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "a newcomer's connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(met) = meetings.join_next() => if let Ok((counts, outcome)) = met {
                if counts {
                    tries.end(matches!(outcome, Outcome::WrongGuess), offer.clock.now());
                }
                match outcome {
                    Outcome::LetIn(device) => tracing::info!(%device, "a car was let into the convoy by its code"),
                    Outcome::WrongGuess => tracing::warn!("a car did not know the code"),
                    Outcome::Nothing(reason) => tracing::debug!(reason, "a newcomer's meeting came to nothing"),
                }
            }
        }
    }
    // Fails only when the car ends.
    let _ = offer.events.send(LanEvent::CodeBurnt).await;
}

fn canonical(address: SocketAddr) -> std::net::IpAddr {
    address.ip().to_canonical()
}

/// Whether it counted as a guess, and what became of it.
async fn meet(mut stream: TcpStream, offer: Arc<Offer>, may: Result<(), Verdict>) -> (bool, Outcome) {
    if let Err(verdict) = may {
        let opening = Opening { verdict, device: offer.key.device().clone(), element: [0; ELEMENT_BYTES] };
        tell(&mut stream, &opening.encode()).await;
        return (false, Outcome::Nothing("it may not guess now".into()));
    }
    let proved = timeout(PROVE_WITHIN, hear(&mut stream, &offer)).await;
    let (newcomer, meeting, proof) = match proved.unwrap_or_else(|_| Err("it took too long".into())) {
        Ok(proved) => proved,
        Err(reason) => return (true, Outcome::Nothing(reason)),
    };
    let Some((confirmation, sealed)) = proof.split_first_chunk::<CONFIRMATION_BYTES>() else {
        return (true, Outcome::WrongGuess);
    };
    if !meeting.is_confirmed(*confirmation) {
        tell(&mut stream, &GiftHead::refusal(Verdict::Wrong).encode()).await;
        return (true, Outcome::WrongGuess);
    }
    let signature = meeting.open(sealed.to_vec()).and_then(|bytes| String::from_utf8(bytes).ok());
    if signature.is_none_or(|signature| check_meeting(&newcomer, meeting.said(), &signature).is_err()) {
        return (true, Outcome::Nothing("it is not the device that it says".into()));
    }
    let Some(roadside) = offer.roadside.for_newcomer(&offer.key, &newcomer) else {
        return (true, Outcome::Nothing("this car may let nobody in".into()));
    };
    let gift = Gift { roadside, signature: offer.key.sign_meeting(meeting.said()) };
    let Some(sealed) = meeting.seal(gift.encode()) else {
        return (true, Outcome::Nothing("what it is told could not be sealed".into()));
    };
    let confirmation = meeting.confirmation();
    let mut bytes = GiftHead { verdict: Verdict::GoOn, confirmation, sealed_bytes: sealed.len() }.encode();
    bytes.extend(sealed);
    tell(&mut stream, &bytes).await;
    (true, Outcome::LetIn(newcomer))
}

type Heard = (DeviceId, meeting::Meeting, [u8; PROOF_BYTES]);

/// All that a newcomer says. Nothing is told it but this side's opening.
async fn hear(stream: &mut TcpStream, offer: &Offer) -> Result<Heard, String> {
    let mut bytes = [0; OPENING_BYTES];
    stream.read_exact(&mut bytes).await.map_err(|error| error.to_string())?;
    let theirs = Opening::decode(&bytes).map_err(|error| error.to_string())?;
    let me = offer.key.device();
    if theirs.device == *me || theirs.verdict != Verdict::GoOn {
        return Err("it is this car itself, or no newcomer".into());
    }
    let begun = meeting::begin(Role::Member, &offer.code, me, &theirs.device);
    let opening = begun.opening().encode();
    let meeting = begun.meet(&theirs).ok_or("what it opened with makes no key")?;
    stream.write_all(&opening).await.map_err(|error| error.to_string())?;
    let mut proof = [0; PROOF_BYTES];
    stream.read_exact(&mut proof).await.map_err(|error| error.to_string())?;
    Ok((theirs.device, meeting, proof))
}

/// A newcomer that takes nothing in has itself to blame.
async fn tell(stream: &mut TcpStream, bytes: &[u8]) {
    let _ = timeout(TELL_WITHIN, async {
        stream.write_all(bytes).await?;
        stream.shutdown().await
    })
    .await;
}

#[cfg(test)]
mod tests;
