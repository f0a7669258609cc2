//! Why a contact is in or out: the rule as a tree, each node with its verdict and the value it saw.

use std::fmt;

use super::binds::Binds;
use super::compile::{Scope, strict};
use super::field::column;
use crate::model::{Kind, Rule};

/// Longer values are cut: a tree is read by people.
const SHOWN: usize = 200;

/// Two select-list columns over `e` and `c`, and the shape to read them with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainQuery {
    /// A `boolean[]`: the verdict of each node.
    pub verdicts: String,
    /// A `text[]`: the value that each node looked at; null where it is unset or there is none.
    pub values: String,
    shape: Shape,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Shape {
    label: String,
    /// Looks at one field, so that no value means unset.
    leaf: bool,
    text: bool,
    children: Vec<Shape>,
}

/// One node of the answer.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Tree {
    pub label: String,
    pub verdict: bool,
    /// What the field holds; `None` for an unset field and for nodes that look at no single field.
    pub value: Option<String>,
    /// The node looks at one field, and it is unset.
    pub unset: bool,
    /// The value is words and not a number, a date, a list.
    #[serde(skip)]
    pub text: bool,
    pub children: Vec<Tree>,
}

/// What to select to explain a rule for one contact. Referenced segments are spelled out.
pub fn explain(rule: &Rule, scope: &Scope<'_>, binds: &mut Binds) -> ExplainQuery {
    let (mut verdicts, mut values) = (Vec::new(), Vec::new());
    let shape =
        Outline { scope, binds, verdicts: &mut verdicts, values: &mut values, inside: Vec::new() }.node(rule);
    ExplainQuery {
        verdicts: format!("array[{}]::boolean[]", verdicts.join(", ")),
        values: format!("array[{}]::text[]", values.join(", ")),
        shape,
    }
}

struct Outline<'a, 'b> {
    scope: &'a Scope<'a>,
    binds: &'b mut Binds,
    verdicts: &'b mut Vec<String>,
    values: &'b mut Vec<String>,
    inside: Vec<&'a str>,
}

impl Outline<'_, '_> {
    fn node(&mut self, rule: &Rule) -> Shape {
        self.verdicts.push(strict(rule, self.scope, self.binds));
        self.values.push(match rule {
            Rule::Test(test) => format!("left({}::text, {SHOWN})", column(&test.field)),
            _ => "null".to_owned(),
        });
        let (label, children) = match rule {
            Rule::All(parts) => ("all of".to_owned(), parts.iter().map(|part| self.node(part)).collect()),
            Rule::Any(parts) => ("any of".to_owned(), parts.iter().map(|part| self.node(part)).collect()),
            Rule::Not(inner) => ("not".to_owned(), vec![self.node(inner)]),
            Rule::InSegment(name) => (rule.to_string(), self.segment(name)),
            Rule::Test(_) | Rule::Sql(_) => (rule.to_string(), Vec::new()),
        };
        let (leaf, text) = match rule {
            Rule::Test(test) => (true, test.field.field.kind == Kind::Text || !test.field.path.is_empty()),
            _ => (false, false),
        };
        Shape { label, leaf, text, children }
    }

    fn segment(&mut self, name: &str) -> Vec<Shape> {
        let Some((name, segment)) = self.scope.segments.get_key_value(name) else { return Vec::new() };
        if self.inside.contains(&name.as_str()) {
            return Vec::new();
        }
        self.inside.push(name);
        let children = vec![self.node(&segment.rule)];
        self.inside.pop();
        children
    }
}

impl ExplainQuery {
    /// The tree, from what the two columns returned.
    pub fn tree(&self, verdicts: &[bool], values: &[Option<String>]) -> Tree {
        let mut rows = verdicts.iter().copied().zip(values.iter().cloned());
        grow(&self.shape, &mut rows)
    }
}

fn grow(shape: &Shape, rows: &mut impl Iterator<Item = (bool, Option<String>)>) -> Tree {
    let (verdict, value) = rows.next().unwrap_or((false, None));
    Tree {
        label: shape.label.clone(),
        verdict,
        unset: shape.leaf && value.is_none(),
        text: shape.text,
        value,
        children: shape.children.iter().map(|child| grow(child, rows)).collect(),
    }
}

/// Indented lines, each with its mark and what the field holds.
impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines(f, 0)
    }
}

impl Tree {
    fn lines(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        let mark = if self.verdict { '✓' } else { '✗' };
        write!(f, "{:indent$}{mark} {}", "", self.label, indent = depth * 2)?;
        match &self.value {
            Some(value) if self.text => write!(f, "   is {value:?}")?,
            Some(value) => write!(f, "   is {value}")?,
            None if self.unset => f.write_str("   is unset")?,
            None => {}
        }
        writeln!(f)?;
        self.children.iter().try_for_each(|child| child.lines(f, depth + 1))
    }
}
