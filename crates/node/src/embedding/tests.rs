use super::*;

fn embedding(kept_bytes: u64) -> Embedding {
    let limits = EmbeddingLimits {
        kept_bytes,
        ..EmbeddingLimits::default()
    };
    Embedding::new(
        Embedder::packaged().unwrap(),
        limits,
        Arc::new(stdx::SystemClock),
    )
}

#[test]
fn a_known_text_has_the_vector_that_it_had() {
    let (with, without) = (embedding(1 << 20), embedding(0));
    let texts = ["Copper rose.", "Margins fell at ACME", "copper  ROSE."];
    for _ in 0..2 {
        for text in texts {
            assert_eq!(with.question(text), without.question(text));
        }
        assert_eq!(with.documents(&texts), without.documents(&texts));
    }
    let counts = with.counts();
    // White space and case make no other text.
    assert_eq!((counts.hits, counts.misses), (10, 2));
    assert_eq!(without.counts().hits, 0);
}

#[test]
fn what_is_kept_is_bounded() {
    let embedding = embedding(20_000);
    for n in 0..40 {
        embedding.question(&format!("number {n}")).unwrap();
    }
    assert!(embedding.kept.weight() <= 20_000);
    assert!(!embedding.kept.is_empty());
}
