// Socket.IO clients under the command of a test: one JSON command per line on stdin, one JSON answer per line on stdout.
'use strict';
const { io } = require('socket.io-client');
const readline = require('node:readline');

const peers = new Map();

// {"$bytes": n} is a buffer, {"$deep": n} an array in an array in an array.
function expand(value) {
  if (Array.isArray(value)) return value.map(expand);
  if (value === null || typeof value !== 'object') return value;
  if ('$bytes' in value) return Buffer.alloc(value.$bytes, 7);
  if ('$deep' in value) {
    let deep = [];
    for (let n = 0; n < value.$deep; n += 1) deep = [deep];
    return deep;
  }
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, expand(item)]));
}

class Peer {
  constructor(url, auth, transports, reconnect) {
    this.heard = [];
    this.waiting = [];
    this.socket = io(url, { auth, transports, reconnection: reconnect, reconnectionDelay: 200, reconnectionDelayMax: 500, forceNew: true });
    this.socket.onAny((event, ...args) => this.note(event, args));
    this.socket.on('connect', () => this.note('connect', [this.socket.id]));
    this.socket.on('connect_error', (error) => this.note('connect_error', [error.message]));
    this.socket.on('disconnect', (reason) => this.note('disconnect', [reason]));
  }

  note(event, args) {
    const index = this.waiting.findIndex((wait) => wait.events.includes(event));
    if (index < 0) this.heard.push({ event, args });
    else this.waiting.splice(index, 1)[0].resolve({ event, args });
  }

  // The first unread event of these names; what came before it stays unread.
  next(events, ms) {
    const index = this.heard.findIndex((item) => events.includes(item.event));
    if (index >= 0) return Promise.resolve(this.heard.splice(index, 1)[0]);
    return new Promise((resolve) => {
      const wait = { events, resolve };
      this.waiting.push(wait);
      setTimeout(() => {
        const at = this.waiting.indexOf(wait);
        if (at >= 0) {
          this.waiting.splice(at, 1);
          resolve(null);
        }
      }, ms);
    });
  }
}

async function obey(command) {
  const peer = peers.get(command.peer);
  switch (command.do) {
    case 'connect': {
      const fresh = new Peer(command.url, command.auth, command.transports, command.reconnect);
      peers.set(command.peer, fresh);
      return fresh.next(['connect', 'connect_error'], 15000);
    }
    case 'ask':
      try {
        return { ack: await peer.socket.timeout(command.ms).emitWithAck(command.event, ...expand(command.args)) };
      } catch (error) {
        return { none: String(error) };
      }
    case 'tell':
      peer.socket.emit(command.event, ...expand(command.args));
      return {};
    case 'flood':
      for (let n = 0; n < command.times; n += 1) peer.socket.emit(command.event, ...expand(command.args));
      return {};
    case 'next':
      return peer.next(command.events, command.ms);
    case 'forget':
      peer.heard = [];
      return {};
    case 'close':
      peer.socket.disconnect();
      return {};
    default:
      return { error: `no such command: ${command.do}` };
  }
}

readline.createInterface({ input: process.stdin }).on('line', async (line) => {
  const command = JSON.parse(line);
  const answer = await obey(command);
  process.stdout.write(`${JSON.stringify({ number: command.number, answer })}\n`);
}).on('close', () => process.exit(0));
