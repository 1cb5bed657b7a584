//! A small web server that serves files well, badly, and not at all, as each path says.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What a path does.
#[derive(Clone)]
pub(crate) enum Page {
    /// With ranges and a tag; each answer breaks off after so many bytes of its body.
    Ranges { body: Vec<u8>, tag: &'static str, breaks_after: usize },
    /// Without ranges; the first answers break off after so many bytes each, the rest are whole.
    Plain { body: Vec<u8>, kind: &'static str, breaks_after: Vec<usize> },
    /// The first page once, from then on the second.
    Then(Box<Page>, Box<Page>),
    /// As much as anyone takes, of no stated length.
    Endless { head: Vec<u8> },
    /// So many bytes, then silence on an open connection.
    Stalls { body: Vec<u8>, after: usize },
    /// Pieces of so many bytes with a pause after each.
    Slow { body: Vec<u8>, piece: usize, pause: Duration },
    /// This head and no body: redirects, refusals, lies about the length.
    Head(String),
}

pub(crate) struct Site {
    pub(crate) addr: SocketAddr,
    pages: Arc<Mutex<BTreeMap<String, Page>>>,
    /// Each request as it came.
    pub(crate) requests: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Site {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let pages: Arc<Mutex<BTreeMap<String, Page>>> = Arc::default();
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let (served, heard) = (Arc::clone(&pages), Arc::clone(&requests));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&served), Arc::clone(&heard)));
            }
        });
        Self { addr, pages, requests, task }
    }

    /// Puts a page at `/name`, and gives its address.
    pub(crate) fn put(&self, name: &str, page: Page) -> String {
        self.pages.lock().unwrap().insert(format!("/{name}"), page);
        format!("http://{}/{name}", self.addr)
    }

    pub(crate) fn hits(&self, name: &str) -> usize {
        let line = format!("GET /{name} ");
        self.requests.lock().unwrap().iter().filter(|request| request.starts_with(&line)).count()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, pages: Arc<Mutex<BTreeMap<String, Page>>>, heard: Arc<Mutex<Vec<String>>>) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) if request.len() < 65_536 => request.push(byte),
            _ => return,
        }
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let path = request.split(' ').nth(1).unwrap_or("/").to_owned();
    heard.lock().unwrap().push(request.clone());
    let page = {
        let mut pages = pages.lock().unwrap();
        match pages.get(&path).cloned() {
            Some(Page::Then(first, second)) => {
                pages.insert(path, *second);
                Some(*first)
            }
            Some(Page::Plain { body, kind, breaks_after }) if !breaks_after.is_empty() => {
                let rest = breaks_after[1..].to_vec();
                pages.insert(path, Page::Plain { body: body.clone(), kind, breaks_after: rest });
                Some(Page::Plain { body, kind, breaks_after })
            }
            page => page,
        }
    };
    // A client that goes away early is part of many tests.
    let _ = answer(&mut stream, &request, page).await;
}

async fn answer(stream: &mut TcpStream, request: &str, page: Option<Page>) -> std::io::Result<()> {
    match page {
        None => head(stream, "404 Not Found", "text/html", Some(0), "").await,
        Some(Page::Ranges { body, tag, breaks_after }) => {
            let from = range(request, tag).unwrap_or(0).min(body.len());
            let total = body.len();
            let part = &body[from..];
            let more = format!("ETag: {tag}\r\nContent-Range: bytes {from}-{}/{total}\r\n", total - 1);
            let (status, more) =
                if from > 0 { ("206 Partial Content", more) } else { ("200 OK", format!("ETag: {tag}\r\n")) };
            head(stream, status, "audio/wav", Some(part.len()), &more).await?;
            stream.write_all(&part[..breaks_after.min(part.len())]).await
        }
        Some(Page::Plain { body, kind, breaks_after }) => {
            head(stream, "200 OK", kind, Some(body.len()), "").await?;
            let end = breaks_after.first().copied().unwrap_or(usize::MAX).min(body.len());
            stream.write_all(&body[..end]).await
        }
        Some(Page::Endless { head: start }) => {
            head(stream, "200 OK", "audio/wav", None, "").await?;
            stream.write_all(&start).await?;
            loop {
                stream.write_all(&[7; 8_192]).await?;
            }
        }
        Some(Page::Stalls { body, after }) => {
            head(stream, "200 OK", "audio/wav", Some(body.len()), "").await?;
            stream.write_all(&body[..after]).await?;
            tokio::time::sleep(Duration::from_mins(10)).await;
            Ok(())
        }
        Some(Page::Slow { body, piece, pause }) => {
            head(stream, "200 OK", "audio/wav", Some(body.len()), "").await?;
            for piece in body.chunks(piece) {
                stream.write_all(piece).await?;
                tokio::time::sleep(pause).await;
            }
            Ok(())
        }
        Some(Page::Head(head)) => stream.write_all(head.as_bytes()).await,
        Some(Page::Then(..)) => Ok(()),
    }
}

async fn head(
    stream: &mut TcpStream,
    status: &str,
    kind: &str,
    length: Option<usize>,
    more: &str,
) -> std::io::Result<()> {
    let length = length.map_or(String::new(), |length| format!("Content-Length: {length}\r\n"));
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{length}{more}Connection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await
}

/// Where the client wants to go on, if it means this version.
fn range(request: &str, tag: &str) -> Option<usize> {
    let header = |name: &str| {
        request.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    if header("if-range").is_some_and(|wanted| wanted != tag) {
        return None;
    }
    header("range")?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
}
