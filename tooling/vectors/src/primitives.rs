//! Every type of the postcard specification at its edges.
use crate::types::{Bytes, Fixed, Safe};
use crate::Vectors;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt::Formatter;
use std::marker::PhantomData;

#[derive(Deserialize, Serialize)]
struct Newtype(u32);

#[derive(Deserialize, Serialize)]
struct Unit;

#[derive(Deserialize, Serialize)]
struct Empty {}

#[derive(Deserialize, Serialize)]
struct Pair(u8, String);

#[derive(Deserialize, Serialize)]
struct Nested {
    name: String,
    inner: Inner,
    after: Option<u8>,
}

#[derive(Deserialize, Serialize)]
struct Inner {
    flag: bool,
    nothing: Unit,
}

#[derive(Deserialize, Serialize)]
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

impl<'de, K: Deserialize<'de>, V: Deserialize<'de>> Deserialize<'de> for Pairs<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder<K, V>(PhantomData<(K, V)>);
        impl<'de, K: Deserialize<'de>, V: Deserialize<'de>> Visitor<'de> for InOrder<K, V> {
            type Value = Pairs<K, V>;
            fn expecting(&self, f: &mut Formatter) -> std::fmt::Result {
                f.write_str("a map")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(InOrder(PhantomData))
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
    // What x86 makes of 0/0, another payload, and one that signals.
    let nans32 = [0xffc0_0000, 0x7fc0_1234, 0x7f80_0001].map(f32::from_bits);
    for x in f32s.into_iter().chain(nans32) {
        vectors.put("f32", &x);
    }
    let f64s = [
        0.0, -0.0, 1.5, -32.005_859_375, 0.1, 1e300, f64::MAX, f64::MIN, f64::MIN_POSITIVE, f64::EPSILON,
        f64::INFINITY, f64::NEG_INFINITY, f64::NAN, f64::from_bits(1), -f64::from_bits(1),
        f64::from_bits(0x000f_ffff_ffff_ffff), 9_007_199_254_740_993.0,
    ];
    let nans64 = [0xfff8_0000_0000_0000, 0x7ff8_0000_0000_1234, 0x7ff0_0000_0000_0001].map(f64::from_bits);
    for x in f64s.into_iter().chain(nans64) {
        vectors.put("f64", &x);
    }
}

fn texts_and_bytes(vectors: &mut Vectors) {
    // The first and last of each length in UTF-8, around the surrogates, and marks that decoders like to drop.
    for c in "\0a\u{7f}\u{80}\u{7ff}\u{800}\u{d7ff}\u{e000}\u{feff}\u{fffd}\u{ffff}\u{10000}\u{1f600}\u{10ffff}".chars() {
        vectors.put("char", &c);
        vectors.put("str", &c.to_string());
    }
    vectors.judge::<char>("char", b"\x02ab");
    for text in ["", "gr\u{fc}\u{df}e", "\u{1f600}\u{feff}\u{0}", "e\u{301}", "\u{1f468}\u{200d}\u{1f469}", "\u{2028}\"\\"] {
        vectors.put("str", &text.to_string());
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
    let text = |text: &str| text.to_string();
    vectors.put("unit", &());
    vectors.put("unit", &Unit);
    vectors.put("Empty", &Empty {});
    vectors.put("u32", &Newtype(300));
    vectors.put("option(u16)", &None::<u16>);
    vectors.put("option(u16)", &Some(300u16));
    vectors.put("option(str)", &Some(String::new()));
    vectors.put("tuple(bool,u16,str)", &(true, 300u16, text("x")));
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
    vectors.put("vec(u16)", &Vec::<u16>::new());
    vectors.put("vec(u16)", &vec![1u16, 300, 65535]);
    vectors.put("vec(u16)", &vec![128u16; 130]);
    vectors.put("vec(unit)", &vec![(); 200]);
    vectors.put("vec(vec(str))", &vec![vec![text("a"), text("")], vec![], vec![text("\u{1f600}")]]);
    vectors.put("orderedSet(str)", &BTreeSet::from(["b", "a", "aa", "\u{ffff}", "\u{1f600}"].map(text)));
    vectors.put("map(str,u16)", &Pairs(Vec::<(String, u16)>::new()));
    let pairs = [("b", 1u16), ("a", 300), ("\u{ffff}", 3), ("\u{1f600}", 4)];
    vectors.put("map(str,u16)", &Pairs(pairs.map(|(key, value)| (text(key), value)).into()));
    vectors.judge::<Pairs<String, u16>>("map(str,u16)", b"\x02\x01a\x01\x01a\x02");
    vectors.put("map(u64,option(str))", &Pairs(vec![(u64::MAX, Some(text("x"))), (0, None)]));
}
