//! Masking 脱敏 of personal data: what stays is counted in characters, not bytes.
//!
//! A value too short for its rule is hidden whole, since what the rule keeps would be all of it. Masked values are for
//! showing: they must not be joined on.

use super::divisions::Divisions;

/// Stars for a hidden part whose length is not to be told.
const HIDDEN: &str = "******";

/// Keeps the first 6 and the last 4 characters of an identity number.
pub fn identity_number(text: &str) -> String {
    keep_ends(text, 6, 4)
}

/// Keeps the first and the last character of an identity number.
pub fn identity_number_strict(text: &str) -> String {
    keep_ends(text, 1, 1)
}

/// Keeps the first 3 and the last 4 digits of a mobile number.
pub fn mobile(text: &str) -> String {
    keep_ends(text, 3, 4)
}

/// Keeps the last 4 digits of a bank account.
pub fn bank_account(text: &str) -> String {
    keep_ends(text, 0, 4)
}

/// Keeps the first character of a name of two, the first and last of a longer one (of 欧阳小明 too), nothing of a single
/// one.
pub fn name(text: &str) -> String {
    match text.chars().count() {
        2 => keep_ends(text, 1, 0),
        _ => keep_ends(text, 1, 1),
    }
}

/// Keeps an address down to its county; six stars stand for the rest, however long. An address that does not begin with
/// a known division is hidden whole.
pub fn address(text: &str, divisions: &Divisions) -> String {
    let kept = divisions.leading_names(text);
    if kept == text.len() { text.to_owned() } else { format!("{}{HIDDEN}", &text[..kept]) }
}

fn keep_ends(text: &str, first: usize, last: usize) -> String {
    let count = text.chars().count();
    let shows_all = first + last >= count;
    let keeps = |position: usize| !shows_all && (position < first || position + last >= count);
    text.chars().enumerate().map(|(position, c)| if keeps(position) { c } else { '*' }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn vectors() {
        assert_eq!(identity_number("11010519491231002X"), "110105********002X");
        assert_eq!(identity_number_strict("11010519491231002X"), "1****************X");
        assert_eq!(mobile("13800138000"), "138****8000");
        assert_eq!(bank_account("6222021234567890123"), "***************0123");
        for (clear, masked) in
            [("张三", "张*"), ("张小三", "张*三"), ("欧阳小明", "欧**明"), ("𠮷田", "𠮷*"), ("张", "*"), ("", "")]
        {
            assert_eq!(name(clear), masked);
        }
    }

    #[test]
    fn addresses_keep_their_county() {
        let divisions = Divisions::built_in();
        for (clear, masked) in [
            ("吉林省长春市南关区XX路1号", "吉林省长春市南关区******"),
            ("吉林省公主岭市怀德镇1号", "吉林省公主岭市******"),
            ("吉林省长春市", "吉林省长春市"),
            ("长春市南关区XX路1号", "长春市南关区******"),
            ("北京市朝阳区建国路1号", "北京市朝阳区******"),
            ("某某路1号", "******"),
        ] {
            assert_eq!(address(clear, &divisions), masked);
        }
    }

    #[test]
    fn a_short_value_is_hidden_whole() {
        assert_eq!(mobile("1234567"), "*******");
        assert_eq!(bank_account("0123"), "****");
        assert_eq!(identity_number("1101050021"), "**********");
    }

    proptest! {
        #[test]
        fn masking_keeps_the_length_and_hides_something(text in "\\PC{1,24}") {
            for mask in [identity_number, identity_number_strict, mobile, bank_account, name] {
                let masked = mask(&text);
                prop_assert_eq!(masked.chars().count(), text.chars().count());
                prop_assert!(masked.contains('*'));
            }
        }
    }
}
