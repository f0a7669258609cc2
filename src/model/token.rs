//! Push keys as signed words: in return paths and unsubscribe links, where a stranger could make one up.

use data_encoding::BASE32_DNSSEC;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::verdict::PushKey;

/// What a token is good for; one of a return path unsubscribes nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Return,
    Unsubscribe,
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Return => b"outreachd return path",
            Self::Unsubscribe => b"outreachd unsubscribe",
        }
    }
}

/// Employee, campaign and ordinal, in bytes. A contact has fewer than 2^24 pushes in a campaign.
const KEY: usize = 16 + 4 + 3;
/// 64 bits of the signature: nobody can try them all against a server.
const SIGNATURE: usize = 8;
/// Letters of a token. Behind `+b-` it leaves 11 for the rest of a local part, which has at most 64
/// (RFC 5321 4.5.3.1.1).
pub const TOKEN_LENGTH: usize = ((KEY + SIGNATURE) * 8).div_ceil(5);

/// The key as a word of lower-case letters and digits.
pub fn sign(key: &PushKey, purpose: Purpose, secret: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(KEY + SIGNATURE);
    bytes.extend(key.employee_id.as_bytes());
    bytes.extend(key.campaign.to_be_bytes());
    bytes.extend(&key.ordinal.to_be_bytes()[1..]);
    let signature = signer(&bytes, purpose, secret).finalize().into_bytes();
    bytes.extend(&signature[..SIGNATURE]);
    BASE32_DNSSEC.encode(&bytes)
}

/// The key that one of the secrets signed, whatever became of the letters' case on the way.
pub fn verify<'s>(
    token: &str,
    purpose: Purpose,
    secrets: impl IntoIterator<Item = &'s [u8]>,
) -> Option<PushKey> {
    if token.len() != TOKEN_LENGTH {
        return None;
    }
    let bytes = BASE32_DNSSEC.decode(token.as_bytes()).ok()?;
    let (key, signature) = bytes.split_at_checked(KEY)?;
    let signed = secrets
        .into_iter()
        .any(|secret| signer(key, purpose, secret).verify_truncated_left(signature).is_ok());
    if !signed || signature.len() != SIGNATURE {
        return None;
    }
    let [a, b, c] = key[20..].try_into().ok()?;
    Some(PushKey {
        employee_id: Uuid::from_slice(&key[..16]).ok()?,
        campaign: i32::from_be_bytes(key[16..20].try_into().ok()?),
        ordinal: i32::from_be_bytes([0, a, b, c]),
    })
}

fn signer(key: &[u8], purpose: Purpose, secret: &[u8]) -> Hmac<Sha256> {
    // The block of HMAC-SHA-256, which a secret of any length is brought to.
    let mut block = [0; 64];
    block[..32].copy_from_slice(&Sha256::digest(secret));
    let mut signer = Hmac::<Sha256>::new(&block.into());
    signer.update(purpose.label());
    signer.update(key);
    signer
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: PushKey =
        PushKey { campaign: 12, employee_id: Uuid::from_u128(0xfeed_beef << 90), ordinal: 70_000 };

    #[test]
    fn a_token_comes_back_as_the_key() {
        let token = sign(&KEY, Purpose::Return, b"new");
        assert_eq!(token.len(), TOKEN_LENGTH);
        assert!("unsubscribe+b-".len() + token.len() <= 64);
        let secrets = [b"other".as_slice(), b"new"];
        assert_eq!(verify(&token, Purpose::Return, secrets), Some(KEY));
        assert_eq!(verify(&token.to_uppercase(), Purpose::Return, secrets), Some(KEY));
    }

    #[test]
    fn nobody_else_can_make_one() {
        let token = sign(&KEY, Purpose::Return, b"ours");
        assert_eq!(verify(&token, Purpose::Return, [b"theirs".as_slice()]), None);
        assert_eq!(verify(&token, Purpose::Unsubscribe, [b"ours".as_slice()]), None);
        for at in 0..token.len() {
            let mut letters: Vec<char> = token.chars().collect();
            letters[at] = if letters[at] == 'a' { 'b' } else { 'a' };
            let forged: String = letters.into_iter().collect();
            assert_eq!(verify(&forged, Purpose::Return, [b"ours".as_slice()]), None, "{at}");
        }
        for text in ["", "a", &token[1..], "äöü", &format!("{token}a")] {
            assert_eq!(verify(text, Purpose::Return, [b"ours".as_slice()]), None, "{text}");
        }
    }
}
