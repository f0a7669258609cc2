//! Segment -> SQL text and binds, and the tree that explains a verdict.
//!
//! Pure: never talks to a database. Every value is bound; the only operator text that reaches SQL
//! unbound is the reviewed `sql` clause. Statements read two aliases: `e` (public.employees) and
//! `c` (public.companies).

mod binds;
mod compile;
mod explain;
mod field;
mod json;
mod text;

pub use binds::{Bind, Binds};
pub use compile::{CONTACTS, Funnel, Scope, funnel, order_by, predicate, strict};
pub use explain::{ExplainQuery, Tree, explain};
pub use field::column;
