//! A connection with a member, once both have proved themselves: frames both ways, and signs of life.

use super::greet::Greeted;
use super::secret::Voice;
use crate::core::id::ConvoyId;
use crate::core::mesh::{LanEvent, SignedSignal};
use crate::wire::lan::{FRAME_HEAD_BYTES, Frame, FrameHead, HASH_BYTES};
use blake3::Hash;
use rustix::net::sockopt::set_tcp_user_timeout;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// How often each says that it is alive: a convoy has a connection for every two members,
const ALIVE_EVERY: Duration = Duration::from_secs(4);
/// and after how much silence the other takes the connection for dead.
const SILENCE_MAX: Duration = Duration::from_millis(9_500);
/// What was said must have arrived by then.
const ARRIVES_WITHIN: Duration = Duration::from_secs(3);
/// A member that does not read for so long is not there.
const WRITE_WITHIN: Duration = Duration::from_secs(3);

/// Carries until the connection ends, or `outbox` is closed; then says good-bye. The reason.
pub(super) async fn carry(
    greeted: Greeted,
    convoy: &ConvoyId,
    outbox: &mut mpsc::Receiver<SignedSignal>,
    events: &mpsc::Sender<LanEvent>,
) -> String {
    let Greeted { stream, mine, theirs, .. } = greeted;
    // A signal must not wait for the next one to fill a packet.
    let _ = stream.set_nodelay(true);
    let _ = set_tcp_user_timeout(&stream, ARRIVES_WITHIN.as_millis() as u32);
    let (reader, writer) = stream.into_split();
    tokio::select! {
        reason = hear(reader, theirs, convoy, events) => reason,
        reason = say(writer, mine, outbox) => reason,
    }
}

async fn say(mut writer: OwnedWriteHalf, mut voice: Voice, outbox: &mut mpsc::Receiver<SignedSignal>) -> String {
    let mut alive = tokio::time::interval(ALIVE_EVERY);
    loop {
        let frame = tokio::select! {
            signed = outbox.recv() => signed.map_or(Frame::Goodbye, |signed| Frame::Signal(Box::new(signed))),
            _ = alive.tick() => Frame::Alive,
        };
        let mut bytes = frame.encode();
        let hash = voice.next(&bytes);
        bytes.extend(hash.as_bytes());
        match timeout(WRITE_WITHIN, writer.write_all(&bytes)).await {
            Err(_) => return "it reads nothing".into(),
            Ok(Err(error)) => return error.to_string(),
            Ok(Ok(())) if frame == Frame::Goodbye => return "this car leaves".into(),
            Ok(Ok(())) => {}
        }
    }
}

async fn hear(
    mut reader: OwnedReadHalf,
    mut voice: Voice,
    convoy: &ConvoyId,
    events: &mpsc::Sender<LanEvent>,
) -> String {
    loop {
        let frame = match timeout(SILENCE_MAX, read(&mut reader, &mut voice)).await {
            Err(_) => return "it is silent".into(),
            Ok(Err(reason)) => return reason,
            Ok(Ok(frame)) => frame,
        };
        match frame {
            Frame::Alive => {}
            Frame::Goodbye => return "it leaves".into(),
            Frame::Signal(signed) if signed.convoy == *convoy => {
                // Fails only when the car ends.
                let _ = events.send(LanEvent::Signal(signed)).await;
            }
            Frame::Signal(_) => return "it signals in another convoy".into(),
        }
    }
}

async fn read(reader: &mut OwnedReadHalf, voice: &mut Voice) -> Result<Frame, String> {
    let mut head = [0; FRAME_HEAD_BYTES];
    reader.read_exact(&mut head).await.map_err(|error| error.to_string())?;
    let FrameHead { kind, body_bytes } = FrameHead::decode(head).map_err(|error| error.to_string())?;
    let mut bytes = head.to_vec();
    bytes.resize(FRAME_HEAD_BYTES + body_bytes, 0);
    let (_, body) = bytes.split_at_mut(FRAME_HEAD_BYTES);
    reader.read_exact(body).await.map_err(|error| error.to_string())?;
    let mut hash = [0; HASH_BYTES];
    reader.read_exact(&mut hash).await.map_err(|error| error.to_string())?;
    if voice.next(&bytes) != Hash::from(hash) {
        return Err("a frame was altered on its way".into());
    }
    let (_, body) = bytes.split_at(FRAME_HEAD_BYTES);
    Frame::decode(kind, body).map_err(|error| error.to_string())
}
