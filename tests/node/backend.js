// Today's production backend, with the real socket.io: its events, rooms, limits and logins, as its public sources have them.
//
//   node backend.js [{"port": 0, "pingInterval": 25000, "pingTimeout": 60000, "sessions": {id: state as it was kept}}]
//
// Standard output, one JSON object a line: {"listening": port}, then {"got": event, "socket": id, "args": [...]} for all that
// clients say, {"connected": id, "auth": {...}} and {"disconnected": id, "why": text}.
// Standard input, one JSON object a line:
//   {"do": "session", "sessionId": s, "set": {...}}        changes what is stored of a session (null: the state is printed only)
//   {"do": "emit", "sessionId": s, "event": e, "args": []} to a session's room; without sessionId to everyone
//   {"do": "disconnect"}   every client    {"do": "close"}   the whole server, politely
'use strict';

const http = require('node:http');
const readline = require('node:readline');
const { Server } = require('socket.io');

const options = { port: 0, pingInterval: 25000, pingTimeout: 60000, ...JSON.parse(process.argv[2] || '{}') };
const say = (line) => process.stdout.write(JSON.stringify(line) + '\n');

/** What the backend keeps of a session: in memory, or from the run before. */
const sessions = new Map(Object.entries(options.sessions || {}));
const session = (id) => {
  if (!sessions.has(id)) {
    sessions.set(id, {
      playlist: [], currently_playing: null, controller_id: null, controller_user: null, is_playing: false, position: 0,
    });
  }
  return sessions.get(id);
};
const room = (id) => `audio-${id}`;

const server = http.createServer((request, response) => {
  const answer = (status, body) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  };
  if (request.method !== 'POST' || request.url !== '/api/auth/login') {
    answer(request.url === '/health' ? 200 : 404, { success: request.url === '/health' });
    return;
  }
  let body = '';
  request.on('data', (chunk) => { body += chunk; });
  request.on('end', () => {
    let credentials = {};
    try { credentials = JSON.parse(body); } catch { /* refused below */ }
    if (credentials.password !== 'convoy') {
      answer(401, { success: false, message: 'Invalid email or password' });
      return;
    }
    const payload = Buffer.from(JSON.stringify({ sub: credentials.email, exp: 4102444800 })).toString('base64url');
    answer(200, {
      success: true, access_token: `eyJhbGciOiJIUzI1NiJ9.${payload}.c2ln`, refresh_token: 'refresh', token_type: 'Bearer',
      user: { id: credentials.email },
    });
  });
});

const io = new Server(server, {
  cors: { origin: '*' },
  transports: ['polling', 'websocket'],
  allowEIO3: true,
  pingInterval: options.pingInterval,
  pingTimeout: options.pingTimeout,
});

/** At most `count` calls per `ms` and socket; the rest is dropped. */
const limited = (count, ms, handler) => {
  let times = [];
  return (...args) => {
    const now = Date.now();
    times = times.filter((time) => now - time < ms);
    if (times.length < count) {
      times.push(now);
      handler(...args);
    }
  };
};

/** As `limited`, in windows that begin with the first call after the one before; what is dropped is told to the test. */
const windowed = (count, ms, event, handler) => {
  let began = -Infinity;
  let calls = 0;
  return (...args) => {
    if (Date.now() - began > ms) {
      began = Date.now();
      calls = 0;
    }
    calls += 1;
    if (calls <= count) handler(...args);
    else say({ dropped: event });
  };
};

function music(socket) {
  socket.on('join-music-session', ({ sessionId, userId } = {}) => {
    if (!sessionId) return;
    socket.join(room(sessionId));
    const state = session(sessionId);
    const timestamp = Date.now();
    socket.emit('music-session-state', {
      playlist: state.playlist, currently_playing: state.currently_playing, controller_id: state.controller_id,
      is_playing: state.is_playing, position: state.position, from: 'server', timestamp,
    });
    socket.emit('playlist-update', { playlist: state.playlist, from: 'server', timestamp });
    if (state.currently_playing) {
      socket.emit('music-change-track', {
        track: state.currently_playing, autoPlay: false, position: state.position, from: 'server',
      });
    }
    if (state.controller_id) {
      socket.emit('music-controller-changed', {
        controllerId: state.controller_id, userId: state.controller_user, from: 'server', timestamp,
      });
    }
    socket.to(room(sessionId)).emit('user-joined-music', { socketId: socket.id, userId, sessionId });
  });

  socket.on('music-control', ({ sessionId, action, position, trackId, track, isPlaying } = {}) => {
    if (!sessionId) return;
    const state = session(sessionId);
    const timestamp = Date.now();
    if (track) state.currently_playing = track;
    if (typeof position === 'number') state.position = position;
    if (action === 'play') state.is_playing = true;
    if (action === 'pause') state.is_playing = false;
    if ((action === 'next' || action === 'previous') && track) {
      state.position = 0;
      socket.to(room(sessionId)).emit('music-track-change', {
        track, autoPlay: true, position: 0, from: socket.id, timestamp,
      });
      return;
    }
    socket.to(room(sessionId)).emit(`music-${action}`, {
      position, trackId, track, isPlaying, from: socket.id, timestamp,
    });
  });

  socket.on('music-track-change', ({ sessionId, track, autoPlay, position } = {}) => {
    if (!sessionId) return;
    Object.assign(session(sessionId), { currently_playing: track, is_playing: !!autoPlay, position: position || 0 });
    socket.to(room(sessionId)).emit('music-track-change', {
      track, autoPlay, position, from: socket.id, timestamp: Date.now(),
    });
  });

  socket.on('music-position-sync', ({ sessionId, position, timestamp, trackId } = {}) => {
    if (!sessionId) return;
    session(sessionId).position = position;
    socket.to(room(sessionId)).emit('music-position-sync', { position, timestamp, trackId, from: socket.id });
  });

  socket.on('music-take-control', ({ sessionId, userId } = {}) => {
    if (!sessionId) return;
    Object.assign(session(sessionId), { controller_id: socket.id, controller_user: userId });
    io.to(room(sessionId)).emit('music-controller-changed', {
      controllerId: socket.id, userId, timestamp: Date.now(),
    });
  });

  socket.on('music-release-control', ({ sessionId } = {}) => {
    if (!sessionId) return;
    Object.assign(session(sessionId), { controller_id: null, controller_user: null });
    io.to(room(sessionId)).emit('music-controller-changed', { controllerId: null, userId: null, timestamp: Date.now() });
  });

  socket.on('playlist-update', ({ sessionId, playlist } = {}) => {
    if (!sessionId) return;
    session(sessionId).playlist = playlist;
    socket.to(room(sessionId)).emit('playlist-update', { playlist, from: socket.id, timestamp: Date.now() });
  });

  socket.on('music-sync', limited(10, 10000, (data = {}) => {
    if (data.sessionId) socket.to(room(data.sessionId)).emit('music-sync', { ...data, from: socket.id });
  }));
}

/** Who is in which audio session: sessionId -> socketId -> participant. */
const participants = new Map();

function signalling(socket) {
  const leave = (sessionId) => {
    if (participants.get(sessionId)?.delete(socket.id)) {
      socket.to(room(sessionId)).emit('participant-left', { socketId: socket.id, sessionId });
    }
  };
  socket.on('join-audio-session', ({ sessionId, userId, display_name } = {}) => {
    if (!sessionId) return;
    socket.join(room(sessionId));
    if (!participants.has(sessionId)) participants.set(sessionId, new Map());
    const here = participants.get(sessionId);
    socket.emit('current-participants', { participants: [...here.values()] });
    here.set(socket.id, { socketId: socket.id, userId, display_name });
    socket.to(room(sessionId)).emit('participant-joined', { socketId: socket.id, userId, display_name });
  });
  socket.on('leave-audio-session', ({ sessionId } = {}) => {
    if (!sessionId) return;
    leave(sessionId);
    socket.leave(room(sessionId));
  });
  // Only what the backend knows of is passed on; an addressee beside the description would be lost.
  for (const [event, field] of [['webrtc-offer', 'offer'], ['webrtc-answer', 'answer'], ['webrtc-candidate', 'candidate']]) {
    const pass = ({ sessionId, userId, ...data } = {}) => {
      if (!sessionId || !data[field]) return;
      socket.to(room(sessionId)).emit(event, { [field]: data[field], from: socket.id, sessionId, userId: userId || null });
    };
    socket.on(event, event === 'webrtc-candidate' ? windowed(50, 5000, event, pass) : pass);
  }
  socket.on('webrtc-ready', ({ sessionId } = {}) => {
    if (sessionId) socket.to(room(sessionId)).emit('webrtc-ready', { from: socket.id });
  });
  socket.on('disconnect', () => [...participants.keys()].forEach(leave));
}

function groups(socket) {
  socket.on('join-group', (groupId) => socket.join(`group-${groupId}`));
  socket.on('leave-group', (groupId) => socket.leave(`group-${groupId}`));
  socket.on('location-update', ({ groupId, userId, location } = {}) => {
    socket.to(`group-${groupId}`).emit('member-location', { userId, location });
  });
}

io.on('connection', (socket) => {
  say({ connected: socket.id, auth: socket.handshake.auth });
  socket.onAny((event, ...args) => say({ got: event, socket: socket.id, args }));
  socket.on('disconnect', (why) => say({ disconnected: socket.id, why }));
  socket.emit('hello', { ok: true });
  music(socket);
  signalling(socket);
  groups(socket);
});

const commands = {
  session: ({ sessionId, set }) => say({ session: sessionId, state: Object.assign(session(sessionId), set || {}) }),
  emit: ({ sessionId, event, args }) => (sessionId ? io.to(room(sessionId)) : io).emit(event, ...(args || [])),
  disconnect: () => io.disconnectSockets(true),
  close: () => io.close(() => process.exit(0)),
};
readline.createInterface({ input: process.stdin })
  .on('line', (line) => { const command = JSON.parse(line); commands[command.do](command); })
  .on('close', () => process.exit(0));

server.listen(options.port, '127.0.0.1', () => say({ listening: server.address().port }));
