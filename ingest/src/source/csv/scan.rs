//! Finding bytes in text, eight at a time: fields are too short for a vectorised search to start up.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// The position, from `from` on, of the first byte that is one of `wanted`; the text's length where there is none.
pub(super) fn find(text: &[u8], from: usize, wanted: [u8; 3]) -> usize {
    let patterns = wanted.map(|byte| ONES * u64::from(byte));
    let mut at = from;
    while let Some(eight) = text.get(at..at + 8).and_then(|eight| <[u8; 8]>::try_from(eight).ok()) {
        let eight = u64::from_le_bytes(eight);
        // The lowest high bit of each is exact: borrows only run upwards.
        let found = patterns.iter().fold(0, |found, pattern| {
            let difference = eight ^ pattern;
            found | (difference.wrapping_sub(ONES) & !difference & HIGHS)
        });
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let rest = text.get(at..).unwrap_or_default();
    rest.iter().position(|byte| wanted.contains(byte)).map_or(text.len(), |found| at + found)
}

/// The position, from `from` on, of the first line end; the text's length where there is none.
pub(super) fn find_line_end(text: &[u8], from: usize) -> usize {
    find(text, from, [b'\n', b'\r', b'\n'])
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn the_first_is_found(text in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..40), from in 0usize..40) {
            let wanted = [text.first().copied().unwrap_or(0), b',', 0x80];
            let from = from.min(text.len());
            let found = text[from..].iter().position(|byte| wanted.contains(byte)).map_or(text.len(), |at| from + at);
            proptest::prop_assert_eq!(find(&text, from, wanted), found);
        }
    }
}
