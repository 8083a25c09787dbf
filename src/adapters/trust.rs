//! Which servers the HTTP clients trust: those that the system's certificates vouch for. All clients share what is read of them, and it is
//! read when a server first shows a certificate: that takes as long as a third of a pass that finds nothing new, and over plain HTTP no
//! server shows any.

use std::sync::{Arc, LazyLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use rustls_platform_verifier::Verifier;

/// TLS for a client without certificates of its own.
///
/// # Errors
/// When no version of TLS is left to speak, which the features of the crate rule out.
pub(super) fn by_system() -> Result<ClientConfig, Error> {
    static SHARED: LazyLock<Result<ClientConfig, Error>> = LazyLock::new(|| {
        let provider = Arc::new(ring::default_provider());
        let trust = Arc::new(SystemTrust::new(Arc::clone(&provider)));
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let mut config = builder.dangerous().with_custom_certificate_verifier(trust).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    });
    SHARED.clone()
}

/// Decides as [`Verifier`] does, which reads the certificates when it is made.
#[derive(Debug)]
struct SystemTrust {
    provider: Arc<CryptoProvider>,
    verifier: LazyLock<Result<Verifier, Error>, Make>,
}

/// Makes the verifier.
type Make = Box<dyn FnOnce() -> Result<Verifier, Error> + Send>;

impl SystemTrust {
    fn new(provider: Arc<CryptoProvider>) -> Self {
        let of_verifier = Arc::clone(&provider);
        Self { provider, verifier: LazyLock::new(Box::new(move || Verifier::new(of_verifier))) }
    }
}

impl ServerCertVerifier for SystemTrust {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verifier = self.verifier.as_ref().map_err(Error::clone)?;
        verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
