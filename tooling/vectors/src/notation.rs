//! Writes a value as JSON that tells apart what JavaScript tells apart. README.md has the table.
use serde::ser::{self, Serialize};
use std::fmt::{Error, Write};

type Result = std::result::Result<(), Error>;

pub fn notation<T: Serialize + ?Sized>(value: &T) -> String {
    let mut notation = Notation { out: String::new(), plain: false };
    value.serialize(&mut notation).expect("a value without notation");
    notation.out
}

/// A text as JSON, in ASCII: no editor changes what it cannot show.
pub fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for unit in text.encode_utf16() {
        match char::from_u32(unit.into()) {
            Some(c @ ('"' | '\\')) => write!(out, "\\{c}"),
            Some(c @ ' '..='~') => write!(out, "{c}"),
            _ => write!(out, "\\u{unit:04x}"),
        }
        .expect("a string takes text");
    }
    out + "\""
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub struct Notation {
    out: String,
    /// A 64-bit integer is one that a JavaScript number holds.
    plain: bool,
}

impl Notation {
    fn raw(&mut self, text: impl std::fmt::Display) -> Result {
        write!(self.out, "{text}")
    }

    fn wide(&mut self, value: impl std::fmt::Display) -> Result {
        if self.plain { self.raw(value) } else { write!(self.out, "{{\"$int\":\"{value}\"}}") }
    }

    fn open(&mut self, start: &str, end: &'static str) -> std::result::Result<Open<'_>, Error> {
        self.out.push_str(start);
        let first = !start.ends_with('"');
        Ok(Open { notation: self, first, end })
    }
}

/// Something with parts, until its end is written.
pub struct Open<'a> {
    notation: &'a mut Notation,
    first: bool,
    end: &'static str,
}

impl Open<'_> {
    fn comma(&mut self) -> Result {
        if !std::mem::replace(&mut self.first, false) { self.notation.raw(',')? }
        Ok(())
    }

    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result {
        self.comma()?;
        value.serialize(&mut *self.notation)
    }

    fn named<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result {
        self.comma()?;
        write!(self.notation.out, "{}:", quoted(&camel_case(name)))?;
        value.serialize(&mut *self.notation)
    }

    fn close(self) -> Result {
        self.notation.raw(self.end)
    }
}

fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_string();
    words.fold(first, |text, word| text + &word[..1].to_uppercase() + &word[1..])
}

impl<'a> ser::Serializer for &'a mut Notation {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Open<'a>;
    type SerializeTuple = Open<'a>;
    type SerializeTupleStruct = Open<'a>;
    type SerializeTupleVariant = Open<'a>;
    type SerializeMap = Open<'a>;
    type SerializeStruct = Open<'a>;
    type SerializeStructVariant = Open<'a>;

    fn serialize_bool(self, v: bool) -> Result { self.raw(v) }
    fn serialize_i8(self, v: i8) -> Result { self.raw(v) }
    fn serialize_i16(self, v: i16) -> Result { self.raw(v) }
    fn serialize_i32(self, v: i32) -> Result { self.raw(v) }
    fn serialize_i64(self, v: i64) -> Result { self.wide(v) }
    fn serialize_i128(self, v: i128) -> Result { self.wide(v) }
    fn serialize_u8(self, v: u8) -> Result { self.raw(v) }
    fn serialize_u16(self, v: u16) -> Result { self.raw(v) }
    fn serialize_u32(self, v: u32) -> Result { self.raw(v) }
    fn serialize_u64(self, v: u64) -> Result { self.wide(v) }
    fn serialize_u128(self, v: u128) -> Result { self.wide(v) }
    fn serialize_f32(self, v: f32) -> Result { write!(self.out, "{{\"$f32\":\"{:08x}\"}}", v.to_bits()) }
    fn serialize_f64(self, v: f64) -> Result { write!(self.out, "{{\"$f64\":\"{:016x}\"}}", v.to_bits()) }
    fn serialize_char(self, v: char) -> Result { self.raw(quoted(&v.to_string())) }
    fn serialize_str(self, v: &str) -> Result { self.raw(quoted(v)) }
    fn serialize_bytes(self, v: &[u8]) -> Result { write!(self.out, "{{\"$hex\":\"{}\"}}", hex(v)) }
    fn serialize_none(self) -> Result { self.raw("null") }
    fn serialize_some<T: Serialize + ?Sized>(self, v: &T) -> Result { v.serialize(self) }
    fn serialize_unit(self) -> Result { self.raw("null") }
    fn serialize_unit_struct(self, _: &'static str) -> Result { self.raw("null") }
    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result {
        write!(self.out, "{{\"type\":{}}}", quoted(variant))
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, v: &T) -> Result {
        self.plain = name == "Safe";
        v.serialize(&mut *self)?;
        self.plain = false;
        Ok(())
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self, _: &'static str, _: u32, variant: &'static str, v: &T,
    ) -> Result {
        write!(self.out, "{{\"type\":{},\"value\":", quoted(variant))?;
        v.serialize(&mut *self)?;
        self.raw('}')
    }
    fn serialize_seq(self, _: Option<usize>) -> std::result::Result<Open<'a>, Error> { self.open("[", "]") }
    fn serialize_tuple(self, _: usize) -> std::result::Result<Open<'a>, Error> { self.open("[", "]") }
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> std::result::Result<Open<'a>, Error> {
        self.open("[", "]")
    }
    fn serialize_tuple_variant(
        self, _: &'static str, _: u32, variant: &'static str, _: usize,
    ) -> std::result::Result<Open<'a>, Error> {
        self.open(&format!("{{\"type\":{},\"value\":[", quoted(variant)), "]}")
    }
    fn serialize_map(self, _: Option<usize>) -> std::result::Result<Open<'a>, Error> {
        self.open("{\"$map\":[", "]}")
    }
    fn serialize_struct(self, _: &'static str, _: usize) -> std::result::Result<Open<'a>, Error> {
        self.open("{", "}")
    }
    fn serialize_struct_variant(
        self, _: &'static str, _: u32, variant: &'static str, _: usize,
    ) -> std::result::Result<Open<'a>, Error> {
        self.open(&format!("{{\"type\":{}", quoted(variant)), "}")
    }
}

macro_rules! compound {
    ($kind:ident, $method:ident $(, $name:ident)?) => {
        impl ser::$kind for Open<'_> {
            type Ok = ();
            type Error = Error;
            fn $method<T: Serialize + ?Sized>(&mut self, $($name: &'static str,)? value: &T) -> Result {
                compound!(@ self value $($name)?)
            }
            fn end(self) -> Result { self.close() }
        }
    };
    (@ $open:ident $value:ident) => { $open.item($value) };
    (@ $open:ident $value:ident $name:ident) => { $open.named($name, $value) };
}
compound!(SerializeSeq, serialize_element);
compound!(SerializeTuple, serialize_element);
compound!(SerializeTupleStruct, serialize_field);
compound!(SerializeTupleVariant, serialize_field);
compound!(SerializeStruct, serialize_field, name);
compound!(SerializeStructVariant, serialize_field, name);

impl ser::SerializeMap for Open<'_> {
    type Ok = ();
    type Error = Error;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result {
        self.comma()?;
        self.notation.raw('[')?;
        key.serialize(&mut *self.notation)
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result {
        self.notation.raw(',')?;
        value.serialize(&mut *self.notation)?;
        self.notation.raw(']')
    }
    fn end(self) -> Result { self.close() }
}
