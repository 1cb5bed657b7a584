// What is shown and said.

import { act } from './deeds.js';
import { here } from './here.js';
import { clock, spoken } from './words.js';

const $ = (id) => document.getElementById(id);
/** Rows of the playlist that are shown: a few before the current one, and what comes. */
const ROWS_BEFORE = 2;
const ROWS_MAX = 50;
const SAID_MS = 6_000;

/** What was shown last, so that what changed is told, and what did not stays as it is. */
const shown = {};

/** Writes what is new. What is pressed must not be put there anew meanwhile: the press would be lost. */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Tells something that just happened; a screen reader reads it out. */
export function say(text) {
  $('said').textContent = text;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { $('said').textContent = ''; }, SAID_MS);
}

/** Tells what is wrong and what to do, and stays. */
export function problem(title, text, help, button, press) {
  $('problem-title').textContent = title;
  $('problem-text').textContent = text;
  $('problem-help').textContent = help;
  $('problem-button').textContent = button ?? '';
  $('problem-button').hidden = !button;
  $('problem-button').onclick = press;
  $('problem').hidden = false;
}

export function showConnection(text, isDown) {
  write($('connection'), text);
  $('connection').classList.toggle('down', isDown);
}

/** Everything. */
export function show() {
  if (!here.convoy) return;
  showPlaying();
  showControl();
  showQueue();
  showMembers();
}

/** What plays, and where in it; `isSeeking` leaves the position to who holds it. */
export function showPlaying(isSeeking) {
  const { convoy } = here;
  const anchor = convoy.at(here.now());
  const { playing } = convoy.intended(here.now());
  const [track, length] = [convoy.track(anchor), convoy.lengthUs(anchor)];
  write($('title'), titleOf(track));
  write($('artist'), [track?.artist, track?.album].filter(Boolean).join(', '));
  write($('play').querySelector('span'), playing ? 'Pause' : 'Play');
  $('play').classList.toggle('playing', playing);
  if (!isSeeking) showPosition(anchor.position_us, length);
  const { entry } = shown;
  shown.entry = anchor.entry;
  if (entry === anchor.entry) return;
  if (anchor.entry && entry !== undefined) say(`Now: ${titleOf(track)}`);
  showQueue();
}

const titleOf = (track) => track?.title || track?.id || 'Nothing yet';

function showPosition(us, length) {
  const position = $('position');
  // Of a track by address only the cars know how long it is.
  position.hidden = !length;
  position.max = Math.max(Math.floor((length ?? 0) / 1e6), 1);
  position.value = Math.min(us, length ?? 0) / 1e6;
  position.setAttribute('aria-valuetext', length ? `${spoken(us)} of ${spoken(length)}` : spoken(us));
  write($('elapsed'), clock(us));
  write($('length'), length ? clock(length) : '');
}

/** What cannot be done stays where it is, and says why when it is pressed: nobody's focus is lost. */
function allow(element, obstacle) {
  if (obstacle) element.setAttribute('aria-disabled', 'true');
  else element.removeAttribute('aria-disabled');
}

function showControl() {
  const { controller } = here.convoy;
  const playback = here.obstacle('playback');
  for (const id of ['previous', 'play', 'next', 'position']) allow($(id), playback);
  allow($('control'), here.obstacle('control'));
  let says = here.leads() ? 'You control the music.' : `${here.named(controller)} controls the music.`;
  if (!controller) says = 'Nobody does. Whoever plays something, will.';
  if (shown.dj !== undefined && shown.dj !== says) say(says);
  shown.dj = says;
  write($('dj'), says);
  write($('control'), here.leads() ? 'Release control' : 'Take control');
}

export function showQueue() {
  const { entries } = here.convoy;
  const first = Math.max(entries.findIndex((entry) => entry.id === shown.entry) - ROWS_BEFORE, 0);
  const rows = entries.slice(first, first + ROWS_MAX);
  const edits = $('edit').getAttribute('aria-pressed') === 'true';
  const left = entries.length - rows.length;
  $('queue-none').hidden = entries.length > 0;
  $('edit').hidden = entries.length === 0;
  $('queue-more').hidden = left === 0;
  $('queue-more').textContent = `${left} more of ${entries.length} are not shown here.`;
  const songs = rows.map(({ id, track }) => [id, track.title, track.duration_us]);
  const state = JSON.stringify([songs, shown.entry, edits, here.obstacle('edit'), here.obstacle('playback')]);
  if (shown.queue === state) return;
  shown.queue = state;
  // The list is made anew; who was on a button stays there.
  const focus = document.activeElement?.dataset?.on;
  $('queue').replaceChildren(...rows.map((entry) => row(entry, edits)));
  if (focus) $('queue').querySelector(`[data-on="${CSS.escape(focus)}"]`)?.focus();
}

function row({ id, track }, edits) {
  const item = document.createElement('li');
  const title = titleOf(track);
  const play = (at) => here.convoy.control('play', at, id);
  const song = button(`play ${id}`, 'playback', () => act('playback', `Playing ${title}.`, play));
  song.className = 'song';
  const name = document.createElement('b');
  name.textContent = title;
  const more = [track.artist, track.duration_us ? clock(track.duration_us) : ''];
  song.append(name, ' ', more.filter(Boolean).join(' · '));
  if (id === shown.entry) item.setAttribute('aria-current', 'true');
  item.append(song);
  if (edits) {
    const verb = (text, done, make) => {
      const made = button(`${text} ${id}`, 'edit', () => act('edit', done, make));
      made.textContent = text;
      made.setAttribute('aria-label', `${text} ${title}`);
      return made;
    };
    const edit = document.createElement('div');
    edit.className = 'edit';
    edit.append(
      verb('Up', 'Moved up.', () => here.convoy.move(id, -1)),
      verb('Down', 'Moved down.', () => here.convoy.move(id, 1)),
      verb('Remove', `Removed ${title}.`, () => ({ type: 'remove', entry: id })),
    );
    item.append(edit);
  }
  return item;
}

function button(on, what, press) {
  const made = document.createElement('button');
  made.type = 'button';
  made.dataset.on = on;
  made.onclick = press;
  allow(made, here.obstacle(what));
  return made;
}

/** The tiers of the convoy, in words. */
const TIERS = { socket: 'on the server', webrtc: 'on the mesh', offline: 'alone' };

/** On which tier somebody is, and over what he is reached. */
function reach({ tier, online, linked, beyond }) {
  if (!online && !linked && !beyond) return ['out of reach'];
  const isRelayed = beyond && !linked && !online;
  return [TIERS[tier], linked && 'by a direct link', isRelayed && 'through another car'];
}

function showMembers() {
  const items = here.everyone().map((member) => {
    const item = document.createElement('li');
    const isMe = member.device === here.device;
    const who = document.createElement('strong');
    who.textContent = `${here.named(member.device)}${isMe ? ' (you)' : ''}`;
    const how = document.createElement('span');
    const controls = member.device === here.convoy.controller && 'controls';
    how.textContent = [controls, member.kind, ...isMe ? [TIERS[here.tier()]] : reach(member)].filter(Boolean).join(', ');
    item.append(who, ' ', how);
    return item;
  });
  $('members').replaceChildren(...items);
}
