//! `tidegate certs DIR`: an authority and certificates for development, in one step.
//!
//! Makes `ca`, `server` (for `localhost`, `127.0.0.1`, `::1`), `gateway`, `operator` and `observer`, each as `NAME.pem`
//! with `NAME.key`; keys can be read by their owner only. Never overwrites: if one of the files is there, nothing is
//! written at all.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use serde::Serialize;

use crate::server::identity::{Identity, Role, Scope, is_slug};

const DAY: Duration = Duration::from_secs(86_400);
/// How long the certificates are valid, in days.
const VALID_DAYS: u32 = 3_650;

/// Make an authority and certificates for development.
#[derive(Debug, clap::Args)]
pub struct Certs {
    /// Where to write them; made if it is not there.
    pub directory: PathBuf,
    /// A programme the gateway certificate is valid for, by slug; may be given several times [default: all].
    #[arg(long = "programme", value_name = "SLUG")]
    pub programmes: Vec<String>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Why no certificates were made.
#[derive(Debug, thiserror::Error)]
pub enum CertsError {
    /// Nothing is overwritten.
    #[error("{} is there already; nothing was written. Choose an empty directory, or remove it first", .0.display())]
    Exists(PathBuf),
    /// A slug that no programme can have.
    #[error("`{0}` is no programme's slug; slugs are lower-case letters, digits and dashes, at most 64")]
    Slug(String),
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Its refusal.
        source: io::Error,
    },
    /// A certificate could not be made.
    #[error("a certificate could not be made: {0}")]
    Rcgen(#[from] rcgen::Error),
}

#[derive(Serialize)]
struct Made<'a> {
    directory: &'a Path,
    files: &'a [PathBuf],
    gateway: String,
}

impl Certs {
    /// Makes the files and says what was made.
    pub fn run(&self) -> Result<(), CertsError> {
        let scope = if self.programmes.is_empty() { Scope::All } else { Scope::Only(self.programmes.clone()) };
        let files = make(&self.directory, &scope)?;
        let gateway = Identity::uri(Role::Gateway, &scope);
        if self.json {
            let made = Made { directory: &self.directory, files: &files, gateway };
            println!("{}", serde_json::to_string(&made).expect("paths and texts are JSON"));
            return Ok(());
        }
        for file in &files {
            println!("{}", file.display());
        }
        println!("The gateway certificate is {gateway}. These are for development: guard ca.key, or delete it.");
        Ok(())
    }
}

/// Writes an authority and its certificates into `directory`; returns the files, in the order written.
pub fn make(directory: &Path, gateway: &Scope) -> Result<Vec<PathBuf>, CertsError> {
    if let Scope::Only(slugs) = gateway
        && let Some(slug) = slugs.iter().find(|slug| !is_slug(slug))
    {
        return Err(CertsError::Slug(slug.clone()));
    }
    let contents = contents(gateway)?;
    let files: Vec<PathBuf> = contents.iter().map(|(name, _)| directory.join(name)).collect();
    if let Some(there) = files.iter().find(|file| file.exists()) {
        return Err(CertsError::Exists(there.clone()));
    }
    fs::create_dir_all(directory).map_err(|source| CertsError::Io { path: directory.into(), source })?;
    for (path, (_, text)) in files.iter().zip(&contents) {
        write(path, text).map_err(|source| CertsError::Io { path: path.clone(), source })?;
    }
    Ok(files)
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let secret = path.extension().is_some_and(|extension| extension == "key");
    let mode = if secret { 0o600 } else { 0o644 };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Names and texts of all files.
fn contents(gateway: &Scope) -> Result<Vec<(String, String)>, CertsError> {
    let authority_key = KeyPair::generate()?;
    let mut authority = params("Tidegate development CA")?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let mut contents = vec![
        ("ca.pem".to_owned(), authority.self_signed(&authority_key)?.pem()),
        ("ca.key".to_owned(), authority_key.serialize_pem()),
    ];
    let issuer = Issuer::new(authority, authority_key);

    let hosts = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    let mut leaves =
        vec![("server", CertificateParams::new(hosts)?.subject_alt_names, ExtendedKeyUsagePurpose::ServerAuth)];
    for (name, role) in [("gateway", Role::Gateway), ("operator", Role::Operator), ("observer", Role::Observer)] {
        let uri = SanType::URI(Ia5String::try_from(Identity::uri(role, gateway))?);
        leaves.push((name, vec![uri], ExtendedKeyUsagePurpose::ClientAuth));
    }
    for (name, names, usage) in leaves {
        let key = KeyPair::generate()?;
        let mut leaf = params(name)?;
        leaf.subject_alt_names = names;
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![usage];
        leaf.use_authority_key_identifier_extension = true;
        contents.push((format!("{name}.pem"), leaf.signed_by(&key, &issuer)?.pem()));
        contents.push((format!("{name}.key"), key.serialize_pem()));
    }
    Ok(contents)
}

/// A certificate of this common name, valid from yesterday, so that a peer's clock may be a little behind.
fn params(name: &str) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let now = SystemTime::now();
    params.not_before = (now - DAY).into();
    params.not_after = (now + DAY * VALID_DAYS).into();
    Ok(params)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;

    use super::*;
    use crate::server::identity::server_config;

    fn identity(directory: &Path, name: &str) -> Result<Identity, crate::server::identity::IdentityError> {
        let der = CertificateDer::from_pem_file(directory.join(format!("{name}.pem"))).unwrap();
        Identity::from_certificate(&der)
    }

    #[test]
    fn certificates_carry_roles_and_can_be_used() {
        let directory = tempfile::tempdir().unwrap();
        let only = Scope::Only(vec!["club".into(), "club-2".into()]);
        let files = make(directory.path(), &only).unwrap();
        assert_eq!(files.len(), 10);
        for file in &files {
            let mode = fs::metadata(file).unwrap().permissions().mode();
            let secret = file.extension().unwrap() == "key";
            assert_eq!(mode & 0o077 == 0, secret, "{}", file.display());
        }

        let gateway = identity(directory.path(), "gateway").unwrap();
        assert_eq!(gateway, Identity { role: Role::Gateway, programmes: only, name: "gateway".into() });
        assert_eq!(identity(directory.path(), "operator").unwrap().role, Role::Operator);
        assert_eq!(identity(directory.path(), "observer").unwrap().role, Role::Observer);
        assert!(identity(directory.path(), "server").is_err(), "a server has no role as a client");

        let server = server_config(directory.path()).unwrap();
        assert_eq!((server.max_early_data_size, server.send_tls13_tickets), (0, 0));
        quinn::crypto::rustls::QuicServerConfig::try_from(server).unwrap();
        let client = tidegate_client::tls::client_config(directory.path(), "gateway").unwrap();
        quinn::crypto::rustls::QuicClientConfig::try_from(client).unwrap();
    }

    #[test]
    fn nothing_is_overwritten_and_nothing_half_made() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("observer.key"), "precious").unwrap();
        let error = make(directory.path(), &Scope::All).unwrap_err();
        assert!(matches!(error, CertsError::Exists(path) if path.ends_with("observer.key")));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        assert_eq!(fs::read_to_string(directory.path().join("observer.key")).unwrap(), "precious");
    }

    #[test]
    fn a_slug_that_cannot_be_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let error = make(directory.path(), &Scope::Only(vec!["a,b".into()])).unwrap_err();
        assert!(matches!(error, CertsError::Slug(_)));
    }

    #[test]
    fn a_missing_directory_is_named_with_the_remedy() {
        let Err(error) = server_config(Path::new("no-such-directory")) else { panic!("there is no such directory") };
        assert!(error.to_string().contains("ca.pem") && error.to_string().contains("tidegate certs"), "{error}");
    }
}
