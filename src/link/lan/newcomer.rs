//! A newcomer: finds the cars on this network whose code is open, and proves to one of them that it was told it.

use super::discovery::{CodeSeen, CodesSeen};
use super::meeting::{self, Role};
use crate::core::code::Code;
use crate::core::id::DeviceId;
use crate::core::request::Refusal;
use crate::core::roadside::Roadside;
use crate::core::signature::{DeviceKey, check_meeting};
use crate::wire::founding::{GIFT_HEAD_BYTES, Gift, GiftHead, OPENING_BYTES, Opening, Verdict};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// How long is looked for a car with an open code,
const LOOK: Duration = Duration::from_secs(8);
/// and for others, when the first had another code.
const LOOK_ON: Duration = Duration::from_secs(2);
const DIAL_WITHIN: Duration = Duration::from_secs(1);
const MEET_WITHIN: Duration = Duration::from_secs(4);
/// Meetings with different cars; a road has fewer convoys that wait for newcomers.
const MEETINGS_MAX: usize = 8;

/// Why no car let this one in, the most telling last.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum NotIn {
    Nobody,
    Failed(String),
    Closed,
    Later,
    Wrong,
}

impl From<NotIn> for Refusal {
    fn from(why: NotIn) -> Self {
        let denied = |text: &str| Self::Denied(text.to_owned());
        match why {
            NotIn::Nobody => Self::Failed(
                "no car on this network has an open code: is it the same Wi-Fi, and was `jamzctl found` run there in \
                 the last minutes?"
                    .into(),
            ),
            NotIn::Failed(reason) => {
                Self::Failed(format!("a car with an open code is here, but {reason}; come nearer and try again"))
            }
            NotIn::Closed => denied("this code is good no more; ask for a new one (`jamzctl found` there)"),
            NotIn::Later => denied("there were too many wrong codes just now; wait a minute and try again"),
            NotIn::Wrong => denied("the code is wrong; ask for it again, it may also be a newer one by now"),
        }
    }
}

/// Asks all that it finds, until one lets it in.
///
/// # Errors
/// [`NotIn`], for the driver.
pub(super) async fn join(code: &Code, key: &DeviceKey) -> Result<Roadside, NotIn> {
    let mut seen = CodesSeen::look().map_err(|error| NotIn::Failed(format!("it cannot be looked for: {error}")))?;
    let mut asked = BTreeSet::new();
    let mut why = NotIn::Nobody;
    let end = sleep(LOOK);
    tokio::pin!(end);
    loop {
        let CodeSeen { device, addresses } = tokio::select! {
            next = seen.next() => match next {
                Some(next) => next,
                None => return Err(why),
            },
            () = &mut end => return Err(why),
        };
        if device == *key.device() || asked.contains(&device) {
            continue;
        }
        for address in addresses {
            match ask(address, &device, code, key).await {
                Ok(roadside) => return Ok(roadside),
                Err(failed @ NotIn::Failed(_)) => why = why.max(failed),
                Err(verdict) => {
                    why = why.max(verdict);
                    asked.insert(device);
                    end.set(sleep(LOOK_ON));
                    break;
                }
            }
        }
        if asked.len() >= MEETINGS_MAX {
            return Err(why);
        }
    }
}

pub(super) async fn ask(
    address: SocketAddr,
    device: &DeviceId,
    code: &Code,
    key: &DeviceKey,
) -> Result<Roadside, NotIn> {
    let failed = |reason: &str| NotIn::Failed(reason.to_owned());
    let stream = timeout(DIAL_WITHIN, TcpStream::connect(address)).await.map_err(|_| failed("it does not answer"))?;
    let stream = stream.map_err(|error| failed(&format!("cannot be reached: {error}")))?;
    timeout(MEET_WITHIN, meet(stream, device, code, key)).await.map_err(|_| failed("it took too long"))?
}

async fn meet(mut stream: TcpStream, device: &DeviceId, code: &Code, key: &DeviceKey) -> Result<Roadside, NotIn> {
    let broken = |error: std::io::Error| NotIn::Failed(format!("the connection broke: {error}"));
    let strange = |error: String| NotIn::Failed(format!("it is not understood: {error}"));
    let begun = meeting::begin(Role::Newcomer, code, key.device(), device);
    stream.write_all(&begun.opening().encode()).await.map_err(broken)?;
    let mut bytes = [0; OPENING_BYTES];
    stream.read_exact(&mut bytes).await.map_err(broken)?;
    let theirs = Opening::decode(&bytes).map_err(|error| strange(error.to_string()))?;
    refused(theirs.verdict)?;
    if theirs.device != *device {
        return Err(strange("another device answers than the one that was sought".into()));
    }
    let meeting = begun.meet(&theirs).ok_or_else(|| strange("what it opened with makes no key".into()))?;
    let signature = key.sign_meeting(meeting.said()).into_bytes();
    let sealed = meeting.seal(signature).ok_or_else(|| strange("nothing can be sealed for it".into()))?;
    let mut proof = meeting.confirmation().to_vec();
    proof.extend(sealed);
    stream.write_all(&proof).await.map_err(broken)?;

    let mut head = [0; GIFT_HEAD_BYTES];
    stream.read_exact(&mut head).await.map_err(broken)?;
    let head = GiftHead::decode(&head).map_err(|error| strange(error.to_string()))?;
    refused(head.verdict)?;
    if !meeting.is_confirmed(head.confirmation) {
        return Err(NotIn::Wrong);
    }
    let mut sealed = vec![0; head.sealed_bytes];
    stream.read_exact(&mut sealed).await.map_err(broken)?;
    let gift = meeting.open(sealed).ok_or_else(|| strange("what it says was altered on its way".into()))?;
    let gift = Gift::decode(&gift).map_err(|error| strange(error.to_string()))?;
    check_meeting(device, meeting.said(), &gift.signature).map_err(|error| strange(error.to_string()))?;
    let is_mine = gift.roadside.is_for(key.device());
    is_mine.then_some(gift.roadside).ok_or_else(|| strange("its ticket is not for this car".into()))
}

fn refused(verdict: Verdict) -> Result<(), NotIn> {
    match verdict {
        Verdict::GoOn => Ok(()),
        Verdict::Later => Err(NotIn::Later),
        Verdict::Closed => Err(NotIn::Closed),
        Verdict::Wrong => Err(NotIn::Wrong),
    }
}
