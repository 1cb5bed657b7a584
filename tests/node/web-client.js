// Today's web client with the real socket.io-client: what it says, what it listens to, and a player that needs no sound card.
//
//   node web-client.js {"url": u, "sessionId": s, "groupId": g, "userId": u, "token": t, "clockAheadMs": 0}
//
// Standard input, one JSON object a line: {"do": "takeControl" | "releaseControl" | "play" | "pause" | "playNext" | "playPrevious" | "call"},
// {"do": "seekTo", "position": s}, {"do": "loadAndPlay", "id": track}, {"do": "writePlaylist", "playlist": [...]}, {"do": "state"}.
// Standard output: an answer to "state" only, {"state": {...}} with the player as it is now and all that was heard so far.
'use strict';

const readline = require('node:readline');
const { io } = require('socket.io-client');

const options = { clockAheadMs: 0, ...JSON.parse(process.argv[2]) };
const { sessionId, groupId, userId } = options;
/** The wall clock of this browser's machine, which may be wrong. */
const wallMs = () => Date.now() + options.clockAheadMs;

/** In place of an <audio> element: a position that runs while it plays. */
class Player {
  constructor() {
    this.track = null;
    this.playing = false;
    this.from = { position: 0, at: performance.now() };
  }

  get position() {
    const elapsed = this.playing ? (performance.now() - this.from.at) / 1000 : 0;
    return this.from.position + elapsed;
  }

  seek(position) { this.from = { position, at: performance.now() }; }

  load(track) { this.playing = false; this.track = track; this.seek(0); }

  play(position = this.position) { this.seek(position); this.playing = true; }

  pause() { this.seek(this.position); this.playing = false; }
}

const SYNC_THRESHOLD_S = 2;
const SYNC_INTERVAL_MS = 5000;

const player = new Player();
const heard = [];
const applied = [];
let playlist = [];
let isController = false;
let syncTimer = null;
let syncedTrack = null;

const socket = io(options.url, {
  auth: { token: options.token },
  transports: ['websocket', 'polling'],
  timeout: 10000,
  reconnectionDelay: 200,
  reconnectionDelayMax: 500,
  autoConnect: false,
});
const emit = (event, fields) => socket.emit(event, { sessionId, ...fields });

/** While it is DJ and playing, it says every 5 s where it is. */
function followOwnPlayer() {
  const wanted = isController && player.playing ? player.track : null;
  if (wanted === syncedTrack) return;
  syncedTrack = wanted;
  clearInterval(syncTimer);
  if (wanted) {
    syncTimer = setInterval(() => emit('music-position-sync', {
      position: player.position, timestamp: wallMs(), trackId: player.track?.id,
    }), SYNC_INTERVAL_MS);
  }
}

/** A listener's handler: who is DJ does not listen. */
const asListener = (handler) => (data) => {
  if (!isController) handler(data);
};

socket.on('connect', () => emit('join-music-session', { groupId, userId }));

socket.on('music-session-state', (data) => {
  if (Array.isArray(data.playlist)) playlist = data.playlist;
  isController = data.controller_id != null && data.controller_id === userId;
  if (!data.currently_playing) return;
  player.load(data.currently_playing);
  if (data.is_playing) player.play(data.position || 0);
});

socket.on('playlist-update', (data) => {
  if (Array.isArray(data.playlist)) playlist = data.playlist;
});

socket.on('music-controller-changed', (data) => {
  isController = data.userId != null && data.userId === userId;
});

socket.on('music-play', asListener((data) => {
  const delay = data.timestamp ? (wallMs() - data.timestamp) / 1000 : 0;
  if (!player.track && !data.track) return;
  if (!player.track) player.load(data.track);
  player.play((data.position || 0) + delay);
}));

socket.on('music-pause', asListener((data) => {
  if (data.position !== undefined) player.seek(data.position);
  player.pause();
}));

socket.on('music-seek', asListener((data) => {
  player.seek(data.position);
  if (data.isPlaying) player.play();
}));

socket.on('music-position-sync', asListener((data) => {
  const target = data.position || 0;
  if (player.playing && Math.abs(player.position - target) > SYNC_THRESHOLD_S) player.seek(target);
}));

socket.on('music-track-change', asListener((data) => {
  if (!data.track?.title) return;
  player.load(data.track);
  if (data.autoPlay) player.play(data.position || 0);
}));

socket.on('music-change-track', asListener((data) => {
  if (!data.track?.title) return;
  player.load(data.track);
  if (data.autoPlay) player.play(data.position || 0);
}));

// Its calls: what a browser would take for a description (it has a type) or a candidate (it has a place), and apply.
socket.on('webrtc-offer', ({ offer }) => { if (offer?.type) applied.push(offer); });
socket.on('webrtc-answer', ({ answer }) => { if (answer?.type) applied.push(answer); });
socket.on('webrtc-candidate', ({ candidate }) => {
  if (candidate?.sdpMid != null || candidate?.sdpMLineIndex != null) applied.push(candidate);
});

socket.onAny((event, data) => {
  heard.push({ event, data, atMs: Date.now() });
  followOwnPlayer();
});

const control = (action, fields) => {
  if (isController) emit('music-control', { action, timestamp: wallMs(), trackId: player.track?.id, ...fields });
};

function loadAndPlay(track) {
  player.load(track);
  player.play();
  if (!isController) return;
  emit('music-control', { action: 'change-track', track, autoPlay: true, position: 0 });
  emit('music-track-change', { track, autoPlay: true });
}

function step(action, by) {
  const track = playlist[playlist.findIndex(({ id }) => id === player.track?.id) + by];
  if (!track) return;
  player.load(track);
  player.play();
  control(action, { track, position: 0 });
}

const commands = {
  takeControl: () => emit('music-take-control', { userId }),
  releaseControl: () => emit('music-release-control', { userId }),
  play: () => {
    if (!player.track && playlist.length > 0) {
      loadAndPlay(playlist[0]);
      return;
    }
    player.play();
    control('play', { position: player.position, track: player.track });
  },
  pause: () => {
    player.pause();
    control('pause', { position: player.position });
  },
  seekTo: ({ position }) => {
    player.seek(position);
    control('seek', { position, isPlaying: player.playing });
  },
  loadAndPlay: ({ id }) => {
    const track = playlist.find((entry) => entry.id === id);
    if (!track) throw new Error(`no track ${id} in the list`);
    loadAndPlay(track);
  },
  playNext: () => step('next', 1),
  playPrevious: () => step('previous', -1),
  writePlaylist: (command) => {
    playlist = command.playlist;
    emit('playlist-update', { playlist });
  },
  call: () => {
    emit('webrtc-offer', { offer: { type: 'offer', sdp: 'v=0' }, userId });
    emit('webrtc-candidate', { candidate: { candidate: 'candidate:1', sdpMid: '0' }, userId });
  },
  state: () => process.stdout.write(`${JSON.stringify({
    state: {
      connected: socket.connected, isController, playlist, heard, applied,
      track: player.track?.id ?? null, playing: player.playing, position: player.position,
    },
  })}\n`),
};

readline.createInterface({ input: process.stdin })
  .on('line', (line) => {
    const command = JSON.parse(line);
    commands[command.do](command);
    followOwnPlayer();
  })
  .on('close', () => process.exit(0));
socket.connect();
