//! The packaged file is the one that NOTICE.md describes, and a damaged one is refused.

use embed::{Embedder, Error};
use sha2::{Digest, Sha256};

const ASSETS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/");
const SIZE_MAX: usize = 25_000_000;

fn asset() -> Vec<u8> {
    std::fs::read(format!("{ASSETS}minilm-l6-v2-int8.bin")).expect("the asset is committed")
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[test]
fn is_the_file_of_the_notice() {
    let asset = asset();
    assert!(asset.len() <= SIZE_MAX);
    let notice = std::fs::read_to_string(format!("{ASSETS}NOTICE.md")).unwrap();
    let sums = std::fs::read_to_string(format!("{ASSETS}minilm-l6-v2-int8.bin.sha256")).unwrap();
    let (file, content) = (hex(&asset), hex(&asset[128..]));
    assert!(notice.contains(&file) && notice.contains(&content) && sums.starts_with(&file));
    let model_id = Embedder::packaged().unwrap().model_id().to_owned();
    assert_eq!(
        model_id,
        format!("all-minilm-l6-v2-int8@{}", &content[..12])
    );
}

#[test]
fn damaged_files_are_refused() {
    let whole = asset();
    let refused = |bytes: Vec<u8>| Embedder::from_bytes(bytes).map(drop).unwrap_err();
    let size = whole.len() as u64;
    assert_eq!(
        refused(whole[..1_000_000].to_vec()),
        Error::Size {
            have: 1_000_000,
            want: size
        }
    );
    for at in [40, 70, 100, 200, whole.len() / 2, whole.len() - 1] {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        assert!(matches!(refused(damaged), Error::Checksum { .. }), "{at}");
    }
    let mut later = whole;
    later[8] = 2;
    assert_eq!(refused(later), Error::Version { found: 2, want: 1 });
    assert_eq!(refused(Vec::new()), Error::NotAModel);
}
