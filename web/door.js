// The way to a car that serves this page itself, where there is no server: it lets this phone in, and carries what the
// first link begins with. All else goes over links.
//
// By requests and a stream of events, not by a WebSocket: some browsers open none by a certificate that they were told to
// put up with.

const DOOR = 'door';
/** A car that is not there is tried again after so long. */
const AGAIN_MS = 2_000;

/**
 * The door. `join(challenge)` gives what to join with; `hears` has `joined({ ticket, car, name, called })`, `signal` of a car,
 * `down(reason)` while it is tried again, and `refused(reason)` when that would be of no use.
 */
export class DoorLink {
  /** What counts is told over links: there is no server here. */
  joined = false;
  /** Convoy time comes over links, too. */
  clock = { leadUs: 0, roundTripUs: 0, now: () => Math.round(performance.now() * 1_000) };
  /** The car's device; none before it has let this phone in. */
  car = null;
  #challenge = null;
  #isIn = false;

  constructor(join, hears) {
    Object.assign(this, { join, hears });
    this.#knock();
  }

  /** Says a signal for the car; whether it could be said here. */
  signal(signal) {
    if (!this.#isIn || signal.to !== this.car) return false;
    this.#say({ 'webrtc-signal': { challenge: this.#challenge, signal } }).catch(() => {});
    return true;
  }

  close() {
    clearTimeout(this.timer);
    this.events?.close();
    [this.events, this.#isIn] = [null, false];
  }

  #knock() {
    this.close();
    const events = new EventSource(new URL(DOOR, document.baseURI));
    this.events = events;
    events.onmessage = ({ data }) => events === this.events && this.#hear(JSON.parse(data));
    events.onerror = () => events === this.events && this.#again('The car cannot be reached.');
  }

  #hear({ hello, refused, 'webrtc-signal': signal }) {
    if (hello) this.#enter(hello);
    else if (signal) this.hears.signal(signal);
    else if (refused) this.#refused(refused.reason);
  }

  async #enter({ challenge }) {
    this.#challenge = challenge;
    try {
      const answer = await this.#say({ join: { challenge, ...await this.join(challenge) } });
      if (this.#challenge !== challenge) return;
      this.#isIn = true;
      this.car = answer.joined.car;
      this.hears.joined(answer.joined);
    } catch (error) {
      if (error.final) this.#refused(error.message);
      else this.#again('The car does not answer.');
    }
  }

  async #say(what) {
    const response = await fetch(DOOR, { method: 'POST', body: JSON.stringify(what) });
    if (response.status === 204) return {};
    const answer = await response.json();
    const { reason } = answer.refused ?? {};
    if (reason) throw Object.assign(new Error(reason), { final: response.status < 500 });
    return answer;
  }

  #again(reason) {
    this.close();
    this.hears.down(reason);
    this.timer = setTimeout(() => this.#knock(), AGAIN_MS);
  }

  #refused(reason) {
    this.close();
    this.hears.refused(reason);
  }
}
