//! One PeerConnection: its settings, its channels, and what it tells.

use super::addresses;
use super::ice::Servers;
use crate::wire::mesh::{CLOCK, CONTENT, Channel, FRAME_BYTES_MAX, MUSIC_CONTROL};
use rtc::ice::mdns::MulticastDnsMode;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use webrtc::data_channel::{DataChannel, RTCDataChannelInit};
use webrtc::error::Result;
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCCertificate, RTCConfigurationBuilder,
    RTCIceTransportPolicy, RTCPeerConnectionIceEvent, RTCPeerConnectionState, SettingEngine, SettingEngineBuilder,
};

/// Time between two connectivity checks; the crate's own 200 ms make a link slow to come up.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);
/// Checks of one path before it is given up: 5 s, as a network that has just come up may lose the first.
const CHECKS_MAX: u16 = 100;
/// Beats show that a link lives, so ICE may take its time: more of it would be most of a calm link's traffic.
const ICE_KEEPALIVE: Duration = Duration::from_secs(12);
const ICE_DISCONNECTED: Duration = Duration::from_secs(25);
const ICE_FAILED: Duration = Duration::from_secs(5);
/// How long a relayed path waits for a direct one, and one through a NAT for one within the network.
const RELAY_WAIT: Duration = Duration::from_millis(600);
const REFLEXIVE_WAIT: Duration = Duration::from_millis(200);
/// Bytes of each channel that are on their way; also, how long a control may have to wait behind content.
const SEND_BUFFER_BYTES: usize = 64 << 10;
const RECEIVE_BUFFER_BYTES: u32 = 512 << 10;
/// What a connection tells at most before it is read.
pub(super) const TOLD_MAX: usize = 128;

/// All channels, in the order in which arrays of them stand.
pub(super) const CHANNELS: [Channel; 3] = [MUSIC_CONTROL, CLOCK, CONTENT];

/// Makes connections.
pub(super) struct Maker {
    pub(super) certificate: RTCCertificate,
    pub(super) servers: Servers,
    pub(super) relay_only: bool,
}

/// A connection with this side's channels, not yet open.
pub(super) struct Connection {
    pub(super) peer: Arc<dyn PeerConnection>,
    /// By [`CHANNELS`].
    pub(super) own: [Arc<dyn DataChannel>; 3],
}

/// What a connection tells.
pub(super) enum Told {
    /// A candidate of this side, as JSON.
    Candidate(String),
    /// The other side has opened a channel.
    Theirs(Arc<dyn DataChannel>),
    /// An own channel is open, by its place in [`CHANNELS`].
    Opened(usize),
    /// It is over, for this reason.
    Over(&'static str),
}

struct Handler(mpsc::Sender<Told>);

impl Handler {
    /// This runs on the connection's own task, which must never wait. What finds no room is told by a connection that
    /// never comes up, or by one whose peer opens channels without end.
    fn tell(&self, told: Told) {
        if self.0.try_send(told).is_err() {
            tracing::debug!("a connection tells more than is read");
        }
    }
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_candidate(&self, event: RTCPeerConnectionIceEvent) {
        let json = event.candidate.to_json().ok().and_then(|candidate| serde_json::to_string(&candidate).ok());
        if let Some(json) = json {
            self.tell(Told::Candidate(json));
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        match state {
            RTCPeerConnectionState::Failed => self.tell(Told::Over("no path to it is left")),
            RTCPeerConnectionState::Closed => self.tell(Told::Over("the connection was closed")),
            _ => {}
        }
    }

    async fn on_data_channel(&self, channel: Arc<dyn DataChannel>) {
        self.tell(Told::Theirs(channel));
    }
}

impl Maker {
    /// Makes a connection from the addresses that this machine has now.
    pub(super) async fn make(&self, told: mpsc::Sender<Told>) -> Result<Connection> {
        let policy = if self.relay_only { RTCIceTransportPolicy::Relay } else { RTCIceTransportPolicy::All };
        let configuration = RTCConfigurationBuilder::new()
            .with_ice_servers(self.servers.known().await)
            .with_ice_transport_policy(policy)
            .with_certificates(vec![self.certificate.clone()])
            .build();
        let builder = PeerConnectionBuilder::new()
            .with_configuration(configuration)
            .with_setting_engine(settings())
            .with_handler(Arc::new(Handler(told)))
            .with_udp_addrs(addresses::local())
            .with_data_channel_send_buffer_limit(SEND_BUFFER_BYTES);
        let peer: Arc<dyn PeerConnection> = Arc::new(Box::pin(builder.build()).await?);
        let [control, clock, content] = CHANNELS;
        let own = [open(&*peer, control).await?, open(&*peer, clock).await?, open(&*peer, content).await?];
        Ok(Connection { peer, own })
    }
}

fn settings() -> SettingEngine {
    SettingEngineBuilder::new()
        .with_ice_timeouts(Some(ICE_DISCONNECTED), Some(ICE_FAILED), Some(ICE_KEEPALIVE))
        .with_ice_connection_attempts(Some(CHECK_INTERVAL), Some(CHECKS_MAX))
        .with_host_acceptance_min_wait(Some(Duration::ZERO))
        .with_srflx_acceptance_min_wait(Some(REFLEXIVE_WAIT))
        .with_prflx_acceptance_min_wait(Some(REFLEXIVE_WAIT))
        .with_relay_acceptance_min_wait(Some(RELAY_WAIT))
        // With it, nothing comes up on a network without a default route.
        .with_multicast_dns_mode(MulticastDnsMode::Disabled)
        .with_sctp_max_receive_buffer_size(RECEIVE_BUFFER_BYTES)
        .build()
}

async fn open(peer: &dyn PeerConnection, channel: Channel) -> Result<Arc<dyn DataChannel>> {
    let Channel { label, ordered, max_retransmits } = channel;
    let init = RTCDataChannelInit { ordered, max_retransmits, ..RTCDataChannelInit::default() };
    peer.create_data_channel(label, Some(init)).await
}

// A frame must fit with room to spare, or it could never be sent.
const _: () = assert!(FRAME_BYTES_MAX * 2 <= SEND_BUFFER_BYTES);
