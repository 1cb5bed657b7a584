//! The links that a car gives, and when it gives none.

use crate::{NOW_S, PATIENCE, Van, browser, free_port};
use jamz::core::ticket::Role;
use std::net::TcpListener;
use std::time::Instant;

#[tokio::test]
async fn a_link_names_the_car_on_its_network_and_is_good_for_a_day() {
    let mut van = Van::start().await;
    let given = van.invite(Role::Listener).await.unwrap();
    let at = given.at.unwrap();
    assert_eq!(at.origins, [format!("https://169.254.8.1:{}", van.port)], "the loopback is nobody else's");
    assert!(at.certificate.len() == 20 && at.certificate.bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert_eq!((given.expires_unix_s, given.role), (Some(NOW_S + 86_400), Role::Listener));
    let tokens = [given.token.unwrap(), van.token(Role::Dj).await];
    assert!(tokens[0] != tokens[1] && tokens[0].len() >= 22, "{tokens:?}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_told_with_what_to_do_and_used_once_it_is_free() {
    let taken = TcpListener::bind("[::]:0").unwrap();
    let mut van = Van::start_on(taken.local_addr().unwrap().port());
    let refused = van.invite(Role::Dj).await.unwrap_err().to_string();
    assert!(refused.contains("taken by another program") && refused.contains("[page]"), "{refused}");
    drop(taken);
    van.invite(Role::Dj).await.unwrap();
    assert!(browser(1).get(van.url("/")).send().await.unwrap().status().is_success());
    let mut off = Van::start_on(0);
    assert!(off.invite(Role::Dj).await.unwrap_err().to_string().contains("`port` under [page] is 0"));
}

#[tokio::test]
async fn a_car_listens_while_it_is_in_a_founded_convoy_and_not_otherwise() {
    let port = free_port();
    let mut van = Van::start_on(port);
    let (mut visit, _) = van.with_guest(2, Role::Dj).await;
    van.founded.send_replace(None);
    assert_eq!(visit.told().await, None);
    assert_eq!(van.event().await, jamz::core::mesh::LanEvent::Lost { device: crate::device_of(2) });
    let begun = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
        assert!(begun.elapsed() < PATIENCE, "it listens still");
        tokio::task::yield_now().await;
    }
    assert!(van.invite(Role::Dj).await.unwrap_err().to_string().contains("jamzctl found"));
}
