//! `batch` and `max_rejected` of a pipeline: what must hold of a load as a whole.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use xiangyun_engine::catalog::TableName;
use xiangyun_engine::functions::amounts::{PERCENT_SCALE, parse_percent};

/// A check of a load as a whole, made when all its rows have been read and before anything is committed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchCheckDef {
    /// What must hold.
    pub rule: BatchRule,
    /// What to do where it does not.
    #[serde(default)]
    pub on_fail: OnBatchFail,
}

/// What must hold of a load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BatchRule {
    /// It has about as many rows as the pipeline's last one.
    RowCount(RowCountRule),
    /// A date column has every day of its period.
    NoDayMissing(DaysRule),
    /// The values of a column are found in a column of another table.
    FoundIn(FoundInRule),
    /// It has as many rows, or as great a sum, as the agency says.
    ControlTotal(ControlTotalRule),
    /// With it, the table keeps the freshness promise of its contract.
    Fresh,
}

/// About as many rows as the last time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RowCountRule {
    /// The greatest difference, of the rows that the pipeline's last load read, as in `20%`.
    pub within: Share,
}

/// No day is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DaysRule {
    /// The date column.
    pub column: String,
    /// Which days must be there.
    #[serde(default)]
    pub days: DaysOf,
    /// Within which period.
    #[serde(default)]
    pub period: DaysPeriod,
}

/// Days that must be there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DaysOf {
    /// Each day.
    #[default]
    Calendar,
    /// Each working day by the State Council's notices; where a year has none, that is a finding of its own.
    Working,
}

/// The period whose days must be there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DaysPeriod {
    /// From the first to the last day of the load.
    #[default]
    Span,
    /// Each month of which the load has a day.
    Month,
    /// Each year of which the load has a day.
    Year,
}

/// Values that another table has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FoundInRule {
    /// The column of the load.
    pub column: String,
    /// The other table.
    pub table: TableName,
    /// Its column.
    pub of: String,
    /// The least share of rows whose value is found; missing values do not count.
    #[serde(default)]
    pub share: Share,
}

/// What an agency says of the rows it sent. Numbers stand in the pipeline, in a file beside each
/// source file, or in its footer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ControlTotalRule {
    /// Rows.
    pub rows: Option<u64>,
    /// The column that is summed.
    pub column: Option<String>,
    /// Its sum.
    pub sum: Option<String>,
    /// What is put behind a source file's name to give that of its control file, as in `.ctl`. In it stands `rows=100`, or
    /// `rows=100` and `sum=123.45`, each on a line of its own.
    pub file_suffix: Option<String>,
    /// What finds the numbers in the footer of each source file: a regular expression with the groups `rows` and `sum`, or
    /// one of them, as in `合计,,(?<sum>[0-9.,]+)`. It is looked for in each line of the footer; where the file was split
    /// into columns already, in the values with commas between them.
    pub footer: Option<String>,
}

/// What to do where a check of a load does not hold. Its rows cannot be told apart, so that none is rejected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnBatchFail {
    /// The run fails; nothing is committed.
    #[default]
    Stop,
    /// The load is committed, and the finding stands in the run's notes.
    Warn,
}

/// How many rejected rows a load may have: a number, or a share of the rows that were read, as in `5%`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Tolerance {
    /// So many.
    Rows(u64),
    /// A share of them.
    Share(Share),
}

impl Tolerance {
    /// Whether `rejected` of `read` rows are more than may be.
    pub(crate) fn is_passed(&self, rejected: u64, read: u64) -> bool {
        match self {
            Self::Rows(most) => rejected > *most,
            Self::Share(share) => share.of(read) < i128::from(rejected) * ONE,
        }
    }
}

impl std::fmt::Display for Tolerance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rows(most) => write!(f, "{most}"),
            Self::Share(share) => f.write_str(&share.text),
        }
    }
}

/// Ten to the power of [`PERCENT_SCALE`].
const ONE: i128 = 10_i128.pow(PERCENT_SCALE);

/// A share, as in `5%` or `99.5%`; from 0% to 1000%.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Share {
    text: String,
    /// In units of 10^-10.
    value: i128,
}

impl Share {
    /// That share of `rows`, in units of 10^-10 of a row.
    pub(crate) fn of(&self, rows: u64) -> i128 {
        i128::from(rows) * self.value
    }

    /// Whether `part` of `rows` is less than the share.
    pub(crate) fn is_missed(&self, part: u64, rows: u64) -> bool {
        i128::from(part) * ONE < self.of(rows)
    }

    /// Whether `one` and `other` differ by more than that share of `other`.
    pub(crate) fn is_beyond(&self, one: u64, other: u64) -> bool {
        i128::from(one.abs_diff(other)) * ONE > self.of(other)
    }
}

impl Default for Share {
    fn default() -> Self {
        Self { text: "100%".into(), value: ONE }
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for Share {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match parse_percent(&text) {
            Some(value) if (0..=10 * ONE).contains(&value) => Ok(Self { text, value }),
            _ => Err(format!("`{text}` is no share: write it as \"5%\"")),
        }
    }
}

impl From<Share> for String {
    fn from(share: Share) -> Self {
        share.text
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    fn share(text: &str) -> Share {
        Share::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn shares_are_exact() {
        // A third of three rows is not quite one.
        assert!(Tolerance::Share(share("33.3333%")).is_passed(1, 3));
        assert!(!Tolerance::Share(share("5%")).is_passed(5, 100));
        assert!(Tolerance::Share(share("5%")).is_passed(6, 100));
        assert!(Tolerance::Share(share("0%")).is_passed(1, u64::MAX));
        assert!(!Tolerance::Rows(3).is_passed(3, 3) && Tolerance::Rows(3).is_passed(4, 4));
        assert!(share("99.5%").is_missed(994, 1000) && !share("99.5%").is_missed(995, 1000));
        assert!(
            share("20%").is_beyond(121, 100) && share("20%").is_beyond(79, 100) && !share("20%").is_beyond(80, 100)
        );
        for text in ["5", "-1%", "1001%", "", "five"] {
            assert!(Share::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
