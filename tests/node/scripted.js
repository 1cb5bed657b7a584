// A server with the real socket.io that does what it is told: the project's own dialect, or any misbehaviour.
//
//   node scripted.js [options]     a JSON object:
//     port, pingInterval, pingTimeout
//     hello       sent to newcomers; null: none; default {"ok": true, "jamz": {"version": 1}}
//     tokens      tokens that are taken; others are refused with `refusal`; default: any
//     tls         {"key": file, "cert": file}
//     acks        event -> what its acknowledgement is: a value, {"$delay": ms, "$value": v}, or "$never"
//
// Standard output, one JSON object a line: {"listening": port}, {"connected": id, "auth": {...}}, {"refused": true},
// {"got": event, "args": [...], "at": ms}, {"acked": [...]}, {"login": email}, {"disconnected": id, "why": text}.
// Standard input, one JSON object a line:
//   {"do": "set", "options": {...}}    {"do": "emit", "event": e, "args": [...]}    {"do": "ask", "event": e, "args": [...]}
//   {"do": "raw", "text": t}           a Socket.IO packet as it is, not checked
//   {"do": "raw-binary", "bytes": n}   a binary message that nothing announced
//   {"do": "binary", "event": e}       an event with JSON and two attachments
//   {"do": "binary-cut"}               announces an attachment, and closes instead of sending it
//   {"do": "disconnect", "close": bool}    {"do": "drop"}  the engine's connections    {"do": "close"}  the server, politely
'use strict';

const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const readline = require('node:readline');
const { Server } = require('socket.io');

const options = {
  port: 0, pingInterval: 25000, pingTimeout: 20000, hello: { ok: true, jamz: { version: 1 } }, tokens: null,
  refusal: 'invalid token', tls: null, acks: {}, login: null,
  ...JSON.parse(process.argv[2] || '{}'),
};
const say = (line) => process.stdout.write(JSON.stringify(line) + '\n');
const started = process.hrtime.bigint();
const monotonic = () => Number((process.hrtime.bigint() - started) / 1000n);

function onRequest(request, response) {
  if (request.url !== '/api/auth/login') {
    response.writeHead(404).end();
    return;
  }
  let body = '';
  request.on('data', (chunk) => { body += chunk; });
  request.on('end', () => {
    const { email, password } = JSON.parse(body);
    say({ login: email });
    const good = options.login && password === options.login.password;
    response.writeHead(good ? 200 : 401, { 'content-type': 'application/json' });
    response.end(JSON.stringify(good ? { success: true, access_token: options.login.token } : { success: false }));
  });
}

const server = options.tls
  ? https.createServer({ key: fs.readFileSync(options.tls.key), cert: fs.readFileSync(options.tls.cert) }, onRequest)
  : http.createServer(onRequest);
const io = new Server(server, { pingInterval: options.pingInterval, pingTimeout: options.pingTimeout });

io.use((socket, next) => {
  if (options.tokens && !options.tokens.includes(socket.handshake.auth.token)) {
    say({ refused: true });
    next(new Error(options.refusal));
  } else {
    next();
  }
});

const snapshot = () => ({
  timeline: { anchors: [] }, playlist: { slots: {} }, controller: null, controlled: null, term: 0, versions: {},
});

/** What a well-behaved server acknowledges. */
const usual = {
  'jamz-join': () => ({ snapshot: snapshot(), members: [] }),
  'jamz-leave': () => ({}),
  'jamz-change': (change) => ({ id: change.id, verdict: 'applied' }),
  'jamz-probe': () => ({ received: monotonic(), sent: monotonic(), leadUs: 150000 }),
};

function acknowledge(event, args, ack) {
  const value = event in options.acks ? options.acks[event] : usual[event]?.(...args);
  if (value === '$never' || value === undefined) return;
  setTimeout(() => ack(value?.$delay ? (value.$value ?? usual[event](...args)) : value), value?.$delay || 0);
}

io.on('connection', (socket) => {
  say({ connected: socket.id, auth: socket.handshake.auth });
  if (options.hello !== null) socket.emit('hello', options.hello);
  socket.onAny((event, ...args) => {
    const ack = typeof args[args.length - 1] === 'function' ? args.pop() : null;
    say({ got: event, args, at: Date.now() });
    if (ack) acknowledge(event, args, ack);
  });
  socket.on('disconnect', (why) => say({ disconnected: socket.id, why }));
});

const engines = () => [...io.of('/').sockets.values()].map((socket) => socket.conn);
const commands = {
  set: (command) => Object.assign(options, command.options),
  emit: ({ event, args }) => io.emit(event, ...(args || [])),
  ask: ({ event, args }) => io.timeout(5000).emit(event, ...(args || []), (error, answers) => say({ acked: error ? null : answers })),
  raw: ({ text }) => engines().forEach((engine) => engine.send(text)),
  'raw-binary': ({ bytes }) => engines().forEach((engine) => engine.send(Buffer.alloc(bytes, 0x1e))),
  binary: ({ event }) => io.emit(event, { meta: 1, buf: Buffer.from([1, 30, 2]) }, Buffer.from([3])),
  'binary-cut': () => engines().forEach((engine) => {
    engine.send('51-["bin",{"_placeholder":true,"num":0}]');
    engine.close();
  }),
  disconnect: ({ close }) => io.disconnectSockets(close),
  drop: () => engines().forEach((engine) => engine.close()),
  close: () => io.close(() => process.exit(0)),
};
readline.createInterface({ input: process.stdin })
  .on('line', (line) => { const command = JSON.parse(line); commands[command.do](command); })
  .on('close', () => process.exit(0));

server.listen(options.port, '127.0.0.1', () => say({ listening: server.address().port }));
