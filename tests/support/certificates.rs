//! Certificates of clients, and the tokens that are bound to them.

use aws_lc_rs::digest::{SHA256, digest};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use super::tokens::b64;

/// A client's certificate, and that of the authority between it and the root.
pub(crate) struct ClientCertificate {
    pub(crate) der: Vec<u8>,
    /// With LF for line ends, as the others.
    pub(crate) pem: String,
    /// The certificate that signed it.
    pub(crate) issuer_pem: String,
}

impl ClientCertificate {
    /// A fresh one, at the end of a chain of three.
    pub(crate) fn issued(name: &str) -> Self {
        let (root_key, middle_key, key) = (key(), key(), key());
        let root = Issuer::new(authority("root"), root_key);
        let middle = authority("middle").signed_by(&middle_key, &root).unwrap();
        let issuer = Issuer::new(authority("middle"), middle_key);
        let mut client = CertificateParams::new(Vec::new()).unwrap();
        client.distinguished_name.push(DnType::CommonName, name);
        let client = client.signed_by(&key, &issuer).unwrap();
        let lf = |pem: String| pem.replace("\r\n", "\n");
        Self { der: client.der().to_vec(), pem: lf(client.pem()), issuer_pem: lf(middle.pem()) }
    }

    /// What `cnf` has as `x5t#S256` (RFC 8705 section 3.1).
    pub(crate) fn thumbprint(&self) -> String {
        b64(digest(&SHA256, &self.der))
    }
}

fn key() -> KeyPair {
    KeyPair::generate().unwrap()
}

fn authority(name: &str) -> CertificateParams {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.distinguished_name.push(DnType::CommonName, name);
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority
}
