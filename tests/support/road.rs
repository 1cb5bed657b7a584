//! A road that the simulator imagines, with hands: a test does things at chosen times and looks.

use jamz::core::id::ConvoyId;
use jamz::core::status::ActiveSync;
use jamz::sim::{Button, Fault, Leader, SECOND, Step, Terms, World};

/// A world with hands: every test does things at chosen times and looks.
pub(crate) struct Road {
    pub(crate) world: World,
    cars: usize,
    pub(crate) now: i64,
}

impl Road {
    /// So many cars, none of which is switched on.
    pub(crate) fn asleep(cars: usize, has_server: bool) -> Self {
        let world = World::new(Terms { cars, has_server, seed: 7 }, ConvoyId::new("road").unwrap(), false);
        Self { world, cars, now: 0 }
    }

    /// A convoy of so many cars that has come together and is calm.
    pub(crate) fn new(cars: usize, has_server: bool) -> Self {
        Self::apart(&vec![0; cars], has_server)
    }

    /// One whose cars hear those of their own group only.
    pub(crate) fn apart(groups: &[usize], has_server: bool) -> Self {
        let mut road = Self::asleep(groups.len(), has_server);
        road.fault(Fault::Split { groups: groups.to_vec() });
        for car in 0..groups.len() {
            road.fault(Fault::Start { car, reboot: false });
        }
        road.wait(8);
        road
    }

    pub(crate) fn wait(&mut self, seconds: i64) {
        self.wait_us(seconds * SECOND);
    }

    pub(crate) fn wait_us(&mut self, us: i64) {
        self.now += us;
        self.world.run_until(self.now);
    }

    pub(crate) fn pending(&self, car: usize) -> u64 {
        self.world.status(car).unwrap().changes.pending
    }

    pub(crate) fn fault(&mut self, fault: Fault) {
        self.world.take(&Step::Fault(fault));
    }

    pub(crate) fn press(&mut self, car: usize, button: Button) {
        self.world.take(&Step::Press { car, button });
    }

    pub(crate) fn cut_server(&mut self, silently: bool) {
        for car in 0..self.cars {
            self.fault(Fault::CutServer { car, silently });
        }
    }

    pub(crate) fn heal_server(&mut self) {
        for car in 0..self.cars {
            self.fault(Fault::HealServer { car });
        }
    }

    /// Who leads, if all of `cars` agree on it.
    pub(crate) fn leader(&self, cars: &[usize]) -> Option<Leader> {
        let leader = self.world.leader(cars[0]);
        cars.iter().all(|car| self.world.leader(*car) == leader).then_some(leader)
    }

    /// Who controls, if all of `cars` agree on it.
    pub(crate) fn controller(&self, cars: &[usize]) -> Option<usize> {
        let controller = self.world.controller(cars[0]);
        assert!(cars.iter().all(|car| self.world.controller(*car) == controller), "{cars:?} do not agree");
        controller
    }

    pub(crate) fn tier(&self, car: usize) -> ActiveSync {
        self.world.status(car).unwrap().connection.active_sync
    }

    pub(crate) fn queues(&self, cars: &[usize]) -> usize {
        let first = self.world.titles(cars[0]);
        assert!(cars.iter().all(|car| self.world.titles(*car) == first), "{cars:?} have different playlists");
        first.len()
    }
}
