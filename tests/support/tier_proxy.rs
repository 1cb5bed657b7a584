//! The road between car and server: it can fall silent with every socket left open, or grow narrow.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What the road does with bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Road {
    Open,
    /// Nothing passes either way, and nobody is told: no FIN, no RST.
    Silent,
    /// So many bytes pass each second, towards the car.
    Narrow(usize),
}

/// A road to a server.
pub(crate) struct Proxy {
    road: watch::Sender<Road>,
    open: Arc<AtomicUsize>,
    accepted: Arc<AtomicUsize>,
    task: JoinHandle<()>,
    pub(crate) address: SocketAddr,
}

impl Proxy {
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let road = watch::Sender::new(Road::Open);
        let (open, accepted) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (roads, opened, count) = (road.clone(), open.clone(), accepted.clone());
        let task = tokio::spawn(async move {
            while let Ok((car, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(carry(car, port, roads.subscribe(), opened.clone()));
            }
        });
        Self { road, open, accepted, task, address }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn set(&self, road: Road) {
        self.road.send_replace(road);
    }

    /// Connections that the car holds open now.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    /// Connections that the car made so far.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Carries one connection until the car closes it; that is seen even while nothing passes.
async fn carry(car: TcpStream, port: u16, road: watch::Receiver<Road>, open: Arc<AtomicUsize>) {
    open.fetch_add(1, Ordering::SeqCst);
    let (mut from_car, mut to_car) = car.into_split();
    let (bytes, mut to_server) = tokio::sync::mpsc::unbounded_channel::<Vec<u8>>();
    let wire = tokio::spawn(async move {
        let server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let (mut from_server, mut into_server) = server.into_split();
        let mut up = road.clone();
        let upward = tokio::spawn(async move {
            while let Some(chunk) = to_server.recv().await {
                up.wait_for(|road| *road != Road::Silent).await.unwrap();
                if into_server.write_all(&chunk).await.is_err() {
                    return;
                }
            }
        });
        let mut down = road;
        let mut buffer = vec![0; 16 << 10];
        while let Ok(count @ 1..) = from_server.read(&mut buffer).await {
            let road = *down.wait_for(|road| *road != Road::Silent).await.unwrap();
            if let Road::Narrow(bytes_per_s) = road {
                tokio::time::sleep(Duration::from_secs_f64(count as f64 / bytes_per_s as f64)).await;
            }
            if to_car.write_all(&buffer[..count]).await.is_err() {
                break;
            }
        }
        upward.abort();
    });
    let mut buffer = vec![0; 16 << 10];
    while let Ok(count @ 1..) = from_car.read(&mut buffer).await {
        if bytes.send(buffer[..count].to_vec()).is_err() {
            break;
        }
    }
    open.fetch_sub(1, Ordering::SeqCst);
    wire.abort();
}
