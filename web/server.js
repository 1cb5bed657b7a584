// The way to the server: a Socket.IO connection that comes back by itself, and the convoy's time over it.

import { io } from './vendor/socket.io.esm.min.js';

/** An answer that takes longer is not waited for. */
const ANSWER_MS = 4_000;
/** The clock is asked often at first, then often enough to notice that nobody answers. */
const PROBES_QUICK = 5;
const PROBE_QUICK_MS = 150;
const PROBE_MS = 3_000;
/** Of so many probes the quickest counts. */
const PROBES_KEPT = 8;
/** A connection that the server ended is tried again after so long. */
const AGAIN_MS = 2_000;
/** The machine slept when its two clocks differ by this. */
const SLEPT_MS = 500;

/** Of exchanges of a clock, the one that says most; undefined when there are none. */
export const quickest = (samples) =>
  samples.reduce((best, sample) => (best && best.roundTripUs <= sample.roundTripUs ? best : sample), undefined);

/** Convoy time over this browser's clock, which stands still while a phone sleeps. */
class Clock {
  samples = [];
  leadUs = 0;
  /** What was known before, until more is. */
  #last;

  get roundTripUs() {
    return this.#best?.roundTripUs ?? 0;
  }

  now() {
    return Math.round(performance.now() * 1_000 + (this.#best?.offsetUs ?? 0));
  }

  forget() {
    this.#last = this.#best;
    this.samples = [];
  }

  note(sentMs, receivedMs, answer) {
    const wallMs = Date.now() - receivedMs;
    if (this.wallMs !== undefined && Math.abs(wallMs - this.wallMs) > SLEPT_MS) this.forget();
    this.wallMs = wallMs;
    const offsetUs = (answer.received + answer.sent) / 2 - (sentMs + receivedMs) * 500;
    const roundTripUs = (receivedMs - sentMs) * 1_000 - (answer.sent - answer.received);
    this.samples = [...this.samples, { offsetUs, roundTripUs }].slice(-PROBES_KEPT);
    this.leadUs = answer.leadUs;
  }

  get #best() {
    return quickest(this.samples) ?? this.#last;
  }
}

/**
 * The connection. `join(challenge)` gives what to join with; `hears` has `joined`, `change`, `state`, `members`,
 * `tickets`, `signal` of a car, `down(reason)` while it is tried again, and `refused(reason)` when that would be of no
 * use.
 */
export class ServerLink {
  clock = new Clock();
  joined = false;
  #lastWords = null;

  constructor(token, join, hears) {
    this.join = join;
    this.hears = hears;
    this.socket = io({
      path: new URL('socket.io/', document.baseURI).pathname,
      auth: token ? { token } : {},
      transports: ['websocket', 'polling'],
      tryAllTransports: true,
      reconnectionDelay: 500,
      reconnectionDelayMax: 5_000,
    });
    this.socket.on('hello', (hello) => this.#enter(hello));
    this.socket.on('connect_error', (error) => {
      // What the server itself said is final; a network that fails is tried again.
      if (this.socket.active) this.#down('The server cannot be reached.');
      else this.#refused(error.message);
    });
    this.socket.on('disconnect', (reason) => this.#ended(reason));
    this.socket.on('jamz-error', ({ error }) => { this.#lastWords = error; });
    this.socket.on('jamz-change', hears.change);
    this.socket.on('jamz-state', ({ snapshot }) => hears.state(snapshot));
    this.socket.on('jamz-tickets', hears.tickets);
    this.socket.on('webrtc-signal', hears.signal);
    this.socket.on('jamz-members', ({ members }) => hears.members(members));
  }

  /** Asks something and gives the answer; throws when there is none, with `retry` when it may come another time. */
  async ask(event, data) {
    let answer;
    try {
      answer = await this.socket.timeout(ANSWER_MS).emitWithAck(event, data);
    } catch {
      throw Object.assign(new Error('The server does not answer.'), { retry: true });
    }
    if (answer?.error) throw Object.assign(new Error(answer.error), { retry: Boolean(answer.retry) });
    return answer;
  }

  /** Says a signal for a car; whether it could be said. One that is lost is made up for by the next attempt. */
  signal(signal) {
    if (this.joined) this.socket.emit('webrtc-signal', signal);
    return this.joined;
  }

  close() {
    clearTimeout(this.timer);
    this.socket.disconnect();
  }

  async #enter(hello) {
    if (!hello?.jamz) {
      this.#refused('There is no jamz-server at this address.');
      return;
    }
    try {
      // A server that began anew may have another time.
      this.clock.forget();
      const answer = await this.ask('jamz-join', await this.join(hello.jamz.challenge));
      await this.#probe();
      this.joined = true;
      this.hears.joined(answer);
      this.#probeOn(PROBES_QUICK);
    } catch (error) {
      if (error.retry) this.#again(error.message);
      else this.#refused(error.message);
    }
  }

  async #probe() {
    const sent = performance.now();
    const answer = await this.ask('jamz-probe', {});
    this.clock.note(sent, performance.now(), answer);
  }

  #probeOn(quick) {
    clearTimeout(this.timer);
    this.timer = setTimeout(async () => {
      try {
        await this.#probe();
        if (this.joined) this.#probeOn(Math.max(quick - 1, 0));
      } catch (error) {
        if (this.joined) this.#again(error.message);
      }
    }, quick ? PROBE_QUICK_MS : PROBE_MS);
  }

  /** Gives this connection up for a new one. */
  #again(reason) {
    this.#down(reason);
    this.socket.disconnect();
    this.timer = setTimeout(() => this.socket.connect(), AGAIN_MS);
  }

  #ended(reason) {
    if (reason === 'io client disconnect') return;
    if (reason !== 'io server disconnect') this.#down('The connection to the server is lost.');
    else if (this.#lastWords?.includes('newer connection')) this.#refused(this.#lastWords);
    else this.#again(this.#lastWords ?? 'The server ended the connection.');
    this.#lastWords = null;
  }

  #refused(reason) {
    this.close();
    this.joined = false;
    this.hears.refused(reason);
  }

  #down(reason) {
    clearTimeout(this.timer);
    this.joined = false;
    this.hears.down(reason);
  }
}
