//! Whole numbers in Chinese numerals, everyday (三百二十) and formal (叁佰贰拾).

/// The value of a digit.
pub(crate) fn digit(c: char) -> Option<u8> {
    Some(match c {
        '零' | '〇' | '○' => 0,
        '一' | '壹' => 1,
        '二' | '贰' | '貳' | '两' => 2,
        '三' | '叁' => 3,
        '四' | '肆' => 4,
        '五' | '伍' => 5,
        '六' | '陆' => 6,
        '七' | '柒' => 7,
        '八' | '捌' => 8,
        '九' | '玖' => 9,
        _ => return None,
    })
}

/// What a power of ten below 万 multiplies by.
fn small_unit(c: char) -> Option<i128> {
    Some(match c {
        '十' | '拾' => 10,
        '百' | '佰' => 100,
        '千' | '仟' => 1_000,
        _ => return None,
    })
}

/// What a power of ten from 万 on multiplies by.
fn large_unit(c: char) -> Option<i128> {
    Some(match c {
        '万' | '萬' => 10_000,
        '亿' | '億' => 100_000_000,
        _ => return None,
    })
}

/// Whether `c` can stand in a numeral.
pub(crate) fn is_numeral(c: char) -> bool {
    digit(c).is_some() || small_unit(c).is_some() || large_unit(c).is_some()
}

/// The value of a numeral with its units, as in 壹佰万, 二十六 or 三万亿. None when digits and units do not alternate as they
/// should.
pub(crate) fn parse(text: &str) -> Option<i128> {
    // `total`: whole 亿; `section`: whole 万 below; `group`: below 万; `pending`: a digit without its unit yet.
    let (mut total, mut section, mut group) = (0i128, 0i128, 0i128);
    let mut pending: Option<i128> = None;
    let mut last_unit = i128::MAX;
    let mut is_first = true;
    for c in text.chars() {
        if let Some(value) = digit(c) {
            if pending.is_some_and(|pending| pending != 0) {
                return None;
            }
            pending = Some(i128::from(value));
        } else if let Some(unit) = small_unit(c) {
            let implied = (is_first && unit == 10).then_some(1); // 十六 is 一十六
            let count = pending.take().filter(|digit| *digit != 0).or(implied)?;
            if unit >= last_unit {
                return None;
            }
            last_unit = unit;
            group += count * unit;
        } else {
            let unit = large_unit(c)?;
            group += pending.take().unwrap_or(0);
            if unit == 10_000 {
                if group == 0 || section != 0 {
                    return None;
                }
                section = group.checked_mul(unit)?;
            } else {
                let count = section + group;
                if count == 0 || total != 0 {
                    return None;
                }
                total = count.checked_mul(unit)?;
                section = 0;
            }
            group = 0;
            last_unit = i128::MAX;
        }
        is_first = false;
    }
    (!is_first).then(|| total + section + group + pending.unwrap_or(0))
}

/// The value of a row of digits without units, as in the year 二〇一九.
pub(crate) fn parse_digits(text: &str) -> Option<u32> {
    text.chars().try_fold(0u32, |number, c| number.checked_mul(10)?.checked_add(u32::from(digit(c)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numerals() {
        for (text, value) in [
            ("零", 0),
            ("十", 10),
            ("十六", 16),
            ("二十六", 26),
            ("三百零五", 305),
            ("壹佰万", 1_000_000),
            ("叁仟伍佰贰拾", 3_520),
            ("一亿二千万", 120_000_000),
            ("一万亿", 1_000_000_000_000),
            ("两万零三百", 20_300),
        ] {
            assert_eq!(parse(text), Some(value), "{text}");
        }
    }

    #[test]
    fn what_is_no_numeral() {
        for text in ["", "百", "一二", "十百", "二十三十", "万", "一万二万", "元", "1"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse_digits("二〇一九"), Some(2019));
        assert_eq!(parse_digits("二千"), None);
    }
}
