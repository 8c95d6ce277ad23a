//! Damage as it happens, and as somebody would do it on purpose.

use super::packing::Packing;
use crate::fault_store::Dice;

/// Bytes that an input may grow to.
const MOST_BYTES: usize = 256 << 10;

const NUMBERS: [u64; 16] = [
    0,
    1,
    2,
    7,
    0x7f,
    0x80,
    0xff,
    0x100,
    0x7fff,
    0x8000,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    i64::MAX as u64,
    u64::MAX,
];

/// An input made of `seeds`: one of them, damaged in a few places, half of the time inside of what packs it.
pub(super) fn input(dice: &mut Dice, seeds: &[Vec<u8>], words: &[&[u8]], packing: Packing) -> Vec<u8> {
    let seed = &seeds[pick(dice, seeds.len())];
    if dice.percent(60)
        && let Some(mut parts) = packing.unpack(seed)
        && !parts.is_empty()
    {
        let others: Vec<Vec<u8>> = parts.iter().map(|(_, bytes)| bytes.clone()).collect();
        for _ in 0..=dice.roll(2) {
            let at = pick(dice, parts.len());
            damage(dice, &mut parts[at].1, &others, words);
        }
        if dice.percent(10) {
            let twin = parts[pick(dice, parts.len())].clone();
            parts.push(twin);
        }
        if dice.percent(10) {
            let at = pick(dice, parts.len());
            let mut name = parts[at].0.clone().into_bytes();
            damage(dice, &mut name, &others, words);
            parts[at].0 = String::from_utf8_lossy(&name[..name.len().min(300)]).into_owned();
        }
        if let Some(packed) = packing.pack(&parts) {
            return packed;
        }
    }
    let mut bytes = seed.clone();
    damage(dice, &mut bytes, seeds, words);
    bytes
}

fn damage(dice: &mut Dice, bytes: &mut Vec<u8>, others: &[Vec<u8>], words: &[&[u8]]) {
    for _ in 0..=dice.roll(6) {
        once(dice, bytes, others, words);
        bytes.truncate(MOST_BYTES);
    }
}

fn once(dice: &mut Dice, bytes: &mut Vec<u8>, others: &[Vec<u8>], words: &[&[u8]]) {
    let at = pick(dice, bytes.len() + 1);
    match dice.roll(10) {
        0 if at < bytes.len() => bytes[at] ^= 1 << dice.roll(8),
        1 if at < bytes.len() => bytes[at] = dice.roll(256) as u8,
        // A number of any width, in either order.
        2 => {
            let number = NUMBERS[pick(dice, NUMBERS.len())].wrapping_add(dice.roll(3)).wrapping_sub(1);
            let width = 1 << dice.roll(4);
            let mut digits = number.to_le_bytes()[..width].to_vec();
            if dice.percent(30) {
                digits.reverse();
            }
            let end = (at + width).min(bytes.len());
            bytes.splice(at..end, digits);
        }
        3 => {
            let end = (at + pick(dice, 64)).min(bytes.len());
            bytes.drain(at..end);
        }
        4 => bytes.truncate(at),
        // A piece of it or of another one, here.
        5 | 6 => {
            let piece = match dice.percent(50) {
                true => piece_of(dice, bytes),
                false => {
                    let other = &others[pick(dice, others.len())];
                    piece_of(dice, other)
                }
            };
            bytes.splice(at..at, piece);
        }
        7 if dice.percent(20) => {
            let piece = piece_of(dice, bytes);
            let times = (1 + pick(dice, 20_000)).min(MOST_BYTES / piece.len().max(1));
            bytes.splice(at..at, piece.repeat(times));
        }
        _ if !words.is_empty() => {
            let word = words[pick(dice, words.len())];
            let end = if dice.percent(50) { at } else { (at + word.len()).min(bytes.len()) };
            bytes.splice(at..end, word.iter().copied());
        }
        _ => {}
    }
}

fn piece_of(dice: &mut Dice, bytes: &[u8]) -> Vec<u8> {
    let from = pick(dice, bytes.len() + 1);
    let length = if dice.percent(80) { pick(dice, 48) } else { pick(dice, bytes.len() + 1) };
    bytes[from..(from + length).min(bytes.len())].to_vec()
}

pub(super) fn pick(dice: &mut Dice, below: usize) -> usize {
    dice.roll(below as u64) as usize
}
