//! One estimator on one drive.

use crate::chance::Chance;
use crate::links::{Link, SECOND};
use crate::peers::{Estimates, Exchange};

/// What was seen at every second of a drive.
#[derive(Clone, Copy)]
pub(crate) struct Look {
    pub(crate) seconds: f64,
    pub(crate) error_us: f64,
    pub(crate) bound_us: Option<f64>,
}

/// Drives `estimator` over `link`; its messages meet what the link's seed has for all, and queues of their own.
pub(crate) fn drive(estimator: &mut dyn Estimates, link: &Link, seed: u64) -> Vec<Look> {
    let mut chance = Chance::new(seed);
    let mut looks = Vec::new();
    let mut on_the_way: Vec<Exchange> = Vec::new();
    let mut next_us = 0.0;
    let mut look_s = 1.0;
    while look_s <= link.model.seconds {
        let look_us = look_s * SECOND;
        let arrives_us = on_the_way.iter().map(|one| one.received_us).fold(f64::INFINITY, f64::min);
        if arrives_us <= look_us.min(next_us) {
            let at = on_the_way.iter().position(|one| one.received_us <= arrives_us).unwrap_or(0);
            estimator.handle(&on_the_way.swap_remove(at));
        } else if next_us <= look_us {
            on_the_way.extend(exchange(link, next_us, &mut chance));
            next_us += estimator.pace_us();
        } else {
            if let Some((offset_us, bound_us)) = estimator.offset_us(look_us) {
                let error_us = offset_us - link.offset_us(look_us);
                looks.push(Look { seconds: look_s, error_us, bound_us });
            }
            look_s += 1.0;
        }
    }
    looks
}

fn exchange(link: &Link, sent_us: f64, chance: &mut Chance) -> Option<Exchange> {
    let there_us = link.delay_us(true, sent_us, chance);
    let arrived_us = sent_us + there_us.unwrap_or(0.0);
    let back_us = link.delay_us(false, arrived_us, chance)?;
    there_us?;
    let reference_us = arrived_us + link.offset_us(arrived_us);
    Some(Exchange { sent_us, received_us: arrived_us + back_us, reference_us })
}
