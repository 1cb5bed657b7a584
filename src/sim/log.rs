//! The drive's log: what each car was told, in short, with the cars' numbers for their devices.

use super::node::Node;
use super::world::World;
use crate::core::changes::{Change, ChangeId, Verdict, Versions};
use crate::core::election::Choice;
use crate::core::id::DeviceId;
use crate::core::io::{Input, ServerEvent};
use crate::core::mesh::{LanEvent, MeshEvent, PeerMessage};
use crate::core::request::{Done, Refusal};
use crate::core::status::Member;

impl World {
    /// Notes what happens, where a log is kept.
    pub(super) fn note(&mut self, what: impl FnOnce(&Self) -> Option<String>) {
        let text = self.log.as_ref().and_then(|_| what(self));
        if let (Some(log), Some(text)) = (&mut self.log, text) {
            log.push(format!("{:>10.3}  {text}", self.now as f64 / 1e6));
        }
    }

    /// What a car is told, but for what comes all the time.
    pub(super) fn words(&self, input: &Input) -> Option<String> {
        Some(match input {
            Input::Wake | Input::Server(ServerEvent::Probed { .. }) => return None,
            Input::Stored(id) => format!("stored {}", self.id(id)),
            Input::Command { command, .. } => format!("{command:?}"),
            Input::Mesh(MeshEvent::Message { from, message, .. }) => {
                format!("{}: {}", self.name(from), self.message(message)?)
            }
            Input::Mesh(MeshEvent::Signal { to, signal }) => format!("its {:?} for {}", signal.kind, self.name(to)),
            Input::Mesh(MeshEvent::Up { peer, .. }) => format!("link with {}", self.name(peer)),
            Input::Mesh(MeshEvent::Down { peer, reason, .. }) => format!("no link with {}: {reason}", self.name(peer)),
            Input::Lan(LanEvent::Found { device }) => format!("found {}", self.name(device)),
            Input::Lan(LanEvent::Lost { device }) => format!("missed {}", self.name(device)),
            Input::Lan(LanEvent::Signal(signed)) => {
                format!("{:?} of {} by the LAN", signed.signal.kind, self.name(&signed.from))
            }
            Input::Server(event) => format!("server: {}", self.event(event)),
            other => format!("{other:?}"),
        })
    }

    fn message(&self, message: &PeerMessage) -> Option<String> {
        Some(match message {
            PeerMessage::Beat(_) => return None,
            PeerMessage::Hello(_) => "hello".into(),
            PeerMessage::Change { change, hops, .. } => format!("{}, hop {hops}", self.change(change)),
            PeerMessage::Verdict { change, verdict } => format!("{} is {}", self.id(change), word(verdict)),
            PeerMessage::Versions(versions) => format!("knows {}", self.versions(versions)),
            PeerMessage::Want(ids) => format!("wants {:?}", ids.iter().map(|id| self.id(id)).collect::<Vec<_>>()),
            PeerMessage::State(state) => format!("state of {}", self.versions(&state.versions)),
            PeerMessage::Members(members) => {
                let name = |member: &Member| DeviceId::new(&*member.device).map_or("?".into(), |id| self.name(&id));
                format!("reaches {}", members.iter().map(name).collect::<Vec<_>>().join(", "))
            }
            PeerMessage::Signal { signal, hops } => {
                format!("{:?} of {}, hop {hops}", signal.signal.kind, self.name(&signal.from))
            }
            PeerMessage::Revoked(list) => format!("list {} of who is out", list.number),
            PeerMessage::Goodbye => "goodbye".into(),
        })
    }

    fn event(&self, event: &ServerEvent) -> String {
        match event {
            ServerEvent::Joined { snapshot, .. } => format!("joined, {}", self.versions(&snapshot.versions)),
            ServerEvent::State(snapshot) => format!("state of {}", self.versions(&snapshot.versions)),
            ServerEvent::Change(change) => self.change(change),
            ServerEvent::Acked { change, verdict } => format!("{} is {}", self.id(change), word(verdict)),
            ServerEvent::Members(members) => format!("{} members", members.len()),
            ServerEvent::Signal(signed) => format!("{:?} of {}", signed.signal.kind, self.name(&signed.from)),
            other => format!("{other:?}"),
        }
    }

    fn change(&self, change: &Change) -> String {
        format!("{} {}", self.id(&change.id), change.action.name())
    }

    pub(super) fn id(&self, id: &ChangeId) -> String {
        format!("{}:{}", self.name(&id.device), id.sequence)
    }

    /// The last known change of each car, less those that are not known.
    pub(super) fn versions(&self, versions: &Versions) -> String {
        let known = |node: &Node| {
            let device = node.device().clone();
            let last = versions.next(&device) - 1;
            let lacks = |sequence: &u64| !versions.knows(&ChangeId { device: device.clone(), sequence: *sequence });
            let gaps: Vec<String> = (1..last).filter(lacks).map(|sequence| sequence.to_string()).collect();
            if gaps.is_empty() { last.to_string() } else { format!("{last} less {}", gaps.join(",")) }
        };
        let all: Vec<String> = self.nodes.iter().map(known).collect();
        format!("[{}]", all.join("; "))
    }

    pub(super) fn name(&self, device: &DeviceId) -> String {
        self.number_of(device).map_or_else(|| device.to_string(), |number| format!("car {number}"))
    }

    pub(super) fn named(&self, device: Option<&DeviceId>) -> String {
        device.map_or_else(|| "nobody".into(), |device| self.name(device))
    }

    /// Whom a car obeys, in words.
    pub(super) fn obeyed(&self, choice: &Choice) -> String {
        match choice {
            Choice::Server => "the server".into(),
            Choice::Lead => "itself".into(),
            Choice::Follow(device) => self.name(device),
        }
    }

    pub(super) fn answer(&self, result: &Result<Done, Refusal>) -> String {
        match result {
            Ok(done) => {
                let ids: Vec<String> = done.changes.iter().map(|id| self.id(id)).collect();
                format!("done, {:?}, {}", done.reach, ids.join(" "))
            }
            Err(refusal) => format!("{refusal:?}"),
        }
    }
}

pub(super) fn word(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Applied => "applied".into(),
        Verdict::Duplicate => "a duplicate".into(),
        Verdict::Refused { reason } => format!("refused: {reason}"),
        Verdict::Superseded { reason } => format!("superseded: {reason}"),
    }
}
