//! `cargo run -p wire --example fix_dump -- FILE`: the messages of a file, a line each, with `|` for SOH.

use std::io::Write;

use wire::fix::Frames;

fn main() {
    let path = std::env::args().nth(1).expect("usage: fix_dump FILE");
    let bytes = std::fs::read(path).expect("a readable file");
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for message in Frames::new(&bytes, 1 << 20) {
        let message = message.expect("a good message");
        let begin = message.begin_string().escape_ascii();
        write!(out, "8={begin}|").expect("stdout");
        for field in message.fields() {
            let field = field.expect("a good field");
            write!(out, "{}={}|", field.tag, field.value.escape_ascii()).expect("stdout");
        }
        writeln!(out).expect("stdout");
    }
}
