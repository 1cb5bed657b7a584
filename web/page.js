// The page: joins a convoy by a link, shows what plays and who is there, and controls it for whoever may.

import { Convoy } from './convoy.js';
import { act, countFrom, judgedByCar, tellOpen } from './deeds.js';
import { DoorLink } from './door.js';
import { here } from './here.js';
import { CannotSign, DeviceKey, Kept, randomHex } from './keys.js';
import { Mesh } from './mesh.js';
import { ServerLink } from './server.js';
import { problem, show, showConnection, showPlaying, showQueue } from './view.js';
import { clock, readInvitation, spoken } from './words.js';

const $ = (id) => document.getElementById(id);
const POSITION_EVERY_MS = 500;
/** Arrow keys on the position make one seek of many presses. */
const SEEK_AFTER_MS = 350;
/** A link that came to nothing is tried again. */
const LINKS_EVERY_MS = 2_000;
/** What is not known yet of what the convoy agrees on is asked for again. */
const STATE_EVERY_MS = 500;
const ASK_ANEW = 'Ask in the car for a new link: jamzctl invite shows one.';

let isSeeking = false;
/** Why the server is not there. */
let lost = '';
/** Who says that he knows nothing is given everything. */
const VERSIONS_NONE = {};

/** What links with cars tell. */
const linked = {
  changed() {
    // As long as there is no server, changes are of the term of whoever leads instead.
    if (here.convoy) here.convoy.term = Math.max(here.convoy.term, here.mesh.term);
    connected();
  },
  change(change) {
    here.convoy?.apply(change);
    show();
  },
  state(snapshot) {
    // The server's counts while it is there.
    if (here.isOnline() || !(here.convoy || here.isGuest())) return;
    here.convoy = new Convoy(snapshot, here.convoy);
    enter();
    show();
    tellOpen();
  },
  verdict: judgedByCar,
  differs() {
    if (!here.isOnline()) here.mesh.compare(here.convoy?.versionsTold() ?? VERSIONS_NONE);
  },
};

/** Shows the convoy: this phone is in it. */
function enter() {
  $('problem').hidden = true;
  $('enter').hidden = true;
  $('joined').hidden = false;
}

/** Shows over what this phone is connected, and asks for the links that it should have. */
function connected() {
  const up = here.mesh?.upstream;
  if (here.isOnline()) showConnection('Connected to the server', false);
  else if (up) showConnection(linkedWith(up), false);
  else if (lost) showConnection(`${lost} Trying again.`, true);
  else showConnection('Linking with the car', false);
  seek();
  show();
}

function linkedWith({ device, route }) {
  const name = here.named(device);
  if (!here.isGuest()) return `Without the server, linked with ${name}`;
  return route.source.server === undefined ? `Linked with ${name}, without a server` : `Linked with ${name}`;
}

/** Asks for links with the cars that a signal can reach. */
function seek() {
  if (here.isConnected()) here.mesh?.want(cars());
}

/** The cars by rank: the DJ's first, then by the highest user, as the cars themselves choose their hub. */
function cars() {
  const there = here.everyone().filter(({ online, beyond, kind }) => (online || beyond) && kind === 'car');
  const rank = ({ device, user }) => `${Number(device === here.convoy?.controller)}${user}`;
  return there.sort((a, b) => (rank(a) < rank(b) ? 1 : -1)).map(({ device }) => device);
}

const hears = {
  joined({ snapshot, members }) {
    enter();
    here.members = members;
    here.convoy = new Convoy(snapshot, here.convoy);
    connected();
    tellOpen();
  },
  tickets({ tickets }) {
    const own = tickets.find(({ device }) => device === here.device);
    if (own && here.mesh) here.mesh.ticket = own;
  },
  signal(signal) {
    here.mesh?.take(signal);
  },
  change(change) {
    here.convoy?.apply(change);
    show();
  },
  state(snapshot) {
    here.convoy = new Convoy(snapshot, here.convoy);
    show();
  },
  members(members) {
    here.members = members;
    connected();
  },
  down(reason) {
    lost = reason;
    here.mesh?.compare(VERSIONS_NONE);
    connected();
  },
  refused(reason) {
    showConnection('Not connected', true);
    $('enter').hidden = true;
    show();
    explain(reason);
  },
};

/** What is otherwise where the page came from a car. */
const hearsCar = {
  ...hears,
  joined({ ticket, called }) {
    here.mesh.ticket = ticket;
    Object.assign(here.invitation, { ticket, called });
    title();
    here.kept.put('invitation', here.invitation);
    lost = '';
    connected();
  },
  down(reason) {
    lost = reason;
    connected();
  },
};

function explain(reason) {
  const again = () => location.reload();
  const who = here.isGuest() ? 'car' : 'server';
  if (reason.includes('newer connection')) {
    const text = 'This phone has the page open in another tab or window, which is the one connected now.';
    problem('Open elsewhere', text, '', 'Use it here', again);
  } else if (reason.includes('expired')) {
    problem('This link has expired', 'A link is good for a day, and yours is older.', ASK_ANEW);
  } else if (/token|this link/i.test(reason)) {
    problem('This link does not work', `The ${who} says: ${reason}`, ASK_ANEW);
  } else {
    problem('You are not in the convoy', `The ${who} says: ${reason}`, ASK_ANEW, 'Try again', again);
  }
}

function listen() {
  const playback = (kind, done, value) => act('playback', done, (at) => here.convoy.control(kind, at, value));
  $('play').onclick = () => {
    if (here.convoy.intended(here.now()).playing) playback('pause', 'Paused.');
    else playback('play', 'Playing.');
  };
  $('next').onclick = () => playback('next', 'On to the next track.');
  $('previous').onclick = () => playback('previous', 'Back.');
  $('control').onclick = () => {
    if (here.leads()) act('control', 'You released control.', () => ({ type: 'release-control' }));
    else act('control', 'You control the music.', () => ({ type: 'take-control' }));
  };
  $('edit').onclick = () => {
    $('edit').setAttribute('aria-pressed', String($('edit').getAttribute('aria-pressed') !== 'true'));
    showQueue();
  };
  $('position').oninput = () => {
    isSeeking = true;
    const us = $('position').value * 1e6;
    $('elapsed').textContent = clock(us);
    $('position').setAttribute('aria-valuetext', spoken(us));
    clearTimeout(listen.seek);
    listen.seek = setTimeout(() => {
      playback('seek', `Now at ${spoken(us)}.`, us);
      // Until it takes effect the position stays where it was put.
      listen.seek = setTimeout(() => {
        isSeeking = false;
        showPlaying();
      }, SEEK_AFTER_MS + here.aheadUs() / 1_000);
    }, SEEK_AFTER_MS);
  };
  $('leave').onclick = async () => {
    here.server.close();
    here.mesh?.close();
    await here.kept.remove('invitation');
    location.reload();
  };
  const look = () => here.convoy && !document.hidden && showPlaying(isSeeking);
  document.addEventListener('visibilitychange', look);
  setInterval(look, POSITION_EVERY_MS);
}

function connect() {
  const { device, invitation, key, name } = here;
  const { convoy, token, user } = invitation;
  if (key && globalThis.RTCPeerConnection) {
    here.mesh = new Mesh(key, convoy, { device, user, name }, (signal) => here.server.signal(signal), linked);
    setInterval(seek, LINKS_EVERY_MS);
  }
  showConnection('Connecting', false);
  if (here.isGuest()) {
    visit();
    return;
  }
  here.server = new ServerLink(token, async (challenge) => {
    const proof = key && challenge ? { proof: await key.proveJoin(convoy, challenge) } : {};
    return { convoy, device, user, name, kind: 'phone', ...proof };
  }, hears);
}

/** What people call the convoy, where a car has said it. */
function title() {
  const { called, convoy } = here.invitation;
  $('convoy').textContent = called ?? convoy;
  document.title = `${called ?? convoy} – TrafficJamz`;
}

/** Comes to the car that this page is from. */
function visit() {
  const { device, key, mesh, name, invitation: { convoy, user } } = here;
  if (!mesh) {
    const text = 'Without a server only those are let in who sign what they do, and this browser cannot.';
    problem('You cannot join by this browser', text, 'Chrome 137 can, and Firefox 129, and Safari 17.');
    showConnection('Not connected', true);
    return;
  }
  here.members = [{ device, user, name, online: true, kind: 'phone' }];
  here.server = new DoorLink(async (challenge) => {
    const { ticket, token } = here.invitation;
    const pass = ticket ? { ticket } : { token };
    return { convoy, device, proof: await key.proveJoin(convoy, challenge), ...pass };
  }, hearsCar);
  setInterval(() => {
    if (!here.convoy) mesh.compare(VERSIONS_NONE);
  }, STATE_EVERY_MS);
}

/** Finds out as which device this browser comes. */
async function identify() {
  const { invitation, kept } = here;
  const { user } = invitation;
  try {
    // A car gives no names: each link is another phone's, or another's on the same one.
    here.key = await DeviceKey.open(kept, here.isGuest() ? invitation.token : user);
    here.device = here.key.device;
    if (here.isGuest()) invitation.user = here.device;
  } catch (error) {
    if (!(error instanceof CannotSign)) throw error;
    here.device = await kept.get(`viewer ${user}`) ?? `page:${randomHex(8)}`;
    await kept.put(`viewer ${user}`, here.device);
    $('watching').textContent = `You can watch, and control nothing. ${error.message}`;
    $('watching').hidden = false;
  }
}

/** The invitation of the link, or the one that was kept; none when there is no way in. */
async function invited() {
  const offered = location.hash ? readInvitation(location.hash) : null;
  if (location.hash && !offered) {
    problem('This link is broken', 'It names no convoy. Perhaps a part of it was lost on the way.', ASK_ANEW);
    return null;
  }
  const before = await here.kept.get('invitation');
  // Of a link that is opened again, what came of it is known.
  const invitation = offered?.car && offered.token === before?.token ? before : offered ?? before;
  // The token stays out of the history, of bookmarks and of what is shared from here.
  history.replaceState(null, '', location.pathname);
  addEventListener('hashchange', () => location.reload());
  if (!invitation) {
    const text = 'This page joins a convoy by a link, or by the square code that is one.';
    problem('You need a link', text, 'In a car of the convoy, jamzctl invite shows both.');
    return null;
  }
  // An open server gives no names.
  invitation.user ??= await here.kept.get('user') ?? `phone-${randomHex(6)}`;
  if (!invitation.token) await here.kept.put('user', invitation.user);
  return invitation;
}

async function begin() {
  here.kept = await Kept.open();
  here.invitation = await invited();
  if (!here.invitation) return;
  await identify();
  await here.kept.put('invitation', here.invitation);
  countFrom(await here.kept.get(`sequence ${here.device}`) ?? 0);
  here.name = await here.kept.get('name') ?? here.invitation.name;
  title();
  listen();
  if (here.name) {
    connect();
    return;
  }
  $('enter').hidden = false;
  $('name').focus();
  $('enter').onsubmit = async (event) => {
    event.preventDefault();
    here.name = $('name').value.trim();
    if (!here.name) return;
    await here.kept.put('name', here.name);
    $('enter').hidden = true;
    connect();
  };
}

begin().catch((error) => {
  problem('Something went wrong', error.message, '', 'Load the page again', () => location.reload());
});
