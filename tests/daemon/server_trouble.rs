//! Servers that will not have us, or talk nonsense: the driver reads why, and the music goes on.

use crate::daemon::Daemon;
use crate::jamz_server::Server;
use jamz::core::status::{ActiveSync, Status};
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

const SECRET: &str = "a secret of at least thirty-two bytes";

fn token(secret: &str, expires_unix_s: u64) -> String {
    let claims = json!({ "sub": "ann", "aud": "jamz", "exp": expires_unix_s, "convoy": "alps" });
    encode(&Header::default(), &claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

/// Plays alone beside such a server, reads `reason` in the status, and ends in time.
async fn plays_alone(url: &str, token: &str, reason: &str) {
    let mut car = Daemon::new("");
    let token_file = car.path("token");
    let file = token_file.display();
    let settings = format!("[convoy]\nid = \"alps\"\n[server]\nurl = \"{url}\"\ntoken_file = \"{file}\"\n");
    std::fs::write(car.path("jamzd.toml.d/test.toml"), settings).unwrap();
    std::fs::write(&token_file, token).unwrap();
    car.put_music("long.wav", 60);
    car.start();
    let client = car.client().await;
    let track = car.track(&client, "long").await;
    client.queue_add(&[track], None).await.unwrap();
    client.play(None).await.unwrap();
    car.until(&client, "audible", |status| status.audio.in_sync && status.now_playing.playing).await;
    let is_told = |status: &Status| status.connection.reason.contains(reason);
    let status = car.until(&client, &format!("told {reason:?}"), is_told).await;
    assert_eq!(status.connection.active_sync, ActiveSync::Offline);
    assert_eq!(status.changes.pending, 2, "kept for the convoy");
    assert!(token.is_empty() || !car.log().contains(token), "a token in the log");
    let (status, after) = car.terminate();
    assert!(status.success() && after < Duration::from_secs(2), "{status} after {after:?}: {}", car.log());
}

#[tokio::test]
async fn a_token_that_expired_or_has_another_key_is_named_and_the_music_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let secret_file = folder.path().join("secret");
    std::fs::write(&secret_file, SECRET).unwrap();
    let server = Server::start(&["--jwt-secret-file", secret_file.to_str().unwrap()]);
    plays_alone(&server.url(), &token(SECRET, 1_000), "the token has expired; put a fresh one into").await;
    let another = token("another secret of at least thirty-two bytes", 4_000_000_000);
    plays_alone(&server.url(), &another, "the server refuses the token").await;
    plays_alone(&server.url(), "", "the server wants a token").await;
}

/// A server that answers everything with `answer`, and keeps the line open if that is nothing.
fn answering(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let mut stream = stream;
                let mut request = [0; 4_096];
                while matches!(stream.read(&mut request), Ok(1..)) {
                    if !answer.is_empty() {
                        let _ = stream.write_all(answer);
                        return;
                    }
                }
            });
        }
    });
    url
}

#[tokio::test]
async fn a_server_that_speaks_nonsense_or_is_silent_is_said_so_and_the_music_goes_on() {
    let nonsense = b"HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\n<html>Welcome!</html>\n";
    plays_alone(&answering(nonsense), "", "server").await;
    plays_alone(&answering(b"\x00\xff\xfe no HTTP at all \r\n\r\n"), "", "server").await;
    plays_alone(&answering(b""), "", "no answer from").await;
}

#[tokio::test]
async fn a_refused_join_is_told_and_done_by_itself_once_there_is_a_better_token() {
    let server = Server::start(&[]);
    let mut car = Daemon::new("");
    let file = car.path("token");
    let settings = format!("[server]\nurl = \"{}\"\ntoken_file = \"{}\"\n", server.url(), file.display());
    std::fs::write(car.path("jamzd.toml.d/test.toml"), settings).unwrap();
    let put = |convoy| std::fs::write(&file, server.token("ann", convoy)["token"].as_str().unwrap()).unwrap();
    put("c1");
    car.start();
    let client = car.client().await;
    car.until(&client, "connected", |status| status.connection.dialect.is_some()).await;
    let ctl = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_jamzctl"));
        command.args(["--bus", &car.bus.address()]).args(arguments).output().unwrap()
    };
    let refused = ctl(&["join", "c2"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(77), "{said}");
    assert!(said.contains("it does not allow c2"), "{said}");
    assert!(car.log().contains("does not take this car in"), "{}", car.log());
    put("c2");
    let is_in = |status: &Status| status.connection.active_sync == ActiveSync::Socket;
    let status = car.until(&client, "in the convoy", is_in).await;
    assert_eq!(status.convoy.as_deref(), Some("c2"));
    assert_eq!(ctl(&["join", "c2"]).status.code(), Some(0));
}
