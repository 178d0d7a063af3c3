//! What serde does not spell by itself the way mosaik's schemas do.
use serde::ser::{Serialize, SerializeTuple, Serializer};

/// 32 bytes on the wire, 64 hex digits in JavaScript.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id(pub [u8; 32]);

pub fn id(byte: u8) -> Id {
    Id([byte; 32])
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.serialize_str(&crate::notation::hex(&self.0)) } else { raw(&self.0, serializer) }
    }
}

/// An array of bytes without a length.
#[derive(Clone, Copy)]
pub struct Fixed<const N: usize>(pub [u8; N]);

impl<const N: usize> Serialize for Fixed<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.serialize_bytes(&self.0) } else { raw(&self.0, serializer) }
    }
}

fn raw<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    let mut tuple = serializer.serialize_tuple(bytes.len())?;
    for byte in bytes {
        tuple.serialize_element(byte)?;
    }
    tuple.end()
}

/// Bytes after their length.
#[derive(Clone)]
pub struct Bytes(pub Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

/// A u64 that is a `number` in JavaScript (`safeU64`).
#[derive(Clone, Copy, serde::Serialize)]
pub struct Safe(pub u64);
