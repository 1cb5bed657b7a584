//! The server's address, checked once, and what is asked of it there.

/// Why a text is no address of a server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error("{url:?} is no address: {problem}; write it as https://example.org")]
    Malformed { url: String, problem: String },
    #[error("{url:?} starts with {scheme}://; only https:// and http:// are spoken")]
    Scheme { url: String, scheme: String },
    #[error("the address must not hold a user name or a password; put the token into `token_file`")]
    Secret,
    #[error("{url:?} must end with the path; leave out what follows `?` or `#`")]
    Query { url: String },
}

/// An address that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// Name or number, without the brackets of an IPv6 address.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) secure: bool,
    /// `http(s)://host[:port][/path]`, without a slash at the end.
    base: String,
}

impl Address {
    pub(super) fn parse(text: &str) -> Result<Self, AddressError> {
        let malformed = |problem: String| AddressError::Malformed { url: text.into(), problem };
        let url = reqwest::Url::parse(text.trim()).map_err(|error| malformed(error.to_string()))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(AddressError::Secret);
        }
        if !matches!(url.scheme(), "http" | "https") {
            return Err(AddressError::Scheme { url: text.into(), scheme: url.scheme().into() });
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(AddressError::Query { url: text.into() });
        }
        let host = url.host_str().ok_or_else(|| malformed("it names no host".into()))?;
        Ok(Self {
            host: host.trim_start_matches('[').trim_end_matches(']').into(),
            port: url.port_or_known_default().ok_or_else(|| malformed("it has no port".into()))?,
            secure: url.scheme() == "https",
            base: url.as_str().trim_end_matches('/').into(),
        })
    }

    /// Where Socket.IO is spoken.
    pub(super) fn socket_io(&self) -> String {
        format!("{}/socket.io/", self.base)
    }

    /// Where e-mail and password are changed for a token.
    pub(super) fn login(&self) -> String {
        format!("{}/api/auth/login", self.base)
    }

    /// Where a server answers cheaply: Engine.IO without a transport is a short error.
    pub(super) fn touch(&self) -> String {
        format!("{}/socket.io/?EIO=4", self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_with_port_path_and_any_case() {
        let address = Address::parse("HTTPS://Example.org:8443/jam/").unwrap();
        assert_eq!((address.host.as_str(), address.port, address.secure), ("example.org", 8443, true));
        assert_eq!(address.socket_io(), "https://example.org:8443/jam/socket.io/");
        assert_eq!(address.login(), "https://example.org:8443/jam/api/auth/login");
        let plain = Address::parse("http://[::1]").unwrap();
        assert_eq!((plain.host.as_str(), plain.port), ("::1", 80));
        assert_eq!(plain.socket_io(), "http://[::1]/socket.io/");
    }

    #[test]
    fn a_wrong_address_is_refused_with_what_to_do() {
        for (text, words) in [
            ("", "write it as https://"),
            ("example.org", "write it as https://"),
            ("http://", "write it as https://"),
            ("ftp://example.org", "only https:// and http://"),
            ("localhost:3000", "only https:// and http://"),
            ("https://me:secret@example.org", "token_file"),
            ("https://example.org/?a=b", "leave out"),
        ] {
            let problem = Address::parse(text).unwrap_err().to_string();
            assert!(problem.contains(words), "{text}: {problem}");
            assert!(!problem.contains("secret"));
        }
    }
}
