//! Which model made a vector.

use std::fmt;

/// Hex digits of the weights' hash that are kept: 48 bits tell the models of one installation apart.
const DIGITS: usize = 12;

/// A model's name and the start of a sha256 over what it computes with, written `name@0123456789ab`.
///
/// Vectors of two models may be compared only if these are equal: the same name over other weights is another model.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModelId(String);

impl ModelId {
    /// The model `name` whose weights and tokenizer hash to `sha256`.
    pub fn new(name: &str, sha256: &[u8; 32]) -> Self {
        let mut text = format!("{name}@");
        for byte in &sha256[..DIGITS / 2] {
            text.push_str(&format!("{byte:02x}"));
        }
        Self(text)
    }

    /// Reads what `Display` wrote; `None` of anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, weights) = text.rsplit_once('@')?;
        let is_hash = weights.len() == DIGITS && weights.bytes().all(|b| b.is_ascii_hexdigit());
        (is_hash && !name.is_empty()).then(|| Self(text.to_owned()))
    }

    /// The whole of it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What people call the model.
    pub fn name(&self) -> &str {
        &self.0[..self.0.len() - DIGITS - 1]
    }

    /// The first 12 hex digits of the hash.
    pub fn weights(&self) -> &str {
        &self.0[self.0.len() - DIGITS..]
    }
}

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_read_as_it_is_written() {
        let mut hash = [0; 32];
        (hash[0], hash[5]) = (0xab, 7);
        let id = ModelId::new("mine@home", &hash);
        assert_eq!(id.to_string(), "mine@home@ab0000000007");
        assert_eq!((id.name(), id.weights()), ("mine@home", "ab0000000007"));
        assert_eq!(ModelId::parse(id.as_str()), Some(id));
        for other in ["", "mine", "mine@ab", "@ab0000000007", "mine@ab000000000x"] {
            assert_eq!(ModelId::parse(other), None, "{other}");
        }
    }
}
