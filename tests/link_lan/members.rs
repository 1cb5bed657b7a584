//! Members of a convoy: found, reached, lost and found again, whatever the network does.

use crate::car::{Car, SECRET};
use crate::network::{Network, is_possible};
use std::time::Duration;

/// Two cars at the bridge, with addresses of their own.
async fn two_cars(network: &mut Network) -> (Car, Car) {
    let (a, b) = (network.machine_at("10.9.0.1/24"), network.machine_at("10.9.0.2/24"));
    let (mut a, mut b) = (Car::start(&a, 1).await, Car::start(&b, 2).await);
    a.finds(b.device()).await;
    b.finds(a.device()).await;
    (a, b)
}

#[tokio::test]
async fn three_cars_find_each_other_without_any_route_and_signal_to_whom_they_mean() {
    if !is_possible() {
        return;
    }
    let mut network = Network::new();
    let (mut a, mut b) = two_cars(&mut network).await;
    let machine = network.machine_at("10.9.0.3/24");
    let mut c = Car::start(&machine, 3).await;
    a.finds(c.device()).await;
    b.finds(c.device()).await;
    let mut found = vec![c.next().await, c.next().await];
    found.sort_by_key(|event| format!("{event:?}"));
    let mut wanted =
        [a.device(), b.device()].map(|device| jamz::core::mesh::LanEvent::Found { device: device.clone() });
    wanted.sort_by_key(|event| format!("{event:?}"));
    assert_eq!(found, wanted);
    for n in 0..20 {
        a.reaches(&mut b, &format!("{n} {}", "v=0\r\n".repeat(n * 300))).await;
    }
    b.reaches(&mut a, "é").await;
    c.reaches(&mut a, "v=0").await;
    assert!(c.is_quiet(Duration::from_millis(300)).await, "nothing was meant for it");

    // Longer than silence is borne: the signs of life are enough.
    assert!(a.is_quiet(Duration::from_secs(5)).await);
    let gone = b.device().clone();
    b.links.close().await;
    assert!(a.loses(&gone).await < Duration::from_millis(1_500), "it said good-bye");
    c.loses(&gone).await;
    assert!(a.is_quiet(Duration::from_secs(2)).await);
}

#[tokio::test]
async fn cars_that_have_only_the_addresses_which_they_give_themselves_find_each_other() {
    if !is_possible() {
        return;
    }
    let mut network = Network::new();
    let (a, b) = (network.machine(), network.machine());
    for machine in [&a, &b] {
        network.link(machine, true);
    }
    let (mut a, mut b) = (Car::start(&a, 1).await, Car::start(&b, 2).await);
    a.finds(b.device()).await;
    b.finds(a.device()).await;
    a.reaches(&mut b, "over fe80::").await;
}

#[tokio::test]
async fn a_network_that_comes_later_goes_and_comes_again_is_noticed_each_time() {
    if !is_possible() {
        return;
    }
    let mut network = Network::new();
    let (here, there) = (network.machine(), network.machine_at("169.254.7.2/16"));
    let (mut a, mut b) = (Car::start(&here, 1).await, Car::start(&there, 2).await);
    assert!(a.is_quiet(Duration::from_secs(2)).await);
    network.ip(&format!("-n {here} addr add 169.254.7.1/16 dev eth0"));
    network.link(&here, true);
    a.finds(b.device()).await;
    b.finds(a.device()).await;

    network.link(&here, false);
    assert!(a.loses(b.device()).await < Duration::from_secs(8));
    b.loses(a.device()).await;
    network.link(&here, true);
    network.ip(&format!("-n {here} addr replace 169.254.7.1/16 dev eth0"));
    a.finds(b.device()).await;
    b.finds(a.device()).await;
    b.reaches(&mut a, "again").await;

    // A cable that drops everything in silence, and another address afterwards.
    network.cable(&there, false);
    assert!(a.loses(b.device()).await < Duration::from_secs(8));
    b.loses(a.device()).await;
    network.ip(&format!("-n {there} addr flush dev eth0 scope global"));
    network.ip(&format!("-n {there} addr add 169.254.9.9/16 dev eth0"));
    network.cable(&there, true);
    a.finds(b.device()).await;
    b.finds(a.device()).await;
    a.reaches(&mut b, "elsewhere").await;
}

#[tokio::test]
async fn another_convoy_another_secret_and_a_car_that_shows_itself_no_more_are_not_found() {
    if !is_possible() {
        return;
    }
    let mut network = Network::new();
    let (mut a, mut b) = two_cars(&mut network).await;
    let (other, guess) = (network.machine_at("10.9.0.3/24"), network.machine_at("10.9.0.4/24"));
    let mut other = Car::silent(&other, 3, SECRET).await;
    other.announce(Some("jura"));
    let mut guess = Car::silent(&guess, 4, "not the secret of the cars").await;
    guess.announce(Some("alps"));
    for car in [&mut a, &mut b, &mut other, &mut guess] {
        assert_eq!(car.next().await, jamz::core::mesh::LanEvent::Stranger, "told once, however many there are");
        assert!(car.is_quiet(Duration::from_secs(3)).await);
    }
    b.announce(None);
    a.loses(b.device()).await;
    b.loses(a.device()).await;
    a.signal(b.device(), "to nobody");
    assert!(a.is_quiet(Duration::from_secs(3)).await && b.is_quiet(Duration::from_millis(1)).await);
    other.announce(Some("alps"));
    a.finds(other.device()).await;
    b.announce(Some("alps"));
    a.finds(b.device()).await;
}

#[tokio::test]
async fn a_car_that_is_switched_off_and_on_again_is_found_again() {
    if !is_possible() {
        return;
    }
    let mut network = Network::new();
    let (a, b) = (network.machine_at("10.9.0.1/24"), network.machine_at("10.9.0.2/24"));
    let (mut first, mut second) = (Car::start(&a, 1).await, Car::start(&b, 2).await);
    first.finds(second.device()).await;
    second.finds(first.device()).await;
    for _ in 0..2 {
        // Nothing of it says good-bye.
        network.cable(&b, false);
        drop(second);
        tokio::time::sleep(Duration::from_millis(500)).await;
        network.cable(&b, true);
        second = Car::start(&b, 2).await;
        second.finds(first.device()).await;
        let lost_or_found = first.next().await;
        if lost_or_found == (jamz::core::mesh::LanEvent::Lost { device: second.device().clone() }) {
            first.finds(second.device()).await;
        }
        second.reaches(&mut first, "back").await;
    }
}
