//! Shows every message of a MoldUDP64 capture (pcap, pcapng) or of an ITCH file, one JSON object a
//! line, and every packet of a capture before its messages.
//!
//! `cargo run -p wire --example itch_dump -- FILE`

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use wire::itch50::{self, Field};
use wire::itchfile::Frames;
use wire::moldudp64::Packet;
use wire::pcap::{self, Reader};

fn main() -> ExitCode {
    let Some(path) = std::env::args().nth(1) else {
        eprintln!("usage: itch_dump FILE (pcap, pcapng or ITCH file)");
        return ExitCode::from(2);
    };
    match dump(&path) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("itch_dump: {path}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn dump(path: &str) -> io::Result<()> {
    let bytes = std::fs::read(path)?;
    let mut out = BufWriter::new(io::stdout().lock());
    let Ok(reader) = Reader::new(&bytes) else {
        for frame in Frames::new(&bytes) {
            match frame {
                Ok(frame) => message(&mut out, frame)?,
                Err(tail) => fault(&mut out, &tail)?,
            }
        }
        return out.flush();
    };
    for record in reader {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                fault(&mut out, &error)?;
                continue;
            }
        };
        let Some(udp) = pcap::udp(&record) else {
            continue;
        };
        match Packet::parse(udp.payload) {
            Ok(packet) => {
                let session = packet.session().map(|byte| format!("{byte:02x}")).concat();
                writeln!(
                    out,
                    r#"{{"packet":"{}","seq":{},"count":{},"captured_ns":{}}}"#,
                    session,
                    packet.seq(),
                    packet.count(),
                    record.ts_ns
                )?;
                for block in packet.messages() {
                    match block {
                        Ok(block) => message(&mut out, block)?,
                        Err(error) => fault(&mut out, &error)?,
                    }
                }
            }
            Err(error) => fault(&mut out, &error)?,
        }
    }
    out.flush()
}

fn message(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    let message = match itch50::decode(bytes) {
        Ok(message) => message,
        Err(error) => return fault(out, &error),
    };
    let header = message.header();
    write!(
        out,
        r#"{{"message":"{}","name":"{}","locate":{},"tracking":{},"timestamp_ns":{}"#,
        char::from(message.kind()),
        message.name(),
        header.locate,
        header.tracking,
        header.timestamp_ns
    )?;
    let mut result = Ok(());
    message.fields(|name, value| {
        let written = match value {
            Field::Number(number) => write!(out, r#","{name}":{number}"#),
            Field::Code(code) => write!(
                out,
                r#","{name}":{}"#,
                quoted(&char::from(code).to_string())
            ),
            Field::Text(text) => write!(out, r#","{name}":{}"#, quoted(text)),
        };
        if result.is_ok() {
            result = written;
        }
    });
    result?;
    writeln!(out, "}}")
}

fn fault(out: &mut impl Write, error: &dyn std::error::Error) -> io::Result<()> {
    writeln!(out, r#"{{"fault":{}}}"#, quoted(&error.to_string()))
}

/// A JSON string.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            letter if letter.is_control() => quoted += &format!("\\u{:04x}", u32::from(letter)),
            letter => quoted.push(letter),
        }
    }
    quoted + "\""
}
