//! Industry codes (GB/T 4754-2017): section 门类 (a letter), division 大类 (two digits), group 中类 (three) and class 小类
//! (four), often with the section's letter in front, as in `A0111`.
//!
//! Sections and divisions are checked against the standard. Groups and classes are not listed here: of them only the
//! form and the division they belong to are checked.

/// A section: its letter, title, and first and last division.
struct Section {
    letter: char,
    title: &'static str,
    divisions: std::ops::RangeInclusive<u8>,
}

const fn section(letter: char, title: &'static str, first: u8, last: u8) -> Section {
    Section { letter, title, divisions: first..=last }
}

static SECTIONS: [Section; 20] = [
    section('A', "农、林、牧、渔业", 1, 5),
    section('B', "采矿业", 6, 12),
    section('C', "制造业", 13, 43),
    section('D', "电力、热力、燃气及水生产和供应业", 44, 46),
    section('E', "建筑业", 47, 50),
    section('F', "批发和零售业", 51, 52),
    section('G', "交通运输、仓储和邮政业", 53, 60),
    section('H', "住宿和餐饮业", 61, 62),
    section('I', "信息传输、软件和信息技术服务业", 63, 65),
    section('J', "金融业", 66, 69),
    section('K', "房地产业", 70, 70),
    section('L', "租赁和商务服务业", 71, 72),
    section('M', "科学研究和技术服务业", 73, 75),
    section('N', "水利、环境和公共设施管理业", 76, 79),
    section('O', "居民服务、修理和其他服务业", 80, 82),
    section('P', "教育", 83, 83),
    section('Q', "卫生和社会工作", 84, 85),
    section('R', "文化、体育和娱乐业", 86, 90),
    section('S', "公共管理、社会保障和社会组织", 91, 96),
    section('T', "国际组织", 97, 97),
];

/// The three industries 三次产业 (National Bureau of Statistics, 2018).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sector {
    /// 第一产业.
    Primary,
    /// 第二产业.
    Secondary,
    /// 第三产业.
    Tertiary,
}

impl Sector {
    /// Its name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Secondary => "secondary",
            Self::Tertiary => "tertiary",
        }
    }
}

/// A code whose section and division exist and fit each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndustryCode<'a> {
    section: usize,
    /// None for a section's letter alone; else two to four digits.
    digits: Option<&'a str>,
    division: u8,
}

impl<'a> IndustryCode<'a> {
    /// Reads `C`, `13`, `131`, `1311`, `C1311` and the like; None when section or division do not exist or disagree.
    pub fn parse(text: &'a str) -> Option<Self> {
        let letter = text.chars().next().filter(char::is_ascii_uppercase);
        let digits = if letter.is_some() { &text[1..] } else { text };
        let stated = match letter {
            Some(letter) => Some(SECTIONS.iter().position(|section| section.letter == letter)?),
            None => None,
        };
        if digits.is_empty() {
            return Some(Self { section: stated?, digits: None, division: 0 });
        }
        if !(2..=4).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let division = digits[..2].parse().ok()?;
        let section = SECTIONS.iter().position(|section| section.divisions.contains(&division))?;
        (stated.is_none() || stated == Some(section)).then_some(Self { section, digits: Some(digits), division })
    }

    /// The section's letter.
    pub fn section(&self) -> char {
        SECTIONS[self.section].letter
    }

    /// The section's title in Chinese.
    pub fn section_title(&self) -> &'static str {
        SECTIONS[self.section].title
    }

    /// The two digits of the division; None for a section alone.
    pub fn division(&self) -> Option<&'a str> {
        self.digits.map(|digits| &digits[..2])
    }

    /// Letter and digits, as in `A0111`.
    pub fn normalized(&self) -> String {
        format!("{}{}", self.section(), self.digits.unwrap_or_default())
    }

    /// The sector. None for sections A, B and C alone, whose divisions lie in two sectors.
    pub fn sector(&self) -> Option<Sector> {
        match (self.section(), self.digits, self.division) {
            ('A' | 'B' | 'C', None, _) => None,
            (_, _, 5 | 11 | 43) => Some(Sector::Tertiary),
            ('A', ..) => Some(Sector::Primary),
            ('B' | 'C' | 'D' | 'E', ..) => Some(Sector::Secondary),
            _ => Some(Sector::Tertiary),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn sections_and_sectors() {
        for (text, section, sector) in [
            ("01", 'A', Some(Sector::Primary)),
            ("05", 'A', Some(Sector::Tertiary)),
            ("11", 'B', Some(Sector::Tertiary)),
            ("12", 'B', Some(Sector::Secondary)),
            ("13", 'C', Some(Sector::Secondary)),
            ("43", 'C', Some(Sector::Tertiary)),
            ("44", 'D', Some(Sector::Secondary)),
            ("E", 'E', Some(Sector::Secondary)),
            ("65", 'I', Some(Sector::Tertiary)),
            ("70", 'K', Some(Sector::Tertiary)),
            ("97", 'T', Some(Sector::Tertiary)),
            ("0111", 'A', Some(Sector::Primary)),
            ("C", 'C', None),
        ] {
            let code = IndustryCode::parse(text).unwrap();
            assert_eq!((code.section(), code.sector()), (section, sector), "{text}");
        }
    }

    #[test]
    fn what_is_no_code() {
        for text in ["00", "98", "A51", "", "1", "01111", "A1", "U", "a01", "Ａ01", "01 ", "稻", "1é"] {
            assert_eq!(IndustryCode::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_letter_is_put_in_front() {
        for (text, normalized) in [("0111", "A0111"), ("A0111", "A0111"), ("C", "C"), ("97", "T97")] {
            assert_eq!(IndustryCode::parse(text).unwrap().normalized(), normalized);
        }
        assert_eq!(IndustryCode::parse("0111").unwrap().division(), Some("01"));
    }

    #[test]
    fn the_97_divisions_belong_to_20_sections_without_gap() {
        let divisions: Vec<u8> = SECTIONS.iter().flat_map(|section| section.divisions.clone()).collect();
        assert_eq!(divisions, (1..=97).collect::<Vec<u8>>());
    }
}
