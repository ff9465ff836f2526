//! Bytes, changed a little: what libFuzzer does, without what it learns.

use super::rng::Rng;

/// Numbers at which something ends.
const EDGES: [u64; 8] = [
    0,
    1,
    0x7f,
    0xff,
    0xffff,
    0x7fff_ffff,
    u64::MAX >> 1,
    u64::MAX,
];

/// One to eight changes of `seed`, some with bytes of `other`.
pub fn mutate(seed: &[u8], other: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=rng.below(8) {
        change(&mut bytes, other, rng);
    }
    bytes
}

fn change(bytes: &mut Vec<u8>, other: &[u8], rng: &mut Rng) {
    let at = place(bytes.len(), rng);
    let end = (at + 1 + place(16, rng)).min(bytes.len());
    match rng.below(8) {
        0 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << rng.below(8);
            }
        }
        1 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = rng.next().to_le_bytes()[0];
            }
        }
        2 => bytes.truncate(at),
        3 => drop(bytes.drain(at..end.max(at))),
        4 => {
            let again = bytes[at..end.max(at)].repeat(1 + place(64, rng));
            bytes.splice(at..at, again);
        }
        5 => {
            let edge = EDGES[place(EDGES.len(), rng)].to_le_bytes();
            let length = [1, 2, 4, 8][place(4, rng)];
            let end = (at + length).min(bytes.len());
            bytes.splice(at..end, edge[..length].iter().copied());
        }
        6 => {
            let from = place(other.len(), rng);
            let to = (from + 1 + place(256, rng)).min(other.len());
            bytes.splice(at..at, other[from..to.max(from)].iter().copied());
        }
        _ => bytes.insert(at, rng.next().to_le_bytes()[0]),
    }
}

/// A place in something so long; 0 in nothing.
fn place(length: usize, rng: &mut Rng) -> usize {
    let bound = u64::try_from(length).expect("it fits").max(1);
    usize::try_from(rng.below(bound)).expect("it is below a length")
}
