//! SQL text as Spark reads it: what its texts and numbers mean.
//!
//! The parser knows one kind of text and one kind of number. Here backslashes in texts are resolved as Spark resolves them,
//! `7 div 2 + 1` is `(7 div 2) + 1`, and each number gets Spark's type: `1` is an INT, `1L` a BIGINT, `1e3` and `1.0D`
//! doubles, `1.5` a DECIMAL(2,1).

use std::any::TypeId;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::*;
use datafusion::sql::sqlparser::dialect::{Dialect, Precedence, SparkSqlDialect};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use super::forms;

/// Parses statements of Spark SQL.
///
/// # Errors
/// The parser's, with the place in the text.
pub fn parse(sql: &str) -> Result<Vec<Statement>, ParserError> {
    let mut tokens = Tokenizer::new(&Spark, sql).with_unescape(false).tokenize_with_location()?;
    drop_raw_marks(&mut tokens);
    for token in &mut tokens {
        match &mut token.token {
            Token::SingleQuotedString(text) => *text = unescaped(text, '\''),
            Token::DoubleQuotedString(text) => *text = unescaped(text, '"'),
            _ => {}
        }
    }
    let mut tokens = with_typed_numbers(tokens)?;
    name_exists_of_lists(&mut tokens);
    let mut statements = Parser::new(&Spark).with_tokens_with_locations(tokens).parse_statements()?;
    match VisitMut::visit(&mut statements, &mut Numbers) {
        ControlFlow::Continue(()) => Ok(statements),
        ControlFlow::Break(message) => Err(ParserError::ParserError(message)),
    }
}

/// What Spark and its dialect in the parser do not share.
#[derive(Debug)]
struct Spark;

/// What the parser's dialect for Spark says.
const BASE: SparkSqlDialect = SparkSqlDialect;

macro_rules! as_base {
    ($($name:ident),*) => { $(fn $name(&self) -> bool { BASE.$name() })* };
}

impl Dialect for Spark {
    fn dialect(&self) -> TypeId {
        BASE.dialect()
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        BASE.is_delimited_identifier_start(ch)
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        BASE.is_identifier_start(ch)
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        BASE.is_identifier_part(ch)
    }

    as_base!(
        supports_filter_during_aggregation,
        supports_group_by_expr,
        supports_group_by_with_modifier,
        supports_lambda_functions,
        supports_select_wildcard_except,
        supports_struct_literal,
        supports_nested_comments,
        supports_create_table_using,
        supports_long_type_as_bigint,
        supports_values_as_table_factor,
        supports_bang_not_operator,
        supports_select_item_multi_column_alias,
        supports_cte_without_as,
        supports_map_literal_with_angle_brackets
    );

    // `interval '1 day 2 hours'` has its units in the text.
    fn require_interval_qualifier(&self) -> bool {
        false
    }

    fn supports_string_literal_backslash_escape(&self) -> bool {
        true
    }

    fn allow_extract_custom(&self) -> bool {
        true
    }

    fn supports_string_literal_concatenation(&self) -> bool {
        true
    }

    // `||` is one of + and -.
    fn get_next_precedence(&self, parser: &Parser) -> Option<Result<u8, ParserError>> {
        let is_concat = parser.peek_token_ref().token == Token::StringConcat;
        is_concat.then(|| Ok(self.prec_value(Precedence::PlusMinus)))
    }

    fn parse_infix(&self, parser: &mut Parser, expr: &Expr, _: u8) -> Option<Result<Expr, ParserError>> {
        if !parser.parse_keyword(Keyword::DIV) {
            return None;
        }
        let right = parser.parse_subexpr(self.prec_value(Precedence::MulDivModOp));
        let left = Box::new(expr.clone());
        Some(right.map(|right| Expr::BinaryOp { left, op: BinaryOperator::MyIntegerDivide, right: Box::new(right) }))
    }
}

/// `r'a\n'` is a text in which backslashes mean nothing: they are doubled here, to mean themselves later.
fn drop_raw_marks(tokens: &mut Vec<TokenWithSpan>) {
    let is_mark =
        |token: &Token| matches!(token, Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case("r"));
    let mut at = 1;
    while at < tokens.len() {
        let is_raw = is_mark(&tokens[at - 1].token);
        match &mut tokens[at].token {
            Token::SingleQuotedString(text) | Token::DoubleQuotedString(text) if is_raw => {
                *text = text.replace('\\', "\\\\");
                tokens.remove(at - 1);
            }
            _ => at += 1,
        }
    }
}

/// A text as it stands between its quotes, resolved. Two quotes end it and begin another, which belongs to it.
fn unescaped(raw: &str, quote: char) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw.chars();
    while let Some(c) = rest.next() {
        if c == quote {
            continue;
        }
        if c != '\\' {
            text.push(c);
            continue;
        }
        let after = rest.as_str();
        let number = |digits: usize, radix: u32, from: usize| {
            let digits = after.get(from..from + digits).filter(|d| d.chars().all(|c| c.is_digit(radix)))?;
            char::from_u32(u32::from_str_radix(digits, radix).ok()?)
        };
        let (resolved, used) = match after.chars().next() {
            Some('u') if number(4, 16, 1).is_some() => (number(4, 16, 1), 5),
            Some('U') if number(8, 16, 1).is_some() => (number(8, 16, 1), 9),
            Some('0'..='1') if number(3, 8, 0).is_some() => (number(3, 8, 0), 3),
            Some('0') => (Some('\0'), 1),
            Some('b') => (Some('\u{8}'), 1),
            Some('n') => (Some('\n'), 1),
            Some('r') => (Some('\r'), 1),
            Some('t') => (Some('\t'), 1),
            Some('Z') => (Some('\u{1a}'), 1),
            // LIKE resolves these itself.
            Some('%' | '_') => (Some('\\'), 0),
            Some(other) => (Some(other), other.len_utf8()),
            None => (Some('\\'), 0),
        };
        text.extend(resolved);
        rest = after[used..].chars();
    }
    text
}

/// Numbers with a letter that says their type (`1.5D`, `2S`), as casts.
fn with_typed_numbers(tokens: Vec<TokenWithSpan>) -> Result<Vec<TokenWithSpan>, ParserError> {
    let mut typed: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    for token in tokens {
        let name = match &token.token {
            Token::Word(word) if word.quote_style.is_none() => match word.value.to_ascii_uppercase().as_str() {
                "D" => Some("double"),
                "F" => Some("float"),
                "S" => Some("smallint"),
                "Y" => Some("tinyint"),
                "BD" => Some("decimal"),
                _ => None,
            },
            _ => None,
        };
        let number = match (name, typed.last().map(|last| &last.token)) {
            (Some(_), Some(Token::Number(number, false))) => number.clone(),
            _ => {
                typed.push(token);
                continue;
            }
        };
        typed.pop();
        let call = match name {
            Some("decimal") | None => number,
            Some(name) => format!("cast('{number}' as {name})"),
        };
        let call = Tokenizer::new(&Spark, &call).tokenize()?;
        typed.extend(call.into_iter().map(|t| TokenWithSpan { token: t, span: token.span }));
    }
    Ok(typed)
}

/// `exists(list, x -> ...)` is a function, to which the parser's EXISTS gives its name away.
fn name_exists_of_lists(tokens: &mut [TokenWithSpan]) {
    let is_blank = |token: &TokenWithSpan| matches!(token.token, Token::Whitespace(_));
    for at in 0..tokens.len() {
        let is_exists = matches!(&tokens[at].token, Token::Word(word) if word.keyword == Keyword::EXISTS);
        let mut next = tokens[at + 1..].iter().filter(|t| !is_blank(t));
        if !is_exists || next.next().map(|t| &t.token) != Some(&Token::LParen) {
            continue;
        }
        let is_query = match next.next().map(|t| &t.token) {
            Some(Token::LParen) => true,
            Some(Token::Word(word)) => {
                matches!(word.keyword, Keyword::SELECT | Keyword::WITH | Keyword::VALUES | Keyword::FROM)
            }
            _ => false,
        };
        if !is_query {
            tokens[at].token = Token::make_word("array_any_match", None);
        }
    }
}

/// Gives numbers Spark's types by casts. The `L` of a number marks those that are to stay as they are: places in lists,
/// limits, frames and intervals.
struct Numbers;

impl VisitorMut for Numbers {
    type Break = String;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<String> {
        if let Err(message) = forms::set_operations(&mut query.body) {
            return ControlFlow::Break(message);
        }
        if let Some(OrderBy { kind: OrderByKind::Expressions(keys), .. }) = &mut query.order_by {
            keys.iter_mut().for_each(|key| leave(&mut key.expr));
        }
        if let Some(LimitClause::LimitOffset { limit, offset, .. }) = &mut query.limit_clause {
            limit.iter_mut().for_each(leave);
            offset.iter_mut().for_each(|o| leave(&mut o.value));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<String> {
        if let GroupByExpr::Expressions(keys, _) = &mut select.group_by {
            keys.iter_mut().for_each(leave);
        }
        for join in select.from.iter_mut().flat_map(|table| &mut table.joins) {
            if let Err(message) = forms::join(&mut join.join_operator) {
                return ControlFlow::Break(message);
            }
        }
        for window in &mut select.named_window {
            if let NamedWindowDefinition(_, NamedWindowExpr::WindowSpec(spec)) = window {
                mark_frame(spec, true);
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<String> {
        for window in &mut select.named_window {
            if let NamedWindowDefinition(_, NamedWindowExpr::WindowSpec(spec)) = window {
                mark_frame(spec, false);
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<String> {
        if let TableFactor::Table { args: Some(args), .. } = factor {
            for arg in &mut args.args {
                if let FunctionArg::Unnamed(FunctionArgExpr::Expr(arg)) = arg {
                    leave(arg);
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<String> {
        match expr {
            Expr::Interval(interval) => as_text(&mut interval.value),
            Expr::Function(Function { over: Some(WindowType::WindowSpec(spec)), .. }) => mark_frame(spec, true),
            // A number's sign belongs to it: -2147483648 is an INT.
            Expr::UnaryOp { op: UnaryOperator::Minus, expr: inner } => {
                if let Expr::Value(ValueWithSpan { value: Value::Number(number, is_typed @ false), .. }) =
                    inner.as_mut()
                {
                    *is_typed = true;
                    let number = number.clone();
                    *expr = typed(&number, expr.clone(), true).unwrap_or_else(|| expr.clone());
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<String> {
        match expr {
            Expr::Value(ValueWithSpan { value: Value::Number(number, false), .. }) => {
                let number = number.clone();
                let value = |is_typed| Expr::Value(Value::Number(number.clone(), is_typed).with_empty_span());
                if let Some(cast) = typed(&number, value(true), false) {
                    *expr = cast;
                }
            }
            Expr::Function(Function { over: Some(WindowType::WindowSpec(spec)), .. }) => mark_frame(spec, false),
            _ => {}
        }
        match forms::rewrite(expr) {
            Ok(()) => ControlFlow::Continue(()),
            Err(message) => ControlFlow::Break(message),
        }
    }
}

/// Lets a number be what the planner makes of it.
fn leave(expr: &mut Expr) {
    if let Expr::Value(ValueWithSpan { value: Value::Number(_, is_typed), .. }) = expr {
        *is_typed = true;
    }
}

/// `interval 1 day` is `interval '1' day`.
fn as_text(expr: &mut Expr) {
    let (sign, value) = match &*expr {
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => ("-", expr.as_ref()),
        other => ("", other),
    };
    let Expr::Value(ValueWithSpan { value: Value::Number(number, _), .. }) = value else { return };
    *expr = Expr::Value(Value::SingleQuotedString(format!("{sign}{number}")).with_empty_span());
}

/// Marks the numbers of a frame, or takes the mark from them: the planner reads them as they are written.
fn mark_frame(spec: &mut WindowSpec, mark: bool) {
    let Some(frame) = &mut spec.window_frame else { return };
    for bound in [Some(&mut frame.start_bound), frame.end_bound.as_mut()].into_iter().flatten() {
        if let WindowFrameBound::Preceding(Some(rows)) | WindowFrameBound::Following(Some(rows)) = bound
            && let Expr::Value(ValueWithSpan { value: Value::Number(_, is_typed), .. }) = rows.as_mut()
        {
            *is_typed = mark;
        }
    }
}

/// A number as a value of Spark's type; none when it is a BIGINT or a decimal, which it is to the planner too.
fn typed(number: &str, value: Expr, negative: bool) -> Option<Expr> {
    let cast = |value: Expr, data_type: DataType| Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(value),
        data_type,
        array: false,
        format: None,
    };
    let text = |sign: &str| Expr::Value(Value::SingleQuotedString(format!("{sign}{number}")).with_empty_span());
    let sign = if negative { "-" } else { "" };
    if number.contains(['e', 'E']) {
        return Some(cast(text(sign), DataType::Double(ExactNumberInfo::None)));
    }
    if number.contains('.') {
        return None;
    }
    if format!("{sign}{number}").parse::<i32>().is_ok() {
        return Some(cast(value, DataType::Int(None)));
    }
    let digits = number.trim_start_matches('0').len();
    let is_long = format!("{sign}{number}").parse::<i64>().is_ok();
    let info = ExactNumberInfo::Precision(u64::try_from(digits).ok()?);
    (!is_long).then(|| cast(text(sign), DataType::Decimal(info)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(sql: &str) -> String {
        parse(sql).map_or_else(|e| e.to_string(), |s| s[0].to_string())
    }

    /// Numbers have Spark's types, and places in lists stay numbers.
    #[test]
    fn numbers() {
        let cases = [
            ("select 1, 2L, 1.5", "SELECT CAST(1L AS INT), 2L, 1.5"),
            ("select -1, -2147483648, 2147483648", "SELECT CAST(-1L AS INT), CAST(-2147483648L AS INT), 2147483648"),
            ("select 1e3, 2.5D, 3S", "SELECT CAST('1e3' AS DOUBLE), CAST('2.5' AS DOUBLE), CAST('3' AS SMALLINT)"),
            ("select a from t group by 1 order by 1 limit 2", "SELECT a FROM t GROUP BY 1L ORDER BY 1L LIMIT 2L"),
            ("select 7 div 2 + 1", "SELECT CAST(7L AS INT) DIV CAST(2L AS INT) + CAST(1L AS INT)"),
        ];
        for (sql, expected) in cases {
            assert_eq!(shown(sql), expected, "{sql}");
        }
    }

    /// Backslashes and doubled quotes in texts are what they are in Spark.
    #[test]
    fn texts() {
        let cases = [
            (r"a\\d", r"a\d"),
            (r"it\'s", "it's"),
            ("it''s", "its"),
            (r"100\%", r"100\%"),
            (r"\u0041\t\101", "A\tA"),
            (r"\", r"\"),
            ("a\"\"b", "a\"\"b"),
        ];
        for (raw, expected) in cases {
            assert_eq!(unescaped(raw, '\''), expected, "{raw}");
        }
    }
}
