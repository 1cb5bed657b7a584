//! A real headless Chromium, in which a test opens pages, presses buttons and looks at what is there.

use crate::node::Node;
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};

/// Longer than anything takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);
/// A name that leads to this machine and is not `localhost`: a page from there is none that a browser trusts.
pub(crate) const ELSEWHERE: &str = "jamz.test";

fn chromium() -> &'static str {
    let all = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
    let found = all.into_iter().find(|path| Path::new(path).exists());
    found.expect("these tests need Chromium (Debian: `apt install chromium`)")
}

pub(crate) struct Browser {
    node: Node,
    number: u64,
}

impl Browser {
    pub(crate) async fn start() -> Self {
        let node = Node::start("browser.js", &json!({ "chromium": chromium(), "names": ELSEWHERE })).await;
        Self { node, number: 0 }
    }

    /// On a machine of a network of its own, told to put up with these certificates (PEM), and with no others.
    pub(crate) async fn start_at(machine: &str, certificates: &[String]) -> Self {
        let options = json!({ "chromium": chromium(), "names": ELSEWHERE, "certificates": certificates });
        Self { node: Node::start_at(machine, "browser.js", &options).await, number: 0 }
    }

    async fn ask(&mut self, mut command: Value) -> Value {
        self.number += 1;
        command["number"] = self.number.into();
        self.node.tell(&command);
        let number = self.number;
        let mut answer = self.node.find("an answer", move |line| line["number"] == number).await;
        if answer.get("failed").is_some() {
            let words = if command["do"] == "words" { Value::Null } else { Box::pin(self.words_of(&command)).await };
            panic!("{command}: {answer}\n{words:#}");
        }
        answer["answer"].take()
    }

    async fn words_of(&mut self, command: &Value) -> Value {
        self.ask(json!({ "do": "words", "page": command["page"] })).await
    }

    /// Opens an address in the page of this name; each name is a browser of its own, with nothing kept from others.
    pub(crate) async fn open(&mut self, page: &str, url: &str) {
        self.ask(json!({ "do": "open", "page": page, "url": url })).await;
    }

    /// Opens an address that the browser does not show; why not.
    pub(crate) async fn refused(&mut self, page: &str, url: &str) -> String {
        self.ask(json!({ "do": "refused", "page": page, "url": url })).await.as_str().unwrap_or_default().to_owned()
    }

    /// As [`Self::open`], of someone who drives at night.
    pub(crate) async fn open_dark(&mut self, page: &str, url: &str) {
        self.ask(json!({ "do": "open", "page": page, "url": url, "dark": true })).await;
    }

    pub(crate) async fn press(&mut self, page: &str, button: &str) {
        self.ask(json!({ "do": "press", "page": page, "role": "button", "name": button })).await;
    }

    /// Waits until something of this role and name is there to be seen.
    pub(crate) async fn see(&mut self, page: &str, role: &str, name: &str) {
        self.ask(json!({ "do": "see", "page": page, "role": role, "name": name })).await;
    }

    pub(crate) async fn fill(&mut self, page: &str, label: &str, text: &str) {
        self.ask(json!({ "do": "fill", "page": page, "label": label, "text": text })).await;
    }

    pub(crate) async fn key(&mut self, page: &str, key: &str) {
        self.ask(json!({ "do": "key", "page": page, "key": key })).await;
    }

    pub(crate) async fn reload(&mut self, page: &str) {
        self.ask(json!({ "do": "reload", "page": page })).await;
    }

    pub(crate) async fn close(&mut self, page: &str) {
        self.ask(json!({ "do": "close", "page": page })).await;
    }

    /// What stands there to be read.
    pub(crate) async fn words(&mut self, page: &str) -> String {
        self.ask(json!({ "do": "words", "page": page })).await.as_str().unwrap().to_owned()
    }

    /// Waits until these words stand there.
    pub(crate) async fn read(&mut self, page: &str, words: &str) {
        let begun = Instant::now();
        loop {
            let there = self.words(page).await;
            if there.contains(words) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "not there: {words:?}\n{there}\n{:#}", self.noted(page).await);
            tokio::time::sleep(POLL).await;
        }
    }

    pub(crate) async fn address(&mut self, page: &str) -> String {
        self.ask(json!({ "do": "address", "page": page })).await.as_str().unwrap().to_owned()
    }

    /// What a screen reader is told of: role, name, value and more of each thing.
    pub(crate) async fn tree(&mut self, page: &str) -> Vec<Value> {
        self.ask(json!({ "do": "tree", "page": page })).await.as_array().unwrap().clone()
    }

    /// The role and name of what has the focus.
    pub(crate) async fn focus(&mut self, page: &str) -> String {
        let tree = self.tree(page).await;
        let mut focused = tree.iter().filter(|node| node["focused"] == true && node["role"] != "RootWebArea");
        let named = |node: &Value| format!("{} {}", node["role"].as_str().unwrap(), node["name"].as_str().unwrap());
        focused.next_back().map(named).unwrap_or_default()
    }

    /// Goes on by the tabulator until something has the focus.
    pub(crate) async fn tab_to(&mut self, page: &str, wanted: &str) {
        let mut passed = Vec::new();
        for _ in 0..40 {
            self.key(page, "Tab").await;
            let focus = self.focus(page).await;
            if focus == wanted {
                return;
            }
            passed.push(focus);
        }
        panic!("no way to {wanted:?} by keyboard: {passed:?}");
    }

    /// The value of a function of JavaScript that runs in the page.
    pub(crate) async fn run(&mut self, page: &str, script: &str, given: Value) -> Value {
        self.ask(json!({ "do": "run", "page": page, "script": script, "given": given })).await
    }

    /// What the page asked of the network, and what the browser complained of.
    pub(crate) async fn noted(&mut self, page: &str) -> Value {
        self.ask(json!({ "do": "noted", "page": page })).await
    }

    /// Takes a picture, for people to look at, if the environment names a folder for it.
    pub(crate) async fn picture(&mut self, page: &str, name: &str) {
        if let Some(folder) = std::env::var_os("JAMZ_PICTURES") {
            for (whole, suffix) in [(false, ""), (true, "-whole")] {
                let path = Path::new(&folder).join(format!("{name}{suffix}.png"));
                self.ask(json!({ "do": "picture", "page": page, "path": path, "whole": whole })).await;
            }
        }
    }
}
