//! `-S`: certificates of a client, from where the original looks for them.

use std::path::Path;
use std::sync::Arc;
use storytime_real::TlsConfigs;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Who vouches for the server.
const AUTHORITIES: &str = "GEARMAND_CA_CERTIFICATE";
/// Our own certificate and its key, for servers that ask.
const CERTIFICATE: &str = "GEARMAN_CLIENT_PEM";
const KEY: &str = "GEARMAN_CLIENT_KEY";

/// The client's side of TLS. A server must have a certificate for the name it is called by.
pub(super) fn client() -> Result<TlsConfigs, String> {
    let authorities = std::env::var(AUTHORITIES)
        .map_err(|_| format!("-S: {AUTHORITIES} must name the file of who vouches for servers"))?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates(&authorities)?);
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|why| why.to_string())?
        .with_root_certificates(roots);
    let config = match std::env::var(CERTIFICATE) {
        Err(_) => builder.with_no_client_auth(),
        Ok(file) => {
            let key_file = std::env::var(KEY).unwrap_or_else(|_| file.clone());
            let key = PrivateKeyDer::from_pem_file(&key_file)
                .map_err(|why| format!("no private key can be read from {key_file}: {why}"))?;
            builder
                .with_client_auth_cert(certificates(&file)?, key)
                .map_err(|why| format!("{file} and {key_file} do not belong together: {why}"))?
        }
    };
    Ok(TlsConfigs { server: None, client: Some(Arc::new(config)) })
}

fn certificates(file: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = || CertificateDer::pem_file_iter(Path::new(file))?.collect::<Result<Vec<_>, _>>();
    match read() {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(format!("{file} holds no certificate in PEM form")),
        Err(why) => Err(format!("no certificate can be read from {file}: {why}")),
    }
}
