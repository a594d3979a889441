//! `model.safetensors`: a table of names, kinds, shapes and places, then the numbers.

use std::collections::HashMap;

use ::safetensors::{Dtype, SafeTensors};
use anyhow::{Context, Result};
use bytes::Bytes;

use super::weights::{Kind, Place};

/// All tensors by name; those of other kinds with the reason.
///
/// # Errors
/// When the table does not hold together or does not fit the file.
pub fn read(file: &Bytes) -> Result<HashMap<String, Result<Place, String>>> {
    let found = SafeTensors::deserialize(file).with_context(|| {
        format!(
            "model.safetensors ({} bytes) is cut short or damaged: fetch it again",
            file.len()
        )
    })?;
    let places = found.iter().map(|(name, view)| {
        let kind = match view.dtype() {
            Dtype::F32 => Ok(Kind::F32),
            Dtype::F16 => Ok(Kind::F16),
            Dtype::BF16 => Ok(Kind::Bf16),
            other => Err(format!(
                "its numbers are {other:?}; F32, F16 and BF16 are read here"
            )),
        };
        let place = kind.map(|kind| Place {
            kind,
            shape: view.shape().to_vec(),
            bytes: file.slice_ref(view.data()),
            is_turned: false,
        });
        (name.to_owned(), place)
    });
    Ok(places.collect())
}
