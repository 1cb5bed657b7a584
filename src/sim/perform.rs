//! What a core wants done, done on the road.

use super::log::word;
use super::world::{Event, World};
use crate::core::changes::{Action, Change, ChangeId, Verdict};
use crate::core::io::{Input, Output, ServerEvent};
use crate::core::mesh::{LanCommand, LanEvent, MeshEvent, PeerMessage};

impl World {
    /// Gives a car an input, does what it wants done, and plans its next wake.
    pub(super) fn input(&mut self, car: usize, input: Input) {
        let now = self.now;
        self.note(|world| Some(format!("{car} <- {}", world.words(&input)?)));
        let Some(node) = self.nodes.get_mut(car) else { return };
        let mono = node.crystal.mono(now);
        let Some(core) = &mut node.car else { return };
        let before = core.obeys();
        let brought = change_in(&input).filter(|id| core.state().versions.knows(id)).cloned();
        core.handle(input, mono);
        self.known = brought;
        self.drain(car);
        let Some(node) = self.nodes.get_mut(car) else { return };
        let Some(core) = &node.car else { return };
        let after = core.obeys();
        let wake = core.poll_timeout().map(|wake| node.crystal.instant(wake.max(mono)).max(now + 1));
        if node.wake != wake {
            node.wake = wake;
            if let Some(wake) = wake {
                self.at(wake, Event::Wake { car });
            }
        }
        if before != after {
            self.note(|world| Some(format!("{car} obeys {}", world.obeyed(&after))));
        }
    }

    fn drain(&mut self, car: usize) {
        loop {
            let output =
                self.nodes.get_mut(car).and_then(|node| node.car.as_mut()).and_then(crate::core::car::Car::poll_output);
            let Some(output) = output else { return };
            self.perform(car, output);
        }
    }

    fn perform(&mut self, car: usize, output: Output) {
        match output {
            Output::Store(change) => {
                let at = self.now + self.chance.between(1_000, 20_000);
                let life = self.nodes.get(car).map_or(0, |node| node.life);
                self.nodes_mut(car, |node| node.disk.begin_store(&change));
                self.note_authored(&change);
                self.at(at, Event::Stored { car, life, change });
            }
            Output::Record { change, verdict } => {
                let counts = !matches!(verdict, Verdict::Refused { .. });
                let id = change.id.clone();
                self.nodes_mut(car, |node| node.disk.record(*change, &verdict));
                if counts && self.known.as_ref() == Some(&id) {
                    self.twice.push((car, id));
                }
            }
            Output::Settle { change, verdict } => {
                self.note(|_| Some(format!("{car} settles {}: {}", change.sequence, word(&verdict))));
                self.nodes_mut(car, |node| node.disk.settle(&change, &verdict));
                if matches!(verdict, Verdict::Refused { .. } | Verdict::Superseded { .. }) {
                    self.overruled.insert(change);
                }
            }
            Output::Remember(saved) => self.nodes_mut(car, |node| node.disk.remember(*saved)),
            Output::Reply { request, result } => {
                self.note(|world| Some(format!("{car} answers: {}", world.answer(&result))));
                self.nodes_mut(car, |node| {
                    node.waiting.remove(&request);
                    if let Ok(done) = result {
                        node.acknowledged.extend(done.changes);
                    }
                });
            }
            Output::Server(command) => self.perform_server(car, command),
            Output::Mesh(command) => self.perform_mesh(car, command),
            Output::Lan(LanCommand::Announce { convoy }) => {
                self.nodes_mut(car, |node| node.announces = convoy.is_some());
            }
            Output::Lan(LanCommand::Signal(signed)) => {
                let Some(to) = self.number_of(&signed.to) else { return };
                if self.meet(car, to) && self.lan.passes(car, to) && !self.lan.loses(self.now, &mut self.chance) {
                    let at = self.now + self.lan.delay_us(self.now, &mut self.chance);
                    self.input_at(at, to, Input::Lan(LanEvent::Signal(signed)));
                }
            }
            Output::Notice(notice) => self.take_notice(car, &notice),
            Output::Audio(_)
            | Output::Resolve(_)
            | Output::Invited { .. }
            | Output::Chirping { .. }
            | Output::Lan(LanCommand::Invite { .. }) => {}
        }
    }
}

impl World {
    /// It may come to count without that anyone is told, as when the power goes once it is on the disk.
    fn note_authored(&mut self, change: &Change) {
        self.authored += 1;
        let id = change.id.clone();
        // What never reached the disk has left its number to this one.
        self.additions.remove(&id);
        self.removals.remove(&id);
        self.controls.remove(&id);
        match &change.action {
            Action::Add { entry, .. } => drop(self.additions.insert(id, entry.clone())),
            Action::Remove { entry } => drop(self.removals.insert(id, entry.clone())),
            Action::Move { .. } => {}
            _ => drop(self.controls.insert(id, change.hlc)),
        }
    }
}

/// The change that an input brings.
fn change_in(input: &Input) -> Option<&ChangeId> {
    match input {
        Input::Server(ServerEvent::Change(change)) => Some(&change.id),
        Input::Mesh(MeshEvent::Message { message, .. }) => match &**message {
            PeerMessage::Change { change, .. } => Some(&change.id),
            _ => None,
        },
        _ => None,
    }
}
