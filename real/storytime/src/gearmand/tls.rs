//! `--ssl`: the server's certificate, and who vouches for its peers.
//!
//! Every peer must show a certificate; the original asks for none. Not read again while it runs.

use crate::gearman::tls::AUTHORITIES;
use crate::pem;
use std::sync::Arc;
use storytime_gearman::config::TlsFiles;
use storytime_real::TlsConfigs;
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

/// The server's side of TLS.
pub(super) fn server(files: &TlsFiles) -> Result<TlsConfigs, String> {
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
    Ok(TlsConfigs { server: Some(Arc::new(config)), client: None })
}
