//! Today's web client under the command of a test, and its place in the music beside a car's.

use crate::jamzd_car::Car;
use crate::node::Node;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Longer than anything takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(25);

pub(crate) struct Web {
    node: Node,
}

impl Web {
    /// A browser of `user` whose machine's wall clock is so far ahead.
    pub(crate) async fn open(url: &str, token: &str, user: &str, session: &str, clock_ahead_ms: i64) -> Self {
        let options = json!({
            "url": url, "sessionId": session, "groupId": "g", "userId": user, "token": token,
                "clockAheadMs": clock_ahead_ms,
        });
        let mut web = Self { node: Node::spawn("web-client.js", &options) };
        // The greeting brings the list twice; what is written between the two would be overwritten by the second.
        let greeted = |state: &Value| {
            ["music-session-state", "playlist-update"].iter().all(|event| heard(state, event).next().is_some())
        };
        web.until("it has joined", greeted).await;
        web
    }

    pub(crate) fn tell(&mut self, command: &Value) {
        self.node.tell(command);
    }

    pub(crate) fn click(&mut self, button: &str) {
        self.tell(&json!({ "do": button }));
    }

    /// The player as it is now, and all that was heard so far.
    pub(crate) async fn state(&mut self) -> Value {
        self.click("state");
        self.node.expect("state").await["state"].take()
    }

    /// Waits until the web client is as wanted.
    pub(crate) async fn until(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let state = self.state().await;
            if wanted(&state) {
                return state;
            }
            assert!(begun.elapsed() < PATIENCE, "not so: {what}\n{state:#}");
            tokio::time::sleep(POLL).await;
        }
    }

    pub(crate) async fn take_control(&mut self) {
        self.click("takeControl");
        self.until("it leads", |state| state["isController"] == true).await;
    }

    /// Waits until the car plays (or stands) where this client does, within so many seconds.
    pub(crate) async fn until_together(&mut self, what: &str, car: &mut Car, within_s: f64) {
        let begun = Instant::now();
        loop {
            // Asking takes time, in which the music runs on.
            let asked = Instant::now();
            let before = self.state().await;
            let status = car.status().await;
            let spent_s = asked.elapsed().as_secs_f64();
            let now = &status.now_playing;
            let track = now.track.as_ref().map(|track| track.id.as_str());
            let off_s = now.position_us as f64 / 1e6 - before["position"].as_f64().unwrap();
            let same = before["track"].as_str() == track && before["playing"] == now.playing;
            let heard = !now.playing || status.audio.in_sync;
            if same && heard && spent_s < 0.1 && off_s > -within_s && off_s < within_s + spent_s {
                return;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "not together: {what}; off {off_s} s, asked for {spent_s} s\n{before:#}\n{status:#?}"
            );
            tokio::time::sleep(POLL).await;
        }
    }
}

/// What a web client heard under this name, in order.
pub(crate) fn heard<'a>(state: &'a Value, event: &'a str) -> impl DoubleEndedIterator<Item = &'a Value> {
    state["heard"].as_array().unwrap().iter().filter(move |item| item["event"] == event).map(|item| &item["data"])
}
