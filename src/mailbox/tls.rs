//! TLS to a mail server: certificates are always verified, by the system's roots and, where one is named, by a file of more.

use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls_platform_verifier::Verifier;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::MailboxError;

/// A connection, protected or not.
pub(super) trait Link: AsyncRead + AsyncWrite + Unpin + Send + Debug {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + Debug> Link for T {}

/// Verifies servers by the system's roots and by the certificates in `ca`.
pub(super) fn connector(ca: Option<&Path>) -> Result<TlsConnector, MailboxError> {
    let extra = ca.map(certificates).transpose()?.unwrap_or_default();
    let setup = |error: rustls::Error| MailboxError::Setup(error.to_string());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Verifier::new_with_extra_roots(extra, Arc::clone(&provider)).map_err(setup)?;
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(setup)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, MailboxError> {
    let shown = || path.display().to_string();
    let text = std::fs::read(path).map_err(|source| MailboxError::Certificates { path: shown(), source })?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(MailboxError::NoCertificate { path: shown() }),
    }
}

/// The handshake.
pub(super) async fn protect(
    connector: &TlsConnector,
    host: &str,
    stream: TcpStream,
) -> Result<Box<dyn Link>, MailboxError> {
    let failed = |reason: String| MailboxError::Tls { host: host.to_owned(), reason };
    let name = ServerName::try_from(host.to_owned()).map_err(|error| failed(error.to_string()))?;
    let stream = connector.connect(name, stream).await.map_err(|error| failed(error.to_string()))?;
    Ok(Box::new(stream))
}
