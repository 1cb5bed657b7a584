//! Signals that reach the page: those that a car signed for it, in its convoy, begin a link, and no others do.

use crate::browser::Browser;
use crate::jamz_server::Server;
use serde_json::{Value, json};

/// Gives the page's links one offer after the other, each with something wrong, and at last the good one. The attempts
/// that were answered.
const OFFERS: &str = r"async () => {
  const { DeviceKey, Kept } = await import('/keys.js');
  const { Mesh } = await import('/mesh.js');
  const kept = await Kept.open();
  const [phone, car, other] = await Promise.all(['phone', 'car', 'other'].map((name) => DeviceKey.open(kept, name)));
  const said = [];
  const hears = { changed() {} };
  const self = { device: phone.device, user: 'phone', name: 'phone' };
  const mesh = new Mesh(phone, 'alps', self, (signal) => said.push(signal), hears);
  const offering = new RTCPeerConnection();
  offering.createDataChannel('music-control');
  await offering.setLocalDescription();
  let attempt = 0;
  const offer = async ({ key = car, signed = {}, shown = {} } = {}) => {
    attempt += 1;
    const made = { convoy: 'alps', from: car.device, to: phone.device, attempt, sdp: offering.localDescription.sdp };
    const sign = { ...made, ...signed };
    const { convoy, from, to } = sign;
    const signal = { attempt: sign.attempt, kind: 'offer', body: sign.sdp };
    const signature = await key.sign({ convoy, from, to, signal, signature: '' });
    const show = { ...sign, signature, ...shown };
    const data = { sdp: show.sdp, attempt: show.attempt, signature: show.signature };
    mesh.take({ sessionId: show.convoy, from: show.from, to: show.to, type: 'offer', data });
  };
  await offer({ shown: { signature: undefined } });
  await offer({ shown: { signature: 'AAAA' } });
  await offer({ key: other });
  await offer({ shown: { from: other.device } });
  await offer({ signed: { from: 'page:1' } });
  await offer({ shown: { sdp: `${offering.localDescription.sdp}a=x\r\n` } });
  await offer({ shown: { attempt: 77 } });
  await offer({ signed: { convoy: 'jura' } });
  await offer({ signed: { convoy: 'jura' }, shown: { convoy: 'alps' } });
  await offer({ shown: { convoy: 'jura' } });
  await offer({ signed: { to: other.device } });
  await offer({ signed: { to: other.device }, shown: { to: phone.device } });
  mesh.take({});
  mesh.take({ sessionId: 'alps', from: car.device, to: phone.device, type: 'offer', data: { sdp: 5 } });
  await offer();
  while (!said.some(({ type }) => type === 'answer')) await new Promise((resolve) => setTimeout(resolve, 20));
  mesh.close();
  return [attempt, [...new Set(said.map(({ data }) => data.attempt))], said.every(({ to }) => to === car.device)];
}";

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_that_is_forged_or_for_another_convoy_begins_no_link_and_the_good_one_beside_it_does() {
    let server = Server::start(&["--open"]);
    let mut browser = Browser::start().await;
    browser.open("ben", &server.url()).await;
    browser.read("ben", "You need a link").await;
    assert_eq!(browser.run("ben", OFFERS, Value::Null).await, json!([13, [13], true]));
}

/// Links the page with a car that is made here, which then says changes, each with something wrong, and at last good
/// ones. The numbers of those that count.
const CHANGES: &str = r"async () => {
  const { DeviceKey, Kept } = await import('/keys.js');
  const { Mesh } = await import('/mesh.js');
  const { encodeChange } = await import('/frames.js');
  const kept = await Kept.open();
  const [phone, car, other] = await Promise.all(['phone', 'car', 'other'].map((name) => DeviceKey.open(kept, name)));
  const counted = [];
  const hears = { changed() {}, differs() {}, change: ({ id }) => counted.push(id.sequence) };
  const offering = new RTCPeerConnection();
  const channels = ['music-control', 'clock', 'content'].map((label) => offering.createDataChannel(label));
  const fromPhone = async ({ type, data }) => {
    if (type === 'answer') await offering.setRemoteDescription({ type, sdp: data.sdp });
    else await offering.addIceCandidate(JSON.parse(data.candidate));
  };
  let reading = Promise.resolve();
  const say = (signal) => { reading = reading.then(() => fromPhone(signal)); return true; };
  const self = { device: phone.device, user: 'phone', name: 'phone' };
  const mesh = new Mesh(phone, 'alps', self, say, hears);
  const signal = async (kind, what) => {
    const body = what.sdp ?? what.candidate;
    const offered = { attempt: 1, kind, body };
    const signed = { convoy: 'alps', from: car.device, to: phone.device, signal: offered, signature: '' };
    const data = { ...what, attempt: 1, signature: await car.sign(signed) };
    mesh.take({ sessionId: 'alps', from: car.device, to: phone.device, type: kind, data });
  };
  const open = Promise.all(channels.map((channel) => new Promise((resolve) => { channel.onopen = resolve; })));
  let signing = Promise.resolve();
  offering.onicecandidate = ({ candidate }) => {
    if (!candidate?.candidate) return;
    signing = signing.then(() => signal('ice-candidate', { candidate: JSON.stringify(candidate) }));
  };
  await offering.setLocalDescription();
  await signal('offer', { sdp: offering.localDescription.sdp });
  await open;

  let sequence = 0;
  const tell = async ({ key = car, convoy = 'alps', author = car, shown = {} } = {}) => {
    sequence += 1;
    const bare = { id: { device: author.device, sequence }, hlc: { time_us: 5, count: 0 }, term: 1,
      action: { type: 'take-control' } };
    const change = { ...await key.signChange(bare, convoy), ...shown };
    channels[0].send(encodeChange(change));
  };
  await tell({ shown: { signature: undefined } });
  await tell({ shown: { signature: 'AAAA' } });
  await tell({ key: other });
  await tell({ author: other });
  await tell({ convoy: 'jura' });
  await tell({ shown: { action: { type: 'release-control' } } });
  await tell({ shown: { term: 2 } });
  await tell({ shown: { id: { device: car.device, sequence: 77 } } });
  channels[0].send('{');
  channels[0].send(JSON.stringify({ type: 'control', data: null }));
  await tell();
  await tell({ key: other, author: other });
  while (!counted.includes(sequence)) await new Promise((resolve) => setTimeout(resolve, 20));
  mesh.close();
  return [sequence, counted];
}";

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_is_forged_or_of_another_convoy_counts_nowhere_and_its_authors_own_does_whoever_brings_it() {
    let server = Server::start(&["--open"]);
    let mut browser = Browser::start().await;
    browser.open("ben", &server.url()).await;
    browser.read("ben", "You need a link").await;
    assert_eq!(browser.run("ben", CHANGES, Value::Null).await, json!([10, [9, 10]]));
}
