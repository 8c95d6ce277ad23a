//! Parameters of query strings. Handlers take theirs one by one, so these lists stand beside them; a test asks every path
//! for the parameters that it knows.

use serde_json::{Value, json};
use utoipa::IntoParams;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn, ParameterStyle};
use utoipa::openapi::schema::{ArrayBuilder, Object, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::openapi::{KnownFormat, Required};

use crate::encode::Format;

const FORMAT: &str = "Format of the reply; without it the header `Accept` decides, and JSON where that says nothing";

macro_rules! parameters {
    ($(#[$doc:meta])* $name:ident: $make:expr) => {
        $(#[$doc])*
        pub(crate) struct $name;

        impl IntoParams for $name {
            fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
                $make
            }
        }
    };
}

parameters!(
    /// Of replies that are JSON only.
    JsonParams: vec![choice("format", FORMAT, &["json"])]
);

parameters!(
    /// Of every reply with rows.
    RowsParams: {
        let formats: Vec<_> = Format::ALL.iter().map(|format| format.name()).collect();
        vec![
            choice("format", FORMAT, &formats),
            choice(
                "numbers",
                "JSON: `native` writes 64-bit integers and decimals as numbers instead of strings",
                &["text", "native"],
            ),
            choice("bom", "CSV: a byte order mark in front, for spreadsheets", &["false", "true"]),
            choice(
                "formulas",
                "CSV: `escape` puts an apostrophe before text that a spreadsheet would run as a formula",
                &["keep", "escape"],
            ),
        ]
    }
);

parameters!(
    /// Of a statement in the address.
    SqlParams: vec![
        ParameterBuilder::from(text("sql", "One read-only statement", json!("SELECT 1 AS one")))
            .required(Required::True)
            .build(),
        whole("limit", "Rows at the most; `truncated` says whether there were more", 0, None),
    ]
);

parameters!(
    /// Of a query that may still run.
    WaitParams: vec![whole("wait", "Seconds to wait for its end", 0, Some(60))]
);

parameters!(
    /// Of a result that is kept.
    ChunkParams: vec![whole("chunk", "The number of a chunk, from 0; all rows unless said", 0, None)]
);

parameters!(
    /// Of a metric's answer: what is told of the tables under it.
    DepthParams: vec![choice("provenance", "How much is told of what the figures rest on", &["full", "summary", "none"])]
);

parameters!(
    /// Of questions that may be explained instead of answered.
    ExplainParams: vec![choice("explain", "`true` tells the SQL and the plan that would be run", &["true", "false"])]
);

parameters!(
    /// Of replies that hold rows and are JSON only.
    JsonRowsParams: vec![
        choice("format", FORMAT, &["json"]),
        choice("numbers", "`native` writes 64-bit integers and decimals as numbers", &["text", "native"]),
    ]
);

parameters!(
    /// Of what is listed page by page.
    PartParams: vec![
        whole("limit", "Rows of the page; 100 unless said", 1, Some(10_000)),
        query("page", "The token `next_page` of the page before", text_schema().build()),
    ]
);

parameters!(
    /// Of the rows behind a figure.
    OriginParams: vec![
        query("where", "A predicate over dimensions, as in `channel = 'online'`", text_schema().build()),
        choice("grain", "Length of a period", &["hour", "day", "working-day", "week", "month", "quarter", "year"]),
        day("from", "First day, inclusive"),
        day("to", "Last day, inclusive"),
        choice("regions", "How old division codes are read", &["as_was", "as_is"]),
        whole("limit", "Lines of the page; 100 unless said", 1, Some(1_000)),
        query("page", "The token `next_page` of the page before", text_schema().build()),
    ]
);

parameters!(
    /// Names a submission of an asynchronous query.
    SubmissionHeader: vec![key_header(
        Required::False,
        "With `wait`: the same submission, sent again under its key, is the same query",
    )]
);

parameters!(
    /// Of a page of a table.
    PageParams: vec![
        whole("limit", "Rows of the page; 100 unless said", 1, Some(10_000)),
        list("columns", "Columns to show, separated by commas; all unless said", Vec::new()),
        query("page", "The token `next_page` of the page before", text_schema().build()),
    ]
);

parameters!(
    /// Of a metric.
    MetricParams: vec![
        list("by", "Dimensions to group by, separated by commas; `region.prefecture` is a level of a region", Vec::new()),
        query("where", "A predicate over dimensions, as in `channel = 'online'`", text_schema().build()),
        choice(
            "grain",
            "Length of a period; without it one figure over the whole range",
            &["hour", "day", "working-day", "week", "month", "quarter", "year"],
        ),
        day("from", "First day, inclusive"),
        day("to", "Last day, inclusive"),
        list("order", "Columns to order by, each with `-` in front for descending, separated by commas", Vec::new()),
        whole("limit", "Rows at the most; `truncated` says whether there were more", 0, None),
        choice(
            "regions",
            "How old division codes are read: as they were (原区划) or as what succeeded them (现区划)",
            &["as_was", "as_is"],
        ),
    ]
);

parameters!(
    /// Names a request that sends rows.
    KeyHeader: vec![key_header(Required::True, "Names the request: sent again under its key, it adds nothing")]
);

fn key_header(required: Required, description: &str) -> Parameter {
    ParameterBuilder::new()
        .name("idempotency-key")
        .parameter_in(ParameterIn::Header)
        .required(required)
        .description(Some(description))
        .schema(Some(text_schema().min_length(Some(1)).max_length(Some(200)).pattern(Some("^[!-~]+$"))))
        .build()
}

/// A list of `items`, or of any texts where there are none.
pub(super) fn list(name: &str, description: &str, items: Vec<String>) -> Parameter {
    let item = match items.is_empty() {
        true => text_schema(),
        false => text_schema().enum_values(Some(items)),
    };
    let list = ArrayBuilder::new().items(item.build()).build();
    ParameterBuilder::from(query(name, description, Schema::Array(list)))
        .style(Some(ParameterStyle::Form))
        .explode(Some(false))
        .build()
}

pub(super) fn choice(name: &str, description: &str, values: &[&str]) -> Parameter {
    let values = values.iter().copied();
    query(name, description, text_schema().enum_values(Some(values)).build())
}

fn text(name: &str, description: &str, example: Value) -> Parameter {
    query(name, description, text_schema().examples([example]).build())
}

fn whole(name: &str, description: &str, least: u64, most: Option<u64>) -> Parameter {
    let number = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(least as f64))
        .maximum(most.map(|most| most as f64));
    query(name, description, number.build())
}

fn day(name: &str, description: &str) -> Parameter {
    let format = SchemaFormat::KnownFormat(KnownFormat::Date);
    query(name, description, text_schema().format(Some(format)).examples([json!("2019-03-26")]).build())
}

fn text_schema() -> ObjectBuilder {
    Object::builder().schema_type(Type::String)
}

fn query(name: &str, description: &str, schema: impl Into<Schema>) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(schema.into()))
        .extensions(chinese(name).map(|zh| Extensions::from_iter([("x-zh", zh)])))
        .build()
}

/// The description in Chinese.
fn chinese(name: &str) -> Option<&'static str> {
    Some(match name {
        "format" => "结果格式；不写时由请求头 `Accept` 决定，默认为 JSON",
        "numbers" => "JSON：`native` 将 64 位整数和小数写成数字，而不是字符串",
        "bom" => "CSV：文件开头加字节顺序标记，便于电子表格打开",
        "formulas" => "CSV：`escape` 在会被当作公式执行的文本前加撇号",
        "sql" => "一条只读语句",
        "limit" => "最多返回的行数；是否还有更多见 `truncated`",
        "columns" => "要显示的列，以逗号分隔；默认全部",
        "page" => "上一页返回的 `next_page`",
        "provenance" => "数据来源说明的详细程度",
        "explain" => "`true` 只给出将要执行的 SQL 与计划",
        "wait" => "最多等待查询结束的秒数",
        "chunk" => "结果块的序号，从 0 开始；默认返回全部",
        "by" => "分组维度，以逗号分隔；`region.prefecture` 表示区划的一级",
        "where" => "对维度的筛选条件，如 `channel = 'online'`",
        "grain" => "统计周期；不写则对整个时段计算一个值",
        "from" => "起始日（含）",
        "to" => "截止日（含）",
        "order" => "排序列，以逗号分隔，前加 `-` 为降序",
        "regions" => "旧区划代码按原区划（as_was）还是现区划（as_is）统计",
        _ => return None,
    })
}
