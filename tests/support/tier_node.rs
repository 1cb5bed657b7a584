//! A Node program with the real socket.io as the peer of a test; it ends with the test.

#[path = "node_packages.rs"]
mod node_packages;

pub(crate) use node_packages::folder;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Longer than anything takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running program.
pub(crate) struct Node {
    child: Child,
    input: ChildStdin,
    lines: mpsc::UnboundedReceiver<Value>,
    pub(crate) port: u16,
}

impl Node {
    /// Starts a server and waits until it listens.
    pub(crate) async fn start(program: &str, options: &Value) -> Self {
        let mut node = Self::spawn(program, options);
        let listening = node.expect("listening").await;
        node.port = u16::try_from(listening["listening"].as_u64().unwrap()).unwrap();
        node
    }

    /// Starts a program.
    pub(crate) fn spawn(program: &str, options: &Value) -> Self {
        Self::spawn_by(Command::new("node"), program, options)
    }

    /// Starts a program on a machine of a network of its own.
    pub(crate) async fn start_at(machine: &str, program: &str, options: &Value) -> Self {
        let mut node = Command::new("ip");
        node.args(["netns", "exec", machine, "node"]);
        let mut node = Self::spawn_by(node, program, options);
        node.expect("listening").await;
        node
    }

    fn spawn_by(mut node: Command, program: &str, options: &Value) -> Self {
        let mut child = node
            .arg(folder().join(program))
            .arg(options.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node is needed (Debian: `apt install nodejs npm`)");
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let _ = sender.send(serde_json::from_str(&line).unwrap());
            }
        });
        let input = child.stdin.take().unwrap();
        Self { child, input, lines, port: 0 }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Tells the program to do something.
    pub(crate) fn tell(&mut self, command: &Value) {
        writeln!(self.input, "{command}").unwrap();
        self.input.flush().unwrap();
    }

    /// Sends an event to every client.
    pub(crate) fn emit(&mut self, event: &str, args: &Value) {
        self.tell(&json!({"do": "emit", "event": event, "args": args}));
    }

    /// Waits for a line that has this key; what comes before it is passed over.
    pub(crate) async fn expect(&mut self, key: &str) -> Value {
        self.find(key, |line| line.get(key).is_some()).await
    }

    /// Waits until clients said this event; returns its first argument.
    pub(crate) async fn got(&mut self, event: &str) -> Value {
        self.find(event, |line| line["got"] == event).await["args"][0].clone()
    }

    /// Waits for a line.
    pub(crate) async fn find(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut passed = Vec::new();
        let search = async {
            while let Some(line) = self.lines.recv().await {
                if wanted(&line) {
                    return Some(line);
                }
                passed.push(line);
            }
            None
        };
        let found = timeout(PATIENCE, search).await.ok().flatten();
        found.unwrap_or_else(|| panic!("the server never said {what:?}, only {passed:?}"))
    }

    /// All that was said until now.
    pub(crate) fn lines(&mut self) -> Vec<Value> {
        std::iter::from_fn(|| self.lines.try_recv().ok()).collect()
    }

    /// Ends the program as a power cut would.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}
