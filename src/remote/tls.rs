//! TLS: which certificates of servers are trusted, and what its errors mean.

use std::path::Path;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, TrustAnchor};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, Error, InvalidMessage, PeerIncompatible,
    RootCertStore,
};

/// Certificate authorities to trust in addition to the compiled-in public ones.
pub(crate) type Authorities = Vec<TrustAnchor<'static>>;

/// Reads the authorities in a PEM file. The error says what is wrong with it.
pub(crate) fn read_authorities(path: &Path) -> Result<Authorities, String> {
    let bad = |problem: &str| {
        let expected =
            "must be PEM, with certificates that begin with `-----BEGIN CERTIFICATE-----`";
        Err(format!("{}: {problem}; {expected}", path.display()))
    };
    let pem = match std::fs::read(path) {
        Ok(pem) => pem,
        Err(error) => return bad(&error.to_string()),
    };
    let mut certificates = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        // The error would quote the file.
        let Ok(certificate) = certificate else { return bad("not a PEM file") };
        certificates.push(certificate);
    }
    if certificates.is_empty() {
        return bad("holds no certificate");
    }
    // Skips certificates that rustls cannot use. The public bundles that SSL_CERT_FILE names have some.
    let mut usable = RootCertStore::empty();
    if usable.add_parsable_certificates(certificates).0 == 0 {
        return bad("holds no certificate that can be used");
    }
    Ok(usable.roots)
}

/// Trusts the public authorities, which are compiled in, and these.
#[allow(clippy::expect_used, reason = "aws-lc supports the default protocol versions")]
pub(super) fn client_config(authorities: &[TrustAnchor<'static>]) -> ClientConfig {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    roots.extend(authorities.iter().cloned());
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let mut config = ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    // A server that speaks HTTP/2 only says so.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}

/// What an error means to an operator.
pub(super) fn explain(error: &Error) -> String {
    let meaning = match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "no trusted authority signed the server's certificate. Either `JWKS_CA_FILE` must hold its authority, or \
             the server must send the intermediate certificates"
        }
        Error::InvalidCertificate(CertificateError::BadSignature) => {
            "a trusted authority has the name of the one that signed the server's certificate, but another key. \
             `JWKS_CA_FILE` must hold its present certificate"
        }
        Error::InvalidCertificate(CertificateError::Other(problem)) => {
            // The types of rustls-webpki are not exported. It displays the names of their variants.
            match &*problem.to_string() {
                "CaUsedAsEndEntity" => {
                    "the server's certificate is that of an authority (`CA:TRUE`). The server needs one with \
                     `basicConstraints=CA:FALSE`"
                }
                "UnsupportedCertVersion" => {
                    "the server's certificate is of X.509 version 1. It must be of version 3, with `subjectAltName`"
                }
                _ => return error.to_string(),
            }
        }
        Error::AlertReceived(AlertDescription::HandshakeFailure)
        | Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon)
        | Error::PeerIncompatible(PeerIncompatible::NoKxGroupsInCommon) => {
            "most likely there is no common cipher suite. The server must offer ECDHE with AES-GCM or ChaCha20-Poly1305"
        }
        Error::AlertReceived(AlertDescription::ProtocolVersion)
        | Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13)
        | Error::PeerIncompatible(PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig) => {
            "the server offers neither TLS 1.2 nor TLS 1.3"
        }
        Error::AlertReceived(AlertDescription::NoApplicationProtocol) => {
            "the server does not offer HTTP/1.1: it speaks HTTP/2 only, or another protocol"
        }
        Error::AlertReceived(AlertDescription::CertificateRequired) => {
            "the server demands a client certificate, and this function has none"
        }
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "the server does not speak TLS at this port"
        }
        _ => return error.to_string(),
    };
    format!("{meaning} ({error})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_are_read_from_a_pem_file() {
        let certificate = || rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (one, two) = (certificate().cert.pem(), certificate().cert.pem());
        let key = certificate().signing_key.serialize_pem();
        let path = std::env::temp_dir()
            .join(format!("token-authorizer-authorities-{}.pem", std::process::id()));
        let read = |pem: &[u8]| {
            std::fs::write(&path, pem).unwrap();
            let found = read_authorities(&path);
            std::fs::remove_file(&path).unwrap();
            found.map(|found| found.len())
        };
        assert_eq!(read(one.as_bytes()), Ok(1));
        assert_eq!(read(format!("# comment\n{one}\n{key}{two}").as_bytes()), Ok(2));
        for (pem, problem) in [
            (String::new(), "holds no certificate"),
            (key, "holds no certificate"),
            ("certificate".to_owned(), "holds no certificate"),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned(),
                "holds no certificate that can be used",
            ),
            (one.replace("-----END CERTIFICATE-----", ""), "not a PEM file"),
            (one.replacen("MII", "M~I", 1), "not a PEM file"),
        ] {
            let found = read(pem.as_bytes()).unwrap_err();
            assert!(found.contains(problem) && found.contains("authorities"), "{found}");
        }
        let none = read(b"").unwrap_err();
        assert!(none.contains("holds no certificate;"), "none is not one of no use: {none}");
        assert!(read_authorities(&path).unwrap_err().starts_with(&path.display().to_string()));
        assert!(read_authorities(&std::env::temp_dir()).is_err());
    }
}
