//! Whether the caller can use a token that is bound to a key or certificate (RFC 7800, claim `cnf`).
//!
//! Such a token is no bearer token: whoever stole it must not be able to use it. The certificate is one that API
//! Gateway has verified. Only its thumbprint is shown.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;

use crate::denial::{BindingProblem, Denial};
use crate::jose::token::Claims;

/// The member of `cnf` that names a certificate (RFC 8705 section 3.1).
const THUMBPRINT: &str = "x5t#S256";

/// How a bound token is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenBinding {
    /// It is refused, since nothing is proven.
    Refuse,
    /// It needs the client certificate that it is bound to (RFC 8705 section 3).
    Certificate,
    /// It is accepted as a bearer token, as RFC 9449 section 7.2 allows servers that know bearer tokens only.
    Ignore,
}

impl TokenBinding {
    /// Checks the binding of a verified token, if it has one. `certificate` reads the client certificate of the
    /// request, in PEM. It is called only where one is needed.
    pub(crate) fn check(
        self,
        claims: &Claims,
        certificate: impl FnOnce() -> Option<String>,
    ) -> Result<(), Denial> {
        let Some(confirmation) = bound(claims) else { return Ok(()) };
        match self {
            Self::Ignore => Ok(()),
            Self::Refuse => Err(Denial::TokenBindingInvalid(BindingProblem::Refused)),
            Self::Certificate => {
                names(confirmation, certificate).map_err(Denial::TokenBindingInvalid)
            }
        }
    }
}

/// Whether a token is bound to this certificate.
fn names(
    confirmation: &Value,
    certificate: impl FnOnce() -> Option<String>,
) -> Result<(), BindingProblem> {
    let Some(Value::String(named)) = confirmation.get(THUMBPRINT) else {
        return Err(BindingProblem::NoThumbprint);
    };
    let pem = certificate().ok_or(BindingProblem::NoCertificate)?;
    let presented = thumbprint(&pem).ok_or(BindingProblem::NotPem)?;
    if *named != presented {
        return Err(BindingProblem::OtherCertificate { presented });
    }
    Ok(())
}

/// What a token is bound to, if it is.
fn bound(claims: &Claims) -> Option<&Value> {
    claims.member("cnf").filter(|confirmation| !confirmation.is_null())
}

/// The SHA-256 of the first certificate's DER in base64url, as `x5t#S256` has it.
fn thumbprint(pem: &str) -> Option<String> {
    let certificate = first_certificate(pem)?;
    Some(URL_SAFE_NO_PAD.encode(digest(&SHA256, &certificate)))
}

/// The first certificate in PEM (RFC 7468), whose lines can end in LF, CRLF, spaces or nothing. The parser needs the
/// labels on lines of their own, and takes any white space between them.
fn first_certificate(pem: &str) -> Option<CertificateDer<'static>> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    let (_, from_body) = pem.split_once(BEGIN)?;
    let (body, _) = from_body.split_once(END)?;
    let lines = [BEGIN, body, END].join("\n");
    let certificate = CertificateDer::from_pem_slice(lines.as_bytes()).ok()?;
    // RFC 5280 section 4.1: a SEQUENCE. Empty input has a well-known hash, and is no certificate.
    certificate.starts_with(&[0x30]).then_some(certificate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair};
    use serde_json::json;

    /// The certificate of a client, in DER and PEM.
    fn certificate(name: &str) -> (Vec<u8>, String) {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap();
        (certificate.der().to_vec(), certificate.pem())
    }

    fn hash(der: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(digest(&SHA256, der))
    }

    fn check(binding: TokenBinding, cnf: Value, pem: Option<&str>) -> Result<(), String> {
        let claims = Claims::verified(json!({ "cnf": cnf }));
        binding.check(&claims, || pem.map(str::to_owned)).map_err(|denial| {
            assert_eq!(denial.reason(), crate::reason::Reason::TokenBindingInvalid);
            denial.to_string()
        })
    }

    #[test]
    fn an_unbound_token_passes_without_reading_a_certificate() {
        for claims in [json!({}), json!({"cnf": null})] {
            for binding in [TokenBinding::Refuse, TokenBinding::Certificate, TokenBinding::Ignore] {
                let read = || panic!("the certificate is read");
                assert_eq!(binding.check(&Claims::verified(claims.clone()), read), Ok(()));
            }
        }
    }

    #[test]
    fn a_bound_token_is_refused_or_used_as_bearer() {
        let (der, pem) = certificate("a.example");
        for cnf in [json!({}), json!(""), json!(false), json!([]), json!({"x5t#S256": hash(&der)})]
        {
            let refused = check(TokenBinding::Refuse, cnf.clone(), Some(&pem));
            assert_eq!(refused, Err("claim `cnf`, which TOKEN_BINDING refuses".to_owned()));
            assert_eq!(check(TokenBinding::Ignore, cnf, None), Ok(()));
        }
    }

    #[test]
    fn the_certificate_must_match_its_thumbprint_exactly() {
        let (der, pem) = certificate("a.example");
        let (other_der, other_pem) = certificate("b.example");
        let named = json!({"x5t#S256": hash(&der)});
        let check = |cnf: Value, pem| check(TokenBinding::Certificate, cnf, pem);
        assert_eq!(check(named.clone(), Some(&pem)), Ok(()));
        let others = json!({"jkt": "x", "x5t#S256": hash(&der), "kid": 1});
        assert_eq!(check(others, Some(&pem)), Ok(()), "other members are ignored");
        let another = format!("bound to another certificate than {}", hash(&other_der));
        assert_eq!(check(named.clone(), Some(&other_pem)), Err(another));
        assert_eq!(check(named, None), Err("the event has no client certificate".to_owned()));

        let none = Err("claim `cnf` names no certificate (`x5t#S256`)".to_owned());
        let text = hash(&der);
        for cnf in [
            json!({}),
            json!({"jkt": text}),
            json!({"x5t": text}),
            json!({"X5T#S256": text}),
            json!({"x5t#S256": null}),
            json!({"x5t#S256": [text]}),
            json!({"x5t#S256": {"x5t#S256": text}}),
            json!([{"x5t#S256": text}]),
            json!(["x5t#S256", text]),
            json!(text),
            json!(true),
            json!(5),
        ] {
            assert_eq!(check(cnf.clone(), Some(&pem)), none, "{cnf}");
        }
        for nearly in [
            String::new(),
            format!("{text}="),
            format!(" {text}"),
            format!("{text}\n"),
            text[..42].to_owned(),
            text.to_uppercase(),
            base64::engine::general_purpose::STANDARD_NO_PAD.encode([0xff; 32]),
            digest(&SHA256, &der).as_ref().iter().map(|byte| format!("{byte:02x}")).collect(),
        ] {
            let cnf = json!({"x5t#S256": nearly});
            assert!(
                check(cnf, Some(&pem)).unwrap_err().starts_with("bound to another"),
                "{nearly}"
            );
        }
    }

    #[test]
    fn the_first_pem_certificate_counts_with_any_line_ends() {
        let (der, pem) = certificate("a.example");
        let (_, other) = certificate("b.example");
        let lf = pem.replace("\r\n", "\n");
        for text in [
            lf.clone(),
            lf.replace('\n', "\r\n"),
            lf.replace('\n', " "),
            lf.replace('\n', ""),
            lf.trim_end().to_owned(),
            format!("subject=CN=a\n{lf}"),
            format!("\n\n  {lf}  "),
            format!("{lf}{other}"),
            format!("{lf}{other}").replace('\n', " "),
            format!("{lf}{other}").replace('\n', ""),
            format!("{lf}-----BEGIN CERTIFICATE-----"),
        ] {
            assert_eq!(thumbprint(&text), Some(hash(&der)), "{text}");
        }
        assert_ne!(thumbprint(&format!("{other}{lf}")), Some(hash(&der)));
    }

    #[test]
    fn input_without_a_certificate_has_no_thumbprint() {
        let (_, pem) = certificate("a.example");
        let empty = "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----";
        let wrapped = |body: &str| empty.replace("\n", &format!("\n{body}\n"));
        for text in [
            "".to_owned(),
            "CERT_CONTENT".to_owned(),
            empty.to_owned(),
            empty.replace('\n', ""),
            wrapped("AAAA"),
            wrapped("=A=="),
            wrapped("M~I="),
            wrapped("MIIA\n-----BEGIN PUBLIC KEY-----\nMIIA"),
            pem.replace("-----END CERTIFICATE-----", ""),
            pem.replace("-----BEGIN CERTIFICATE-----", ""),
            pem.replace("CERTIFICATE", "PUBLIC KEY"),
            pem.replace("CERTIFICATE", "TRUSTED CERTIFICATE"),
            pem.replace("CERTIFICATE", "certificate"),
            pem.replace("-----BEGIN", "----BEGIN"),
        ] {
            assert_eq!(thumbprint(&text), None, "{text}");
        }
    }
}
