// What a link says, and how times and names are written and spoken.

function claims(token) {
  const base64 = token.split('.')[1]?.replaceAll('-', '+').replaceAll('_', '/') ?? '';
  const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes));
}

/**
 * The invitation in an address: `#t=TOKEN`, with `&c=CONVOY` where the token is good for several, or there is none. One
 * of a car says `car=` and what the fingerprint of its certificate begins with, and all else beside its token.
 */
export function readInvitation(fragment) {
  const said = new URLSearchParams(fragment.replace(/^#/, ''));
  const token = said.get('t');
  if (said.has('car')) {
    const [convoy, role] = [said.get('c'), said.get('r') ?? 'dj'];
    return token && convoy ? { car: said.get('car'), token, convoy, role, name: '' } : null;
  }
  try {
    const { sub, convoy: places, role = 'dj', name = '' } = token ? claims(token) : {};
    const convoy = said.get('c') ?? (Array.isArray(places) && places.length === 1 ? places[0] : places);
    const isOne = typeof convoy === 'string' && convoy && convoy !== '*';
    return isOne ? { token, convoy, user: sub, role, name } : null;
  } catch {
    return null;
  }
}

const parts = (us) => {
  const seconds = Math.max(Math.floor(us / 1e6), 0);
  return [Math.floor(seconds / 60), seconds % 60];
};

/** A time in a track, to be read. */
export function clock(us) {
  const [minutes, seconds] = parts(us);
  return `${minutes}:${String(seconds).padStart(2, '0')}`;
}

/** A time in a track, to be heard. */
export function spoken(us) {
  const [minutes, seconds] = parts(us);
  const some = (count, unit) => `${count} ${unit}${count === 1 ? '' : 's'}`;
  return `${minutes ? `${some(minutes, 'minute')} ` : ''}${some(seconds, 'second')}`;
}

/** A device's id as people are shown it. */
export const short = (id) => (/^[0-9a-f]{64}$/.test(id) ? id.slice(0, 8) : id);

/** A server's or a car's word in the page's own: who sits at a phone has no command line. */
export function sentence(text) {
  const plain = text.replace(/ \(`jamzctl[^)]*`\)/, '').replace(/; ask whoever runs.*$/, '');
  return `${plain.charAt(0).toUpperCase()}${plain.slice(1)}.`;
}
