// This phone's key, and what it keeps: the key never leaves the browser, and signs all that is done here.

const HOUSE = 'jamz';
const SHELF = 'kept';

/** Why this browser cannot sign, in words for whoever holds it. */
export class CannotSign extends Error {}

/** JSON as RFC 8785 has it, so that every side signs the same bytes. */
export function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const keys = Object.keys(value).filter((key) => value[key] !== undefined).sort();
  return `{${keys.map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(',')}}`;
}

/** What a browser keeps between visits; where it keeps nothing, for as long as the page is open. */
export class Kept {
  static async open() {
    const kept = new Kept();
    kept.memory = new Map();
    kept.database = await new Promise((resolve) => {
      try {
        const request = indexedDB.open(HOUSE, 1);
        request.onupgradeneeded = () => request.result.createObjectStore(SHELF);
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => resolve(null);
      } catch {
        resolve(null);
      }
    });
    return kept;
  }

  async get(name) {
    if (this.memory.has(name) || !this.database) return this.memory.get(name);
    return this.#ask('readonly', (shelf) => shelf.get(name));
  }

  async put(name, value) {
    this.memory.set(name, value);
    if (this.database) await this.#ask('readwrite', (shelf) => shelf.put(value, name));
  }

  async remove(name) {
    this.memory.delete(name);
    if (this.database) await this.#ask('readwrite', (shelf) => shelf.delete(name));
  }

  #ask(mode, ask) {
    return new Promise((resolve) => {
      const transaction = this.database.transaction(SHELF, mode);
      const request = ask(transaction.objectStore(SHELF));
      transaction.oncomplete = () => resolve(request.result);
      // What cannot be kept is remembered for as long as the page is open.
      transaction.onabort = () => resolve(undefined);
    });
  }
}

const hex = (bytes) => Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, '0')).join('');
const unhex = (text) => Uint8Array.from(text.match(/../g), (digits) => parseInt(digits, 16));
const unbase64 = (text) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
const base64 = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)));

/** Some random hex digits. */
export const randomHex = (bytes) => hex(crypto.getRandomValues(new Uint8Array(bytes)));

/**
 * The key by which this browser is one user's device, made when that user first comes: a device is one person's for
 * ever, and each invitation another's. Its public half in hex is the device's id.
 */
export class DeviceKey {
  static async open(kept, user) {
    if (!globalThis.isSecureContext || !globalThis.crypto?.subtle) {
      const why = 'A browser signs only on a page that came by https, or from this very machine.';
      throw new CannotSign(`${why} Whoever runs the server has to put a proxy with a certificate before it.`);
    }
    let pair = await kept.get(`key ${user}`);
    if (!pair) {
      try {
        pair = await crypto.subtle.generateKey({ name: 'Ed25519' }, false, ['sign', 'verify']);
      } catch {
        throw new CannotSign('This browser is too old to sign: it takes Chrome 137, Firefox 129 or Safari 17.');
      }
      await kept.put(`key ${user}`, pair);
    }
    const key = new DeviceKey();
    key.pair = pair;
    key.device = hex(await crypto.subtle.exportKey('raw', pair.publicKey));
    return key;
  }

  /** The signature over the canonical JSON of a thing, in base64. */
  async sign(thing) {
    const bytes = new TextEncoder().encode(canonical(thing));
    return base64(await crypto.subtle.sign({ name: 'Ed25519' }, this.pair.privateKey, bytes));
  }

  /** Whether a thing is signed by the device whose id is given. */
  async verify(device, thing, signature) {
    if (!/^[0-9a-f]{64}$/.test(device) || typeof signature !== 'string') return false;
    const key = await crypto.subtle.importKey('raw', unhex(device), { name: 'Ed25519' }, false, ['verify']);
    const bytes = new TextEncoder().encode(canonical(thing));
    return crypto.subtle.verify({ name: 'Ed25519' }, key, unbase64(signature), bytes);
  }

  /** Proves to the server that this is the device which joins. */
  proveJoin(convoy, challenge) {
    return this.sign({ join: { challenge, convoy, device: this.device } });
  }

  /** A change with its signature. */
  async signChange(change, convoy) {
    return { ...change, signature: await this.sign({ change, convoy }) };
  }
}
