// What a convoy agrees on, as the page knows it. The rules are those of src/core; timeline.rs, playlist.rs, trust.rs
// and convoy.rs say why they are so.

/** No control takes effect further from now, in microseconds. */
export const AHEAD_MAX_US = 3_000_000;
const LENGTH_MAX_US = 7 * 24 * 3_600 * 1_000_000;
const DEEDS_MAX = 32;
/** "Previous" within the first seconds of a track goes to the one before it, later to the track's start. */
const PREVIOUS_US = 3_000_000;
const WHOLE_MAX = 2 ** 53 - 1;
const FRACTION_BYTES_MAX = 1_024;

const compareText = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
const compareHlc = (a, b) => a.time_us - b.time_us || a.count - b.count;
const compareStamps = (a, b) => a.term - b.term || compareHlc(a.hlc, b.hlc) || compareText(a.device, b.device);
const stampOf = (change) => ({ term: change.term, hlc: change.hlc, device: change.id.device });

function compareOrder([wholeA, a], [wholeB, b]) {
  if (wholeA !== wholeB) return wholeA - wholeB;
  for (let i = 0; i < Math.min(a.length, b.length); i += 1) {
    if (a[i] !== b[i]) return a[i] - b[i];
  }
  return a.length - b.length;
}

function fractionBetween(low, high) {
  const out = [];
  for (let place = 0; place < FRACTION_BYTES_MAX; place += 1) {
    const floor = low[place] ?? 0;
    const ceiling = high ? (high[place] ?? 0) : 256;
    if (ceiling > floor + 1) return [...out, Math.floor((floor + ceiling) / 2)];
    out.push(floor);
    if (ceiling === floor + 1) high = null;
  }
  return null;
}

/** A place after `before` and ahead of `after`; a missing one is that end of the list. */
export function orderBetween(before, after) {
  if (!before && !after) return [0, []];
  if (!before) {
    return after[0] > -WHOLE_MAX ? [after[0] - 1, []] : [after[0], fractionBetween([], after[1]) ?? after[1]];
  }
  if (after && compareOrder(after, before) <= 0) return orderBetween(before, null);
  const isRoom = after ? after[0] - before[0] > 1 : before[0] < WHOLE_MAX;
  if (isRoom) return [before[0] + 1, []];
  const ceiling = after && after[0] === before[0] ? after[1] : null;
  return [before[0], fractionBetween(before[1], ceiling) ?? before[1]];
}

/** Whether a device may do something while another, or nobody, leads. */
function may(device, action, leader) {
  if (action.anchor) return !leader || leader === device;
  return action.type !== 'release-control' || leader === device;
}

/** Who leads after a deed. */
function step(led, [stamp, deed]) {
  const { device } = stamp;
  if (deed === 'take') return { leader: device, since: stamp, byPlaying: false };
  if (deed === 'release') return led.leader === device ? { leader: null, since: stamp, byPlaying: false } : led;
  const plays = led.leader !== device && (!led.leader || led.byPlaying);
  return plays ? { leader: device, since: stamp, byPlaying: true } : led;
}

/** The anchor that a deed set, if it did: taking and releasing are strings, whose own `anchor` is another thing. */
const anchorOf = (deed) => (typeof deed === 'object' ? deed.anchor : null);

const positionAt = (anchor, time) => anchor.position_us + (anchor.playing ? Math.max(time - anchor.at, 0) : 0);
const emptyAnchor = (at) => ({ entry: null, track: null, position_us: 0, at, playing: false });

/** The agreed state: a snapshot, and what happened since. */
export class Convoy {
  /** Begins with a state; what was known before of terms and times is not forgotten. */
  constructor(snapshot, before) {
    this.anchors = snapshot.timeline.anchors;
    this.slots = new Map(Object.entries(snapshot.playlist.slots));
    this.controller = snapshot.controller;
    this.controlled = snapshot.controlled;
    this.deeds = { before: null, by_playing: false, since: null, kept: [], ...snapshot.deeds };
    this.term = Math.max(snapshot.term, before?.term ?? 0);
    this.versions = new Map(Object.entries(snapshot.versions));
    this.hlc = before?.hlc ?? { time_us: 0, count: 0 };
    const stamps = [...this.anchors.map((a) => a.stamp), this.controlled, ...this.deeds.kept.map(([stamp]) => stamp)];
    for (const stamp of stamps) if (stamp) this.#see(stamp.hlc);
  }

  /** The hybrid time of what is done now, later than all that was seen. */
  tick(nowUs) {
    const { time_us: last, count } = this.hlc;
    this.hlc = nowUs > last ? { time_us: nowUs, count: 0 } : { time_us: last, count: count + 1 };
    return this.hlc;
  }

  /** A number that a device has not used, as far as is known. */
  nextSequence(device) {
    const known = this.versions.get(device);
    return known ? Math.max(known.contiguous, ...known.ahead) + 1 : 1;
  }

  /** What is known here, as others are told of it. */
  versionsTold() {
    return Object.fromEntries(this.versions);
  }

  /** Takes a change in, in whatever order they come; returns whether it was news that counts. */
  apply(change) {
    const stamp = stampOf(change);
    if (this.#knows(change.id)) return false;
    const leader = this.deeds.kept.length ? this.#ledAt(stamp).leader : this.controller;
    if (!may(change.id.device, change.action, leader)) return false;
    this.#note(change.id);
    this.#see(change.hlc);
    this.term = Math.max(this.term, change.term);
    return this.#act(change.action, stamp);
  }

  /** The entries in order. */
  get entries() {
    this.sorted ??= [...this.slots]
      .filter(([, slot]) => slot.track && !slot.removed)
      .map(([id, slot]) => ({ id, track: slot.track, order: slot.order[1] }))
      .sort((a, b) => compareOrder(a.order, b.order) || compareText(a.id, b.id));
    return this.sorted;
  }

  /** What plays at a time: the anchor of then, gone on to the track that has its turn. */
  at(time) {
    const current = this.anchors.findLast((stamped) => stamped.anchor.at <= time)?.anchor;
    return current ? this.#rolled(current, time) : emptyAnchor(time);
  }

  /** What was decided last, as it will be at a time: where a control starts from. */
  intended(at) {
    const last = this.anchors.findLast((stamped) => stamped.anchor.at <= at + AHEAD_MAX_US)?.anchor;
    return last ? this.#rolled(last, Math.max(at, last.at)) : emptyAnchor(at);
  }

  track(anchor) {
    return anchor.entry ? this.slots.get(anchor.entry)?.track : undefined;
  }

  lengthUs(anchor) {
    const slot = this.slots.get(anchor.entry);
    const length = slot?.track ? slot.track.duration_us : slot?.duration_us;
    return length >= 1 && length <= LENGTH_MAX_US ? length : null;
  }

  /** The action of a control that takes effect at a time, or why there is none. */
  control(kind, at, value) {
    const current = this.intended(at);
    switch (kind) {
      case 'play': return this.#play(current, value);
      case 'pause': return { type: 'pause', anchor: { ...current, playing: false } };
      case 'seek': return { type: 'seek', anchor: { ...current, position_us: value } };
      case 'next': {
        const slot = this.slots.get(current.entry);
        const next = this.#after(slot?.order && (slot.track || slot.removed) ? current.entry : null);
        if (!next) throw new Error(this.entries.length ? 'This is the last track.' : 'The playlist is empty.');
        return { type: 'change-track', anchor: this.#startOf(next, current.at, current.playing) };
      }
      case 'previous': {
        if (!current.track) throw new Error('Nothing is chosen yet.');
        const order = this.slots.get(current.entry)?.order?.[1];
        const before = order && this.entries.findLast((entry) => compareOrder(entry.order, order) < 0);
        const anchor = before && current.position_us < PREVIOUS_US
          ? this.#startOf(before, current.at, current.playing)
          : { ...current, position_us: 0 };
        return { type: 'change-track', anchor };
      }
      default: throw new Error(`no control ${kind}`);
    }
  }

  /** The action that moves an entry by so many places. */
  move(id, by) {
    const others = this.entries.filter((entry) => entry.id !== id);
    const index = Math.min(Math.max(this.entries.findIndex((entry) => entry.id === id) + by, 0), others.length);
    return { type: 'move', entry: id, order: orderBetween(others[index - 1]?.order, others[index]?.order) };
  }

  #play(current, entry) {
    const wanted = entry && this.entries.find(({ id }) => id === entry);
    if (wanted) return { type: 'change-track', anchor: this.#startOf(wanted, current.at, true) };
    const length = this.lengthUs(current);
    const isRemoved = current.entry && this.slots.get(current.entry)?.removed;
    const goesOn = current.track && !(length && current.position_us >= length);
    if (goesOn && (!isRemoved || !this.entries.length)) return { type: 'play', anchor: { ...current, playing: true } };
    const next = (isRemoved && this.#after(current.entry)) || this.entries[0];
    if (!next) throw new Error('The playlist is empty.');
    return { type: 'play', anchor: this.#startOf(next, current.at, true) };
  }

  #startOf(entry, at, playing) {
    return { entry: entry.id, track: entry.track.id, position_us: 0, at, playing };
  }

  #after(id) {
    if (!id) return this.entries[0];
    const order = this.slots.get(id)?.order?.[1];
    return order && this.entries.find((entry) => (compareOrder(entry.order, order) || compareText(entry.id, id)) > 0);
  }

  #rolled(anchor, time) {
    let rolled = anchor;
    for (let n = 0; n <= this.entries.length; n += 1) {
      const next = this.#following(rolled);
      if (!next || next.at > time) break;
      rolled = next;
    }
    return { ...rolled, position_us: positionAt(rolled, time), at: time };
  }

  #following(anchor) {
    const length = this.lengthUs(anchor);
    if (!anchor.playing || !length) return null;
    const at = anchor.at + Math.max(length - anchor.position_us, 0);
    const next = this.#after(anchor.entry);
    return next ? this.#startOf(next, at, true) : { ...anchor, position_us: length, at, playing: false };
  }

  #knows({ device, sequence }) {
    const known = this.versions.get(device);
    return Boolean(known) && (sequence <= known.contiguous || known.ahead.includes(sequence));
  }

  #note({ device, sequence }) {
    const known = this.versions.get(device) ?? { contiguous: 0, ahead: [] };
    this.versions.set(device, known);
    known.ahead.push(sequence);
    while (known.ahead.includes(known.contiguous + 1)) {
      known.contiguous += 1;
      known.ahead = known.ahead.filter((number) => number !== known.contiguous);
    }
  }

  #see(hlc) {
    if (compareHlc(hlc, this.hlc) > 0) this.hlc = hlc;
  }

  #act(action, stamp) {
    this.sorted = null;
    switch (action.type) {
      case 'add': return this.#add(action, stamp);
      case 'remove': return this.#remove(action.entry);
      case 'move': return this.#shift(action, stamp);
      case 'take-control': return this.#deed(stamp, 'take');
      case 'release-control': return this.#deed(stamp, 'release');
      default: {
        const counts = this.#insert({ stamp, anchor: action.anchor });
        this.#deed(stamp, { anchor: action.anchor });
        return counts;
      }
    }
  }

  #slot(id) {
    if (!this.slots.has(id)) this.slots.set(id, {});
    return this.slots.get(id);
  }

  #add({ entry, track, order }, stamp) {
    const slot = this.#slot(entry);
    // What is there already counts when it comes again, and changes nothing. What was removed may still play.
    slot.track ??= track;
    slot.order ??= [stamp, order];
    return !slot.removed;
  }

  #shift({ entry, order }, stamp) {
    const slot = this.#slot(entry);
    if (slot.order && compareStamps(slot.order[0], stamp) >= 0) return false;
    slot.order = [stamp, order];
    return !slot.removed;
  }

  #remove(id) {
    const slot = this.#slot(id);
    const isNews = !slot.removed;
    slot.removed = true;
    // Its track is known for as long as an anchor names it; one that does may still come, and needs what follows.
    for (const [other, { removed, order, track, duration_us: kept }] of this.slots) {
      const isNamed = this.anchors.some(({ anchor }) => anchor.entry === other);
      if (removed && !isNamed) this.slots.set(other, { removed, order, duration_us: track ? track.duration_us : kept });
    }
    return isNews;
  }

  #insert(fresh) {
    const { at } = fresh.anchor;
    if (this.anchors.some((a) => compareStamps(a.stamp, fresh.stamp) === 0)) return true;
    if (this.anchors.some((a) => compareStamps(a.stamp, fresh.stamp) >= 0 && a.anchor.at <= at)) return false;
    this.anchors = this.anchors.filter((a) => compareStamps(a.stamp, fresh.stamp) > 0 || a.anchor.at < at);
    const place = this.anchors.filter((a) => a.anchor.at <= at).length;
    this.anchors.splice(place, 0, fresh);
    return true;
  }

  #ledAt(stamp) {
    const { before, since, by_playing: byPlaying, kept } = this.deeds;
    const until = stamp ? kept.filter(([at]) => compareStamps(at, stamp) < 0) : kept;
    return until.reduce(step, { leader: before, since, byPlaying });
  }

  /** Notes what was done to control or playback; whether it decides who leads now. */
  #deed(stamp, deed) {
    const { deeds } = this;
    if (!deeds.kept.length) {
      Object.assign(deeds, { before: this.controller, by_playing: false, since: this.controlled });
    }
    const latest = deeds.kept.at(-1)?.[0];
    const isLate = latest && compareStamps(stamp, latest) < 0;
    const place = deeds.kept.filter(([at]) => compareStamps(at, stamp) <= 0).length;
    const isForgotten = deeds.since && compareStamps(stamp, deeds.since) <= 0;
    if (isForgotten || (place === 0 && deeds.kept.length >= DEEDS_MAX)) return false;
    deeds.kept.splice(place, 0, [stamp, deed]);
    if (deeds.kept.length > DEEDS_MAX) {
      const first = deeds.kept.shift();
      const led = step({ leader: deeds.before, since: null, byPlaying: deeds.by_playing }, first);
      Object.assign(deeds, { before: led.leader, by_playing: led.byPlaying, since: first[0] });
    }
    if (isLate) this.#judgeAnew();
    const led = this.#ledAt(null);
    [this.controller, this.controlled] = [led.leader, led.since];
    return Boolean(led.since) && compareStamps(led.since, stamp) === 0;
  }

  #denies(stamp) {
    const isKept = this.deeds.kept.some(([at, deed]) => anchorOf(deed) && compareStamps(at, stamp) === 0);
    const led = this.#ledAt(stamp);
    return isKept && !led.byPlaying && Boolean(led.leader) && led.leader !== stamp.device;
  }

  /** Takes back the anchors of who, as is known only now, did not lead when he set them. */
  #judgeAnew() {
    const before = this.anchors;
    this.anchors = before.filter((a) => !this.#denies(a.stamp));
    if (this.anchors.length === before.length) return;
    for (const [stamp, deed] of this.deeds.kept) {
      const isThere = () => this.anchors.some((a) => compareStamps(a.stamp, stamp) === 0);
      const anchor = anchorOf(deed);
      if (anchor && !this.#denies(stamp) && !isThere()) this.#insert({ stamp, anchor });
    }
    if (!this.anchors.length && this.deeds.since) this.anchors = before;
  }
}
