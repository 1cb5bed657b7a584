// Where this page is: the convoy and the way to it, and what may be done.

import { AHEAD_MAX_US } from './convoy.js';
import { LEAD_US } from './mesh.js';
import { short } from './words.js';

/** On which tier somebody is: as he says himself, or else by how he is reached. */
function tierOf({ tier, online, linked, beyond }) {
  if (online) return tier ?? 'socket';
  return linked || beyond ? tier ?? 'webrtc' : 'offline';
}

export const here = {
  /** What is kept between visits. */
  kept: null,
  /** The invitation: token, convoy, user and role. */
  invitation: null,
  /** None where a browser cannot sign: then the page shows, and controls nothing. */
  key: null,
  device: null,
  name: '',
  /** What the convoy agrees on; none before it was joined. */
  convoy: null,
  members: [],
  server: null,
  /** Links with cars; none where a browser cannot sign. */
  mesh: null,

  /** Convoy time, in microseconds. */
  now() {
    const byLink = here.isOnline() ? null : here.mesh?.upstream?.convoyNow();
    return byLink ?? here.server.clock.now();
  },

  /** How far ahead a control takes effect: it has to reach the authority, and from there the cars, before that. */
  aheadUs() {
    const isLinked = !here.isOnline() && here.mesh;
    const { clock } = here.server;
    const leadUs = isLinked ? LEAD_US : clock.leadUs;
    const { roundTripUs } = isLinked ? here.mesh : clock;
    return Math.round(Math.min(leadUs + roundTripUs, AHEAD_MAX_US - 500_000));
  },

  /** Whether this page came from a car, and there is no server. */
  isGuest() {
    return Boolean(here.invitation?.car);
  },

  /** By the server. */
  isOnline() {
    return Boolean(here.server?.joined);
  },

  isConnected() {
    return here.isOnline() || Boolean(here.mesh?.upstream);
  },

  /** Everyone who is known: of the server's list, and whoever is reached over links. */
  everyone() {
    const linked = here.mesh?.linked ?? [];
    const known = new Map(here.members.map((member) => [member.device, { ...member }]));
    for (const member of here.mesh?.members ?? []) {
      if (member.device !== here.device) known.set(member.device, { ...member, beyond: true });
    }
    const there = here.members.filter(({ online }) => online && here.isOnline());
    const byServer = new Set(there.map(({ device }) => device));
    for (const member of known.values()) {
      member.linked = linked.includes(member.device);
      member.online = byServer.has(member.device);
      member.tier = tierOf(member);
    }
    return [...known.values()];
  },

  /** The tier of this phone. */
  tier() {
    return tierOf({ online: here.isOnline(), linked: Boolean(here.mesh?.upstream) });
  },

  leads() {
    return here.convoy?.controller === here.device;
  },

  /** A member's name. */
  named(id) {
    const member = here.everyone().find((one) => one.device === id);
    return member?.name || member?.user || short(id);
  },

  /** Why something cannot be done now, or null: `control`, `edit` or `playback`. */
  obstacle(what) {
    if (!here.key) return 'This phone only shows: it cannot sign here.';
    if (!here.isConnected()) return 'Not connected. Try again when the connection is back.';
    if (here.invitation.role === 'listener') {
      return 'Your link is for listening. Ask in the car for one that may control.';
    }
    const { controller } = here.convoy;
    if (what !== 'playback' || !controller || here.leads()) return null;
    return `${here.named(controller)} controls. Take control first.`;
  },
};
