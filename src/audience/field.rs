//! A field as SQL: a column of `e` or `c`, or a value inside a json column.
//!
//! Never takes text from outside unquoted: columns come from the catalog, json keys are escaped.

use crate::model::{Entity, FieldRef, Kind};

/// The field's value: the column as it is, or the text of a json value (`null` when unset).
pub fn column(field: &FieldRef) -> String {
    if field.field.kind == Kind::Json {
        return format!("({} #>> {})", base(field), keys(field));
    }
    base(field)
}

/// The json value at the field's path, as jsonb.
pub(super) fn document(field: &FieldRef) -> String {
    if field.path.is_empty() { base(field) } else { format!("({} #> {})", base(field), keys(field)) }
}

fn base(field: &FieldRef) -> String {
    let alias = match field.field.entity {
        Entity::Company => "c",
        Entity::Employee => "e",
    };
    format!("{alias}.{}", field.field.column)
}

fn keys(field: &FieldRef) -> String {
    let keys: Vec<String> = field.path.iter().map(|key| literal(key)).collect();
    format!("array[{}]::text[]", keys.join(", "))
}

/// A quoted literal that reads the same whatever `standard_conforming_strings` says.
pub(super) fn literal(text: &str) -> String {
    // PostgreSQL's text has no zero character, so no stored key has one either.
    let quoted = text.replace('\0', "\u{FFFD}").replace('\'', "''");
    if quoted.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str) -> String {
        column(&FieldRef::parse(name).unwrap())
    }

    #[test]
    fn no_key_leaves_its_quotes() {
        assert_eq!(of("company.segment"), "c.segment");
        assert_eq!(of("employee.ai_research_data"), "(e.ai_research_data #>> array[]::text[])");
        assert_eq!(of("employee.ai_research_data.a.b"), "(e.ai_research_data #>> array['a', 'b']::text[])");
        assert_eq!(
            of(r"employee.ai_research_data.x'\'); drop table t; --"),
            r"(e.ai_research_data #>> array[E'x''\\''); drop table t; --']::text[])"
        );
    }
}
