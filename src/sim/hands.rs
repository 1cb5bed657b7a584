//! What people and mishaps do to a car: buttons, power, batteries, firewalls.

use super::world::{Event, World};
use crate::core::io::{Input, RequestId};
use crate::core::request::Command;

impl World {
    /// A person presses a button.
    pub fn command(&mut self, car: usize, command: Command) {
        let Some(node) = self.nodes.get_mut(car).filter(|node| node.car.is_some()) else { return };
        node.requests += 1;
        let request = RequestId(node.requests);
        node.waiting.insert(request);
        self.input(car, Input::Command { request, command });
    }

    /// Switches a car on.
    pub fn start(&mut self, car: usize, reboot: bool) {
        let (convoy, has_server, now) = (self.convoy.clone(), self.has_server, self.now);
        if self.nodes.get(car).is_none_or(|node| node.car.is_some()) {
            return;
        }
        self.disturbed(|| format!("{car} starts{}", if reboot { " after a reboot" } else { "" }));
        self.nodes_mut(car, |node| node.start(convoy, has_server, reboot, now));
        self.input(car, Input::Wake);
        self.show_wall(car);
        let at = self.now + self.chance.between(100_000, 1_500_000);
        self.at(at, Event::Dial { car });
    }

    /// Takes a car's power away.
    pub fn crash(&mut self, car: usize) {
        let Some(connection) = self.nodes.get(car).map(|node| node.socket.connection) else { return };
        self.disturbed(|| format!("{car} crashes"));
        if let Some(node) = self.nodes.get_mut(car) {
            node.stop();
            node.disk.cut(&mut self.chance);
        }
        if let Some(connection) = connection {
            self.hang_up_server(car, connection);
        }
        let pairs: Vec<(usize, usize)> =
            self.browsing.keys().filter(|(a, b)| *a == car || *b == car).copied().collect();
        for pair in pairs {
            self.browsing.insert(pair, (false, self.now));
        }
    }

    /// The car runs on a battery, from its next start on.
    pub fn put_on_battery(&mut self, car: usize) {
        self.nodes_mut(car, |node| node.battery = true);
    }

    /// No link comes through to the car.
    pub fn put_behind_firewall(&mut self, car: usize) {
        self.nodes_mut(car, |node| node.firewalled = true);
    }

    /// The car shares no network with others.
    pub fn take_off_network(&mut self, car: usize) {
        self.nodes_mut(car, |node| node.roams = true);
    }
}
