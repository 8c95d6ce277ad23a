//! One statement: its size and depth are bounded before it is parsed, and only reading statements pass.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::common::DataFusionError;
use datafusion::common::format::ExplainStatementOptions;
use datafusion::sql::parser::{DFParserBuilder, ExplainStatement, Statement as AnyStatement};
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, GroupByExpr, ObjectName, Query, Select, SetExpr, ShowStatementIn, ShowStatementInClause,
    ShowStatementOptions, Statement, Visit, Visitor,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use super::derived;
use super::error::QueryError;
use super::parameters::{self, Parameters};
use super::translate::syntax;
use crate::error::SqlPosition;

/// Levels that brackets may be nested, and that the parser descends.
pub(crate) const MAX_DEPTH: usize = 100;
/// Operators and keywords of one statement. Each may add a level to a tree that is walked, and freed, recursively.
const MAX_OPERATORS: usize = 2_000;
/// Tables that a statement may read, with WITH queries written out wherever their names stand.
const MAX_SCANS: u64 = 2_000;
/// Subqueries as values or conditions, each within the one before. The optimizer's work doubles with each level.
const MAX_SUBQUERIES: usize = 10;
/// Columns of a SELECT or a VALUES. The planner looks for each of their names among all others.
const MAX_COLUMNS: usize = 5_000;
/// WITH clauses, each within the one before. Whoever looks for the tables of a statement looks twice at each.
const MAX_WITHS: usize = 10;
/// Operators other than AND and OR, each over the one before, as in a sum of so many columns. The type of each is found
/// by those of all below it.
const MAX_CHAIN: usize = 500;
/// Lists of columns that a GROUP BY with cubes, rollups and grouping sets may stand for.
const MAX_GROUPINGS: u64 = 1_024;

const LOAD_INSTEAD: &str = "tables are declared in tables/*.toml and loaded with `xiangyun load`";
const VIEW_INSTEAD: &str = "views are declared in views/*.toml";
const SET_INSTEAD: &str = "settings are kept in xiangyun.toml; see `xiangyun config show --origin`";
const READ_INSTEAD: &str = "use SELECT, WITH, VALUES, EXPLAIN, SHOW TABLES or DESCRIBE";

/// A statement that may be planned.
#[derive(Debug)]
pub(crate) struct ReadStatement {
    /// What is asked.
    pub(crate) statement: Statement,
    /// Set when the plan is asked for and not the rows.
    pub(crate) explain: Option<ExplainStatementOptions>,
    /// The named parameters, in the order of their first use.
    pub(crate) parameters: Parameters,
    /// The text's tokens, to find a name's place.
    pub(crate) tokens: Vec<TokenWithSpan>,
}

impl ReadStatement {
    /// Parses `sql`, which must be one reading statement of at most `limit` bytes.
    pub(crate) fn parse(sql: &str, limit: usize) -> Result<Self, QueryError> {
        if sql.len() > limit {
            return Err(QueryError::TooLong { bytes: sql.len(), limit });
        }
        let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location().map_err(|error| {
            QueryError::Syntax { message: lower_first(&error.message), position: position(error.location) }
        })?;
        check_size(&tokens)?;
        let (tokens, parameters) = parameters::extract(tokens)?;
        let mut statements = DFParserBuilder::new(tokens.clone())
            .with_dialect(&GenericDialect {})
            .with_recursion_limit(MAX_DEPTH)
            .build()
            .and_then(|mut parser| parser.parse_statements())
            .map_err(|error| match error.find_root() {
                DataFusionError::SQL(error, _) => syntax(error),
                other => QueryError::Syntax { message: other.strip_backtrace(), position: None },
            })?;
        let count = statements.len();
        let first = statements.pop_front().ok_or(QueryError::Empty)?;
        if count > 1 {
            return Err(QueryError::Several { count, position: second_statement(&tokens) });
        }
        let start = tokens.iter().find(|token| is_text(&token.token)).and_then(|token| position(token.span.start));
        let (explain, inner) = match first {
            AnyStatement::Explain(ExplainStatement { options, statement }) => (Some(options), *statement),
            other => (None, other),
        };
        let mut statement = describe_as_show(permitted(inner, start)?);
        derived::name(&mut statement);
        if let ControlFlow::Break(error) = statement.visit(&mut Shape::default()) {
            return Err(error);
        }
        Ok(Self { statement, explain, parameters, tokens })
    }

    /// Whether `name` is called, as a function is.
    pub(crate) fn calls(&self, name: &str) -> bool {
        let words: Vec<_> = self.tokens.iter().map(|token| &token.token).filter(|token| is_text(token)).collect();
        words.windows(2).any(|pair| match pair {
            [Token::Word(word), Token::LParen] => word.value.eq_ignore_ascii_case(name),
            _ => false,
        })
    }

    /// Where the (perhaps qualified) name first stands in the text.
    pub(crate) fn position_of(&self, parts: &[&str]) -> Option<SqlPosition> {
        let words: Vec<_> = self.tokens.iter().filter(|token| is_text(&token.token)).collect();
        let wanted = parts.len() * 2 - 1;
        words
            .windows(wanted)
            .find(|window| {
                window.iter().enumerate().all(|(at, token)| match &token.token {
                    Token::Word(word) if at % 2 == 0 => word.value.eq_ignore_ascii_case(parts[at / 2]),
                    Token::SingleQuotedString(text) if at % 2 == 0 => text == parts[at / 2],
                    Token::Period => at % 2 == 1,
                    _ => false,
                })
            })
            .and_then(|window| position(window[0].span.start))
    }
}

/// The place of a token, where it has one.
pub(crate) fn position(location: Location) -> Option<SqlPosition> {
    (location.line > 0).then_some(SqlPosition { line: location.line, column: location.column })
}

fn is_text(token: &Token) -> bool {
    !matches!(token, Token::Whitespace(_) | Token::EOF)
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| format!("{}{}", first.to_lowercase(), chars.as_str()))
}

/// Bounds depth and operators: what is parsed later is walked, optimised and freed by recursive code.
fn check_size(tokens: &[TokenWithSpan]) -> Result<(), QueryError> {
    let (mut depth, mut operators, mut dimensions) = (0_usize, 0_usize, 0_usize);
    for (at, token) in tokens.iter().enumerate() {
        match &token.token {
            Token::LParen | Token::LBracket | Token::LBrace => depth += 1,
            Token::RParen | Token::RBracket | Token::RBrace => depth = depth.saturating_sub(1),
            Token::Word(word) if word.keyword == Keyword::NoKeyword || word.quote_style.is_some() => {}
            Token::Whitespace(_) | Token::Comma | Token::SemiColon | Token::Period | Token::EOF => {}
            token if is_literal(token) => {}
            _ => operators += 1,
        }
        // A type with dimensions, as in INT[][], is one array in another without a bracket in a bracket.
        match &token.token {
            Token::LBracket if tokens.get(at + 1).is_some_and(|next| next.token == Token::RBracket) => dimensions += 1,
            Token::RBracket => {}
            _ => dimensions = 0,
        }
        if depth > MAX_DEPTH || dimensions > MAX_DEPTH {
            return Err(QueryError::TooDeep { limit: MAX_DEPTH, position: position(token.span.start) });
        }
        if operators > MAX_OPERATORS
            && let Some(position) = position(token.span.start)
        {
            return Err(QueryError::TooManyOperators { limit: MAX_OPERATORS, position });
        }
    }
    Ok(())
}

fn is_literal(token: &Token) -> bool {
    matches!(
        token,
        Token::Number(..)
            | Token::SingleQuotedString(_)
            | Token::DoubleQuotedString(_)
            | Token::NationalStringLiteral(_)
            | Token::EscapedStringLiteral(_)
            | Token::HexStringLiteral(_)
            | Token::DollarQuotedString(_)
    )
}

fn second_statement(tokens: &[TokenWithSpan]) -> Option<SqlPosition> {
    tokens
        .iter()
        .skip_while(|token| token.token != Token::SemiColon)
        .find(|token| token.token != Token::SemiColon && is_text(&token.token))
        .and_then(|token| position(token.span.start))
}

/// The allow-list of statements.
fn permitted(statement: AnyStatement, position: Option<SqlPosition>) -> Result<Statement, QueryError> {
    let refused = |what: &str, instead| QueryError::Refused { what: what.into(), instead, position };
    let statement = match statement {
        AnyStatement::Statement(statement) => *statement,
        AnyStatement::CreateExternalTable(_) => return Err(refused("CREATE EXTERNAL TABLE", LOAD_INSTEAD)),
        AnyStatement::CopyTo(_) => {
            return Err(refused("COPY", "write a result to a file with `xiangyun sql -o FILE --format parquet`"));
        }
        AnyStatement::Reset(_) => return Err(refused("RESET", SET_INSTEAD)),
        AnyStatement::Explain(_) => {
            return Err(QueryError::NotSupported {
                what: "EXPLAIN of an EXPLAIN".into(),
                instead: "write EXPLAIN once",
                position,
            });
        }
    };
    match statement {
        Statement::Query(_)
        | Statement::ShowTables { .. }
        | Statement::ShowColumns { .. }
        | Statement::ShowFunctions { .. }
        | Statement::ExplainTable { .. } => Ok(statement),
        Statement::Insert(_) => Err(refused("INSERT", LOAD_INSTEAD)),
        Statement::Update(_) => Err(refused("UPDATE", LOAD_INSTEAD)),
        Statement::Delete(_) => Err(refused("DELETE", LOAD_INSTEAD)),
        Statement::Merge(_) => Err(refused("MERGE", LOAD_INSTEAD)),
        Statement::Truncate(_) => Err(refused("TRUNCATE", LOAD_INSTEAD)),
        Statement::CreateTable(_) => Err(refused("CREATE TABLE", LOAD_INSTEAD)),
        Statement::CreateView(_) => Err(refused("CREATE VIEW", VIEW_INSTEAD)),
        Statement::AlterView { .. } => Err(refused("ALTER VIEW", VIEW_INSTEAD)),
        Statement::Copy { .. } => {
            Err(refused("COPY", "write a result to a file with `xiangyun sql -o FILE --format parquet`"))
        }
        Statement::Set(_) => Err(refused("SET", SET_INSTEAD)),
        Statement::ShowVariable { .. } | Statement::ShowVariables { .. } => {
            Err(refused("SHOW of a setting", SET_INSTEAD))
        }
        Statement::StartTransaction { .. }
        | Statement::Commit { .. }
        | Statement::Rollback { .. }
        | Statement::Savepoint { .. }
        | Statement::ReleaseSavepoint { .. } => {
            Err(refused("a transaction", "every query already reads one version of each table; leave it out"))
        }
        Statement::Prepare { .. } | Statement::Execute { .. } | Statement::Deallocate { .. } => Err(refused(
            "a prepared statement",
            "write typed parameters into the query, as in `{agency:Text}`, and give their values with the request",
        )),
        other => {
            // The first words say which statement it is: `ALTER TABLE`, `GRANT`, `VACUUM`.
            let text = other.to_string();
            let verb: Vec<_> = text.split_whitespace().take_while(|word| is_upper(word)).take(2).collect();
            let what = if verb.is_empty() { "this statement".to_owned() } else { verb.join(" ") };
            let instead =
                if matches!(verb.first(), Some(&("CREATE" | "ALTER" | "DROP"))) { LOAD_INSTEAD } else { READ_INSTEAD };
            Err(QueryError::Refused { what, instead, position })
        }
    }
}

/// `DESCRIBE t` answers as `SHOW COLUMNS FROM t` does: from `information_schema`, without a plan node of its own.
fn describe_as_show(statement: Statement) -> Statement {
    match statement {
        Statement::ExplainTable { table_name, .. } => show_columns(table_name),
        other => other,
    }
}

fn show_columns(table: ObjectName) -> Statement {
    Statement::ShowColumns {
        extended: false,
        full: false,
        show_options: ShowStatementOptions {
            show_in: Some(ShowStatementIn {
                clause: ShowStatementInClause::FROM,
                parent_type: None,
                parent_name: Some(table),
            }),
            starts_with: None,
            limit: None,
            limit_from: None,
            filter_position: None,
        },
    }
}

fn is_upper(word: &str) -> bool {
    word.chars().all(|c| c.is_ascii_uppercase())
}

/// Refuses what must not reach the planner from anywhere inside the statement.
#[derive(Default)]
struct Shape {
    /// WITH queries by the place of their text in memory, which does not move while they are looked at.
    named: HashMap<*const Query, String>,
    /// How many tables each WITH query reads, those of others as often as it reads them. The planner puts a WITH query
    /// wherever its name stands.
    weights: HashMap<String, u64>,
    /// The same of each query that is being looked at, the innermost last.
    open: Vec<u64>,
    /// Subqueries as values or conditions around the place that is being looked at.
    subqueries: usize,
    /// WITH clauses around it.
    withs: usize,
    /// Operators around it.
    chain: usize,
}

impl Shape {
    fn within(count: usize, limit: usize, what: &'static str) -> ControlFlow<QueryError> {
        if count > limit {
            return ControlFlow::Break(QueryError::OutOfBounds { what, limit: limit as u64 });
        }
        ControlFlow::Continue(())
    }
}

impl Visitor for Shape {
    type Break = QueryError;

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<QueryError> {
        let weight = match relation.0.as_slice() {
            // Without its quotes: both ways of writing it mean one WITH query.
            [name] => name.as_ident().and_then(|name| self.weights.get(&name.value.to_lowercase())).copied(),
            _ => None,
        };
        let weight = weight.unwrap_or(1);
        let Some(open) = self.open.last_mut() else { return ControlFlow::Continue(()) };
        *open = open.saturating_add(weight);
        if *open > MAX_SCANS {
            let what = "tables that are read, those of WITH queries as often as these";
            return ControlFlow::Break(QueryError::OutOfBounds { what, limit: MAX_SCANS });
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<QueryError> {
        self.withs -= usize::from(query.with.is_some());
        let weight = self.open.pop().unwrap_or_default();
        if let Some(name) = self.named.remove(&std::ptr::from_ref(query)) {
            // A name may be hidden by another of a query inside: the heavier counts.
            let known = self.weights.entry(name).or_default();
            *known = weight.max(*known).max(1);
        } else if let Some(around) = self.open.last_mut() {
            *around = around.saturating_add(weight);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<QueryError> {
        self.open.push(0);
        self.withs += usize::from(query.with.is_some());
        Self::within(self.withs, MAX_WITHS, "WITH clauses, each within the one before")?;
        for named in query.with.iter().flat_map(|with| &with.cte_tables) {
            self.named.insert(std::ptr::from_ref(named.query.as_ref()), named.alias.name.value.to_lowercase());
        }
        if let SetExpr::Values(values) = query.body.as_ref() {
            let columns = values.rows.first().map_or(0, |row| row.content.len());
            Self::within(columns, MAX_COLUMNS, "columns of VALUES")?;
        }
        match &query.with {
            Some(with) if with.recursive => ControlFlow::Break(QueryError::NotSupported {
                what: "WITH RECURSIVE".into(),
                instead: "the functions of divisions walk their tree; join a table to itself for other trees",
                position: position(with.with_token.0.span.start),
            }),
            _ => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<QueryError> {
        self.subqueries += usize::from(holds_query(expr));
        self.chain += usize::from(is_operator(expr));
        Self::within(self.subqueries, MAX_SUBQUERIES, "subqueries, each within the one before")?;
        Self::within(self.chain, MAX_CHAIN, "operators in one chain")
    }

    fn post_visit_expr(&mut self, expr: &Expr) -> ControlFlow<QueryError> {
        self.subqueries -= usize::from(holds_query(expr));
        self.chain -= usize::from(is_operator(expr));
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<QueryError> {
        Self::within(select.projection.len(), MAX_COLUMNS, "columns of a SELECT")?;
        if groupings(&select.group_by) > MAX_GROUPINGS {
            return ControlFlow::Break(QueryError::OutOfBounds {
                what: "groupings of cubes, rollups and grouping sets",
                limit: MAX_GROUPINGS,
            });
        }
        ControlFlow::Continue(())
    }
}

fn holds_query(expr: &Expr) -> bool {
    matches!(expr, Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. })
}

fn is_operator(expr: &Expr) -> bool {
    matches!(expr, Expr::BinaryOp { op, .. } if !matches!(op, BinaryOperator::And | BinaryOperator::Or))
}

/// Into how many lists of columns a GROUP BY is written out before it is planned.
fn groupings(group_by: &GroupByExpr) -> u64 {
    let doubled = |columns: usize| u32::try_from(columns).ok().and_then(|columns| 2_u64.checked_pow(columns));
    let (expressions, modifiers) = match group_by {
        GroupByExpr::All(modifiers) => (&[][..], modifiers),
        GroupByExpr::Expressions(expressions, modifiers) => (expressions.as_slice(), modifiers),
    };
    let sets = expressions.iter().map(|expr| match expr {
        Expr::Cube(columns) => doubled(columns.len()).unwrap_or(u64::MAX),
        Expr::Rollup(columns) => columns.len() as u64 + 1,
        Expr::GroupingSets(sets) => sets.len() as u64,
        _ => 1,
    });
    let whole = if modifiers.is_empty() { 1 } else { doubled(expressions.len()).unwrap_or(u64::MAX) };
    sets.fold(whole, u64::saturating_mul)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::error::Classify;

    fn refusal(sql: &str) -> QueryError {
        ReadStatement::parse(sql, 1 << 20).unwrap_err()
    }

    #[test]
    fn reading_statements_pass() {
        for sql in [
            "select 1",
            "values (1), (2);",
            "with t as (select 1 as a) select * from t",
            "explain select 1",
            "explain analyze select 1",
            "show tables",
            "describe a.b",
            "(select 1) union all (select 2)",
        ] {
            assert!(ReadStatement::parse(sql, 1 << 20).is_ok(), "{sql}");
        }
    }

    #[test]
    fn everything_else_is_refused_with_a_way_out() {
        for (sql, what) in [
            ("insert into a.b values (1)", "INSERT"),
            ("update a.b set c = 1", "UPDATE"),
            ("delete from a.b", "DELETE"),
            ("create table a.b (c int)", "CREATE TABLE"),
            ("create view a.b as select 1", "CREATE VIEW"),
            ("create external table t stored as csv location '/etc/passwd'", "CREATE EXTERNAL TABLE"),
            ("copy (select 1) to '/tmp/x.csv'", "COPY"),
            ("drop table a.b", "DROP TABLE"),
            ("alter table a.b add column c int", "ALTER TABLE"),
            ("set datafusion.runtime.memory_limit = '100G'", "SET"),
            ("show all", "SHOW of a setting"),
            ("begin", "a transaction"),
            ("prepare p as select 1", "a prepared statement"),
            ("explain insert into a.b values (1)", "INSERT"),
            ("grant select on a.b to c", "GRANT"),
        ] {
            match refusal(sql) {
                QueryError::Refused { what: found, instead, .. } => {
                    assert!(found.starts_with(what), "{sql}: {found}");
                    assert!(!instead.is_empty());
                }
                other => panic!("{sql}: {other}"),
            }
        }
    }

    #[test]
    fn one_statement_and_its_size_are_enforced() {
        assert!(matches!(refusal(""), QueryError::Empty));
        assert!(matches!(refusal("-- nothing\n;"), QueryError::Empty));
        let several = refusal("select 1;\n  select 2");
        assert_eq!(several.position(), Some(SqlPosition { line: 2, column: 3 }));
        assert!(matches!(ReadStatement::parse("select 1", 7), Err(QueryError::TooLong { bytes: 8, limit: 7 })));
    }

    #[test]
    fn deep_and_long_chains_are_refused_before_they_are_parsed() {
        let deep = format!("select {}1{}", "(".repeat(5_000), ")".repeat(5_000));
        assert!(matches!(refusal(&deep), QueryError::TooDeep { .. }));
        let chained = format!("select 1 where {}", vec!["1 = 1"; 20_000].join(" or "));
        assert!(matches!(refusal(&chained), QueryError::TooManyOperators { .. }));
        let negated = format!("select {} true", "not ".repeat(1_500));
        // The parser gives up at its depth, and says so in its own way.
        let error = refusal(&negated);
        assert!(matches!(error, QueryError::TooDeep { .. } | QueryError::Syntax { .. }), "{error:?}");
        let codes = vec!["'220100'"; 10_000].join(", ");
        assert!(ReadStatement::parse(&format!("select 1 where '1' in ({codes})"), 1 << 20).is_ok());
    }

    #[test]
    fn with_queries_are_counted_as_often_as_they_are_read() {
        let doubled = |steps: usize| {
            let step = |at: usize| format!(", t{} as (select * from t{at} union all select * from T{at})", at + 1);
            let steps: String = (0..steps).map(step).collect();
            format!("with t0 as (select 1 as a){steps} select * from t{}", steps.matches(", t").count())
        };
        assert!(ReadStatement::parse(&doubled(8), 1 << 20).is_ok());
        let hidden = "with t0 as (select 1 as a), t1 as (with t0 as (select 2 as a) select * from t0) select * from t1";
        assert!(ReadStatement::parse(hidden, 1 << 20).is_ok());
        let inside = format!("select * from ({}) s", doubled(40));
        for sql in [doubled(12), doubled(40), inside, format!("with x as ({}) select * from x", doubled(40))] {
            assert!(matches!(refusal(&sql), QueryError::OutOfBounds { .. }), "{sql}");
        }
    }

    #[test]
    fn subqueries_in_subqueries_are_counted() {
        let nested = |levels: usize| {
            let (open, close) = ("exists (select 1 from t where a in (select a from t where ", "))");
            format!("select 1 as a from t where {}true{}", open.repeat(levels), close.repeat(levels))
        };
        assert!(ReadStatement::parse(&nested(5), 1 << 20).is_ok());
        let beside = ["a in (select a from t)"; 40].join(" and ");
        assert!(ReadStatement::parse(&format!("select 1 as a from t where {beside}"), 1 << 20).is_ok());
        assert!(matches!(refusal(&nested(6)), QueryError::OutOfBounds { .. }));
    }

    #[test]
    fn chains_and_dimensions_are_counted() {
        let chain =
            |operators: usize, operator: &str| format!("select {} as a", vec!["1"; operators + 1].join(operator));
        assert!(ReadStatement::parse(&chain(500, " + "), 1 << 20).is_ok());
        assert!(ReadStatement::parse(&chain(1_500, " or "), 1 << 20).is_ok());
        assert!(matches!(refusal(&chain(501, " + ")), QueryError::OutOfBounds { .. }));
        let with = |levels: usize| {
            format!("{}select 1 as a{}", "with t as (".repeat(levels), ") select * from t".repeat(levels))
        };
        assert!(ReadStatement::parse(&with(10), 1 << 20).is_ok());
        assert!(matches!(refusal(&with(11)), QueryError::OutOfBounds { .. }));
        let dimensions = |count: usize| format!("select cast(null as int{}) as a", "[]".repeat(count));
        assert!(ReadStatement::parse(&dimensions(100), 1 << 20).is_ok());
        assert!(matches!(refusal(&dimensions(101)), QueryError::TooDeep { .. }));
    }

    #[test]
    fn cubes_are_counted_before_they_are_written_out() {
        let cube = |columns: usize| {
            let names: Vec<_> = (0..columns).map(|at| format!("c{at}")).collect();
            format!("select count(*) from t group by cube ({})", names.join(", "))
        };
        assert!(ReadStatement::parse(&cube(10), 1 << 20).is_ok());
        let product = format!("select 1 as a from t group by {}", ["cube (a, b)"; 6].join(", "));
        for sql in [cube(11), cube(64), product, format!("select * from ({}) s", cube(30))] {
            assert!(matches!(refusal(&sql), QueryError::OutOfBounds { .. }), "{sql}");
        }
    }

    #[test]
    fn recursion_is_refused() {
        let error = refusal("with recursive n as (select 1 as i union all select i + 1 from n) select * from n");
        assert!(matches!(error, QueryError::NotSupported { .. }));
    }

    #[test]
    fn syntax_errors_have_a_place() {
        let error = refusal("select a\nfrom t where 1 + )");
        assert_eq!(error.kind(), crate::error::ErrorKind::Sql);
        assert_eq!(error.position(), Some(SqlPosition { line: 2, column: 18 }));
        assert_eq!(refusal("select 'open").position(), Some(SqlPosition { line: 1, column: 8 }));
    }
}
