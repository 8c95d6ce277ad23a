//! How currencies and units of amounts are written.

/// Powers of ten before the currency, the longest first.
const MULTIPLIERS: [(&str, i32); 10] = [
    ("万亿", 12),
    ("千亿", 11),
    ("百亿", 10),
    ("十亿", 9),
    ("千万", 7),
    ("百万", 6),
    ("十万", 5),
    ("亿", 8),
    ("万", 4),
    ("千", 3),
];

/// What follows a number: a power of ten and a currency, each of which may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unit {
    /// The power of ten as written, or `元`, `角`, `分`.
    pub(super) name: &'static str,
    pub(super) exponent: i32,
    /// ISO 4217; None when the text names none.
    pub(super) currency: Option<&'static str>,
}

/// Reads a unit such as `万元人民币`. Outer None: no unit that is known; `Some(None)`: nothing is written.
pub(super) fn parse_unit(text: &str) -> Option<Option<Unit>> {
    let multiplier = MULTIPLIERS.iter().find_map(|(name, power)| Some((*name, *power, text.strip_prefix(name)?)));
    let (name, exponent, rest) = match multiplier {
        Some((name, exponent, rest)) => (Some(name), exponent, rest),
        None => (None, 0, text),
    };
    let (part, currency) = match rest {
        "" => (None, None),
        "角" | "角整" | "角人民币" => (Some(("角", -1)), Some("CNY")),
        "分" | "分人民币" => (Some(("分", -2)), Some("CNY")),
        currency => (None, Some(parse_currency(currency)?)),
    };
    match (name, part, currency) {
        (None, None, None) => Some(None),
        (Some(_), Some(_), _) => None, // 万角
        (None, Some((name, exponent)), _) => Some(Some(Unit { name, exponent, currency })),
        (name, None, _) => Some(Some(Unit { name: name.unwrap_or("元"), exponent, currency })),
    }
}

/// The ISO 4217 code of a currency as written after a number.
pub(super) fn parse_currency(text: &str) -> Option<&'static str> {
    Some(match text {
        "元" | "圆" | "元整" | "圆整" | "元正" | "圆正" | "元人民币" | "人民币" | "人民币元" | "CNY" | "RMB" | "¥" => {
            "CNY"
        }
        "美元" | "美金" | "USD" => "USD",
        "港元" | "港币" | "HKD" => "HKD",
        "日元" | "日圆" | "JPY" => "JPY",
        "欧元" | "EUR" => "EUR",
        "英镑" | "GBP" => "GBP",
        "澳元" | "澳大利亚元" | "AUD" => "AUD",
        "加元" | "加拿大元" | "加币" | "CAD" => "CAD",
        "新加坡元" | "新加坡币" | "SGD" => "SGD",
        "瑞士法郎" | "CHF" => "CHF",
        "韩元" | "韩币" | "KRW" => "KRW",
        "新台币" | "台币" | "新台币元" | "TWD" => "TWD",
        "澳门元" | "澳门币" | "MOP" => "MOP",
        "卢布" | "俄罗斯卢布" | "RUB" => "RUB",
        "新西兰元" | "NZD" => "NZD",
        "瑞典克朗" | "SEK" => "SEK",
        "丹麦克朗" | "DKK" => "DKK",
        "挪威克朗" | "NOK" => "NOK",
        "泰铢" | "THB" => "THB",
        _ => return None,
    })
}

/// A currency written before the number, and the rest of the text.
pub(super) fn strip_leading_currency(text: &str) -> (Option<&'static str>, &str) {
    const LEADING: [&str; 13] =
        ["人民币", "¥", "CNY", "RMB", "USD", "HKD", "JPY", "EUR", "GBP", "美元", "港币", "港元", "欧元"];
    let found = LEADING.iter().find_map(|name| Some((parse_currency(name), text.strip_prefix(name)?)));
    found.unwrap_or((None, text))
}
