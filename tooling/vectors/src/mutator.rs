//! Changes encodings, at random but always in the same way.

/// SplitMix64.
pub struct Mutator(u64);

impl Mutator {
    /// Each name has numbers of its own, so that one more schema leaves what is written of the others as it was.
    pub fn new(name: &str) -> Self {
        let digest = blake3::hash(name.as_bytes());
        Self(digest.as_bytes()[..8].iter().fold(0, |seed, byte| seed << 8 | u64::from(*byte)))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let a = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let b = (a ^ (a >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        b ^ (b >> 31)
    }

    /// From 0 to `end - 1`; 0 for an `end` of 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    fn byte(&mut self) -> u8 {
        self.next() as u8
    }

    fn bytes(&mut self) -> Vec<u8> {
        (0..=self.below(4)).map(|_| self.byte()).collect()
    }

    /// One to three changes of an encoding; `other` is one of the same schema.
    pub fn changed(&mut self, mut input: Vec<u8>, other: &[u8]) -> Vec<u8> {
        for _ in 0..=self.below(3) {
            self.change(&mut input, other);
        }
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, other: &[u8]) {
        let at = self.below(input.len());
        let end = (at + 1).min(input.len());
        match self.below(9) {
            0 => input.truncate(at),
            1 => input.extend(self.bytes()),
            2 if at < end => input[at] ^= 1 << self.below(8),
            3 if at < end => input[at] = self.byte(),
            4 => drop(input.splice(at..(at + self.below(8)).min(input.len()), [])),
            5 => {
                let inserted = self.bytes();
                input.splice(at..at, inserted);
            }
            6 => {
                input.truncate(at);
                input.extend(&other[self.below(other.len())..]);
            }
            7 => {
                let varint = self.varint();
                input.splice(at..end, varint);
            }
            _ => self.overlong(input),
        }
    }

    /// A number of any size up to 2^70.
    fn varint(&mut self) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..self.below(10)).map(|_| self.byte() | 0x80).collect();
        bytes.push(self.byte() & 0x7f);
        bytes
    }

    /// The same number, if it is one, in more bytes.
    fn overlong(&mut self, input: &mut Vec<u8>) {
        let ends: Vec<usize> = (0..input.len()).filter(|&at| input[at] < 0x80).collect();
        if ends.is_empty() {
            return;
        }
        let at = ends[self.below(ends.len())];
        input[at] |= 0x80;
        let more = 1 + self.below(4) * self.below(4);
        input.splice(at + 1..at + 1, (0..more).map(|i| if i + 1 == more { 0 } else { 0x80 }));
    }
}
