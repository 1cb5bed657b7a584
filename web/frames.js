// What travels between members over their DataChannels, as src/wire/mesh writes and reads it.

/** Longest frame, in bytes; longer messages come in chunks. */
export const FRAME_BYTES_MAX = 16 << 10;
/** Longest message that is put together here, in bytes. */
const MESSAGE_BYTES_MAX = 24 << 20;
const HEADER_BYTES = 9;
/** Devices on a way, and members that one car tells of. */
const PATH_MAX = 8;
const MEMBERS_MAX = 128;

/** A checksum of a list of members: FNV-1a, of which the lower half needs only itself. */
export function sumOf(members) {
  const told = members.map(({ device, user, name, online, kind, tier }) => ({
    device, user, name, online, kind, ...(tier ? { tier } : {}),
  }));
  let sum = 0x84222325;
  for (const byte of new TextEncoder().encode(JSON.stringify(told))) sum = Math.imul(sum ^ byte, 0x1b3);
  return (sum | 1) >>> 0;
}

/** A message without an author of its own. */
export const plain = (type, data) => JSON.stringify({ type, data });

/** A signed change, with the ticket by which its author may be judged. */
export function encodeChange(change, ticket) {
  const { id, hlc, term, user, action, signature } = change;
  const made = {
    timestamp: Math.floor(hlc.time_us / 1_000), from: user ?? null, device: id.device, hlc, term, hops: 0,
    ...(ticket ? { ticket } : {}),
  };
  const seal = (type, data) => JSON.stringify({
    type, action: action.type, data: { ...data, ...made }, sequence: id.sequence, signature,
  });
  if (action.anchor) {
    const { entry, track: trackId, position_us: position, at, playing } = action.anchor;
    const control = { position: position / 1e6, trackId, controllerId: id.device, entry, at, playing };
    return seal('music-control', control);
  }
  const { type, ...edit } = action;
  return seal(edit.entry ? 'playlist' : 'control', edit);
}

/** The change in a message; none in another. */
export function decodeChange({ type, action, data, sequence, signature }) {
  if (!['music-control', 'playlist', 'control'].includes(type)) return null;
  const { from, device, hlc, term } = data;
  const what = { type: action };
  if (type === 'music-control') {
    const { entry, trackId: track, position, at, playing } = data;
    what.anchor = { entry, track, position_us: Math.round(position * 1e6), at, playing };
  } else if (type === 'playlist') {
    for (const part of ['entry', 'track', 'order']) if (data[part] !== undefined) what[part] = data[part];
  }
  return { id: { device, sequence }, hlc, term, ...(from ? { user: from } : {}), action: what, signature };
}

const isText = (value) => typeof value === 'string';
const areNumbers = (list, least) => Array.isArray(list) && list.length >= least && list.every(Number.isFinite);

/** Whether a beat is one: what is believed of a car is read again and again, so nothing else may be kept of it. */
export function isBeat({ sent, echo, clock, source, path, count }) {
  const [term, , , , , user, device] = Array.isArray(source?.member) ? source.member : [];
  const isClaim = Number.isFinite(term) && isText(user) && isText(device);
  return Number.isFinite(sent) && Number.isFinite(count) && (Number.isFinite(source?.server) || isClaim)
    && Array.isArray(path) && path.length > 0 && path.length <= PATH_MAX && path.every(isText)
    && (echo === undefined || areNumbers(echo, 2)) && (clock === undefined || areNumbers(clock, 3));
}

/** The members in a message, as many as a convoy has; of what is none, nobody. */
export function membersOf(data) {
  const isMember = (member) => [member?.device, member?.user, member?.name].every(isText);
  return Array.isArray(data?.members) ? data.members.filter(isMember).slice(0, MEMBERS_MAX) : [];
}

/** Puts chunks together; memory grows with what has come. */
export class Assembler {
  #parts = [];
  #bytes = 0;

  /** Takes a chunk in; gives the text that it completes. */
  push(buffer) {
    const view = new DataView(buffer);
    const [length, offset, bytes] = [view.getUint32(1), view.getUint32(5), buffer.byteLength - HEADER_BYTES];
    if (offset === 0) this.#clear();
    const follows = view.getUint8(0) === 1 && offset === this.#bytes && bytes > 0;
    if (!follows || length > MESSAGE_BYTES_MAX || offset + bytes > length) {
      this.#clear();
      return null;
    }
    this.#parts.push(new Uint8Array(buffer, HEADER_BYTES));
    this.#bytes += bytes;
    if (this.#bytes < length) return null;
    const decoder = new TextDecoder();
    const text = this.#parts.map((part) => decoder.decode(part, { stream: true })).join('') + decoder.decode();
    this.#clear();
    return text;
  }

  #clear() {
    [this.#parts, this.#bytes] = [[], 0];
  }
}
