//! Certificates of a client of job servers, from where the original looks for them.

use crate::pem;
use std::sync::Arc;
use storytime_gearman::config::TlsFiles;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::crypto::ring;

/// Who vouches for the server.
pub(crate) const AUTHORITIES: &str = "GEARMAND_CA_CERTIFICATE";
/// Our own certificate and its key, for servers that ask.
const CERTIFICATE: &str = "GEARMAN_CLIENT_PEM";
const KEY: &str = "GEARMAN_CLIENT_KEY";

/// The files that the environment names, as far as `given` does not.
pub(crate) fn files(given: TlsFiles) -> TlsFiles {
    let named = |variable: &str| std::env::var(variable).ok();
    TlsFiles {
        authorities: given.authorities.or_else(|| named(AUTHORITIES)),
        certificate: given.certificate.or_else(|| named(CERTIFICATE)),
        key: given.key.or_else(|| named(KEY)),
    }
}

/// The client's side of TLS. A server must have a certificate for the name it is called by.
pub(crate) fn client(files: &TlsFiles) -> Result<Arc<ClientConfig>, String> {
    let authorities = files.authorities.as_deref().ok_or_else(|| {
        format!("TLS: {AUTHORITIES} must name the file of who vouches for servers")
    })?;
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|why| why.to_string())?
        .with_root_certificates(pem::authorities(authorities)?);
    let config = match &files.certificate {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let key_file = files.key.as_deref().unwrap_or(file);
            builder
                .with_client_auth_cert(pem::certificates(file)?, pem::key(key_file)?)
                .map_err(|why| format!("{file} and {key_file} do not belong together: {why}"))?
        }
    };
    Ok(Arc::new(config))
}
