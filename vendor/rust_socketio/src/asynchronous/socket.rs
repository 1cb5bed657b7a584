use super::generator::StreamGenerator;
use crate::{
    error::Result,
    packet::{Packet, PacketId},
    Error, Event, Payload,
};
use async_stream::stream;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use rust_engineio::{
    asynchronous::Client as EngineClient, packet::HandshakePacket, Packet as EnginePacket, PacketId as EnginePacketId,
};
use std::{
    fmt::Debug,
    pin::Pin,
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc,
    },
};

/// All attachments of one packet together, in bytes.
const ATTACHMENT_BYTES_MAX: usize = 16 << 20;

#[derive(Clone)]
pub(crate) struct Socket {
    engine_client: Arc<EngineClient>,
    connected: Arc<AtomicBool>,
    generator: StreamGenerator<Packet>,
}

impl Socket {
    /// Creates an instance of `Socket`.
    pub(super) fn new(engine_client: EngineClient) -> Result<Self> {
        let connected = Arc::new(AtomicBool::default());
        Ok(Socket {
            engine_client: Arc::new(engine_client.clone()),
            connected: connected.clone(),
            generator: StreamGenerator::new(Self::stream(engine_client, connected)),
        })
    }

    /// Connects to the server. This includes a connection of the underlying
    /// engine.io client and afterwards an opening socket.io request.
    pub async fn connect(&self) -> Result<()> {
        self.engine_client.connect().await?;

        // store the connected value as true, if the connection process fails
        // later, the value will be updated
        self.connected.store(true, Ordering::Release);

        Ok(())
    }

    /// Disconnects from the server by sending a socket.io `Disconnect` packet. This results
    /// in the underlying engine.io transport to get closed as well.
    pub async fn disconnect(&self) -> Result<()> {
        if self.is_engineio_connected() {
            self.engine_client.disconnect().await?;
        }
        if self.connected.load(Ordering::Acquire) {
            self.connected.store(false, Ordering::Release);
        }
        Ok(())
    }

    /// Sends a `socket.io` packet to the server using the `engine.io` client.
    pub async fn send(&self, packet: Packet) -> Result<()> {
        if !self.is_engineio_connected() || !self.connected.load(Ordering::Acquire) {
            return Err(Error::IllegalActionBeforeOpen());
        }

        // the packet, encoded as an engine.io message packet
        let engine_packet = EnginePacket::new(EnginePacketId::Message, Bytes::from(&packet));
        self.engine_client.emit(engine_packet).await?;

        if let Some(attachments) = packet.attachments {
            for attachment in attachments {
                let engine_packet = EnginePacket::new(EnginePacketId::MessageBinary, attachment);
                self.engine_client.emit(engine_packet).await?;
            }
        }

        Ok(())
    }

    /// Waits until the peer answers a websocket ping; the stream must be polled meanwhile.
    pub async fn ping(&self) -> Result<()> {
        Ok(self.engine_client.ping().await?)
    }

    /// What the server said on opening.
    pub fn handshake(&self) -> &HandshakePacket {
        self.engine_client.handshake()
    }

    /// Emits to certain event with given data. The data needs to be JSON,
    /// otherwise this returns an `InvalidJson` error.
    pub async fn emit(&self, nsp: &str, event: Event, data: Payload) -> Result<()> {
        let socket_packet = Packet::new_from_payload(data, event, nsp, None)?;

        self.send(socket_packet).await
    }

    fn stream(
        client: EngineClient,
        is_connected: Arc<AtomicBool>,
    ) -> Pin<Box<impl Stream<Item = Result<Packet>> + Send>> {
        Box::pin(stream! {
            // waits for its attachments
            let mut partial: Option<Packet> = None;
            for await received_data in client.clone() {
                let packet = match received_data {
                    Ok(packet) => packet,
                    Err(err) => {
                        yield Err(err.into());
                        break;
                    }
                };
                let packet = match packet.packet_id {
                    // what was announced before and has not come, will not come
                    EnginePacketId::Message => {
                        partial = None;
                        Packet::try_from(&packet.data)
                    }
                    EnginePacketId::MessageBinary => match partial.take() {
                        Some(partial) => Self::attach(partial, packet.data),
                        None => Err(Error::InvalidAttachmentPacketType(packet.packet_id.into())),
                    },
                    _ => continue,
                };
                match packet {
                    Ok(packet) if packet.is_complete() => {
                        Self::handle_socketio_packet(&packet, is_connected.clone());
                        yield Ok(packet);
                    }
                    Ok(packet) => partial = Some(packet),
                    // nonsense is told, and the next packet is read
                    Err(err) => yield Err(err),
                }
            }
        })
    }

    /// Adds an attachment.
    fn attach(mut packet: Packet, attachment: Bytes) -> Result<Packet> {
        let attachments = packet.attachments.get_or_insert_with(Vec::new);
        attachments.push(attachment);
        if attachments.iter().map(Bytes::len).sum::<usize>() > ATTACHMENT_BYTES_MAX {
            return Err(Error::InvalidPacket());
        }
        Ok(packet)
    }

    /// Handles the connection/disconnection.
    #[inline]
    fn handle_socketio_packet(socket_packet: &Packet, is_connected: Arc<AtomicBool>) {
        match socket_packet.packet_type {
            PacketId::Connect => {
                is_connected.store(true, Ordering::Release);
            }
            PacketId::ConnectError => {
                is_connected.store(false, Ordering::Release);
            }
            PacketId::Disconnect => {
                is_connected.store(false, Ordering::Release);
            }
            _ => (),
        }
    }

    fn is_engineio_connected(&self) -> bool {
        self.engine_client.is_connected()
    }
}

impl Stream for Socket {
    type Item = Result<Packet>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.generator.poll_next_unpin(cx)
    }
}

impl Debug for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Socket")
            .field("engine_client", &self.engine_client)
            .field("connected", &self.connected)
            .finish()
    }
}
