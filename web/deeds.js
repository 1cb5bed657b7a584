// What is done here: made, signed, sent, and told what became of it.

import { here } from './here.js';
import { say, show } from './view.js';
import { sentence } from './words.js';

/** What could not be said for so long is not meant any more. */
const STALE_MS = 10_000;

/** What was done and not answered yet, oldest first. */
const open = [];
let sequence = 0;
let signing = Promise.resolve();

/** Without the server, what is not answered is said again so often. */
const AGAIN_MS = 1_000;
setInterval(() => { if (open.length && !here.isOnline() && here.isConnected()) tellOpen(); }, AGAIN_MS);

/** Counts on from what this device did before. */
export function countFrom(last) {
  sequence = last;
}

/** Makes a change of what `make` gives for its time, signs it and sends it; says `done` when it counts, or why not. */
export function act(what, done, make) {
  const reason = here.obstacle(what);
  if (reason) return say(reason);
  const { convoy, device, invitation, kept, key } = here;
  let action;
  try {
    action = make(here.now() + here.aheadUs());
  } catch (error) {
    return say(error.message);
  }
  sequence = Math.max(sequence + 1, convoy.nextSequence(device));
  const [id, hlc] = [{ device, sequence }, { ...convoy.tick(here.now()) }];
  const change = { id, hlc, term: convoy.term, user: invitation.user, action };
  // Its number is kept before it is said, and all is said in the order in which it was done.
  signing = signing.then(async () => {
    await kept.put(`sequence ${device}`, id.sequence);
    const deed = { change: await key.signChange(change, invitation.convoy), done, since: performance.now() };
    open.push(deed);
    tell(deed);
  }).catch((error) => say(error.message));
  return signing;
}

/** Says again what was not answered, when there is somebody to say it to. */
export function tellOpen() {
  const late = open.filter(({ since }) => performance.now() - since > STALE_MS);
  if (late.length) say('What you did while there was no connection was not done.');
  for (const deed of late) settle(deed.change.id);
  for (const deed of [...open]) tell(deed);
}

/** Over every way there is; the server's word counts, or else that of the car that is followed. */
async function tell({ change, done }) {
  here.mesh?.tell(change);
  if (!here.isOnline()) return null;
  try {
    const answer = await here.server.ask('jamz-change', change);
    judged(change, done, answer);
  } catch (error) {
    if (error.retry) return say(`${error.message} It will be sent when the connection is back.`);
    settle(change.id);
    say(sentence(error.message));
  }
  return null;
}

/** The car that is followed has judged a change; the server has the last word where it is there. */
export function judgedByCar({ change: id, verdict, reason }) {
  const deed = open.find(({ change }) => id.device === here.device && change.id.sequence === id.sequence);
  if (deed && !here.isOnline()) judged(deed.change, deed.done, { verdict, reason });
}

function judged(change, done, { verdict, reason }) {
  settle(change.id);
  if (verdict === 'refused') return say(sentence(reason));
  here.convoy.apply(change);
  say(verdict === 'superseded' ? 'Somebody else did something later, which counts instead.' : done);
  return show();
}

function settle(id) {
  const at = open.findIndex(({ change }) => change.id.sequence === id.sequence);
  if (at >= 0) open.splice(at, 1);
}
