//! Real `socket.io-client` peers in one Node process, which the test commands line by line.

#[path = "node_packages.rs"]
mod node_packages;

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Generous, as the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// A Node process with any number of Socket.IO clients.
pub(crate) struct Peers {
    node: Child,
    commands: ChildStdin,
    answers: Receiver<Value>,
    number: u64,
}

impl Peers {
    pub(crate) fn start() -> Self {
        let mut node = Command::new("node")
            .arg("peers.js")
            .current_dir(node_packages::folder())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("these tests need Node: install `nodejs` and `npm`");
        let (sender, answers) = channel();
        let lines = BufReader::new(node.stdout.take().unwrap()).lines();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _ = sender.send(serde_json::from_str(&line).unwrap());
            }
        });
        Self { commands: node.stdin.take().unwrap(), node, answers, number: 0 }
    }

    fn command(&mut self, mut command: Value) -> Value {
        self.number += 1;
        command["number"] = self.number.into();
        writeln!(self.commands, "{command}").unwrap();
        let mut answer = self.answers.recv_timeout(PATIENCE).expect("Node does not answer");
        assert_eq!(answer["number"], self.number);
        answer["answer"].take()
    }

    fn connect(&mut self, peer: &str, url: &str, auth: Value, transports: &[&str], reconnect: bool) -> Value {
        self.command(json!({
            "do": "connect", "peer": peer, "url": url, "auth": auth, "transports": transports, "reconnect": reconnect,
        }))
    }

    /// Connects and waits for the greeting; returns the socket id.
    #[track_caller]
    pub(crate) fn open(&mut self, peer: &str, url: &str, auth: Value) -> String {
        let answer = self.connect(peer, url, auth, &["websocket"], false);
        assert_eq!(answer["event"], "connect", "{answer}");
        self.next(peer, "hello");
        answer["args"][0].as_str().unwrap().to_owned()
    }

    /// As [`Self::open`], first over HTTP as browsers do, and connecting again whenever the link breaks.
    #[track_caller]
    pub(crate) fn open_as_browser(&mut self, peer: &str, url: &str, auth: Value) -> String {
        let answer = self.connect(peer, url, auth, &["polling", "websocket"], true);
        assert_eq!(answer["event"], "connect", "{answer}");
        self.next(peer, "hello");
        answer["args"][0].as_str().unwrap().to_owned()
    }

    /// Tries to connect and is refused; returns why.
    #[track_caller]
    pub(crate) fn refused(&mut self, url: &str, auth: Value) -> String {
        let answer = self.connect("refused", url, auth, &["websocket"], false);
        assert_eq!(answer["event"], "connect_error", "{answer}");
        answer["args"][0].as_str().unwrap().to_owned()
    }

    /// Emits with an acknowledgement and returns it.
    #[track_caller]
    pub(crate) fn ask(&mut self, peer: &str, event: &str, payload: Value) -> Value {
        self.ask_with(peer, event, json!([payload]))
    }

    /// As [`Self::ask`] with any number of arguments.
    #[track_caller]
    pub(crate) fn ask_with(&mut self, peer: &str, event: &str, args: Value) -> Value {
        let command =
            json!({ "do": "ask", "peer": peer, "event": event, "args": args, "ms": PATIENCE.as_millis() / 2 });
        let mut answer = self.command(command);
        assert!(answer.get("ack").is_some(), "{event} was not acknowledged: {answer}");
        answer["ack"].take()
    }

    /// Emits without an acknowledgement.
    pub(crate) fn tell(&mut self, peer: &str, event: &str, payload: Value) {
        self.tell_with(peer, event, json!([payload]));
    }

    /// As [`Self::tell`] with any number of arguments.
    pub(crate) fn tell_with(&mut self, peer: &str, event: &str, args: Value) {
        self.command(json!({ "do": "tell", "peer": peer, "event": event, "args": args }));
    }

    /// Emits the same many times at once.
    pub(crate) fn flood(&mut self, peer: &str, event: &str, payload: Value, times: u32) {
        self.command(json!({ "do": "flood", "peer": peer, "event": event, "args": [payload], "times": times }));
    }

    /// Waits for an event and returns its first argument.
    #[track_caller]
    pub(crate) fn next(&mut self, peer: &str, event: &str) -> Value {
        match self.wait(peer, &[event], PATIENCE / 2) {
            Some(payload) => payload,
            None => panic!("{peer} did not hear {event}"),
        }
    }

    /// Waits for an event whose first argument is as wanted, skipping others of that name.
    #[track_caller]
    pub(crate) fn next_where(&mut self, peer: &str, event: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let payload = self.next(peer, event);
            if wanted(&payload) {
                return payload;
            }
        }
    }

    /// Whether none of these events comes within a while.
    pub(crate) fn silent(&mut self, peer: &str, events: &[&str], within: Duration) -> bool {
        self.wait(peer, events, within).is_none()
    }

    fn wait(&mut self, peer: &str, events: &[&str], within: Duration) -> Option<Value> {
        let command = json!({ "do": "next", "peer": peer, "events": events, "ms": within.as_millis() });
        let mut found = self.command(command);
        (!found.is_null()).then(|| found["args"][0].take())
    }

    /// Forgets what a peer has heard so far.
    pub(crate) fn forget(&mut self, peer: &str) {
        self.command(json!({ "do": "forget", "peer": peer }));
    }

    /// Says good-bye.
    pub(crate) fn close(&mut self, peer: &str) {
        self.command(json!({ "do": "close", "peer": peer }));
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        let _ = self.node.kill();
        let _ = self.node.wait();
    }
}
