//! The least and greatest of many texts, with few comparisons of whole texts.

/// Bytes that are compared at once.
const HEAD: usize = size_of::<u64>();

/// The least and greatest of the texts seen so far, in the order of their bytes.
///
/// Most texts lie between the two. That is told from the eight bytes behind the beginning that the two have in common,
/// where names of firms and codes of one place differ.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    any: bool,
    least: Vec<u8>,
    greatest: Vec<u8>,
    /// Bytes that both begin with.
    common: usize,
    low: u64,
    high: u64,
}

impl Bounds {
    /// Least and greatest, where there was a text.
    pub(super) fn get(&self) -> Option<(&[u8], &[u8])> {
        self.any.then_some((&self.least, &self.greatest))
    }

    pub(super) fn push(&mut self, text: &[u8]) {
        if let Some((start, rest)) = text.split_at_checked(self.common)
            && self.any
            && start == &self.least[..self.common]
        {
            let head = head(rest);
            if self.low < head && head < self.high {
                return;
            }
        }
        self.widen(text);
    }

    fn widen(&mut self, text: &[u8]) {
        let (is_less, is_greater) = (!self.any || text < &*self.least, !self.any || text > &*self.greatest);
        for (_, bound) in
            [(is_less, &mut self.least), (is_greater, &mut self.greatest)].into_iter().filter(|(is, _)| *is)
        {
            bound.clear();
            bound.extend_from_slice(text);
        }
        self.any = true;
        if is_less || is_greater {
            self.common = self.least.iter().zip(&self.greatest).take_while(|(one, other)| one == other).count();
            self.low = head(&self.least[self.common..]);
            self.high = head(&self.greatest[self.common..]);
        }
    }

    pub(super) fn clear(&mut self) {
        self.any = false;
        self.common = 0;
    }
}

/// The first bytes, as a number that has their order; a text that ends has zeros. Where one is less, so is its text.
fn head(text: &[u8]) -> u64 {
    if let Some(head) = text.first_chunk::<HEAD>() {
        return u64::from_be_bytes(*head);
    }
    let mut head = [0; HEAD];
    head[..text.len()].copy_from_slice(text);
    u64::from_be_bytes(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn the_least_and_the_greatest_are_found(texts in proptest::collection::vec("(吉林){0,3}[a\u{0}b省]{0,10}", 0..40)) {
            let mut bounds = Bounds::default();
            for _ in 0..2 {
                bounds.clear();
                texts.iter().for_each(|text| bounds.push(text.as_bytes()));
                let expected = texts.iter().min().zip(texts.iter().max());
                let expected = expected.map(|(least, greatest)| (least.as_bytes(), greatest.as_bytes()));
                proptest::prop_assert_eq!(bounds.get(), expected);
            }
        }
    }
}
