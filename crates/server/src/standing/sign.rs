//! Signatures of webhooks. Source: Standard Webhooks, 1.0.0: HMAC-SHA256 under a secret of 24 to 64 bytes, written
//! `whsec_` and base64, over `id.timestamp.body`; sent as `v1,` and base64.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

const PREFIX: &str = "whsec_";
const SIZES: std::ops::RangeInclusive<usize> = 24..=64;
const OWN_SIZE: usize = 32;

/// A key that sender and receiver share.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// One that nobody can guess.
    ///
    /// # Errors
    /// When the machine has no randomness.
    pub fn new() -> Result<Self, String> {
        let mut key = vec![0; OWN_SIZE];
        getrandom::fill(&mut key).map_err(|e| format!("no randomness for a secret: {e}"))?;
        Ok(Self(key))
    }

    /// Reads `whsec_..`.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it, without it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let key = text.strip_prefix(PREFIX).map(|rest| STANDARD.decode(rest));
        match key {
            Some(Ok(key)) if SIZES.contains(&key.len()) => Ok(Self(key)),
            Some(Ok(key)) => Err(format!("has {} bytes, not 24 to 64", key.len())),
            _ => Err(format!("is not {PREFIX} and base64")),
        }
    }

    /// Its bytes in hexadecimal, for names that must be nobody else's.
    pub(crate) fn token(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// As receivers are given it.
    #[must_use]
    pub fn shown(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(&self.0))
    }

    /// The value of `webhook-signature`; `timestamp` is in seconds since 1970.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp: u64, body: &str) -> String {
        // HMAC takes a key of any length.
        let mac = Hmac::<Sha256>::new_from_slice(&self.0);
        let mut mac = mac.expect("a key of any length");
        mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

/// A secret has no place in a log.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's reference libraries.
    #[test]
    fn the_signature_is_the_standards() {
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a secret");
        let signed = secret.sign(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            "{\"test\": 2432232314}",
        );
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(secret.shown(), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    }

    #[test]
    fn what_is_no_secret_is_refused_and_not_repeated() {
        for bad in [
            "",
            "whsec_",
            "whsec_c2hvcnQ=",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_?",
        ] {
            let why = Secret::parse(bad).expect_err("refused");
            assert!(bad.len() < 8 || !why.contains(&bad[6..]), "{why}");
        }
        let own = Secret::new().expect("a secret");
        assert_eq!(Secret::parse(&own.shown()), Ok(own.clone()));
        assert!(!format!("{own:?}").contains(&own.shown()[6..]));
    }
}
