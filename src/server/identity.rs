//! Who is on the other end: TLS 1.3 with client certificates, whose one `tidegate:` name says role and scope.
//!
//! | subject alternative name (URI) | role |
//! |---|---|
//! | `tidegate://gateway/*` | gateway, for every programme |
//! | `tidegate://gateway/slug-a,slug-b` | gateway, for these programmes only |
//! | `tidegate://operator` | operator |
//! | `tidegate://observer` | observer: may look, may change nothing |
//!
//! A certificate without exactly one such name has no role. 0-RTT is off: its data can be replayed.

pub use crate::store::Scope;
use std::path::Path;
use std::sync::Arc;

use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use tidegate_client::tls::{self, Files, TlsError};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// The scheme of the names that carry roles.
const SCHEME: &str = "tidegate://";

/// What a peer may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Sends members' requests.
    Gateway,
    /// May also change programmes and take snapshots.
    Operator,
    /// May look, and change nothing.
    Observer,
}

/// A peer, as its certificate names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// What it may do.
    pub role: Role,
    /// For which programmes.
    pub programmes: Scope,
    /// The certificate's common name; empty if it has none.
    pub name: String,
}

/// A certificate that names no role here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The bytes are no certificate.
    #[error("the certificate does not parse: {0}")]
    Unreadable(String),
    /// No name of ours, or more than one.
    #[error(
        "the certificate has {0} names beginning with `tidegate://`; it must have exactly one, such as `tidegate://operator`"
    )]
    Names(usize),
    /// The name is none of the table's.
    #[error(
        "`{0}` names no role; write `tidegate://gateway/*`, `tidegate://gateway/SLUG,SLUG`, `tidegate://operator` or `tidegate://observer`"
    )]
    Name(String),
}

impl Identity {
    /// Reads role, scope and name from a certificate in DER. Trust is not checked here: TLS has done it.
    pub fn from_certificate(der: &[u8]) -> Result<Identity, IdentityError> {
        let unreadable = |error: &dyn std::fmt::Display| IdentityError::Unreadable(error.to_string());
        let (_, certificate) = X509Certificate::from_der(der).map_err(|error| unreadable(&error))?;
        let names = certificate.subject_alternative_name().map_err(|error| unreadable(&error))?;
        let ours: Vec<&str> = names
            .iter()
            .flat_map(|names| &names.value.general_names)
            .filter_map(|name| match name {
                GeneralName::URI(uri) if uri.starts_with(SCHEME) => Some(*uri),
                _ => None,
            })
            .collect();
        let [uri] = ours[..] else { return Err(IdentityError::Names(ours.len())) };
        let (role, programmes) = parse(uri).ok_or_else(|| IdentityError::Name(uri.into()))?;
        let name = certificate.subject().iter_common_name().find_map(|name| name.as_str().ok());
        Ok(Identity { role, programmes, name: name.unwrap_or_default().into() })
    }

    /// The name that a certificate of this role and scope carries.
    pub fn uri(role: Role, programmes: &Scope) -> String {
        match (role, programmes) {
            (Role::Gateway, Scope::All) => format!("{SCHEME}gateway/*"),
            (Role::Gateway, Scope::Only(slugs)) => format!("{SCHEME}gateway/{}", slugs.join(",")),
            (Role::Operator, _) => format!("{SCHEME}operator"),
            (Role::Observer, _) => format!("{SCHEME}observer"),
        }
    }
}

fn parse(uri: &str) -> Option<(Role, Scope)> {
    match uri.strip_prefix(SCHEME)? {
        "operator" => Some((Role::Operator, Scope::All)),
        "observer" => Some((Role::Observer, Scope::All)),
        "gateway/*" => Some((Role::Gateway, Scope::All)),
        other => {
            let slugs: Vec<String> = other.strip_prefix("gateway/")?.split(',').map(str::to_owned).collect();
            slugs.iter().all(|slug| is_slug(slug)).then_some((Role::Gateway, Scope::Only(slugs)))
        }
    }
}

/// Whether a text can be a programme's slug: lower-case letters, digits and dashes, at most 64.
pub fn is_slug(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.len() <= 64 && text.bytes().all(allowed)
}

/// The server's side of TLS, from `ca.pem`, `server.pem` and `server.key` in a directory.
pub fn server_config(directory: &Path) -> Result<rustls::ServerConfig, TlsError> {
    let files = Files::read(directory, "server")?;
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(files.authorities), tls::provider())
        .build()
        .map_err(|error| tls::refused(directory)(rustls::Error::General(error.to_string())))?;
    let mut config = rustls::ServerConfig::builder_with_provider(tls::provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(tls::refused(directory))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(files.chain, files.key)
        .map_err(tls::refused(directory))?;
    config.alpn_protocols = vec![tidegate_protocol::ALPN.to_vec()];
    config.ignore_client_order = true;
    config.max_early_data_size = 0;
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_role_and_scope() {
        let only = Scope::Only(vec!["a".into(), "b-2".into()]);
        for (role, scope) in [
            (Role::Gateway, Scope::All),
            (Role::Gateway, only.clone()),
            (Role::Operator, Scope::All),
            (Role::Observer, Scope::All),
        ] {
            assert_eq!(parse(&Identity::uri(role, &scope)), Some((role, scope)));
        }
        assert!(only.admits("b-2") && !only.admits("b") && Scope::All.admits("b"));
    }

    #[test]
    fn other_names_have_no_role() {
        for uri in [
            "tidegate://",
            "tidegate://gateway",
            "tidegate://gateway/",
            "tidegate://gateway/a,,b",
            "tidegate://operator/",
            "tidegate://gateway/A",
            "tidegate://gateway/a,*",
        ] {
            assert_eq!(parse(uri), None, "{uri}");
        }
    }
}
