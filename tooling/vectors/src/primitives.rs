//! Every type of the postcard specification at its edges.
use crate::types::{Bytes, Fixed, Safe};
use crate::Vectors;
use serde::ser::{SerializeMap, Serializer};
use serde::Serialize;
use std::collections::BTreeSet;

#[derive(Serialize)]
struct Newtype(u32);

#[derive(Serialize)]
struct Unit;

#[derive(Serialize)]
struct Empty {}

#[derive(Serialize)]
struct Pair(u8, String);

#[derive(Serialize)]
struct Nested {
    name: String,
    inner: Inner,
    after: Option<u8>,
}

#[derive(Serialize)]
struct Inner {
    flag: bool,
    nothing: Unit,
}

#[derive(Serialize)]
enum Kinds {
    Unit,
    Newtype(u16),
    Tuple(u8, String),
    Struct { on: bool, at: i32 },
    Empty {},
    Nested(Box<Kinds>),
}

/// A map in the order given.
struct Pairs<K, V>(Vec<(K, V)>);

impl<K: Serialize, V: Serialize> Serialize for Pairs<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

/// The powers of 2^7 and their neighbours: where a varint becomes a byte longer.
fn unsigned_edges(bits: u32) -> Vec<u128> {
    let max = u128::MAX >> (128 - bits);
    let steps = (7..bits).step_by(7).flat_map(|shift| [(1u128 << shift) - 1, 1 << shift]);
    [0, 1].into_iter().chain(steps).chain([1 << (bits - 1), max - 1, max]).collect()
}

/// The same for zigzag: numbers that are small on either side of zero are short.
fn signed_edges(bits: u32) -> Vec<i128> {
    unsigned_edges(bits).into_iter().map(|n| (n >> 1) as i128 ^ -((n & 1) as i128)).collect()
}

pub fn put(vectors: &mut Vectors) {
    integers(vectors);
    floats(vectors);
    texts_and_bytes(vectors);
    composites(vectors);
}

fn integers(vectors: &mut Vectors) {
    for n in [0u8, 1, 127, 128, 254, 255] {
        vectors.put("u8", &n);
    }
    for n in [0i8, 1, -1, 63, -64, 64, -65, 126, -127, 127, -128] {
        vectors.put("i8", &n);
    }
    for n in unsigned_edges(16) {
        vectors.put("u16", &(n as u16));
    }
    for n in unsigned_edges(32) {
        vectors.put("u32", &(n as u32));
    }
    for n in unsigned_edges(53) {
        vectors.put("safeU64", &Safe(n as u64));
    }
    for n in unsigned_edges(64) {
        vectors.put("u64", &(n as u64));
    }
    for n in unsigned_edges(128) {
        vectors.put("u128", &n);
    }
    for n in signed_edges(16) {
        vectors.put("i16", &(n as i16));
    }
    for n in signed_edges(32) {
        vectors.put("i32", &(n as i32));
    }
    for n in signed_edges(64) {
        vectors.put("i64", &(n as i64));
    }
    for n in signed_edges(128) {
        vectors.put("i128", &n);
    }
    for flag in [false, true] {
        vectors.put("bool", &flag);
    }
}

fn floats(vectors: &mut Vectors) {
    let f32s = [
        0.0, -0.0, 1.5, -32.005_859_375, 0.1, f32::MAX, f32::MIN, f32::MIN_POSITIVE, f32::EPSILON, f32::INFINITY,
        f32::NEG_INFINITY, f32::NAN, f32::from_bits(1), -f32::from_bits(1), f32::from_bits(0x007f_ffff),
    ];
    for x in f32s {
        vectors.put("f32", &x);
    }
    let f64s = [
        0.0, -0.0, 1.5, -32.005_859_375, 0.1, 1e300, f64::MAX, f64::MIN, f64::MIN_POSITIVE, f64::EPSILON,
        f64::INFINITY, f64::NEG_INFINITY, f64::NAN, f64::from_bits(1), -f64::from_bits(1),
        f64::from_bits(0x000f_ffff_ffff_ffff), 9_007_199_254_740_993.0,
    ];
    for x in f64s {
        vectors.put("f64", &x);
    }
}

fn texts_and_bytes(vectors: &mut Vectors) {
    // The first and last of each length in UTF-8, around the surrogates, and marks that decoders like to drop.
    for c in "\0a\u{7f}\u{80}\u{7ff}\u{800}\u{d7ff}\u{e000}\u{feff}\u{fffd}\u{ffff}\u{10000}\u{1f600}\u{10ffff}".chars() {
        vectors.put("char", &c);
        vectors.put("str", &c.to_string());
    }
    for text in ["", "gr\u{fc}\u{df}e", "\u{1f600}\u{feff}\u{0}", "e\u{301}", "\u{1f468}\u{200d}\u{1f469}", "\u{2028}\"\\"] {
        vectors.put("str", text);
    }
    for length in [127, 128, 300] {
        vectors.put("str", &"x".repeat(length));
        vectors.put("str", &"\u{fc}".repeat(length));
    }
    for length in [0, 1, 3, 127, 128, 300] {
        vectors.put("bytes", &Bytes((0..length).map(|i| (i * 7) as u8).collect()));
    }
    vectors.put("fixedBytes(0)", &Fixed([]));
    vectors.put("fixedBytes(3)", &Fixed([1, 2, 255]));
}

fn composites(vectors: &mut Vectors) {
    vectors.put("unit", &());
    vectors.put("unit", &Unit);
    vectors.put("Empty", &Empty {});
    vectors.put("u32", &Newtype(300));
    vectors.put("option(u16)", &None::<u16>);
    vectors.put("option(u16)", &Some(300u16));
    vectors.put("option(str)", &Some(""));
    vectors.put("tuple(bool,u16,str)", &(true, 300u16, "x"));
    vectors.put("tuple(u8,str)", &Pair(7, "seven".into()));
    let inner = || Inner { flag: true, nothing: Unit };
    vectors.put("Nested", &Nested { name: "n".into(), inner: inner(), after: None });
    vectors.put("Nested", &Nested { name: String::new(), inner: inner(), after: Some(255) });
    for kind in [
        Kinds::Unit,
        Kinds::Newtype(300),
        Kinds::Tuple(7, "seven".into()),
        Kinds::Struct { on: true, at: -300 },
        Kinds::Empty {},
        Kinds::Nested(Box::new(Kinds::Nested(Box::new(Kinds::Unit)))),
    ] {
        vectors.put("Kinds", &kind);
    }
    vectors.put("vec(u16)", &[0u16; 0][..]);
    vectors.put("vec(u16)", &[1u16, 300, 65535][..]);
    vectors.put("vec(u16)", &[128u16; 130][..]);
    vectors.put("vec(unit)", &[(); 200][..]);
    vectors.put("vec(vec(str))", &vec![vec!["a", ""], vec![], vec!["\u{1f600}"]]);
    vectors.put("orderedSet(str)", &BTreeSet::from(["b", "a", "aa", "\u{ffff}", "\u{1f600}"]));
    vectors.put("map(str,u16)", &Pairs(Vec::<(&str, u16)>::new()));
    vectors.put("map(str,u16)", &Pairs(vec![("b", 1u16), ("a", 300), ("\u{ffff}", 3), ("\u{1f600}", 4)]));
    vectors.put("map(u64,option(str))", &Pairs(vec![(u64::MAX, Some("x")), (0, None)]));
}
