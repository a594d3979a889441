//! One expression, compiled by `exmex` to a flat program that is evaluated without an allocation.

use exmex::{BinOp, Express, FlatEx, MakeOperators, Operator};

use super::config::RuleError;
use super::field::{FIELD_COUNT, Field, fields_text, find};

/// Numbers and names in one expression: what the compiled program evaluates on the stack.
const NODES_MAX: usize = 32;
/// Different inputs of one expression.
const INPUTS_MAX: usize = 16;
/// Before the name of a field whose mean is meant, once it is rewritten.
const MEAN: &str = "ema_of_";

/// Where a variable comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// The field itself.
    Now(Field),
    /// Its exponential mean as of the step before.
    Mean(Field),
}

/// The operators of rules. Comparisons give 1 or 0.
#[derive(Clone, Debug)]
struct Operators;

impl MakeOperators<f64> for Operators {
    fn make<'a>() -> Vec<Operator<'a, f64>> {
        let bin = |prio, is_commutative, apply| BinOp {
            apply,
            prio,
            is_commutative,
        };
        vec![
            Operator::make_bin("||", bin(0, true, |a, b| yes(a > 0.5 || b > 0.5))),
            Operator::make_bin("&&", bin(1, true, |a, b| yes(a > 0.5 && b > 0.5))),
            Operator::make_bin("==", bin(2, true, |a, b| yes(a == b))),
            Operator::make_bin(">=", bin(2, false, |a, b| yes(a >= b))),
            Operator::make_bin("<=", bin(2, false, |a, b| yes(a <= b))),
            Operator::make_bin(">", bin(2, false, |a, b| yes(a > b))),
            Operator::make_bin("<", bin(2, false, |a, b| yes(a < b))),
            Operator::make_bin("+", bin(3, true, |a, b| a + b)),
            Operator::make_bin_unary("-", bin(4, false, |a, b| a - b), |a| -a),
            Operator::make_bin("*", bin(5, true, |a, b| a * b)),
            Operator::make_bin("/", bin(6, false, |a, b| a / b)),
            Operator::make_bin("^", bin(7, false, f64::powf)),
            Operator::make_bin("min", bin(3, true, f64::min)),
            Operator::make_bin("max", bin(3, true, f64::max)),
            Operator::make_unary("abs", f64::abs),
            Operator::make_unary("sqrt", f64::sqrt),
            Operator::make_unary("not", |a| yes(a <= 0.5)),
        ]
    }
}

fn yes(is: bool) -> f64 {
    f64::from(u8::from(is))
}

/// A compiled expression and what it reads.
#[derive(Clone, Debug)]
pub(super) struct Program {
    expression: FlatEx<f64, Operators>,
    inputs: Vec<Input>,
    /// A bit for each field, and further up one for each field's mean.
    needs: u64,
}

impl Program {
    /// Compiles `text`.
    pub(super) fn compile(text: &str) -> Result<Self, RuleError> {
        let rewritten = rewrite(text)?;
        let bad = |why: String| RuleError::Expression {
            text: text.to_owned(),
            why,
        };
        let expression: FlatEx<f64, Operators> =
            FlatEx::parse(&rewritten).map_err(|e| bad(e.to_string()))?;
        let names = expression.var_names();
        if names.is_empty() {
            return Err(bad("it names no field, so it never changes".to_owned()));
        }
        if names.len() > INPUTS_MAX {
            return Err(bad(format!(
                "it names more than {INPUTS_MAX} different fields"
            )));
        }
        let input = |name: &String| match name.strip_prefix(MEAN) {
            Some(field) => find(field).map(Input::Mean),
            None => find(name).map(Input::Now),
        };
        let inputs: Option<Vec<Input>> = names.iter().map(input).collect();
        let inputs = inputs.ok_or_else(|| bad(format!("fields are {}", fields_text())))?;
        let bit = |input: &Input| match *input {
            Input::Now(field) => 1u64 << field,
            Input::Mean(field) => 1 << (usize::from(field) + FIELD_COUNT),
        };
        let needs = inputs.iter().map(bit).fold(0, |all, bit| all | bit);
        Ok(Self {
            expression,
            inputs,
            needs,
        })
    }

    pub(super) fn needs(&self) -> u64 {
        self.needs
    }

    /// Whether it holds. What cannot be calculated does not.
    pub(super) fn is_true(&self, read: impl Fn(Input) -> f64) -> bool {
        let mut values = [0.0; INPUTS_MAX];
        for (value, input) in values.iter_mut().zip(&self.inputs) {
            *value = read(*input);
        }
        let value = self.expression.eval(&values[..self.inputs.len()]);
        value.is_ok_and(|value| value > 0.5)
    }
}

/// The first field that `text` names; [`Program::compile`] has checked that there is one.
pub(super) fn first_field(text: &str) -> Option<Field> {
    words(text).find_map(|(_, word)| find(word))
}

/// Writes `ema(spread)` as a name of its own, and refuses names that mean nothing.
fn rewrite(text: &str) -> Result<String, RuleError> {
    let bad = |at: usize, why: String| RuleError::At {
        text: text.to_owned(),
        at: at + 1,
        why,
    };
    let (mut written, mut done) = (String::new(), 0);
    let mut nodes = 0;
    for (at, word) in words(text) {
        if at < done {
            continue;
        }
        let after = text[at + word.len()..].trim_start();
        let is_number = word.starts_with(|c: char| c.is_ascii_digit() || c == '.');
        let is_call = after.starts_with('(');
        let is_operator = matches!(word, "min" | "max" | "abs" | "sqrt" | "not");
        nodes += usize::from(!is_operator);
        if word == "ema" && is_call {
            let open = text.len() - after.len();
            let close = text[open..].find(')').map(|n| open + n);
            let close = close.ok_or_else(|| bad(open, "this ( is not closed".to_owned()))?;
            let field = text[open + 1..close].trim();
            if find(field).is_none() {
                let why = format!("ema({field}): a field is wanted: {}", fields_text());
                return Err(bad(open + 1, why));
            }
            written += &text[done..at];
            written += MEAN;
            written += field;
            done = close + 1;
        } else if !is_number && !is_operator && find(word).is_none() {
            return Err(bad(
                at,
                format!("`{word}` is not known; fields are {}", fields_text()),
            ));
        }
    }
    if nodes > NODES_MAX {
        let why = format!("more than {NODES_MAX} numbers and names");
        return Err(bad(0, why));
    }
    written += &text[done..];
    Ok(written)
}

/// Names and numbers with their places.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let mut rest = 0;
    std::iter::from_fn(move || {
        let at = rest + text[rest..].find(is_part)?;
        let length = text[at..].find(|c| !is_part(c)).unwrap_or(text.len() - at);
        rest = at + length;
        Some((at, &text[at..rest]))
    })
}
