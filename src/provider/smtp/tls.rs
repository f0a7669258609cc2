//! TLS to mail servers: the machine's authorities and those of a file, nothing unverified.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls_platform_verifier::Verifier;
use tokio_rustls::TlsConnector;

use super::wire::Stream;
use crate::provider::ProviderError;

/// `ca`: a file whose certificates are trusted, too.
pub(super) fn connector(ca: Option<&Path>) -> Result<TlsConnector, ProviderError> {
    let mut extra = Vec::new();
    if let Some(path) = ca {
        let file = || path.display().to_string();
        let certificates =
            CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        extra = certificates.map_err(|source| ProviderError::Certificates { path: file(), source })?;
    }
    let crypto = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Verifier::new_with_extra_roots(extra, Arc::clone(&crypto)).map_err(ProviderError::Tls)?;
    let config = ClientConfig::builder_with_provider(crypto)
        .with_safe_default_protocol_versions()
        .map_err(ProviderError::Tls)?
        .dangerous()
        // The name is misleading: this one verifies.
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Wraps the stream, once the server has proved to be `host`.
pub(super) async fn wrap(
    connector: &TlsConnector,
    host: &str,
    stream: Box<dyn Stream>,
) -> io::Result<Box<dyn Stream>> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "the host is not a name that TLS knows"))?;
    Ok(Box::new(connector.connect(name, stream).await?))
}
