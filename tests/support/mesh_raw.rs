//! A peer of the mesh that keeps to no rule: plain WebRTC, any channels, any frames.

use crate::cars::Car;
use crate::messages::key;
use bytes::BytesMut;
use jamz::core::id::DeviceId;
use jamz::core::mesh::{Attempt, MeshCommand, MeshEvent, Signal, SignalKind};
use rtc::ice::mdns::MulticastDnsMode;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::sleep;
use webrtc::data_channel::{DataChannel, DataChannelEvent, RTCDataChannelInit};
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceCandidateInit, RTCIceGatheringState,
    RTCSessionDescription, SettingEngineBuilder,
};

pub(crate) struct Raw {
    pub(crate) device: DeviceId,
    pub(crate) channels: Vec<Arc<dyn DataChannel>>,
    /// Why the car ended the link before it was open.
    pub(crate) ended: Option<String>,
    connection: Arc<dyn PeerConnection>,
}

/// Keeps the car's channels, and never reads them.
#[derive(Default)]
struct Handler {
    gathered: Arc<Notify>,
    theirs: Mutex<Vec<Arc<dyn DataChannel>>>,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            self.gathered.notify_one();
        }
    }

    async fn on_data_channel(&self, channel: Arc<dyn DataChannel>) {
        self.theirs.lock().unwrap().push(channel);
    }
}

impl Raw {
    /// Offers a link to a car that lets its signals out to nobody, with channels of these labels, and opens it.
    pub(crate) async fn offer(car: &mut Car, labels: &[&str]) -> Self {
        let handler = Arc::new(Handler::default());
        let gathered = handler.gathered.clone();
        let settings = SettingEngineBuilder::new().with_multicast_dns_mode(MulticastDnsMode::Disabled).build();
        let builder = PeerConnectionBuilder::new()
            .with_setting_engine(settings)
            .with_handler(handler)
            .with_udp_addrs(vec!["0.0.0.0:0"]);
        let connection: Arc<dyn PeerConnection> = Arc::new(Box::pin(builder.build()).await.unwrap());
        let mut channels = Vec::new();
        for label in labels {
            let init = RTCDataChannelInit { ordered: true, ..RTCDataChannelInit::default() };
            channels.push(connection.create_data_channel(label, Some(init)).await.unwrap());
        }
        let offer = connection.create_offer(None).await.unwrap();
        connection.set_local_description(offer).await.unwrap();
        gathered.notified().await;
        let body = connection.local_description().await.unwrap().sdp;
        let device = key(99).device().clone();
        let signal = Signal { attempt: Attempt(1), kind: SignalKind::Offer, body };
        car.links.send(MeshCommand::Signal { from: device.clone(), signal });
        let mut raw = Self { device, channels, ended: None, connection };
        raw.ended = raw.follow(car).await;
        raw
    }

    /// Takes the car's answer and candidates in, until the channels are open.
    async fn follow(&self, car: &mut Car) -> Option<String> {
        let opened = async {
            for channel in &self.channels {
                while !matches!(channel.poll().await, Some(DataChannelEvent::OnOpen)) {}
            }
        };
        tokio::pin!(opened);
        // A link needs three channels to come up.
        let (mut is_open, mut is_up) = (false, self.channels.len() != 3);
        while !(is_open && is_up) {
            let event = tokio::select! {
                () = &mut opened, if !is_open => {
                    is_open = true;
                    continue;
                }
                event = car.next() => event,
            };
            match event {
                MeshEvent::Up { .. } => is_up = true,
                MeshEvent::Signal { signal, .. } if signal.kind == SignalKind::Answer => {
                    let answer = RTCSessionDescription::answer(signal.body).unwrap();
                    self.connection.set_remote_description(answer).await.unwrap();
                }
                MeshEvent::Signal { signal, .. } => {
                    let candidate: RTCIceCandidateInit = serde_json::from_str(&signal.body).unwrap();
                    let _ = self.connection.add_ice_candidate(candidate).await;
                }
                MeshEvent::Down { reason, .. } => return Some(reason),
                MeshEvent::Message { .. } => panic!("a message already"),
            }
        }
        None
    }

    pub(crate) async fn send(&self, channel: usize, frame: &[u8]) -> bool {
        self.channels[channel].send(BytesMut::from(frame)).await.is_ok()
    }

    /// Until all of a channel's frames have arrived.
    pub(crate) async fn drained(&self, channel: usize) {
        while self.channels[channel].outstanding_bytes().await.is_ok_and(|bytes| bytes > 0) {
            sleep(Duration::from_millis(5)).await;
        }
    }
}
