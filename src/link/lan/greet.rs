//! The first words of a connection: each side proves that it knows the convoy's secret, or the connection ends.

use super::secret::{ConvoyKey, Side, Voice};
use crate::core::id::DeviceId;
use crate::wire::lan::{GREETING_HEAD_BYTES, Greeting, GreetingHead, HASH_BYTES, LanWireError};
use blake3::Hash;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Why a connection came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum GreetError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Wire(#[from] LanWireError),
    #[error("it is this car itself")]
    Myself,
    #[error("another device answers than the one that was sought")]
    Another,
    #[error("it does not know the convoy's secret")]
    Secret,
}

/// A member at the other end of a connection.
pub(super) struct Greeted {
    pub(super) device: DeviceId,
    pub(super) side: Side,
    pub(super) stream: TcpStream,
    /// Vouches for what goes out,
    pub(super) mine: Voice,
    /// and for what comes in.
    pub(super) theirs: Voice,
}

/// Greets as the one that dialled `sought`.
pub(super) async fn dialled(
    mut stream: TcpStream,
    me: Greeting,
    sought: &DeviceId,
    key: &ConvoyKey,
) -> Result<Greeted, GreetError> {
    stream.write_all(&me.encode()).await?;
    let other = read_greeting(&mut stream, &me.device).await?;
    if other.device != *sought {
        return Err(GreetError::Another);
    }
    stream.write_all(key.proof(Side::Dialled, &me, &other).as_bytes()).await?;
    check_proof(&mut stream, key.proof(Side::Accepted, &me, &other)).await?;
    Ok(greeted(stream, Side::Dialled, &me, &other, key))
}

/// Greets as the one that was dialled. Who dialled proves itself first, so that a stranger is told nothing that he
/// could work on.
pub(super) async fn accepted(mut stream: TcpStream, me: Greeting, key: &ConvoyKey) -> Result<Greeted, GreetError> {
    let other = read_greeting(&mut stream, &me.device).await?;
    stream.write_all(&me.encode()).await?;
    check_proof(&mut stream, key.proof(Side::Dialled, &other, &me)).await?;
    stream.write_all(key.proof(Side::Accepted, &other, &me).as_bytes()).await?;
    Ok(greeted(stream, Side::Accepted, &other, &me, key))
}

fn greeted(stream: TcpStream, side: Side, dialled: &Greeting, accepted: &Greeting, key: &ConvoyKey) -> Greeted {
    let device = if side == Side::Dialled { &accepted.device } else { &dialled.device };
    Greeted {
        device: device.clone(),
        side,
        stream,
        mine: key.voice(side, dialled, accepted),
        theirs: key.voice(side.other(), dialled, accepted),
    }
}

async fn read_greeting(stream: &mut TcpStream, me: &DeviceId) -> Result<Greeting, GreetError> {
    let mut head = [0; GREETING_HEAD_BYTES];
    stream.read_exact(&mut head).await?;
    let head = GreetingHead::decode(&head)?;
    let mut device = vec![0; head.device_bytes];
    stream.read_exact(&mut device).await?;
    let other = head.with_device(device)?;
    if other.device == *me { Err(GreetError::Myself) } else { Ok(other) }
}

async fn check_proof(stream: &mut TcpStream, wanted: Hash) -> Result<(), GreetError> {
    let mut proof = [0; HASH_BYTES];
    stream.read_exact(&mut proof).await?;
    // The comparison takes the same time wherever they differ.
    if wanted == Hash::from(proof) { Ok(()) } else { Err(GreetError::Secret) }
}
