//! Signs mails (RFC 6376, RFC 8463), relaxed in headers and body.
//!
//! Done here because the RSA of the mail builder's own signer leaks by its timing (RUSTSEC-2023-0071); `ring` signs for TLS
//! already.

use chrono::{DateTime, Utc};
use data_encoding::BASE64;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use crate::provider::ProviderError;

/// What is signed where it is there. Those of `ONCE` are named once more, so that nobody can add a second.
const SIGNED: &[&str] = &[
    "from",
    "to",
    "subject",
    "date",
    "message-id",
    "in-reply-to",
    "references",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "auto-submitted",
];
const ONCE: &[&str] = &["from", "to", "subject", "date"];

enum Key {
    Rsa(Box<RsaKeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
}

/// The key of one domain.
pub(super) struct Signer {
    domain: String,
    selector: String,
    key: Key,
}

impl Signer {
    pub(super) fn new(domain: &str, selector: &str, pem: &SecretString) -> Result<Self, ProviderError> {
        let der = PrivateKeyDer::from_pem_slice(pem.expose_secret().as_bytes())
            .map_err(|_| ProviderError::SigningKey("it is not a private key in PEM"))?;
        Ok(Self { domain: domain.to_owned(), selector: selector.to_owned(), key: key(&der)? })
    }

    /// The header that signs a mail, with its line end.
    pub(super) fn signature(&self, mail: &[u8], now: DateTime<Utc>) -> Result<String, String> {
        let text =
            |bytes| std::str::from_utf8(bytes).map_err(|_| "the mail's headers are not text".to_owned());
        let end = mail.windows(4).position(|four| four == b"\r\n\r\n");
        let (head, body) = end.map_or((mail, &[][..]), |at| (&mail[..at + 2], &mail[at + 4..]));
        let fields = fields(text(head)?);
        let present = |name: &&&str| fields.iter().any(|(own, _)| own == **name);
        let mut names: Vec<&str> = SIGNED.iter().filter(present).copied().collect();
        names.extend(ONCE);
        let algorithm = match self.key {
            Key::Rsa(_) => "rsa-sha256",
            Key::Ed25519(_) => "ed25519-sha256",
        };
        let unsigned = format!(
            "v=1; a={algorithm}; c=relaxed/relaxed;\r\n d={};\r\n s={}; t={};\r\n h={};\r\n bh={};\r\n b=",
            self.domain,
            self.selector,
            now.timestamp(),
            names.join(":\r\n "),
            BASE64.encode(&Sha256::digest(relaxed_body(body))),
        );
        let mut input = String::new();
        // Of several, the last comes first; one that is not there counts as nothing.
        let mut left = fields;
        for name in &names {
            if let Some(at) = left.iter().rposition(|(own, _)| own == name) {
                let (own, value) = left.remove(at);
                input.extend([own.as_str(), ":", &value, "\r\n"]);
            }
        }
        input.extend(["dkim-signature:", &relaxed(&unsigned)]);
        let signature = BASE64.encode(&self.sign(input.as_bytes())?);
        let lines: Vec<&str> = signature
            .as_bytes()
            .chunks(72)
            .map(|line| std::str::from_utf8(line).unwrap_or_default())
            .collect();
        Ok(format!("DKIM-Signature: {unsigned}{}\r\n", lines.join("\r\n ")))
    }

    fn sign(&self, input: &[u8]) -> Result<Vec<u8>, String> {
        match &self.key {
            Key::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), input, &mut signature)
                    .map_err(|_| "the mail could not be signed".to_owned())?;
                Ok(signature)
            }
            // RFC 8463 3: the signature is one of the hash.
            Key::Ed25519(pair) => Ok(pair.sign(&Sha256::digest(input)).as_ref().to_vec()),
        }
    }
}

fn key(der: &PrivateKeyDer<'_>) -> Result<Key, ProviderError> {
    let rsa = |pair: RsaKeyPair| Key::Rsa(Box::new(pair));
    let found = match der {
        PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()).ok().map(rsa),
        PrivateKeyDer::Pkcs8(der) => {
            let der = der.secret_pkcs8_der();
            let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).ok();
            pair.map(|pair| Key::Ed25519(Box::new(pair)))
                .or_else(|| RsaKeyPair::from_pkcs8(der).ok().map(rsa))
        }
        _ => None,
    };
    found.ok_or(ProviderError::SigningKey("use RSA with 2048 to 4096 bits, or Ed25519"))
}

/// Names in small letters, and relaxed values.
fn fields(head: &str) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in head.split_terminator("\r\n") {
        match (line.starts_with([' ', '\t']), fields.last_mut(), line.split_once(':')) {
            (true, Some((_, value)), _) => *value += line,
            (false, _, Some((name, value))) => fields.push((name.trim().to_lowercase(), value.to_owned())),
            _ => {}
        }
    }
    fields.into_iter().map(|(name, value)| (name, relaxed(&value))).collect()
}

/// A value on one line, blanks drawn together (RFC 6376 3.4.2).
fn relaxed(value: &str) -> String {
    value.split([' ', '\t', '\r', '\n']).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// A body whose blanks are drawn together, without empty lines at its end (RFC 6376 3.4.4).
fn relaxed_body(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    let mut whole = 0;
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r\n").or_else(|| line.strip_suffix(b"\n")).unwrap_or(line);
        let mut blank = false;
        for byte in line {
            if matches!(byte, b' ' | b'\t') {
                blank = true;
                continue;
            }
            if std::mem::take(&mut blank) {
                out.push(b' ');
            }
            out.push(*byte);
        }
        let empty = out.len() == whole || out.ends_with(b"\n");
        out.extend_from_slice(b"\r\n");
        if !empty {
            whole = out.len();
        }
    }
    out.truncate(whole);
    out
}

#[cfg(test)]
mod tests {
    use ring::signature::{ED25519, KeyPair as _, UnparsedPublicKey};

    use super::*;

    /// The key of RFC 8463 A.1 in its wrapping (PKCS #8).
    const PEM: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
        -----END PRIVATE KEY-----\n";

    fn signer(pem: &str) -> Result<Signer, ProviderError> {
        Signer::new("football.example.com", "brisbane", &SecretString::from(pem.to_owned()))
    }

    #[test]
    fn values_and_bodies_are_relaxed_as_the_standard_says() {
        // RFC 6376 3.4.5.
        let head = "A: X\r\nB : Y\t\r\n\tZ  \r\n";
        let expected = [("a".to_owned(), "X".to_owned()), ("b".to_owned(), "Y Z".to_owned())];
        assert_eq!(fields(head), expected);
        assert_eq!(relaxed_body(b" C \r\nD \t E\r\n\r\n\r\n"), b" C\r\nD E\r\n");
        assert_eq!(relaxed_body(b""), b"");
        assert_eq!(relaxed_body(b"\r\n \t\r\n"), b"");
        assert_eq!(relaxed_body(b"\r\n\r\na"), b"\r\n\r\na\r\n");
        // RFC 8463 A.3: the hash of the body of its sample.
        let body = b"Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n";
        assert_eq!(
            BASE64.encode(&Sha256::digest(relaxed_body(body))),
            "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8="
        );
    }

    #[test]
    fn a_signature_holds_for_what_a_reader_works_out_himself() {
        let signer = signer(PEM).unwrap();
        let Key::Ed25519(pair) = &signer.key else { panic!("a key of another kind") };
        // RFC 8463 A.2.
        let public = BASE64.encode(pair.public_key().as_ref());
        assert_eq!(public, "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
        let mail = b"From: Joe <joe@x.example>\r\nTo: a@b.example\r\nX-Other: x\r\nSubject: Is  it\r\n here?\r\n\r\nHi.\r\n";
        let now = DateTime::from_timestamp(1_528_637_909, 0).unwrap();
        let header = signer.signature(mail, now).unwrap();
        let (unsigned, signature) = header.rsplit_once(" b=").unwrap();
        let body = BASE64.encode(&Sha256::digest(b"Hi.\r\n"));
        let input = format!(
            "from:Joe <joe@x.example>\r\nto:a@b.example\r\nsubject:Is it here?\r\n\
             dkim-signature:v=1; a=ed25519-sha256; c=relaxed/relaxed; d=football.example.com; s=brisbane; \
             t=1528637909; h=from: to: subject: from: to: subject: date; bh={body}; b="
        );
        assert!(unsigned.starts_with("DKIM-Signature: v=1; a=ed25519-sha256;"));
        let signature: String = signature.split_whitespace().collect();
        let signature = BASE64.decode(signature.as_bytes()).unwrap();
        let reader = UnparsedPublicKey::new(&ED25519, pair.public_key().as_ref());
        assert!(reader.verify(&Sha256::digest(input.as_bytes()), &signature).is_ok());
        assert!(header.split("\r\n").all(|line| line.len() <= 78), "{header}");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for pem in ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "whatever"] {
            assert!(signer(pem).is_err(), "{pem}");
        }
    }
}
