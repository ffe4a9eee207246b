//! `--ssl`: the server's certificate, and who vouches for its peers.
//!
//! Every peer must show a certificate; the original asks for none. At SIGHUP the files are read
//! again, for connections to come.

use crate::gearman::tls::AUTHORITIES;
use crate::pem;
use std::sync::{Arc, Mutex, PoisonError};
use storytime_gearman::config::TlsFiles;
use storytime_real::ServerTls;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::server::WebPkiClientVerifier;

/// Our own certificate and its key.
const CERTIFICATE: &str = "GEARMAND_SERVER_PEM";
const KEY: &str = "GEARMAND_SERVER_KEY";

/// What the environment names goes before the flags, as with the original.
pub(super) fn environment(files: &mut TlsFiles) {
    for (file, variable) in [
        (&mut files.authorities, AUTHORITIES),
        (&mut files.certificate, CERTIFICATE),
        (&mut files.key, KEY),
    ] {
        if let Some(named) = std::env::var(variable).ok().filter(|named| !named.is_empty()) {
            *file = Some(named);
        }
    }
}

/// The server's side of TLS, as it was read last.
#[derive(Debug)]
pub(super) struct Certificates {
    files: TlsFiles,
    rules: Mutex<Arc<ServerConfig>>,
}

impl Certificates {
    /// Reads the files.
    pub(super) fn open(files: &TlsFiles) -> Result<Self, String> {
        let rules = Mutex::new(read(files)?);
        Ok(Self { files: files.clone(), rules })
    }

    /// Reads them again; if one is wrong, all stay as they were.
    pub(super) fn refresh(&self) -> Result<(), String> {
        let rules = read(&self.files)?;
        *self.rules.lock().unwrap_or_else(PoisonError::into_inner) = rules;
        Ok(())
    }
}

impl ServerTls for Certificates {
    fn config(&self, certificate: Option<bool>) -> Option<Arc<ServerConfig>> {
        let rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        certificate.is_none().then(|| Arc::clone(&rules))
    }
}

fn read(files: &TlsFiles) -> Result<Arc<ServerConfig>, String> {
    let missing = |flag: &str, variable: &str| format!("--ssl needs {flag} FILE, or {variable}");
    let authorities = files.authorities.as_deref();
    let authorities = authorities.ok_or_else(|| missing("--ssl-ca-file", AUTHORITIES))?;
    let certificate = files.certificate.as_deref();
    let certificate = certificate.ok_or_else(|| missing("--ssl-certificate", CERTIFICATE))?;
    let key = files.key.as_deref().unwrap_or(certificate);
    let provider = Arc::new(ring::default_provider());
    let roots = Arc::new(pem::authorities(authorities)?);
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider));
    let verifier = verifier.build().map_err(|why| format!("--ssl-ca-file {authorities}: {why}"))?;
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|why| why.to_string())?
        .with_client_cert_verifier(verifier)
        .with_single_cert(pem::certificates(certificate)?, pem::key(key)?)
        .map_err(|why| format!("{certificate} and {key} do not belong together: {why}"))?;
    Ok(Arc::new(config))
}
