//! What tier 2 is told: where its identity is kept, and which servers help it through NATs.

use super::ice;
use std::path::PathBuf;

/// Where the identity is kept, and which servers help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Certificate and key (PEM), made at the first start, for their owner only.
    pub certificate_file: PathBuf,
    pub ice: IceConfig,
}

/// Servers for links through NATs. None is needed within one network.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IceConfig {
    /// `stun:host[:port]`.
    pub stun: Vec<String>,
    /// `turn:host[:port]`, over UDP.
    pub turn: Vec<String>,
    /// User name and password for the TURN servers, in two lines. Nobody else may read it (mode 0600).
    pub turn_credentials_file: Option<PathBuf>,
    /// Never shows this car's addresses to others: everything goes over a TURN server.
    pub relay_only: bool,
}

/// Why tier 2 cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum MeshError {
    #[error("the DTLS certificate {path}: {problem}")]
    Certificate { path: String, problem: String },
    #[error("`{key}` under [mesh]: {problem}")]
    Ice { key: &'static str, problem: String },
}

impl IceConfig {
    /// Checks all that can be checked without a network.
    ///
    /// # Errors
    /// [`MeshError`] naming the key that is wrong, and what to do.
    pub fn check(&self) -> Result<(), MeshError> {
        ice::check(self)
    }
}
