//! Bytes laid out by hand, random messages of two schemas, versions, and any bytes.

use std::format;
use std::string::String;
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;
use stdx::Rng;

use super::*;

const MDP3: &str = include_str!("../../../../testdata/sbe/mdp3.xml");

/// A schema with what MDP 3.0 does not use.
fn other_schema(byte_order: &str) -> String {
    format!(
        r#"<messageSchema id="9" version="2" byteOrder="{byte_order}" headerType="head"><types>
        <composite name="head"><type name="blockLength" primitiveType="uint16"/><type name="templateId" primitiveType="uint8"/>
          <type name="schemaId" primitiveType="uint32"/><type name="version" primitiveType="uint8"/></composite>
        <composite name="groupSizeEncoding"><type name="blockLength" primitiveType="uint8"/><type name="numInGroup" primitiveType="uint16"/></composite>
        <composite name="text"><type name="length" primitiveType="uint16"/><type name="varData" primitiveType="uint8" length="0"/></composite>
        <composite name="inner"><type name="x" primitiveType="int16" presence="optional"/><ref name="side" type="Side"/></composite>
        <composite name="outer"><ref name="a" type="inner"/><type name="b" primitiveType="double" presence="optional"/><ref name="c" type="inner" offset="16"/></composite>
        <enum name="Side" encodingType="char"><validValue name="Buy">B</validValue><validValue name="Sell">S</validValue></enum>
        <type name="Ints" primitiveType="int32" length="3"/><type name="Name" primitiveType="char" length="5"/>
        <type name="Fixed" primitiveType="char" length="3" presence="constant">XYZ</type></types>
        <message name="All" id="3">
          <field name="i8" id="1" type="int8"/><field name="i64" id="2" type="int64" presence="optional"/><field name="f" id="3" type="float" presence="optional"/>
          <field name="outer" id="4" type="outer"/><field name="ints" id="5" type="Ints"/><field name="name" id="6" type="Name"/>
          <field name="fixed" id="7" type="Fixed"/><field name="buy" id="8" type="Side" presence="constant" valueRef="Side.Buy"/>
          <field name="new" id="9" type="uint16" sinceVersion="2"/>
          <group name="legs" id="20"><field name="q" id="21" type="uint32"/>
            <group name="parts" id="22"><field name="p" id="23" type="uint8"/></group><data name="note" id="24" type="text"/></group>
          <group name="late" id="30" sinceVersion="2"><field name="z" id="31" type="uint8"/></group>
          <data name="tail" id="40" type="text"/>
        </message></messageSchema>"#
    )
}

/// One incremental refresh, as the specification lays it out.
#[test]
fn a_book_message_laid_out_by_hand() {
    let schema = Schema::from_xml(MDP3).expect("our schema");
    let mut bytes: Vec<u8> = vec![11, 0, 46, 0, 1, 0, 9, 0];
    bytes.extend(1_600_000_000_000_000_001_u64.to_le_bytes());
    bytes.extend([0x84, 0, 0]);
    bytes.extend([32, 0, 1]);
    bytes.extend((-12_500_000_000_i64).to_le_bytes());
    bytes.extend(7_i32.to_le_bytes());
    bytes.extend(42_i32.to_le_bytes());
    bytes.extend(99_u32.to_le_bytes());
    bytes.extend(i32::MAX.to_le_bytes());
    bytes.extend([2, 1, b'0', 0, 0, 0, 0, 0]);
    bytes.extend([24, 0, 0, 0, 0, 0, 0, 1]);
    bytes.extend(1_234_u64.to_le_bytes());
    bytes.extend(u64::MAX.to_le_bytes());
    bytes.extend(5_i32.to_le_bytes());
    bytes.extend([1, 2, 0, 0]);
    let message = schema.parse(&bytes).expect("good");
    assert_eq!((message.template_id(), message.size()), (46, bytes.len()));
    let (root, shape) = (message.root(), message.shape());
    let slot = |shape: Shape<'_>, id| shape.slot_of_id(id).expect("in the schema");
    assert_eq!(root.u64(slot(shape, 60)), Some(1_600_000_000_000_000_001));
    assert_eq!(root.u64(slot(shape, 5799)), Some(0x84));
    let entries = shape.group_of_id(268).expect("entries");
    let inner = shape.entries(entries).expect("a shape");
    let entry = root.group(entries).next().expect("one entry");
    assert_eq!(entry.decimal(slot(inner, 270)), Some((-12_500_000_000, -9)));
    assert_eq!(entry.i64(slot(inner, 271)), Some(7));
    assert_eq!(entry.u64(slot(inner, 83)), Some(99));
    assert_eq!(entry.get(slot(inner, 346)), None, "null");
    assert_eq!(entry.get(slot(inner, 269)), Some(Value::Char(b'0')));
    let orders = shape.group_of_id(37_705).expect("orders");
    let inner = shape.entries(orders).expect("a shape");
    let order = root.group(orders).next().expect("one order");
    assert_eq!(order.u64(slot(inner, 37)), Some(1_234));
    assert_eq!(order.u64(slot(inner, 37_707)), None);
    assert_eq!(order.u64(slot(inner, 37_708)), Some(2));
    for cut in 0..bytes.len() {
        assert!(schema.parse(&bytes[..cut]).is_err(), "cut at {cut}");
    }
    bytes[4] = 2;
    assert_eq!(schema.parse(&bytes).err(), Some(Error::Schema { id: 2 }));
}

/// What a view has, in the writer's form.
fn owned(block: &Block<'_>, elements: &mut Vec<Option<u64>>) {
    let plans = block.schema.fields_of(block.block);
    for (field, plan) in block.shape().fields().zip(plans) {
        if matches!(
            plan.kind,
            plan::Kind::Scalar(_, plan::Presence::Constant(_))
        ) {
            assert!(block.get(field.slot).is_some());
            continue;
        }
        match block.get(field.slot) {
            None => elements.push(None),
            Some(Value::Composite(inner)) => owned(&inner, elements),
            Some(Value::Signed(value)) => elements.push(Some(value as u64)),
            Some(Value::Unsigned(value)) => elements.push(Some(value)),
            Some(Value::Char(value)) => elements.push(Some(value.into())),
            Some(Value::Float(value)) => elements.push(Some(value.to_bits())),
            Some(Value::Text(text)) => {
                elements.extend(text.iter().map(|byte| Some(u64::from(*byte))));
            }
            Some(Value::Array(array)) => elements.extend(array.iter().map(|value| match value {
                Value::Signed(value) => Some(value as u64),
                other => panic!("{other:?}"),
            })),
        }
    }
}

/// Integers of fewer bytes widened by their sign, floats as doubles: what a view gives.
fn same_fields(view: &Block<'_>, written: &OwnedBlock) {
    let mut seen = Vec::new();
    owned(view, &mut seen);
    let flat: Vec<Option<u64>> = written.fields.iter().flatten().copied().collect();
    assert_eq!(seen.len(), flat.len());
    for (seen, flat) in seen.iter().zip(&flat) {
        let is_same = match (seen, flat) {
            (Some(seen), Some(bits)) => {
                let widened = [
                    *bits,
                    *bits as u8 as i8 as u64,
                    *bits as u16 as i16 as u64,
                    *bits as u32 as i32 as u64,
                ];
                widened.contains(seen) || *seen == f64::from(f32::from_bits(*bits as u32)).to_bits()
            }
            (seen, flat) => seen == flat,
        };
        assert!(is_same, "{seen:?} is {flat:?}");
    }
    for ((slot, _), entries) in view.shape().groups().zip(&written.groups) {
        let group = view.group(slot);
        assert_eq!(group.len(), entries.len());
        for (entry, written) in group.zip(entries) {
            same_fields(&entry, written);
        }
    }
    for ((slot, _), bytes) in view.shape().data().zip(&written.data) {
        assert_eq!(view.data(slot), Some(&bytes[..]));
    }
}

/// What a message of an older version lacks is absent, and a longer block is stepped over.
#[test]
fn other_versions_are_read() {
    let schema = Schema::from_xml(&other_schema("littleEndian")).expect("good");
    let shape = schema.message(3).expect("there");
    let size = 1 + 8 + 4 + 19 + 12 + 5;
    // Version 1: no field 9, no group 30; a block three bytes longer than version 1 had.
    let mut bytes = vec![size + 3, 0, 3, 9, 0, 0, 0, 1];
    bytes.extend(vec![1; usize::from(size) + 3]);
    bytes.extend([4, 0, 0]);
    bytes.extend([2, 0, b'h', b'i']);
    let message = schema.parse(&bytes).expect("good");
    assert_eq!((message.version(), message.size()), (1, bytes.len()));
    let slot = |id| shape.slot_of_id(id).expect("there");
    assert_eq!(message.root().get(slot(9)), None);
    assert_eq!(message.root().i64(slot(1)), Some(1));
    assert_eq!(message.root().text(slot(7)), Some(&b"XYZ"[..]));
    assert_eq!(message.root().get(slot(8)), Some(Value::Char(b'B')));
    assert!(
        message
            .root()
            .group(shape.group_of("late").expect("there"))
            .is_empty()
    );
    assert_eq!(
        message.root().data(shape.data_of_id(40).expect("there")),
        Some(&b"hi"[..])
    );
    // The same bytes as version 2 have no group 30 where it must be.
    bytes[7] = 2;
    assert!(schema.parse(&bytes).is_err());
}

#[test]
fn schemas_that_break_a_rule_are_refused() {
    let good = other_schema("littleEndian");
    let refused = |from: &str, to: &str, want: &str| {
        let xml = good.replace(from, to);
        assert_ne!(xml, good, "{from} is not in the schema");
        let error = format!("{}", Schema::from_xml(&xml).expect_err(to));
        assert!(error.contains(want), "{to}: {error}");
    };
    refused("</messageSchema>", "", "XML");
    refused("\"littleEndian\"", "\"middleEndian\"", "byte order");
    refused(
        "headerType=\"head\"",
        "headerType=\"none\"",
        "no type \"none\"",
    );
    refused("type=\"Ints\"", "type=\"Unknown\"", "no type \"Unknown\"");
    refused(
        "valueRef=\"Side.Buy\"",
        "valueRef=\"Side.Hold\"",
        "Side.Hold",
    );
    refused("name=\"numInGroup\"", "name=\"count\"", "numInGroup");
    refused("offset=\"16\"", "offset=\"3\"", "begins before");
    refused(
        "<message name=\"All\" id=\"3\">",
        "<message name=\"All\" id=\"3\" blockLength=\"9\">",
        "blockLength 9",
    );
    refused(
        "<ref name=\"a\" type=\"inner\"/>",
        "<ref name=\"a\" type=\"outer\"/>",
        "8 levels",
    );
    refused(
        "primitiveType=\"int32\" length=\"3\"",
        "primitiveType=\"int33\" length=\"3\"",
        "int33",
    );
    assert!(Schema::from_xml("<templates/>").is_err());
}

/// A count alone must not cost time.
#[test]
fn entries_without_bytes_are_refused() {
    let schema = Schema::from_xml(&other_schema("littleEndian")).expect("good");
    let size = 1 + 8 + 4 + 19 + 12 + 5 + 2;
    let mut bytes = vec![size, 0, 3, 9, 0, 0, 0, 2];
    bytes.extend(vec![0; usize::from(size)]);
    bytes.extend([0, 0, 0, 0, 0xFF, 0xFF]);
    let error = schema.parse(&bytes).expect_err("65,535 entries of nothing");
    assert!(matches!(error, Error::Cut { have: 0, .. }), "{error}");
}

proptest! {
    #[test]
    fn what_is_written_is_read(seed in any::<u64>(), is_mdp in any::<bool>(), is_big in any::<bool>()) {
        let xml = match (is_mdp, is_big) {
            (true, _) => MDP3.into(),
            (false, true) => other_schema("bigEndian"),
            (false, false) => other_schema("littleEndian"),
        };
        let schema = Schema::from_xml(&xml).expect("good");
        let ids: Vec<u64> = schema.messages().map(|(id, _)| id).collect();
        let mut rng = Rng::new(seed);
        let id = *rng.pick(&ids);
        let block = OwnedBlock::fill(&schema, id, &mut || rng.next_u64()).expect("there");
        let mut bytes = Vec::new();
        write(&schema, id, &block, &mut bytes).expect("fits");
        let whole = bytes.len();
        bytes.extend([1, 2, 3]);
        let message = schema.parse(&bytes).expect("just written");
        prop_assert_eq!((message.template_id(), message.size()), (id, whole));
        same_fields(&message.root(), &block);
        prop_assert!(schema.parse(&bytes[..whole - 1]).is_err());
    }

    #[test]
    fn any_bytes_are_a_message_or_refused(seed in any::<u64>(), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let schema = Schema::from_xml(&other_schema("littleEndian")).expect("good");
        let head = [seed as u8 & 0x3F, 0, 3, 9, 0, 0, 0, (seed >> 8) as u8 % 4];
        let bytes = [&head[..], &bytes].concat();
        if let Ok(message) = schema.parse(&bytes) {
            prop_assert!(message.size() <= bytes.len());
            let _text = format!("{message:?}");
        }
    }
}
