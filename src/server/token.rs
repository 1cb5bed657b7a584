//! Tokens (JWT): who someone is and which convoys they may join; checked, issued, and each key bound to its one
//! algorithm.

use super::limits::TOKEN_BYTES_MAX;
use crate::core::id::{ConvoyId, UserId};
use crate::core::ticket::{Guest, Role};
use crate::host;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The `aud` of every token: other services' tokens are not for us.
pub const AUDIENCE: &str = "jamz";
/// A shorter secret could be guessed.
const SECRET_BYTES_MIN: usize = 32;
/// Clocks of issuer and server may differ by this much.
const LEEWAY_S: u64 = 30;

/// Why a token is not accepted, or not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("no token: set `auth.token` to one made with `jamz-server token --user USER --convoy CONVOY`")]
    Missing,
    #[error("the token expired: ask for a new one, made with `jamz-server token`")]
    Expired,
    #[error("the token is not valid yet: wait until its `nbf`, or ask for one that is, made with `jamz-server token`")]
    NotYet,
    #[error("the token was not signed with this server's key: ask whoever runs the server for one")]
    OtherKey,
    #[error("this server takes tokens signed with {allowed}, and this one is not")]
    Algorithm { allowed: String },
    #[error("the token is for another service: its `aud` must be `{AUDIENCE}`")]
    Audience,
    #[error("the token lacks `{0}`")]
    Claim(String),
    #[error("this is no token (JWT): {0}")]
    Malformed(String),
    #[error("the token is for {allowed}; it does not allow {wanted}")]
    Convoy { wanted: String, allowed: String },
    #[error("this server issues no tokens: it has no secret (`jwt_secret_file`)")]
    CannotIssue,
    #[error("you are a guest here: ask whoever invited you for a new link")]
    Guest,
    #[error("a guest is dj or listener, and no more than who invites; you are {}", .0.as_str())]
    GuestRole(Role),
    #[error("the secret has {0} bytes; it needs at least {SECRET_BYTES_MIN}")]
    ShortSecret(usize),
    #[error("the public key is no Ed25519 key in PEM: {0}")]
    PublicKey(String),
}

/// Which convoys a token is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Convoys {
    All,
    Some(BTreeSet<String>),
}

/// Who a connection belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    /// None on a server without tokens, or for a phone that may come without one: then it is whom it says.
    pub user: Option<UserId>,
    pub name: Option<String>,
    pub convoys: Convoys,
    /// How long the token was good for as it was made, in seconds: a renewed one is good for no longer.
    pub lifetime_s: Option<u64>,
    /// What its bearer may do in them.
    pub role: Role,
    /// Only as one of today's phones.
    pub phone_only: bool,
    /// A guest's: who invited him, and when his time is over. It is not renewed, and invites nobody.
    pub guest: Option<Guest>,
}

impl Pass {
    /// Someone without a token.
    #[must_use]
    pub fn unchecked(phone_only: bool) -> Self {
        let (convoys, role) = (Convoys::All, Role::Dj);
        Self { user: None, name: None, convoys, lifetime_s: None, role, phone_only, guest: None }
    }

    /// The pass of a guest named `guest`, whom this one's bearer invites to a convoy, for a day from now on.
    ///
    /// # Errors
    /// When he may not.
    pub fn invite(&self, guest: UserId, to: &ConvoyId, as_role: Option<Role>, now_s: u64) -> Result<Self, TokenError> {
        let invited_by = self.user.clone().filter(|_| self.guest.is_none()).ok_or(TokenError::Guest)?;
        self.check(to)?;
        let most = if self.role == Role::Listener { Role::Listener } else { Role::Dj };
        let role = as_role.unwrap_or(most);
        if role == Role::Owner || (role == Role::Dj && most == Role::Listener) {
            return Err(TokenError::GuestRole(self.role));
        }
        Ok(Self {
            user: Some(guest),
            name: None,
            convoys: Convoys::Some([to.to_string()].into()),
            lifetime_s: Some(Guest::VALID_S),
            role,
            phone_only: false,
            guest: Some(Guest { invited_by, until_unix_s: now_s + Guest::VALID_S }),
        })
    }

    /// Whether it opens this convoy.
    ///
    /// # Errors
    /// What it opens instead.
    pub fn check(&self, convoy: &ConvoyId) -> Result<(), TokenError> {
        match &self.convoys {
            Convoys::Some(allowed) if !allowed.contains(convoy.as_str()) => Err(TokenError::Convoy {
                wanted: convoy.to_string(),
                allowed: allowed.iter().cloned().collect::<Vec<_>>().join(", "),
            }),
            _ => Ok(()),
        }
    }
}

/// What a token says; that the first three are there is seen to by the validation, which names what is missing.
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    #[serde(default)]
    sub: String,
    #[serde(default)]
    aud: Option<OneOrMany>,
    #[serde(default)]
    exp: u64,
    /// Without it, whoever bears the token cannot tell when a third of its life is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    iat: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    convoy: Option<OneOrMany>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Without it, a DJ.
    #[serde(default)]
    role: Role,
    /// Who invited a guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    guest_of: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(BTreeSet<String>),
}

/// The keys of this server.
#[derive(Default)]
pub struct Keys {
    secret: Option<(EncodingKey, DecodingKey)>,
    public: Option<DecodingKey>,
    /// A token that names no convoy opens every one.
    without_convoy: bool,
}

impl Keys {
    /// # Errors
    /// [`TokenError`] when a key is no such key.
    pub fn new(secret: Option<&[u8]>, public_pem: Option<&[u8]>) -> Result<Self, TokenError> {
        if let Some(short) = secret.filter(|secret| secret.len() < SECRET_BYTES_MIN) {
            return Err(TokenError::ShortSecret(short.len()));
        }
        let public = public_pem.map(DecodingKey::from_ed_pem).transpose();
        Ok(Self {
            secret: secret.map(|secret| (EncodingKey::from_secret(secret), DecodingKey::from_secret(secret))),
            public: public.map_err(|e| TokenError::PublicKey(e.to_string()))?,
            without_convoy: false,
        })
    }

    /// With `allowed`, a token that names no convoy opens every one; else it is refused.
    #[must_use]
    pub fn allow_without_convoy(self, allowed: bool) -> Self {
        Self { without_convoy: allowed, ..self }
    }

    /// Whether [`Self::issue`] can.
    #[must_use]
    pub fn can_issue(&self) -> bool {
        self.secret.is_some()
    }

    /// # Errors
    /// [`TokenError`], in words for the token's bearer.
    pub fn verify(&self, token: &str) -> Result<Pass, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Malformed(format!("it is longer than {TOKEN_BYTES_MAX} bytes")));
        }
        // The header only picks the key; the key then fixes the algorithm.
        let header = jsonwebtoken::decode_header(token).map_err(|e| self.explain(&e))?;
        let (algorithm, key) = match header.alg {
            Algorithm::HS256 => (Algorithm::HS256, self.secret.as_ref().map(|(_, key)| key)),
            Algorithm::EdDSA => (Algorithm::EdDSA, self.public.as_ref()),
            _ => (header.alg, None),
        };
        let key = key.ok_or_else(|| TokenError::Algorithm { allowed: self.allowed() })?;
        let mut validation = Validation::new(algorithm);
        validation.leeway = LEEWAY_S;
        validation.validate_nbf = true;
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "aud", "sub"]);
        let claims = jsonwebtoken::decode::<Claims>(token, key, &validation).map_err(|e| self.explain(&e))?.claims;
        let user = UserId::new(claims.sub).map_err(|e| TokenError::Malformed(format!("its `sub`: {e}")))?;
        let convoys = match claims.convoy {
            None if self.without_convoy => Convoys::All,
            None => return Err(TokenError::Claim("convoy".into())),
            Some(OneOrMany::One(all)) if all == "*" => Convoys::All,
            Some(OneOrMany::One(one)) => Convoys::Some([one].into()),
            Some(OneOrMany::Many(many)) if many.contains("*") => Convoys::All,
            Some(OneOrMany::Many(many)) => Convoys::Some(many),
        };
        // One that does not say when it was made has lived up to now.
        let lifetime_s = Some(claims.exp.saturating_sub(claims.iat.unwrap_or_else(now_unix_s)));
        let guest_of = claims.guest_of.map(UserId::new).transpose();
        let guest_of = guest_of.map_err(|e| TokenError::Malformed(format!("its `guest_of`: {e}")))?;
        let guest = guest_of.map(|invited_by| Guest { invited_by, until_unix_s: claims.exp });
        let (name, role) = (claims.name, claims.role);
        Ok(Pass { user: Some(user), name, convoys, lifetime_s, role, phone_only: false, guest })
    }

    /// Makes a token that is good from `now_unix_s` (seconds since 1970) on, for as long as the pass says.
    ///
    /// # Errors
    /// [`TokenError::CannotIssue`] without a secret.
    pub fn issue(&self, pass: &Pass, now_unix_s: u64) -> Result<String, TokenError> {
        let (key, _) = self.secret.as_ref().ok_or(TokenError::CannotIssue)?;
        let user = pass.user.as_ref().ok_or(TokenError::CannotIssue)?;
        let lifetime_s = pass.lifetime_s.ok_or(TokenError::CannotIssue)?;
        let convoy = match &pass.convoys {
            Convoys::All => OneOrMany::One("*".into()),
            Convoys::Some(convoys) => OneOrMany::Many(convoys.clone()),
        };
        let claims = Claims {
            sub: user.to_string(),
            aud: Some(OneOrMany::One(AUDIENCE.into())),
            exp: now_unix_s.saturating_add(lifetime_s),
            iat: Some(now_unix_s),
            convoy: Some(convoy),
            name: pass.name.clone(),
            role: pass.role,
            guest_of: pass.guest.as_ref().map(|guest| guest.invited_by.to_string()),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, key)
            .map_err(|e| TokenError::Malformed(e.to_string()))
    }

    fn explain(&self, error: &jsonwebtoken::errors::Error) -> TokenError {
        match error.kind() {
            ErrorKind::ExpiredSignature => TokenError::Expired,
            ErrorKind::ImmatureSignature => TokenError::NotYet,
            ErrorKind::InvalidSignature => TokenError::OtherKey,
            ErrorKind::InvalidAudience => TokenError::Audience,
            ErrorKind::InvalidAlgorithm | ErrorKind::UnsupportedAlgorithm | ErrorKind::InvalidAlgorithmName => {
                TokenError::Algorithm { allowed: self.allowed() }
            }
            ErrorKind::MissingRequiredClaim(claim) => TokenError::Claim(claim.clone()),
            ErrorKind::Json(e) if e.to_string().contains("unknown variant") => {
                TokenError::Algorithm { allowed: self.allowed() }
            }
            other => TokenError::Malformed(format!("{other:?}")),
        }
    }

    fn allowed(&self) -> String {
        let names = [self.secret.is_some().then_some("HS256"), self.public.is_some().then_some("EdDSA")];
        names.into_iter().flatten().collect::<Vec<_>>().join(" or ")
    }
}

/// Seconds since 1970.
#[must_use]
pub fn now_unix_s() -> u64 {
    host::wall_clock().unix_us.unsigned_abs() / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
    const DAY_S: u64 = 86_400;

    fn pass(convoys: Convoys) -> Pass {
        let (user, name) = (UserId::new("юзер").ok(), Some("Анна".into()));
        Pass { user, name, convoys, lifetime_s: Some(DAY_S), role: Role::Listener, phone_only: false, guest: None }
    }

    #[test]
    fn a_token_says_again_what_it_was_made_of() {
        let keys = Keys::new(Some(SECRET), None).unwrap();
        for convoys in [Convoys::All, Convoys::Some(["a".to_owned(), "道".to_owned()].into())] {
            let token = keys.issue(&pass(convoys.clone()), now_unix_s()).unwrap();
            assert_eq!(keys.verify(&token), Ok(pass(convoys)));
        }
    }

    #[test]
    fn a_token_that_is_renewed_lives_as_long_as_it_did_at_first() {
        let keys = Keys::new(Some(SECRET), None).unwrap();
        let (first, later) = (now_unix_s() - DAY_S / 2, now_unix_s());
        let guest = keys.verify(&keys.issue(&pass(Convoys::All), first).unwrap()).unwrap();
        let renewed = jsonwebtoken::dangerous::insecure_decode::<Claims>(keys.issue(&guest, later).unwrap());
        let claims = renewed.unwrap().claims;
        assert_eq!((claims.iat, claims.exp), (Some(later), later + DAY_S));
    }

    #[test]
    fn a_guest_may_no_more_than_who_invites_him_for_a_day_and_invites_nobody() {
        let keys = Keys::new(Some(SECRET), None).unwrap();
        let (convoy, guest) = (ConvoyId::new("a").unwrap(), UserId::new("guest-1").unwrap());
        let of = |role, wanted| {
            let host = Pass { role, ..pass(Convoys::All) };
            host.invite(guest.clone(), &convoy, wanted, now_unix_s()).map(|invited| invited.role)
        };
        let listener = Some(Role::Listener);
        assert_eq!(
            [of(Role::Owner, None), of(Role::Dj, None), of(Role::Listener, None)],
            [Ok(Role::Dj), Ok(Role::Dj), Ok(Role::Listener)]
        );
        assert_eq!([of(Role::Dj, listener), of(Role::Listener, listener)], [Ok(Role::Listener), Ok(Role::Listener)]);
        assert_eq!(of(Role::Listener, Some(Role::Dj)), Err(TokenError::GuestRole(Role::Listener)));
        assert_eq!(of(Role::Owner, Some(Role::Owner)), Err(TokenError::GuestRole(Role::Owner)));

        let now_s = now_unix_s();
        let invited = pass(Convoys::All).invite(guest.clone(), &convoy, None, now_s).unwrap();
        let token = keys.issue(&invited, now_s).unwrap();
        let shown = keys.verify(&token).unwrap();
        assert_eq!(shown, invited);
        assert_eq!(shown.guest.as_ref().map(|guest| guest.until_unix_s), Some(now_s + DAY_S));
        assert!(shown.check(&ConvoyId::new("b").unwrap()).is_err());
        assert_eq!(shown.invite(guest.clone(), &convoy, None, now_s), Err(TokenError::Guest));
        let elsewhere = pass(Convoys::Some(["b".to_owned()].into())).invite(guest, &convoy, None, now_s);
        assert!(matches!(elsewhere, Err(TokenError::Convoy { .. })));
    }

    #[test]
    fn a_token_that_names_no_convoy_opens_all_only_where_that_is_allowed() {
        let claims = serde_json::json!({ "sub": "ann", "aud": AUDIENCE, "exp": now_unix_s() + DAY_S });
        let key = EncodingKey::from_secret(SECRET);
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).unwrap();
        let keys = Keys::new(Some(SECRET), None).unwrap();
        assert_eq!(keys.verify(&token), Err(TokenError::Claim("convoy".into())));
        let allowed = keys.allow_without_convoy(true).verify(&token).unwrap();
        assert_eq!(allowed.convoys, Convoys::All);
        assert!(allowed.lifetime_s.is_some_and(|s| (DAY_S - 60..=DAY_S).contains(&s)), "no longer than it has left");
    }

    #[test]
    fn a_token_of_another_key_or_time_is_refused() {
        let keys = Keys::new(Some(SECRET), None).unwrap();
        let other = Keys::new(Some(b"another-secret-another-secret-32"), None).unwrap();
        let token = other.issue(&pass(Convoys::All), now_unix_s()).unwrap();
        assert_eq!(keys.verify(&token), Err(TokenError::OtherKey));
        let token = keys.issue(&pass(Convoys::All), 1_000).unwrap();
        assert_eq!(keys.verify(&token), Err(TokenError::Expired));
        assert!(matches!(keys.verify("not.a.token"), Err(TokenError::Malformed(_))));
        assert!(matches!(keys.verify(&"x".repeat(9_000)), Err(TokenError::Malformed(_))));
    }

    #[test]
    fn a_secret_that_can_be_guessed_is_refused() {
        assert_eq!(Keys::new(Some(b"hunter2"), None).err(), Some(TokenError::ShortSecret(7)));
        assert!(matches!(Keys::new(None, Some(b"junk")), Err(TokenError::PublicKey(_))));
    }

    #[test]
    fn a_pass_opens_only_its_convoys() {
        let one = pass(Convoys::Some(["a".to_owned()].into()));
        assert_eq!(one.check(&ConvoyId::new("a").unwrap()), Ok(()));
        assert!(one.check(&ConvoyId::new("b").unwrap()).is_err());
        assert_eq!(pass(Convoys::All).check(&ConvoyId::new("b").unwrap()), Ok(()));
    }
}
