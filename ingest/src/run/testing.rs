//! A small contract and pipeline for tests.
#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use xiangyun_engine::catalog::TableDef;

use crate::pipeline::PipelineDef;

pub(crate) const TABLE: &str = r#"
version = 1
name = "market.trades"
agency = "吉林省市场监督管理厅"
owner = "market office"
level = "general-1"
sharing = "unconditional"
title = { zh = "交易", en = "trades" }
description = { zh = "测试用", en = "for tests" }
primary_key = ["id"]
columns = [
    { name = "id", type = "int64" },
    { name = "uscc", type = "text", nullable = true, code_list = "uscc" },
    { name = "amount", type = "decimal(10,2)", nullable = true },
    { name = "on", type = "date" },
]
"#;

pub(crate) const PIPELINE: &str = r#"
version = 1
name = "trades"
table = "market.trades"
source = { kind = "csv", path = "data/trades.csv" }
columns = { on = "日期" }
mode = "replace"
duplicates = "remove"
"#;

pub(crate) fn table() -> TableDef {
    toml::from_str(TABLE).unwrap()
}

pub(crate) fn pipeline() -> PipelineDef {
    toml::from_str(PIPELINE).unwrap()
}
