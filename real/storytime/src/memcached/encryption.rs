//! `-Z`: certificates, and the rules of handshakes, read again on demand.
//!
//! Of the original's suites those are there that are still thought safe: TLS 1.2 with forward
//! secrecy, and TLS 1.3. Keys are PEM.

use crate::pem;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use storytime_memcached::config::{Config, TlsOptions};
use storytime_real::ServerTls;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::server::{
    NoServerSessionStorage, ServerSessionMemoryCache, StoresServerSessions, WebPkiClientVerifier,
};
use tokio_rustls::rustls::{ServerConfig, SupportedProtocolVersion, version};

mod stranger;

/// Most sessions that can be resumed.
const SESSIONS_MAX: usize = 4096;

/// The rules in force for each kind of listener.
#[derive(Clone)]
struct Rules {
    default: Arc<ServerConfig>,
    basic: Arc<ServerConfig>,
    mutual: Arc<ServerConfig>,
}

/// The server's side of TLS.
pub(super) struct Certificates {
    options: TlsOptions,
    sessions: Arc<Sessions>,
    rules: Mutex<Rules>,
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").field("options", &self.options).finish_non_exhaustive()
    }
}

/// Sessions that can be resumed, counted.
#[derive(Debug)]
struct Sessions {
    begun: AtomicU64,
    kept: Arc<ServerSessionMemoryCache>,
}

impl StoresServerSessions for Sessions {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.begun.fetch_add(1, Ordering::Relaxed);
        self.kept.put(key, value)
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.kept.get(key)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.kept.take(key)
    }

    fn can_cache(&self) -> bool {
        true
    }
}

/// Whose certificates are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ask {
    Nobodys,
    Offered,
    Everybodys,
}

/// Reads certificates and keys, if there is to be TLS.
pub(super) fn open(config: &Config) -> Result<Option<Arc<Certificates>>, String> {
    let Some(options) = config.tls.clone() else { return Ok(None) };
    let kept = ServerSessionMemoryCache::new(SESSIONS_MAX);
    let sessions = Arc::new(Sessions { begun: AtomicU64::new(0), kept });
    let rules = Mutex::new(read(&options, &sessions)?);
    Ok(Some(Arc::new(Certificates { options, sessions, rules })))
}

impl Certificates {
    /// Reads the files again; connections to come get what is in them.
    pub(super) fn refresh(&self) -> Result<(), String> {
        let rules = read(&self.options, &self.sessions)?;
        *self.rules.lock().unwrap_or_else(PoisonError::into_inner) = rules;
        Ok(())
    }

    pub(super) fn sessions(&self) -> u64 {
        self.sessions.begun.load(Ordering::Relaxed)
    }
}

impl ServerTls for Certificates {
    fn config(&self, certificate: Option<bool>) -> Option<Arc<ServerConfig>> {
        let rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(match certificate {
            None => &rules.default,
            Some(false) => &rules.basic,
            Some(true) => &rules.mutual,
        }))
    }
}

fn read(options: &TlsOptions, sessions: &Arc<Sessions>) -> Result<Rules, String> {
    let default = match options.verify {
        0 => Ask::Nobodys,
        1 => Ask::Offered,
        _ => Ask::Everybodys,
    };
    let basic = rules(options, sessions, Ask::Nobodys)?;
    let mutual = rules(options, sessions, Ask::Everybodys)?;
    let default = match default {
        Ask::Nobodys => Arc::clone(&basic),
        Ask::Everybodys => Arc::clone(&mutual),
        Ask::Offered => rules(options, sessions, Ask::Offered)?,
    };
    Ok(Rules { default, basic, mutual })
}

fn rules(
    options: &TlsOptions,
    sessions: &Arc<Sessions>,
    ask: Ask,
) -> Result<Arc<ServerConfig>, String> {
    let chain_file = options.chain.as_deref().unwrap_or_default();
    let chain = pem::certificates(chain_file)?;
    let key_file = options.key.as_deref().unwrap_or(chain_file);
    let key = pem::key(key_file)?;
    let provider = Arc::new(provider(options.ciphers.as_deref())?);
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions(options.version_min))
        .map_err(|why| format!("no suite of ssl_ciphers goes with ssl_min_version: {why}"))?;
    let builder = match (ask, &options.authorities) {
        (Ask::Nobodys, _) => builder.with_no_client_auth(),
        // With nobody to vouch for them, no certificate is good enough.
        (_, None) => builder.with_client_cert_verifier(Arc::new(stranger::Nobody::new(provider))),
        (ask, Some(file)) => {
            let roots = pem::authorities(file)?;
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            let verifier =
                if ask == Ask::Offered { verifier.allow_unauthenticated() } else { verifier };
            let verifier = verifier.build().map_err(|why| format!("ssl_ca_cert={file}: {why}"))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|why| format!("{chain_file} and {key_file} do not belong together: {why}"))?;
    config.session_storage = match options.session_cache {
        true => Arc::clone(sessions) as Arc<dyn StoresServerSessions>,
        false => Arc::new(NoServerSessionStorage {}),
    };
    if !options.session_cache {
        config.send_tls13_tickets = 0;
    }
    Ok(Arc::new(config))
}

fn versions(least: u8) -> &'static [&'static SupportedProtocolVersion] {
    static ALL: [&SupportedProtocolVersion; 2] = [&version::TLS13, &version::TLS12];
    if least == 3 { &ALL[..1] } else { &ALL }
}

/// OpenSSL's names of the suites.
const SUITES: &[(&str, &str)] = &[
    ("TLS_AES_256_GCM_SHA384", "TLS13_AES_256_GCM_SHA384"),
    ("TLS_AES_128_GCM_SHA256", "TLS13_AES_128_GCM_SHA256"),
    ("TLS_CHACHA20_POLY1305_SHA256", "TLS13_CHACHA20_POLY1305_SHA256"),
    ("ECDHE-ECDSA-AES256-GCM-SHA384", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"),
    ("ECDHE-ECDSA-AES128-GCM-SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
    ("ECDHE-ECDSA-CHACHA20-POLY1305", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"),
    ("ECDHE-RSA-AES256-GCM-SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"),
    ("ECDHE-RSA-AES128-GCM-SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
    ("ECDHE-RSA-CHACHA20-POLY1305", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
];

/// The suites of `ssl_ciphers`, in its order; all, if it was not given.
fn provider(ciphers: Option<&str>) -> Result<CryptoProvider, String> {
    let mut provider = ring::default_provider();
    let Some(ciphers) = ciphers else { return Ok(provider) };
    let mut wanted = Vec::new();
    for name in ciphers.split(':') {
        let ours = SUITES.iter().find(|(openssl, _)| *openssl == name).map(|(_, ours)| *ours);
        let suites = provider.cipher_suites.iter();
        let found =
            suites.copied().find(|suite| Some(format!("{:?}", suite.suite()).as_str()) == ours);
        wanted.extend(found);
    }
    if wanted.is_empty() {
        let all: Vec<_> = SUITES.iter().map(|(openssl, _)| *openssl).collect();
        return Err(format!("ssl_ciphers={ciphers}: expected some of {}", all.join(":")));
    }
    provider.cipher_suites = wanted;
    Ok(provider)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suite_has_its_name() {
        for (openssl, _) in SUITES {
            let found = provider(Some(openssl)).expect(openssl);
            assert_eq!(found.cipher_suites.len(), 1, "{openssl}");
        }
        assert!(provider(Some("RC4-MD5")).is_err());
    }
}
