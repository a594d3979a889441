//! The tokenizer against the reference: `testdata/embed/tokens.tsv` holds lines of numbers, a tab, and the text that
//! the reference tokenizer of the model turned into them (256 tokens at most).

use embed::Embedder;

#[test]
fn equals_the_reference_on_every_golden_line() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../testdata/embed/tokens.tsv"
    );
    let golden = std::fs::read_to_string(path).unwrap();
    let embedder = Embedder::packaged().unwrap();
    let mut count = 0;
    for line in golden.split_terminator('\n') {
        let (numbers, text) = line.split_once('\t').unwrap();
        let wanted: Vec<u32> = numbers
            .split(' ')
            .map(|number| number.parse().unwrap())
            .collect();
        let mut tokens = Vec::new();
        embedder.tokenizer().encode(text, 256, &mut tokens);
        assert_eq!(tokens, wanted, "{text}");
        assert_eq!(embedder.token_count(text), wanted.len(), "{text}");
        count += 1;
    }
    assert!(count >= 300, "{count} lines");
}
