//! While all programs run, and log all that they can, no key, token, code or password is in a log, in an argument, in
//! the environment, on standard error or in a file that others may read.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]
#![allow(clippy::disallowed_methods, reason = "a test waits in real time")]

#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/bus.rs"]
mod bus;
#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/ctl.rs"]
mod ctl;
#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/daemon.rs"]
mod daemon;
#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/redis_server.rs"]
mod redis_server;

use ctl::run;
use daemon::{Daemon, PROGRAM};
use jamz::core::status::ActiveSync;
use redis_server::Redis;
use std::fmt::Write;
use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const SERVER: &str = env!("CARGO_BIN_EXE_jamz-server");
const REDIS_PASSWORD: &str = "the-password-of-redis";
const TURN_PASSWORD: &str = "the-password-of-turn";
const CONVOY_SECRET: &str = "what-the-convoy-shares";

/// What nobody else may see, each with its name.
#[derive(Default)]
struct Secrets(Vec<(&'static str, String)>);

impl Secrets {
    fn note(&mut self, name: &'static str, secret: impl Into<String>) {
        let secret = secret.into().trim().to_owned();
        assert!(secret.len() >= 12, "{name}: `{secret}` is none");
        self.0.push((name, secret));
    }

    fn note_file(&mut self, name: &'static str, path: &Path) {
        self.note(name, fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())));
    }

    /// Which of them a text shows, plainly or as bytes are written.
    fn shown_in(&self, text: &str) -> Vec<&'static str> {
        let text = text.to_lowercase();
        let is_shown = |secret: &str| {
            let hex = secret.bytes().fold(String::new(), |mut hex, byte| {
                let _ = write!(hex, "{byte:02x}");
                hex
            });
            let list = secret.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(", ");
            [&secret.to_lowercase(), &hex, &list].iter().any(|form| text.contains(form.as_str()))
        };
        self.0.iter().filter(|(_, secret)| is_shown(secret)).map(|(name, _)| *name).collect()
    }
}

/// Ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn write_secret(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

fn served(folder: &Path, redis: &Redis) -> (Running, String) {
    write_secret(&folder.join("server.toml"), &format!("redis = {:?}\nlisten = \"127.0.0.1:0\"\n", redis.url()));
    let log = File::create(folder.join("log")).unwrap();
    let mut command = Command::new(SERVER);
    command.arg("--config").arg(folder.join("server.toml")).arg("--state").arg(folder.join("state"));
    let mut child = command.args(["--log", "trace"]).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("{line:?}")).to_owned();
    (Running(child), address)
}

fn token(folder: &Path, user: &str) -> String {
    let mut command = Command::new(SERVER);
    command.args(["token", "--user", user, "--convoy", "alps", "--log", "trace", "--state"]).arg(folder.join("state"));
    let output = command.output().unwrap();
    let token = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    assert!(output.status.success() && !String::from_utf8_lossy(&output.stderr).contains(&token));
    token
}

/// A car at a server, that says all it can.
fn car(address: &str, token: &str) -> Daemon {
    let mut car = Daemon::new("");
    let path = |name: &str| car.path(name).display().to_string();
    let settings = format!(
        "[convoy]\nid = \"alps\"\nsecret_file = {:?}\n[server]\nurl = {address:?}\ntoken_file = {:?}\n\
         [mesh]\nturn = [\"turn:127.0.0.1:9\"]\nturn_credentials_file = {:?}\n",
        path("secret"),
        path("token"),
        path("turn"),
    );
    fs::write(car.path("jamzd.toml.d/test.toml"), settings).unwrap();
    write_secret(&car.path("secret"), CONVOY_SECRET);
    write_secret(&car.path("token"), token);
    write_secret(&car.path("turn"), &format!("ann\n{TURN_PASSWORD}\n"));
    start(&mut car);
    car
}

fn start(car: &mut Daemon) {
    let mut command = Command::new(PROGRAM);
    command.args(["--log", "trace"]);
    car.start_by(command);
}

/// What is in files that others may read, and in their names.
fn open_to_others(folder: &Path, texts: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let Ok(metadata) = entry.metadata() else { continue };
        let name = entry.path().display().to_string();
        texts.push((format!("the name of {name}"), name.clone()));
        if metadata.is_dir() {
            open_to_others(&entry.path(), texts);
        } else if metadata.is_file() && metadata.permissions().mode() & 0o077 != 0 {
            texts.push((name, String::from_utf8_lossy(&fs::read(entry.path()).unwrap_or_default()).into_owned()));
        }
    }
}

/// What a running program shows of itself to all.
fn shown_by(pid: u32, texts: &mut Vec<(String, String)>) {
    for file in ["cmdline", "environ"] {
        let path = format!("/proc/{pid}/{file}");
        texts.push((path.clone(), String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_token_code_or_password_is_in_a_log_an_argument_or_a_file_that_others_read() {
    let redis = Redis::guarded_by(Some(REDIS_PASSWORD));
    let folder = tempfile::tempdir().unwrap();
    let (server, address) = served(folder.path(), &redis);
    let mut secrets = Secrets::default();
    let tokens = ["ann", "ben"].map(|user| token(folder.path(), user));
    let (van, truck) = (car(&address, &tokens[0]), car(&address, &tokens[1]));
    let clients = [van.client().await, truck.client().await];
    for (car, client) in [&van, &truck].into_iter().zip(&clients) {
        car.until(client, "both on the server", |status| {
            status.connection.active_sync == ActiveSync::Socket && status.members.len() == 2
        })
        .await;
    }
    clients[0].take().await.unwrap();
    let invited = run(&van.bus.address(), &["--json", "invite"]).await;
    let link = invited.json()["link"].as_str().unwrap().to_owned();
    let shown = run(&van.bus.address(), &["--json", "config"]).await;
    let mut camper = Daemon::new("");
    start(&mut camper);
    let code = camper.client().await.found(None).await.unwrap().code.text();
    let wrong = run(&camper.bus.address(), &["join", "acorn castle river twist"]).await;

    secrets.note("the password of Redis", REDIS_PASSWORD);
    secrets.note("the password of TURN", TURN_PASSWORD);
    secrets.note("the convoy's secret", CONVOY_SECRET);
    secrets.note("the spoken code", &*code);
    secrets.note("the spoken code in words", code.replace('-', " "));
    secrets.note("the invitation", link.split_once("#t=").unwrap().1);
    secrets.note_file("the secret of tokens", &folder.path().join("state/jwt-secret"));
    secrets.note_file("the key of tickets", &folder.path().join("state/ticket-key"));
    for token in &tokens {
        secrets.note("a token", token);
        secrets.note("a token's signature", token.rsplit('.').next().unwrap());
    }
    for car in [&van, &truck, &camper] {
        secrets.note_file("a device's key", &car.path("state/device.key"));
    }
    let founded: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(camper.path("state/convoy.json")).unwrap()).unwrap();
    secrets.note("the founded convoy's secret", founded["secret"].as_str().unwrap());

    // What is under way is logged.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut texts = vec![
        ("what jamzctl says of an invitation beside it".to_owned(), invited.err),
        ("what jamzctl says of a wrong code".to_owned(), wrong.out + &wrong.err),
        ("what jamzctl says of the configuration".to_owned(), shown.out + &shown.err),
    ];
    shown_by(server.0.id(), &mut texts);
    open_to_others(folder.path(), &mut texts);
    let log = |path: &Path| (path.display().to_string(), fs::read_to_string(path).unwrap());
    texts.push(log(&folder.path().join("log")));
    for car in [&van, &truck, &camper] {
        shown_by(car.pid().as_raw_nonzero().get().unsigned_abs(), &mut texts);
        open_to_others(&car.path(""), &mut texts);
        texts.push(log(&car.path("log")));
    }
    for car in [&van, &truck] {
        assert!(car.log().contains("DEBUG jamz") || car.log().contains("TRACE jamz"), "not all is said: {}", car.log());
    }
    for (place, text) in &texts {
        assert_eq!(secrets.shown_in(text), [""; 0], "{place}");
    }

    // That it would be seen.
    fs::set_permissions(van.path("token"), Permissions::from_mode(0o644)).unwrap();
    let mut open = Vec::new();
    open_to_others(&van.path(""), &mut open);
    let seen: Vec<&str> = open.iter().flat_map(|(_, text)| secrets.shown_in(text)).collect();
    assert_eq!(seen, ["a token", "a token's signature"]);
    assert_eq!(secrets.shown_in("sent 7468652d70617373776f72642d6f662d7475726e"), ["the password of TURN"]);
}

#[test]
fn a_password_in_an_argument_is_refused_with_where_it_belongs() {
    let output =
        Command::new(SERVER).args(["--redis", &format!("redis://:{REDIS_PASSWORD}@127.0.0.1/")]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && said.contains("configuration file") && !said.contains(REDIS_PASSWORD),
        "{said}"
    );
}
