//! TLS of both sides from PEM files, so that the database, the broker and the listener agree on one library
//! (rustls with ring), one lowest version (TLS 1.2) and one strictness: whoever names an authority trusts
//! that one and no other. The weaker checks are for addresses of databases that ask for them by name.

mod lenient;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, ServerConfig, WantsVerifier};

/// Certificates or a key that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is missing or is no PEM.
    #[error("{} cannot be read", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    /// A file holds no certificate.
    #[error("{} holds no certificate", path.display())]
    Empty {
        /// Which.
        path: PathBuf,
    },
    /// This machine trusts no authority, or its list cannot be read.
    #[error("this machine has no usable list of trusted authorities")]
    System(#[source] Option<rustls_native_certs::Error>),
    /// TLS itself cannot be set up.
    #[error("TLS cannot be set up")]
    Setup(#[source] rustls::Error),
    /// Certificate and key cannot be used, or not together.
    #[error("the certificates of {} cannot be used", path.display())]
    Unusable {
        /// File of the certificates.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
}

/// A client's side that trusts the authorities in `ca_file` (PEM) and no others.
///
/// # Errors
/// [`TlsError`] naming the file.
pub fn trusting(ca_file: &Path) -> Result<ClientConfig, TlsError> {
    let roots = roots(ca_file)?;
    Ok(client()?.with_root_certificates(roots).with_no_client_auth())
}

/// A client's side that trusts the authorities that this machine trusts. `SSL_CERT_FILE` and `SSL_CERT_DIR`
/// name others, as for other programs of the machine.
///
/// # Errors
/// [`TlsError::System`] where none can be read.
pub fn trusting_system() -> Result<ClientConfig, TlsError> {
    let mut found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // A list may hold certificates that cannot be used; the others still count.
    let (usable, _unusable) = roots.add_parsable_certificates(found.certs);
    if usable == 0 {
        return Err(TlsError::System(found.errors.pop()));
    }
    Ok(client()?.with_root_certificates(roots).with_no_client_auth())
}

/// As [`trusting`], whatever name the certificate is for.
///
/// # Errors
/// [`TlsError`] naming the file.
pub fn trusting_for_any_name(ca_file: &Path) -> Result<ClientConfig, TlsError> {
    lenient::any_name(client()?, roots(ca_file)?)
}

/// A client's side that accepts every certificate: it is safe from listeners, not from impostors.
///
/// # Errors
/// [`TlsError::Setup`].
pub fn trusting_anybody() -> Result<ClientConfig, TlsError> {
    Ok(lenient::anybody(client()?))
}

fn client() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, TlsError> {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Setup)
}

fn roots(ca_file: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(ca_file)? {
        roots.add(certificate).map_err(|source| TlsError::Unusable {
            path: ca_file.to_path_buf(),
            source,
        })?;
    }
    Ok(roots)
}

/// A server's side: its certificate with the chain above it, and its key, both PEM.
///
/// # Errors
/// [`TlsError`] naming the file.
pub fn serving(certificate_file: &Path, key_file: &Path) -> Result<ServerConfig, TlsError> {
    let unusable = |source| TlsError::Unusable {
        path: certificate_file.to_path_buf(),
        source,
    };
    let chain = certificates(certificate_file)?;
    let key = PrivateKeyDer::from_pem_file(key_file).map_err(|source| TlsError::File {
        path: key_file.to_path_buf(),
        source,
    })?;
    ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(unusable)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |source| TlsError::File {
        path: path.to_path_buf(),
        source,
    };
    let read: Vec<_> = CertificateDer::pem_file_iter(path)
        .map_err(failed)?
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    if read.is_empty() {
        return Err(TlsError::Empty {
            path: path.to_path_buf(),
        });
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::{TlsError, serving, trusting};

    #[test]
    fn what_is_no_certificate_is_refused_by_the_name_of_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, "not PEM").unwrap();
        let error = trusting(&path).unwrap_err();
        assert!(matches!(error, TlsError::Empty { .. }), "{error:?}");
        assert!(error.to_string().contains("ca.pem"));
        let missing = trusting(&folder.path().join("none.pem")).unwrap_err();
        assert!(matches!(missing, TlsError::File { .. }), "{missing:?}");
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let one = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (certificate, key) = (folder.path().join("c.pem"), folder.path().join("k.pem"));
        std::fs::write(&certificate, one.cert.pem()).unwrap();
        std::fs::write(&key, other.signing_key.serialize_pem()).unwrap();
        assert!(serving(&certificate, &key).is_err());
        std::fs::write(&key, one.signing_key.serialize_pem()).unwrap();
        assert!(serving(&certificate, &key).is_ok());
    }
}
