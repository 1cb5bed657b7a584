//! Who was put out of the convoy: told to every neighbour, and no link is kept with him.

use crate::core::car::Car;
use crate::core::clock::MonoTime;
use crate::core::id::DeviceId;
use crate::core::io::Output;
use crate::core::mesh::{MeshCommand, PeerMessage};
use crate::core::ticket::Revocations;

impl Car {
    /// A list of void tickets, from the server or a neighbour. What is new goes on to all neighbours, those who are put
    /// out by it among them: they are told why before their link ends.
    pub(in crate::core::car) fn learn_revocations(&mut self, list: &Revocations, now: MonoTime) {
        let Some(convoy) = &self.convoy else { return };
        if !self.papers.tickets.take_revocations(list, convoy) {
            return;
        }
        self.touch(now);
        let all: Vec<DeviceId> = self.mesh.peers.keys().cloned().collect();
        let live: Vec<DeviceId> = self.mesh.live().map(|(device, _)| device.clone()).collect();
        self.tell_peers(live, PeerMessage::Revoked(Box::new(list.clone())));
        for device in all.iter().filter(|device| self.is_put_out(device)).cloned().collect::<Vec<_>>() {
            self.turn_away(&device);
        }
    }

    /// A new neighbour is told of every issuer's newest list.
    pub(super) fn tell_revocations(&mut self, to: &DeviceId) {
        let lists: Vec<Revocations> = self.papers.tickets.revocations().cloned().collect();
        for list in lists {
            self.tell_peer(to, PeerMessage::Revoked(Box::new(list)));
        }
    }

    /// Whether the ticket of a device is void: there is to be no link with it.
    pub(super) fn is_put_out(&self, device: &DeviceId) -> bool {
        self.papers.tickets.is_put_out(device)
    }

    /// Ends the link with someone, or the attempt at one.
    pub(super) fn turn_away(&mut self, device: &DeviceId) {
        let Some(peer) = self.mesh.peers.get_mut(device).filter(|peer| peer.attempt().is_some()) else { return };
        let was_live = peer.live().is_some();
        peer.end();
        self.mesh.stirred = true;
        if was_live {
            self.tell_peer(device, PeerMessage::Goodbye);
        }
        self.outputs.push_back(Output::Mesh(MeshCommand::Close { peer: device.clone() }));
    }
}
