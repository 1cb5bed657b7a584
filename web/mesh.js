// Links of this phone with cars, by WebRTC: what is done goes on without the server. A phone leads nobody and passes
// nothing on; it follows the car that leads to the authority, and that car's word counts.

import { Assembler, decodeChange, encodeChange, FRAME_BYTES_MAX, isBeat, membersOf, plain, sumOf } from './frames.js';
import { quickest } from './server.js';

/** Each side opens its own channels, and sends over those alone. */
const CHANNELS = {
  'music-control': { ordered: true, maxRetransmits: 3 },
  clock: { ordered: false, maxRetransmits: 0 },
  content: { ordered: true },
};
/** A link with whoever leads, and one to spare. */
const LINKS = 2;
const CONNECT_MS = 8_000;
const RETRY_MS = 4_000;
/** Questions while all is well, and while one is not answered. */
const ASK_MS = 1_500;
const ASK_AGAIN_MS = 300;
const DEAD_MS = 3_000;
const TICK_MS = 150;
const SAMPLES_KEPT = 8;
/** Cars that offer a link are answered, up to so many links. */
const PEERS_MAX = 8;
/** Devices on a way. */
const ROUTE_MAX = 5;
/** Signed messages that wait to be checked; what is missed then is asked for. */
const UNREAD_MAX = 1_000;
/** What the authority says that it knows, and was not told here, is asked for after so long. */
const DIFFERS_MS = 1_000;

/** The least lead of a control: what its author's car and the others need beyond the way. */
export const LEAD_US = 250_000;

const nowUs = () => Math.round(performance.now() * 1_000);

/** One car, and the link with it. */
class Peer {
  up = false;
  samples = [];
  members = [];
  early = [];
  own = {};
  theirs = {};
  since = performance.now();

  constructor(device, attempt) {
    Object.assign(this, { device, attempt });
    this.connection = new RTCPeerConnection();
  }

  get route() {
    return this.beat && { source: this.beat.source, path: this.beat.path, count: this.beat.count };
  }

  send(text) {
    const channel = this.own['music-control'];
    if (this.up && channel.readyState === 'open' && text.length <= FRAME_BYTES_MAX) channel.send(text);
  }

  /** Convoy time as this car has it; none while it is not known. */
  convoyNow() {
    const best = this.#best;
    if (!best || !this.beat?.clock) return null;
    const [mono, convoy, rate] = this.beat.clock;
    return Math.round(convoy + (nowUs() + best.offsetUs - mono) * (1 + rate));
  }

  get roundTripUs() {
    return this.#best?.roundTripUs ?? 0;
  }

  note({ echo, sent }, received) {
    if (!echo) return;
    const [asked, heard] = echo;
    const sample = { offsetUs: (heard - asked + sent - received) / 2, roundTripUs: received - asked - (sent - heard) };
    this.samples = [...this.samples, sample].slice(-SAMPLES_KEPT);
  }

  get #best() {
    return quickest(this.samples);
  }
}

/** Orders two authorities: a server's word is above any member's, then term by term. */
function compareRoutes(a, b) {
  const rank = ({ source, path }) => {
    if (source.server !== undefined) return [1, 0, 0, 0, 0, 0, '', -path.length];
    const [term, established, timed, dj, mains, user] = source.member;
    return [0, term, Number(established), Number(timed), Number(dj), Number(mains), user, -path.length];
  };
  const [left, right] = [rank(a), rank(b)];
  const at = left.findIndex((part, i) => part !== right[i]);
  return at < 0 ? 0 : left[at] < right[at] ? -1 : 1;
}

/**
 * All links. `self` has device, user and name; `signal` says something to a car by the way that this page came, and gives
 * whether it could: otherwise it goes over the links that there are. `hears` has `changed` when links or members changed,
 * `change`, `state` and `verdict` of the car that is followed, and `differs` when that car knows something untold here.
 */
export class Mesh {
  #peers = new Map();
  #attempt = 0;
  #retry = new Map();
  #signing = Promise.resolve();
  #reading = Promise.resolve();
  #unread = 0;
  ticket = null;

  constructor(key, convoy, self, signal, hears) {
    Object.assign(this, { key, convoy, self, signal, hears });
    this.timer = setInterval(() => this.#tick(), TICK_MS);
    addEventListener('pagehide', () => this.close());
  }

  close() {
    clearInterval(this.timer);
    for (const peer of this.#peers.values()) {
      peer.send(plain('goodbye', {}));
      peer.connection.close();
    }
    this.#peers.clear();
  }

  /** The cars that there are links with. */
  get linked() {
    return [...this.#peers.values()].filter(({ up }) => up).map(({ device }) => device);
  }

  /** The car that is followed; none while no link leads to an authority. */
  get upstream() {
    const usable = ({ up, route, device }) => up && route && route.path.length < ROUTE_MAX
      && route.path.at(-1) === device && !route.path.includes(this.self.device);
    const peers = [...this.#peers.values()].filter(usable);
    return peers.reduce((best, peer) => (best && compareRoutes(best.route, peer.route) >= 0 ? best : peer), undefined);
  }

  /** The term of the authority that is followed. */
  get term() {
    const source = this.upstream?.route.source;
    return source?.server ?? source?.member[0] ?? 0;
  }

  /** Everyone who can be reached over links. */
  get members() {
    const reached = new Map();
    for (const { up, members } of this.#peers.values()) {
      if (up) for (const member of members) reached.set(member.device, member);
    }
    return [...reached.values()];
  }

  get roundTripUs() {
    return this.upstream?.roundTripUs ?? 0;
  }

  /** Offers links to the first of these cars, while something carries signals. */
  want(devices) {
    this.wanted = devices.slice(0, LINKS);
    for (const device of this.wanted) {
      const isDue = (this.#retry.get(device) ?? 0) <= performance.now();
      if (!this.#peers.has(device) && isDue) this.#offer(device).catch(() => this.#drop(device));
    }
  }

  /** Takes in what a car signals by the way that this page came. */
  take({ sessionId: convoy, from, to, type: kind, data }) {
    const { attempt, signature } = data ?? {};
    this.#take({ convoy, from, to, signal: { attempt, kind, body: data?.sdp ?? data?.candidate }, signature });
  }

  #take({ convoy, from, to, signal, signature }) {
    const { attempt, kind, body } = signal ?? {};
    if (convoy !== this.convoy || to !== this.self.device || typeof body !== 'string') return;
    const signed = { convoy, from, to, signal: { attempt, kind, body }, signature: '' };
    // One after the other: a candidate must not overtake the description that it belongs to.
    this.#read(async () => {
      if (await this.key.verify(from, signed, signature)) await this.#heed(from, signed.signal);
    }, () => this.#drop(from));
  }

  /** Gives a signed change to everyone there is a link with; whether there was anyone. */
  tell(change) {
    const text = encodeChange(change, this.ticket);
    for (const peer of this.#peers.values()) peer.send(text);
    return Boolean(this.upstream);
  }

  /** Asks for what the authority knows beyond these versions. */
  compare(versions) {
    this.upstream?.send(plain('versions', versions));
  }

  async #offer(device) {
    this.#attempt = Math.max(this.#attempt + 1, Date.now() * 1_000);
    const peer = this.#make(device, this.#attempt);
    await peer.connection.setLocalDescription();
    this.#say(peer, 'offer', { sdp: peer.connection.localDescription.sdp });
  }

  async #heed(from, { attempt, kind, body }) {
    if (kind === 'offer') return this.#answer(from, attempt, body);
    const peer = this.#peers.get(from);
    if (peer?.attempt !== attempt) return null;
    if (kind === 'answer') return this.#describe(peer, { type: 'answer', sdp: body });
    const candidate = JSON.parse(body);
    if (peer.described) await peer.connection.addIceCandidate(candidate).catch(() => {});
    else if (peer.early.length < 64) peer.early.push(candidate);
    return null;
  }

  async #answer(from, attempt, sdp) {
    const known = this.#peers.get(from);
    // Of two offers that cross, the lower device's stands.
    if (known && !known.up && known.ours && this.self.device < from) return;
    if (!known && this.#peers.size >= PEERS_MAX) return;
    // By several ways the same offer comes several times.
    if (known?.attempt >= attempt && !known.ours) return;
    if (known) known.connection.close();
    const peer = this.#make(from, attempt);
    await this.#describe(peer, { type: 'offer', sdp });
    await peer.connection.setLocalDescription();
    this.#say(peer, 'answer', { sdp: peer.connection.localDescription.sdp });
  }

  async #describe(peer, description) {
    await peer.connection.setRemoteDescription(description);
    peer.described = true;
    for (const candidate of peer.early.splice(0)) await peer.connection.addIceCandidate(candidate).catch(() => {});
  }

  #make(device, attempt) {
    const peer = new Peer(device, attempt);
    peer.ours = attempt === this.#attempt;
    this.#peers.set(device, peer);
    const { connection } = peer;
    connection.onicecandidate = ({ candidate }) => {
      if (candidate?.candidate) this.#say(peer, 'ice-candidate', { candidate: JSON.stringify(candidate) });
    };
    connection.onconnectionstatechange = () => {
      if (['failed', 'closed'].includes(connection.connectionState)) this.#drop(device, peer);
    };
    for (const [label, settings] of Object.entries(CHANNELS)) {
      const channel = connection.createDataChannel(label, settings);
      peer.own[label] = channel;
      channel.onopen = () => this.#come(peer);
      channel.onclose = () => this.#drop(device, peer);
    }
    connection.ondatachannel = ({ channel }) => {
      const assembler = new Assembler();
      channel.binaryType = 'arraybuffer';
      peer.theirs[channel.label] = channel;
      channel.onmessage = ({ data }) => {
        const received = nowUs();
        const text = typeof data === 'string' ? data : assembler.push(data);
        if (text) this.#hear(peer, text, received);
      };
      this.#come(peer);
    };
    return peer;
  }

  #say(peer, type, what) {
    const { device: to, attempt } = peer;
    const body = what.sdp ?? what.candidate;
    const { convoy, self } = this;
    const signed = { convoy, from: self.device, to, signal: { attempt, kind: type, body }, signature: '' };
    this.#signing = this.#signing.then(async () => {
      const signature = await this.key.sign(signed);
      const data = { ...what, attempt, signature };
      if (!this.signal({ sessionId: convoy, from: self.device, to, type, data })) this.#pass({ ...signed, signature });
    });
  }

  /** Over every link: whoever reaches the car passes it on, and it counts once. */
  #pass(signal) {
    const text = plain('signal', { signal, hops: 0 });
    for (const peer of this.#peers.values()) peer.send(text);
  }

  #come(peer) {
    const all = Object.keys(CHANNELS).every((label) => peer.own[label]?.readyState === 'open' && peer.theirs[label]);
    if (!all || peer.up || this.#peers.get(peer.device) !== peer) return;
    Object.assign(peer, { up: true, heard: performance.now(), asked: 0 });
    const { user, name, device } = this.self;
    peer.send(plain('hello', {
      user, name, kind: 'phone', battery: true, attempt: this.#attempt, ...(this.ticket ? { ticket: this.ticket } : {}),
    }));
    this.told = [{ device, user, name, online: true, kind: 'phone' }];
    peer.send(plain('members', { members: this.told }));
    this.hears.changed();
  }

  #drop(device, peer = this.#peers.get(device)) {
    if (!peer || this.#peers.get(device) !== peer) return;
    this.#peers.delete(device);
    this.#retry.set(device, performance.now() + RETRY_MS);
    peer.connection.close();
    this.hears.changed();
  }

  #hear(peer, text, received) {
    let message;
    try { message = JSON.parse(text); } catch { return; }
    if (message?.type === 'beat') return this.#beat(peer, message, received);
    const isAbove = this.upstream === peer;
    switch (message?.type) {
      case 'members':
        peer.members = membersOf(message.data);
        this.hears.changed();
        break;
      case 'sync-state':
        if (isAbove && message.data?.snapshot) this.#settled(() => this.hears.state(message.data.snapshot));
        break;
      case 'verdict':
        if (isAbove && message.data?.change) this.hears.verdict(message.data);
        break;
      case 'signal':
        this.#take(message.data?.signal ?? {});
        break;
      case 'goodbye':
        this.#drop(peer.device, peer);
        break;
      default:
        this.#change(decodeChange(message));
    }
  }

  /** Whoever brings a change: it is its author's, or nobody's. In the order of arrival. */
  #change(change) {
    if (!change) return;
    const { signature, ...bare } = change;
    this.#read(async () => {
      const isHis = await this.key.verify(change.id.device, { change: bare, convoy: this.convoy }, signature);
      if (isHis) this.#settled(() => this.hears.change(change));
    });
  }

  /** Reads what has come after all that came before; who sends more than can be read is not read to the end. */
  #read(act, failed = () => {}) {
    if (this.#unread >= UNREAD_MAX) return;
    this.#unread += 1;
    this.#reading = this.#reading.then(act).catch(failed).finally(() => { this.#unread -= 1; });
  }

  #settled(act) {
    this.differs = null;
    act();
  }

  #beat(peer, beat, received) {
    if (!isBeat(beat) || (peer.beat && beat.sent < peer.beat.sent)) return;
    const before = this.upstream?.beat?.digest;
    peer.note(beat, received);
    peer.echo = [beat.sent, received];
    peer.heard = performance.now();
    peer.beat = beat;
    if (beat.members !== sumOf(this.told)) peer.send(plain('members', { members: this.told }));
    const above = this.upstream?.beat;
    if (above && above.digest !== before) this.differs ??= performance.now();
    if (beat.ask) this.#send(peer, false);
    const { term } = this;
    if ((before === undefined && above) || term !== this.heardTerm) this.hears.changed();
    this.heardTerm = term;
  }

  #send(peer, ask) {
    const above = this.upstream;
    const channel = peer.own.clock;
    // Before a car has said whom it obeys there is nothing to tell it.
    if (!above || channel.readyState !== 'open') return;
    const { source, path, count } = above.route;
    channel.send(JSON.stringify({
      type: 'beat', ask, sent: nowUs(), ...(peer.echo ? { echo: peer.echo } : {}), source,
      path: [...path, this.self.device], count, digest: '0', members: sumOf(peer.members), wanted: true,
    }));
  }

  #tick() {
    const now = performance.now();
    for (const [device, peer] of this.#peers) {
      if (!peer.up) {
        if (now - peer.since > CONNECT_MS) this.#drop(device, peer);
      } else if (now - peer.heard > DEAD_MS + ASK_MS) {
        this.#drop(device, peer);
      } else if (now - peer.asked >= (peer.heard >= peer.asked ? ASK_MS : ASK_AGAIN_MS)) {
        peer.asked = now;
        this.#send(peer, true);
      }
    }
    if (this.differs && now - this.differs > DIFFERS_MS) {
      this.differs = null;
      this.hears.differs();
    }
  }
}
