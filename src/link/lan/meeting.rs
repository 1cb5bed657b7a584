//! The cryptography of letting a newcomer in: SPAKE2 over the code, a proof of each side, and a seal over what follows.
//!
//! Everything hangs on all that was said: the keys, both proofs and both signatures. Whoever changes a byte on the way
//! has made one wrong guess, and nothing more.

use crate::core::code::Code;
use crate::core::id::DeviceId;
use crate::wire::founding::{ELEMENT_BYTES, Opening, Verdict};
use blake3::{Hash, Hasher};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use spake2::{Ed25519Group, Identity, Password, Spake2};

/// Domain of all keys (BLAKE3's key derivation).
const CONTEXT: &str = "trafficjamz 2026 a newcomer to a convoy, version 1";

/// Which side of such a meeting one is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Newcomer,
    Member,
}

/// One side that has made its element, and waits for the other's.
pub(super) struct Begun {
    role: Role,
    spake: Spake2<Ed25519Group>,
    opening: Opening,
}

/// A key that the other side has too if it knows the code. Whether it does is still to be proved.
pub(super) struct Meeting {
    role: Role,
    key: [u8; 32],
    said: [u8; 32],
}

/// Begins, with the code and both devices.
pub(super) fn begin(role: Role, code: &Code, me: &DeviceId, other: &DeviceId) -> Begun {
    let password = Password::new(code.text());
    let (mine, others) = (Identity::new(me.as_str().as_bytes()), Identity::new(other.as_str().as_bytes()));
    let (spake, element) = match role {
        Role::Newcomer => Spake2::start_a(&password, &mine, &others),
        Role::Member => Spake2::start_b(&password, &others, &mine),
    };
    let mut bytes = [0; ELEMENT_BYTES];
    bytes.iter_mut().zip(element).for_each(|(to, from)| *to = from);
    Begun { role, spake, opening: Opening { verdict: Verdict::GoOn, device: me.clone(), element: bytes } }
}

impl Begun {
    pub(super) fn opening(&self) -> &Opening {
        &self.opening
    }

    /// With what the other side opened with; none when that is no element of the group.
    pub(super) fn meet(self, other: &Opening) -> Option<Meeting> {
        let key = self.spake.finish(&other.element).ok()?;
        let (newcomer, member) = match self.role {
            Role::Newcomer => (&self.opening, other),
            Role::Member => (other, &self.opening),
        };
        // Both have one length.
        let said = Hasher::new().update(&newcomer.encode()).update(&member.encode()).finalize();
        let key = Hasher::new_derive_key(CONTEXT).update(said.as_bytes()).update(&key).finalize();
        Some(Meeting { role: self.role, key: key.into(), said: said.into() })
    }
}

impl Role {
    fn other(self) -> Self {
        match self {
            Self::Newcomer => Self::Member,
            Self::Member => Self::Newcomer,
        }
    }

    fn label(self) -> &'static [u8] {
        match self {
            Self::Newcomer => b"newcomer",
            Self::Member => b"member",
        }
    }
}

impl Meeting {
    /// All that was said, for signatures.
    pub(super) fn said(&self) -> &[u8; 32] {
        &self.said
    }

    /// That this side made the key.
    pub(super) fn confirmation(&self) -> [u8; 32] {
        self.derived(b"confirmation", self.role).into()
    }

    /// Whether the other side made the same key. The comparison takes the same time wherever they differ.
    pub(super) fn is_confirmed(&self, confirmation: [u8; 32]) -> bool {
        self.derived(b"confirmation", self.role.other()) == Hash::from(confirmation)
    }

    /// Seals what this side says; each side says one thing, so that each key is used once.
    pub(super) fn seal(&self, mut bytes: Vec<u8>) -> Option<Vec<u8>> {
        let key = self.sealer(self.role)?;
        key.seal_in_place_append_tag(nonce(), Aad::from(&self.said), &mut bytes).ok()?;
        Some(bytes)
    }

    /// Opens what the other side sealed.
    pub(super) fn open(&self, mut sealed: Vec<u8>) -> Option<Vec<u8>> {
        let key = self.sealer(self.role.other())?;
        key.open_in_place(nonce(), Aad::from(&self.said), &mut sealed).ok().map(|plain| plain.to_vec())
    }

    fn sealer(&self, role: Role) -> Option<LessSafeKey> {
        let key = self.derived(b"seal", role);
        UnboundKey::new(&CHACHA20_POLY1305, key.as_bytes()).ok().map(LessSafeKey::new)
    }

    fn derived(&self, what: &[u8], role: Role) -> Hash {
        Hasher::new_keyed(&self.key).update(what).update(role.label()).finalize()
    }
}

fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn devices() -> (DeviceId, DeviceId) {
        (DeviceId::new("aa".repeat(32)).unwrap(), DeviceId::new("bb".repeat(32)).unwrap())
    }

    fn code(text: &str) -> Code {
        Code::parse(text).unwrap()
    }

    /// Both sides, with what the newcomer and the member know, and what became of their openings on the way.
    fn met(
        newcomer: &str,
        member: &str,
        on_the_way: impl Fn(&mut Opening, &mut Opening),
    ) -> Option<(Meeting, Meeting)> {
        let (a, b) = devices();
        let one = begin(Role::Newcomer, &code(newcomer), &a, &b);
        let other = begin(Role::Member, &code(member), &b, &a);
        let (mut first, mut second) = (one.opening().clone(), other.opening().clone());
        on_the_way(&mut first, &mut second);
        Some((one.meet(&second)?, other.meet(&first)?))
    }

    const RIGHT: &str = "amber castle river twist";

    #[test]
    fn those_who_know_the_code_prove_it_to_each_other_and_understand_each_other() {
        let (newcomer, member) = met(RIGHT, "AMBE-CAST-RIVE-TWIS", |_, _| ()).unwrap();
        assert!(member.is_confirmed(newcomer.confirmation()) && newcomer.is_confirmed(member.confirmation()));
        assert_eq!(member.open(newcomer.seal(b"me".to_vec()).unwrap()).as_deref(), Some(&b"me"[..]));
        assert_eq!(newcomer.open(member.seal(b"gift".to_vec()).unwrap()).as_deref(), Some(&b"gift"[..]));
        assert_eq!(newcomer.said(), member.said());
    }

    #[test]
    fn a_wrong_code_proves_nothing_and_opens_nothing() {
        let (newcomer, member) = met("amber castle river twice", RIGHT, |_, _| ()).unwrap();
        assert!(!member.is_confirmed(newcomer.confirmation()) && !newcomer.is_confirmed(member.confirmation()));
        assert_eq!(newcomer.open(member.seal(b"gift".to_vec()).unwrap()), None);
    }

    #[test]
    fn a_proof_is_of_one_side_and_of_one_meeting() {
        let (newcomer, member) = met(RIGHT, RIGHT, |_, _| ()).unwrap();
        let (_, again) = met(RIGHT, RIGHT, |_, _| ()).unwrap();
        assert!(!newcomer.is_confirmed(newcomer.confirmation()), "its own, sent back");
        assert!(!again.is_confirmed(newcomer.confirmation()), "recorded and replayed");
        let sealed = newcomer.seal(b"me".to_vec()).unwrap();
        assert_eq!(newcomer.open(sealed.clone()), None);
        assert_eq!(again.open(sealed), None);
        assert!(member.open(Vec::new()).is_none() && member.open(vec![0; 15]).is_none());
    }

    #[test]
    fn who_changes_any_byte_of_an_opening_on_the_way_has_guessed_wrong() {
        for at in 0..ELEMENT_BYTES {
            let changed = met(RIGHT, RIGHT, |first, _| first.element[at] ^= 1);
            assert!(changed.is_none_or(|(newcomer, member)| !member.is_confirmed(newcomer.confirmation())), "{at}");
            let changed = met(RIGHT, RIGHT, |_, second| second.element[at] ^= 1);
            assert!(changed.is_none_or(|(newcomer, member)| !newcomer.is_confirmed(member.confirmation())), "{at}");
        }
        let other = DeviceId::new("cc".repeat(32)).unwrap();
        let (newcomer, member) = met(RIGHT, RIGHT, |first, _| first.device = other.clone()).unwrap();
        assert!(!member.is_confirmed(newcomer.confirmation()));
    }
}
