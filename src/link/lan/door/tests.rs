//! A door, a newcomer, and those who stand between them, over real connections.

use super::*;
use crate::core::clock::MonoTime;
use crate::core::id::ConvoyName;
use crate::core::ticket::WallTime;
use crate::link::lan::newcomer::{self, NotIn};
use crate::wire::founding::GIFT_HEAD_BYTES;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

const RIGHT: &str = "amber castle river twist";
const WRONG: &str = "amber castle river twice";

#[derive(Default)]
struct Clock(AtomicI64);

impl Monotonic for Clock {
    fn now(&self) -> MonoTime {
        MonoTime(self.0.load(Ordering::Relaxed))
    }
}

struct Open {
    address: SocketAddr,
    clock: Arc<Clock>,
    roadside: Roadside,
    events: mpsc::Receiver<LanEvent>,
    door: JoinHandle<()>,
}

fn key(number: u8) -> DeviceKey {
    DeviceKey::from_secret(&[number; 32]).unwrap()
}

fn code(text: &str) -> Code {
    Code::parse(text).unwrap()
}

/// The van's door, on this machine.
async fn open() -> Open {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (clock, (sender, events)) = (Arc::new(Clock::default()), mpsc::channel(4));
    let name = ConvoyName::new("Alps").unwrap();
    let roadside = Roadside::found(name, &key(1), WallTime::default(), ([1; 32], [0xab; 32])).unwrap();
    let offer = Offer {
        code: code(RIGHT),
        roadside: roadside.clone(),
        key: key(1),
        valid: Duration::from_mins(10),
        clock: clock.clone(),
        events: sender,
    };
    let door = tokio::spawn(receive(listener, Arc::new(offer)));
    Open { address, clock, roadside, events, door }
}

impl Open {
    /// What the truck is handed.
    fn for_truck(&self) -> Roadside {
        self.roadside.for_newcomer(&key(1), key(2).device()).unwrap()
    }

    /// The truck, with this code, by way of `address`.
    async fn newcomer(&self, address: SocketAddr, text: &str) -> Result<Roadside, NotIn> {
        // A stranger's allowance is another test's.
        self.clock.0.fetch_add(20_000_000, Ordering::Relaxed);
        newcomer::ask(address, key(1).device(), &code(text), &key(2)).await
    }
}

/// Which way, and after how many bytes, one is changed.
#[derive(Clone, Copy)]
struct Change {
    to_member: bool,
    at: usize,
}

/// Stands between: passes everything on, but for one changed byte, and keeps what it passed to the member and back.
async fn between(to: SocketAddr, change: Option<Change>) -> (SocketAddr, Arc<Mutex<[Vec<u8>; 2]>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let passed: Arc<Mutex<[Vec<u8>; 2]>> = Arc::default();
    let kept = passed.clone();
    tokio::spawn(async move {
        let (newcomer, _) = listener.accept().await.unwrap();
        let member = TcpStream::connect(to).await.unwrap();
        let ((mut from_newcomer, mut to_newcomer), (mut from_member, mut to_member)) =
            (newcomer.into_split(), member.into_split());
        let altered = |way: usize, bytes: &mut [u8]| {
            let mut passed = kept.lock().unwrap();
            let begin = passed[way].len();
            if let Some(Change { to_member, at }) = change
                && usize::from(!to_member) == way
                && let Some(byte) = at.checked_sub(begin).and_then(|at| bytes.get_mut(at))
            {
                *byte ^= 1;
            }
            passed[way].extend_from_slice(bytes);
        };
        let there = async {
            let mut bytes = [0; 4_096];
            while let Ok(count @ 1..) = from_newcomer.read(&mut bytes).await {
                altered(0, &mut bytes[..count]);
                let _ = to_member.write_all(&bytes[..count]).await;
            }
            let _ = to_member.shutdown().await;
        };
        let back = async {
            let mut bytes = [0; 4_096];
            while let Ok(count @ 1..) = from_member.read(&mut bytes).await {
                altered(1, &mut bytes[..count]);
                let _ = to_newcomer.write_all(&bytes[..count]).await;
            }
            let _ = to_newcomer.shutdown().await;
        };
        tokio::join!(there, back);
    });
    (address, passed)
}

#[tokio::test]
async fn who_knows_the_code_is_handed_the_convoy_and_nobody_on_the_way_reads_it() {
    let open = open().await;
    let (address, passed) = between(open.address, None).await;
    assert_eq!(open.newcomer(address, RIGHT).await, Ok(open.for_truck()));
    let passed = passed.lock().unwrap().concat();
    for secret in ["abab", "Alps", "alps", "amber", "castle"] {
        assert!(!passed.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret}");
    }
}

#[tokio::test]
async fn who_changes_any_byte_on_the_way_keeps_the_newcomer_out() {
    let lengths = {
        let open = open().await;
        let (address, passed) = between(open.address, None).await;
        open.newcomer(address, RIGHT).await.unwrap();
        let passed = passed.lock().unwrap();
        [passed[0].len(), passed[1].len()]
    };
    for (to_member, length) in [(true, lengths[0]), (false, lengths[1])] {
        for at in 0..length {
            let open = open().await;
            let (address, _) = between(open.address, Some(Change { to_member, at })).await;
            let met = open.newcomer(address, RIGHT).await;
            assert!(met.is_err(), "byte {at}, to the member: {to_member}");
            open.door.abort();
        }
    }
}

#[tokio::test]
async fn what_was_recorded_of_a_newcomer_lets_nobody_in_again() {
    let open = open().await;
    let (address, passed) = between(open.address, None).await;
    open.newcomer(address, RIGHT).await.unwrap();
    let recorded = passed.lock().unwrap()[0].clone();
    let mut replay = TcpStream::connect(open.address).await.unwrap();
    replay.write_all(&recorded).await.unwrap();
    let mut answer = Vec::new();
    replay.read_to_end(&mut answer).await.unwrap();
    let refusal = GiftHead::refusal(Verdict::Wrong).encode();
    assert_eq!(answer.len(), OPENING_BYTES + GIFT_HEAD_BYTES);
    assert_eq!(answer[OPENING_BYTES..], refusal, "told that it was wrong, and nothing else");
}

#[tokio::test]
async fn ten_wrong_guesses_burn_the_code_and_people_are_told() {
    let mut open = open().await;
    for _ in 0..super::super::tries::WRONG_MAX {
        assert_eq!(open.newcomer(open.address, WRONG).await, Err(NotIn::Wrong));
    }
    assert_eq!(open.events.recv().await, Some(LanEvent::CodeBurnt));
    assert!(matches!(open.newcomer(open.address, RIGHT).await, Err(NotIn::Failed(_))), "nobody listens any more");
}

#[tokio::test]
async fn who_guesses_without_a_pause_is_told_to_wait_and_others_with_the_code_get_in_later() {
    let open = open().await;
    let mut told = Vec::new();
    for _ in 0..7 {
        told.push(newcomer::ask(open.address, key(1).device(), &code(WRONG), &key(3)).await.unwrap_err());
    }
    assert_eq!(told[..5], vec![NotIn::Wrong; 5]);
    assert_eq!(told[5..], vec![NotIn::Later; 2]);
    assert_eq!(open.newcomer(open.address, RIGHT).await, Ok(open.for_truck()));
}

#[tokio::test]
async fn nonsense_and_strangers_get_nothing_and_burn_nothing() {
    let mut open = open().await;
    let mut nonsense: Vec<Vec<u8>> = vec![b"GET / HTTP/1.1\r\n\r\n".repeat(20), vec![0; 4_096], vec![0xff; 4_096]];
    let real = meeting::begin(Role::Newcomer, &code(WRONG), key(2).device(), key(1).device());
    let opening = real.opening().encode();
    for at in 0..OPENING_BYTES - ELEMENT_BYTES {
        let mut bytes = opening.clone();
        bytes[at] = 0xff;
        nonsense.push(bytes);
    }
    // The member's own opening, sent back to it.
    nonsense.push(Opening { device: key(1).device().clone(), ..real.opening().clone() }.encode());
    for bytes in nonsense {
        open.clock.0.fetch_add(20_000_000, Ordering::Relaxed);
        let mut stream = TcpStream::connect(open.address).await.unwrap();
        let _ = stream.write_all(&bytes).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert_eq!(answer, b"");
    }
    assert_eq!(open.newcomer(open.address, RIGHT).await, Ok(open.for_truck()));
    assert!(open.events.try_recv().is_err());
}

#[tokio::test]
async fn a_device_that_is_not_the_one_it_says_is_not_let_in() {
    let open = open().await;
    open.clock.0.fetch_add(20_000_000, Ordering::Relaxed);
    let mut stream = TcpStream::connect(open.address).await.unwrap();
    // It knows the code, and has another's name.
    let begun = meeting::begin(Role::Newcomer, &code(RIGHT), key(2).device(), key(1).device());
    stream.write_all(&begun.opening().encode()).await.unwrap();
    let mut bytes = [0; OPENING_BYTES];
    stream.read_exact(&mut bytes).await.unwrap();
    let meeting = begun.meet(&Opening::decode(&bytes).unwrap()).unwrap();
    let mut proof = meeting.confirmation().to_vec();
    proof.extend(meeting.seal(key(9).sign_meeting(meeting.said()).into_bytes()).unwrap());
    stream.write_all(&proof).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert_eq!(answer, b"");
}
