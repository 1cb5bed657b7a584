//! The connection to Redis: leases, the convoys' shared state, and messages between instances. It may be away at any
//! time.

use super::{Envelope, InstanceId, Message};
use crate::core::authority::Recorded;
use crate::core::id::ConvoyId;
use crate::server::storage::{Stored, Write};
use crate::server::switchboard::Inbound;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, PushInfo, PushKind, RedisError, Script, Value};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;

/// Why Redis did not do it.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    #[error("Redis: {0}")]
    Redis(#[from] RedisError),
    #[error("Redis did not answer in time")]
    TimedOut,
    #[error("Redis holds what is no state of a convoy: {0}")]
    Json(#[from] serde_json::Error),
}

/// Redis, as one instance uses it.
#[derive(Clone)]
pub struct Link {
    manager: ConnectionManager,
    claim: Arc<Script>,
    me: InstanceId,
    outgoing: mpsc::Sender<(String, String)>,
    /// Messages were lost, so all must be agreed on anew.
    lagged: Arc<AtomicBool>,
    /// A round of claims is on its way.
    claiming: Arc<AtomicBool>,
}

#[derive(Serialize, Deserialize)]
struct Numbered {
    number: i64,
    recorded: Recorded,
}

const EVERYONE: &str = "jamz:all";
/// An instance that does not renew its leases for so long has lost its convoys.
const LEASE_MS: u64 = 3_000;
/// State of a convoy that nobody uses is let go, in seconds.
const STATE_S: i64 = 90 * 86_400;
/// Redis is asked for a sign of life so often, and is away when it does not answer within the second.
const PING_EVERY: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(1);
/// An acknowledgement waits no longer than this for Redis to have the change too; it is durable here already.
const SHARE_WITHIN: Duration = Duration::from_millis(300);
const OUTGOING_MAX: usize = 4_096;
const INCOMING_MAX: usize = 4_096;
/// Makes the caller the holder if there is none, renews the lease if it is, and says who holds it.
const CLAIM: &str = "
    local holder = redis.call('GET', KEYS[1])
    if holder and holder ~= ARGV[1] then return holder end
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
    return ARGV[1]";

impl Link {
    /// Begins to talk to Redis, whether it is there yet or not; what it says comes to `inbox`.
    ///
    /// # Errors
    /// When `url` is no address of a Redis.
    pub fn open(url: &str, me: InstanceId, inbox: mpsc::Sender<Inbound>) -> Result<Self, LinkError> {
        let separator = if url.contains('?') { '&' } else { '?' };
        let client = Client::open(format!("{url}{separator}protocol=resp3"))?;
        let lagged = Arc::new(AtomicBool::new(false));
        let (pushes, pushed) = mpsc::channel(INCOMING_MAX);
        let overflow = Arc::clone(&lagged);
        let config = ConnectionManagerConfig::new()
            .set_push_sender(move |push: PushInfo| {
                if push.kind == PushKind::Message && pushes.try_send(push).is_err() {
                    overflow.store(true, Ordering::Relaxed);
                }
                Ok::<(), ()>(())
            })
            .set_automatic_resubscription()
            .set_number_of_retries(usize::MAX)
            .set_max_delay(PATIENCE)
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let manager = ConnectionManager::new_lazy_with_config(client, config)?;
        let (outgoing, queue) = mpsc::channel(OUTGOING_MAX);
        let claim = Arc::new(Script::new(CLAIM));
        let link = Self { manager, claim, me, outgoing, lagged, claiming: Arc::default() };
        tokio::spawn(link.clone().publish_all(queue));
        tokio::spawn(link.clone().watch(inbox.clone()));
        tokio::spawn(receive(pushed, link.me.clone(), inbox));
        Ok(link)
    }

    /// Sends a message to one instance, or to all.
    pub fn send(&self, to: Option<&InstanceId>, message: Message) {
        let channel = to.map_or_else(|| EVERYONE.to_owned(), channel_of);
        let Ok(text) = serde_json::to_string(&Envelope { from: self.me.clone(), message }) else { return };
        if self.outgoing.try_send((channel, text)).is_err() {
            self.lagged.store(true, Ordering::Relaxed);
        }
    }

    /// Claims a convoy, then tells the switchboard who holds it and what is known of it.
    pub fn claim(&self, convoy: ConvoyId, inbox: mpsc::Sender<Inbound>) {
        let link = self.clone();
        tokio::spawn(async move {
            let placed = link.place(&convoy).await;
            let (holder, stored) = placed.map_or((None, None), |(holder, stored)| (Some(holder), stored));
            let _ = inbox.send(Inbound::Placed { convoy, holder, stored }).await;
        });
    }

    /// Renews leases, and takes over convoys whose holder is gone; tells the switchboard where that changes something.
    pub fn renew(&self, expected: Vec<(ConvoyId, InstanceId)>, inbox: mpsc::Sender<Inbound>) {
        if self.claiming.swap(true, Ordering::Relaxed) {
            return;
        }
        let link = self.clone();
        tokio::spawn(async move {
            for (convoy, holder) in expected {
                match link.holder(&convoy).await {
                    Ok(now) if now != holder => link.claim(convoy, inbox.clone()),
                    Ok(_) => {}
                    Err(_) => break,
                }
            }
            link.claiming.store(false, Ordering::Relaxed);
        });
    }

    async fn place(&self, convoy: &ConvoyId) -> Result<(InstanceId, Option<Stored>), LinkError> {
        let holder = self.holder(convoy).await?;
        Ok((holder, self.fetch(convoy).await?))
    }

    async fn holder(&self, convoy: &ConvoyId) -> Result<InstanceId, LinkError> {
        let mut manager = self.manager.clone();
        let mut invocation = self.claim.key(format!("jamz:lease:{convoy}"));
        let invocation = invocation.arg(&self.me.0).arg(LEASE_MS);
        let holder: String = within(PATIENCE, invocation.invoke_async(&mut manager)).await?;
        Ok(InstanceId(holder))
    }

    async fn fetch(&self, convoy: &ConvoyId) -> Result<Option<Stored>, LinkError> {
        let mut manager = self.manager.clone();
        let mut both = redis::pipe();
        both.atomic().get(kept_key(convoy)).lrange(log_key(convoy), 0, -1);
        let (kept, log): (Option<String>, Vec<String>) = within(PATIENCE, both.query_async(&mut manager)).await?;
        let Some(kept) = kept else { return Ok(None) };
        let (kept, through) = serde_json::from_str(&kept)?;
        let mut stored = Stored { kept, through, recorded: Vec::new() };
        for line in log {
            let Numbered { number, recorded } = serde_json::from_str(&line)?;
            if number == stored.last() + 1 {
                stored.recorded.push(recorded);
            }
        }
        Ok(Some(stored))
    }

    /// Lets the other instances have what was made durable here.
    ///
    /// # Errors
    /// When Redis does not have it; the convoy must be shared anew.
    pub async fn share(&self, writes: &[Write]) -> Result<(), LinkError> {
        let mut batch = redis::pipe();
        batch.atomic();
        for write in writes {
            match write {
                Write::Recorded { convoy, number, recorded } => {
                    let line = Numbered { number: *number, recorded: (**recorded).clone() };
                    batch.rpush(log_key(convoy), serde_json::to_string(&line)?).ignore();
                    batch.expire(log_key(convoy), STATE_S).ignore();
                }
                Write::Kept { convoy, through, kept, .. } => {
                    batch.set(kept_key(convoy), serde_json::to_string(&(kept, through))?).ignore();
                    batch.expire(kept_key(convoy), STATE_S).ignore();
                    batch.del(log_key(convoy)).ignore();
                }
            }
        }
        let mut manager = self.manager.clone();
        within(SHARE_WITHIN, batch.exec_async(&mut manager)).await
    }

    async fn publish_all(self, mut queue: mpsc::Receiver<(String, String)>) {
        while let Some((channel, text)) = queue.recv().await {
            let mut manager = self.manager.clone();
            let mut publish = redis::cmd("PUBLISH");
            publish.arg(channel).arg(text);
            if within::<i64>(PATIENCE, publish.query_async(&mut manager)).await.is_err() {
                self.lagged.store(true, Ordering::Relaxed);
                // Nobody hears what waits; those that go on alone agree anew later.
                while queue.try_recv().is_ok() {}
            }
        }
    }

    /// Tells the switchboard when Redis comes and goes.
    async fn watch(self, inbox: mpsc::Sender<Inbound>) {
        let mut up = false;
        let mut ticks = tokio::time::interval(PING_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while !inbox.is_closed() {
            ticks.tick().await;
            let mut manager = self.manager.clone();
            let answers = within::<Value>(PATIENCE, redis::cmd("PING").query_async(&mut manager)).await.is_ok();
            let whole = !self.lagged.swap(false, Ordering::Relaxed);
            let now = answers && (whole || !up) && (up || self.subscribe().await.is_ok());
            if now != up {
                up = now;
                if inbox.send(Inbound::Link { up }).await.is_err() {
                    return;
                }
            }
        }
    }

    async fn subscribe(&self) -> Result<(), LinkError> {
        let mut manager = self.manager.clone();
        within(PATIENCE, manager.subscribe(vec![EVERYONE.to_owned(), channel_of(&self.me)])).await
    }
}

/// Hands on what other instances say.
async fn receive(mut pushed: mpsc::Receiver<PushInfo>, me: InstanceId, inbox: mpsc::Sender<Inbound>) {
    while let Some(push) = pushed.recv().await {
        let Some(Value::BulkString(text)) = push.data.get(1) else { continue };
        match serde_json::from_slice::<Envelope>(text) {
            Ok(envelope) if envelope.from == me => {}
            Ok(Envelope { from, message }) => {
                if inbox.send(Inbound::Remote { from, message: Box::new(message) }).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "a message of another instance is not understood; is it the same version?");
            }
        }
    }
}

async fn within<T>(limit: Duration, doing: impl Future<Output = Result<T, RedisError>>) -> Result<T, LinkError> {
    Ok(tokio::time::timeout(limit, doing).await.map_err(|_| LinkError::TimedOut)??)
}

fn channel_of(instance: &InstanceId) -> String {
    format!("jamz:to:{}", instance.0)
}

fn kept_key(convoy: &ConvoyId) -> String {
    format!("jamz:kept:{convoy}")
}

fn log_key(convoy: &ConvoyId) -> String {
    format!("jamz:log:{convoy}")
}
