//! Parquet's hybrid of run lengths and bit packing, in which levels and the codes of dictionaries are written.
//!
//! Source: Apache Parquet format, Encodings.md, "Run Length Encoding / Bit-Packing Hybrid (RLE = 3)".

/// Values that are packed together, and of which a run is worth its header.
const GROUP: usize = 8;

/// Bits that the greatest of `count` codes, which begin at 0, needs.
pub(super) fn width_of(count: usize) -> u8 {
    // A dictionary's page is far smaller than 2^32 bytes.
    (usize::BITS - count.saturating_sub(1).leading_zeros()) as u8
}

/// Appends `values`, of which each fits in `width` bits (0 to 32).
pub(super) fn encode(values: &[u32], width: u8, out: &mut Vec<u8>) {
    if width == 0 {
        // One code, which takes no room: a run of any length.
        if !values.is_empty() {
            repeat(0, values.len(), width, out);
        }
        return;
    }
    let (mut packed_from, mut at) = (0, 0);
    while let Some(value) = values.get(at) {
        let run = values[at..].iter().take_while(|other| *other == value).count();
        // What is packed comes in whole groups: the run may have to lend some values.
        let lent = (at - packed_from).next_multiple_of(GROUP) - (at - packed_from);
        if run >= GROUP + lent {
            pack(&values[packed_from..at + lent], width, out);
            repeat(*value, run - lent, width, out);
            packed_from = at + run;
        }
        at += run;
    }
    pack(&values[packed_from..], width, out);
}

/// Appends `count` times the same value.
pub(super) fn repeat(value: u32, count: usize, width: u8, out: &mut Vec<u8>) {
    varint((count as u64) << 1, out);
    out.extend_from_slice(&value.to_le_bytes()[..usize::from(width).div_ceil(8)]);
}

/// Values one after the other, the lowest bits first; zeros fill the last group.
fn pack(values: &[u32], width: u8, out: &mut Vec<u8>) {
    if values.is_empty() {
        return;
    }
    let groups = values.len().div_ceil(GROUP);
    varint((groups as u64) << 1 | 1, out);
    let end = out.len() + groups * usize::from(width);
    out.reserve(groups * usize::from(width) + size_of::<u32>());
    let (mut bits, mut count) = (0_u64, 0);
    for value in values {
        bits |= u64::from(*value) << count;
        count += u32::from(width);
        if count >= u32::BITS {
            out.extend_from_slice(&(bits as u32).to_le_bytes());
            bits >>= u32::BITS;
            count -= u32::BITS;
        }
    }
    out.extend_from_slice(&(bits as u32).to_le_bytes());
    out.resize(end, 0);
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(values: &[u32], width: u8) -> Vec<u8> {
        let mut out = Vec::new();
        encode(values, width, &mut out);
        out
    }

    /// The example of the format's description: 0 to 7 in three bits.
    #[test]
    fn values_are_packed_from_the_lowest_bit_on() {
        assert_eq!(encoded(&[0, 1, 2, 3, 4, 5, 6, 7], 3), [3, 0b1000_1000, 0b1100_0110, 0b1111_1010]);
    }

    #[test]
    fn runs_begin_at_whole_groups() {
        assert_eq!(encoded(&[1; 20], 1), [40, 1]);
        assert!(encoded(&[], 1).is_empty());
        // No bits at all where a dictionary has one value.
        assert_eq!(encoded(&[0; 9], 0), [18]);
        assert_eq!(encoded(&[0; 3], 0), [6]);
        // Three values and five of the run are a group; the run's other eight follow.
        let mut values = vec![1, 0, 1];
        values.extend([1; 13]);
        assert_eq!(encoded(&values, 1), [3, 0b1111_1101, 16, 1]);
        // A run that would lend too much is packed.
        assert_eq!(encoded(&values[..15], 1), [5, 0b1111_1101, 0b0111_1111]);
        assert_eq!(encoded(&[300; 8], 9), [16, 44, 1]);
    }

    #[test]
    fn as_many_bits_as_the_last_code_needs() {
        let widths = [0, 1, 2, 3, 4, 5, 256, 257].map(width_of);
        assert_eq!(widths, [0, 0, 1, 2, 2, 3, 8, 9]);
    }
}
