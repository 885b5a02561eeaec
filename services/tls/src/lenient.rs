//! Checks that are weaker than usual, because an address asks for less by name: libpq's `require` and
//! `verify-ca`. Both still check that the server has the key of its certificate.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, RootCertStore,
    SignatureScheme, WantsVerifier,
};

use crate::TlsError;

/// Accepts certificates of these authorities for whatever name.
pub(crate) fn any_name(
    client: ConfigBuilder<ClientConfig, WantsVerifier>,
    roots: RootCertStore,
) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let strict = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
    let strict = strict.map_err(|error| TlsError::Setup(Error::General(error.to_string())))?;
    Ok(with(client, Some(strict)))
}

/// Accepts every certificate.
pub(crate) fn anybody(client: ConfigBuilder<ClientConfig, WantsVerifier>) -> ClientConfig {
    with(client, None)
}

fn with(
    client: ConfigBuilder<ClientConfig, WantsVerifier>,
    chain: Option<Arc<WebPkiServerVerifier>>,
) -> ClientConfig {
    let algorithms = ring::default_provider().signature_verification_algorithms;
    client
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Lenient { chain, algorithms }))
        .with_no_client_auth()
}

#[derive(Debug)]
struct Lenient {
    chain: Option<Arc<WebPkiServerVerifier>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(chain) = &self.chain else {
            return Ok(ServerCertVerified::assertion());
        };
        match chain.verify_server_cert(certificate, above, name, ocsp, now) {
            // The name is looked at last, when the authorities have been found to vouch for the certificate.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            checked => checked,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
