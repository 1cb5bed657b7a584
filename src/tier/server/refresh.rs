//! When the token is to be refreshed: by the server's wall clock, because a car's own may be years off.

use super::dial::Dialer;
use super::token::Token;
use super::tokens::Tokens;
use crate::core::clock::MonoTime;
use tokio::task::JoinSet;

/// Between two requests for a fresh token.
const PAUSE_US: i64 = 600_000_000;

/// The refresh of the token that a connection was made with.
pub(super) struct Refresh {
    token: Option<Token>,
    /// The server's wall clock, in seconds since 1970, and when it was so.
    time: Option<(i64, MonoTime)>,
    asking: JoinSet<Option<i64>>,
    due: Option<MonoTime>,
}

impl Refresh {
    /// Nothing is ever due for a token that does not end, or a server that cannot refresh it.
    pub(super) fn new(token: Option<Token>, dialer: &Dialer) -> Self {
        let token = token.filter(Token::ends);
        let mut asking = JoinSet::new();
        if token.is_some() {
            let (http, address) = (dialer.http.clone(), dialer.address.clone());
            asking.spawn(async move { http.time_s(&address).await });
        }
        Self { token, time: None, asking, due: None }
    }

    /// Nothing to refresh.
    pub(super) fn none() -> Self {
        Self { token: None, time: None, asking: JoinSet::new(), due: None }
    }

    /// The server's wall clock, once it has told it; none when nothing is awaited any more.
    pub(super) async fn server_time(&mut self) -> Option<Option<i64>> {
        self.asking.join_next().await.map(Result::ok).map(Option::flatten)
    }

    pub(super) fn on_time(&mut self, time_s: Option<i64>, now: MonoTime) {
        self.time = time_s.map(|time_s| (time_s, now));
        self.plan(now);
    }

    /// Takes a fresh token in.
    pub(super) fn on_token(&mut self, text: &str, tokens: &mut Tokens, now: MonoTime) {
        let Some(token) = Token::new(text) else {
            tracing::warn!("the server's fresh token is no token");
            return;
        };
        tracing::info!("the token was refreshed");
        tokens.keep(token.clone());
        self.token = Some(token);
        self.plan(now);
        // A server that gives out nearly expired tokens is not asked in a hot loop.
        self.due = self.due.map(|due| due.max(now + PAUSE_US));
    }

    pub(super) fn due(&self) -> Option<MonoTime> {
        self.due
    }

    /// Whether to ask now; true once, and then not for a while.
    pub(super) fn is_due(&mut self, now: MonoTime) -> bool {
        let due = self.due.is_some_and(|due| due <= now);
        if due {
            self.due = Some(now + PAUSE_US);
        }
        due
    }

    fn plan(&mut self, now: MonoTime) {
        let Some((time_s, then)) = self.time else { return };
        let server_now_s = time_s.saturating_add((now - then) / 1_000_000);
        let wait_s = self.token.as_ref().and_then(|token| token.refresh_in_s(server_now_s));
        self.due = wait_s.map(|wait_s| now + wait_s.saturating_mul(1_000_000));
    }
}
