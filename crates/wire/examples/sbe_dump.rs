//! Writes random messages of an SBE schema, framed as MDP 3.0 frames them (size, message), and says
//! what we read in them, one line of JSON a message: `sbe_dump SCHEMA.xml COUNT OUT`.
#![allow(clippy::print_stdout, reason = "a program that prints")]

use std::error::Error;
use std::fmt::Write as _;

use stdx::Rng;
use wire::sbe::{Block, OwnedBlock, Schema, Value, write};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, schema, count, out] = &arguments[..] else {
        return Err("usage: sbe_dump SCHEMA.xml COUNT OUT".into());
    };
    let schema = Schema::from_xml(&std::fs::read_to_string(schema)?)?;
    let mut rng = Rng::new(20_260_801);
    let mut bytes = Vec::new();
    let ids: Vec<u64> = schema.messages().map(|(id, _)| id).collect();
    for _ in 0..count.parse::<u32>()? {
        for &id in &ids {
            let block = OwnedBlock::fill(&schema, id, &mut || rng.next_u64())?;
            let start = bytes.len();
            bytes.extend([0, 0]);
            write(&schema, id, &block, &mut bytes)?;
            let size = u16::try_from(bytes.len() - start)?;
            bytes[start..start + 2].copy_from_slice(&size.to_le_bytes());
            let message = schema.parse(&bytes[start + 2..])?;
            let mut line = String::new();
            put_block(&message.root(), &mut line)?;
            println!("{{\"id\":{id},\"root\":{line}}}");
        }
    }
    std::fs::write(out, bytes)?;
    Ok(())
}

fn put_block(block: &Block<'_>, line: &mut String) -> Result<(), Box<dyn Error>> {
    line.push('{');
    for field in block.shape().fields() {
        // Members of composites have names alone.
        match field.id {
            Some(id) => write!(line, "\"{id}\":")?,
            None => write!(line, "\"{}\":", field.name)?,
        }
        put_value(block.get(field.slot), line)?;
        line.push(',');
    }
    line.push_str("\"groups\":{");
    for (idx, (slot, name)) in block.shape().groups().enumerate() {
        write!(line, "{}\"{name}\":[", if idx > 0 { "," } else { "" })?;
        for (idx, entry) in block.group(slot).enumerate() {
            line.push_str(if idx > 0 { "," } else { "" });
            put_block(&entry, line)?;
        }
        line.push(']');
    }
    line.push_str("}}");
    Ok(())
}

fn put_value(value: Option<Value<'_>>, line: &mut String) -> Result<(), Box<dyn Error>> {
    match value {
        None => line.push_str("null"),
        Some(Value::Signed(value)) => write!(line, "\"{value}\"")?,
        Some(Value::Unsigned(value)) => write!(line, "\"{value}\"")?,
        Some(Value::Float(value)) => write!(line, "\"{value}\"")?,
        Some(Value::Char(value)) => put_text(&[value], line),
        Some(Value::Text(text)) => put_text(text, line),
        Some(Value::Array(array)) => write!(line, "\"{:?}\"", array.bytes())?,
        Some(Value::Composite(block)) => put_block(&block, line)?,
    }
    Ok(())
}

fn put_text(text: &[u8], line: &mut String) {
    line.push('"');
    for &byte in text {
        if matches!(byte, b'"' | b'\\') {
            line.push('\\');
        }
        line.push(char::from(byte));
    }
    line.push('"');
}
