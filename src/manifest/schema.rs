//! JSON Schemas of the three kinds of file, made from the types that read them and from the field
//! catalog, so that editors complete what the program accepts.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use super::raw::{RawCampaign, RawField, RawFile, RawProject, RawSegment, RawSmartlead, RawSmtp, RawWebhook};
use super::{literal, operator};
use crate::model::{Entity, FIELDS, Field, Kind, WRITABLE_FIELDS};

/// File names and texts of the schemas, as they stand in `schemas/`.
pub fn schemas() -> Vec<(&'static str, String)> {
    [
        ("outreach.schema.json", of::<RawProject>()),
        ("segment.schema.json", of::<RawSegment>()),
        ("campaign.schema.json", of::<RawCampaign>()),
    ]
    .map(|(name, schema)| (name, format!("{schema:#}\n")))
    .into()
}

/// The schema of one type, without references except those of the recursive rule.
pub(super) fn of<T: JsonSchema>() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.inline_subschemas = true;
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    refuse_null(&mut schema);
    schema
}

const NAMING: [&str; 3] = ["properties", "patternProperties", "$defs"];

/// A key with nothing after it is a slip, also where the key may be left out.
fn refuse_null(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(refuse_null),
        Value::Object(entries) => {
            entries.remove("default");
            if let Some(Value::Array(types)) = entries.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    entries.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(words)) = entries.get_mut("enum") {
                words.retain(|word| !word.is_null());
            }
            if let Some(Value::Array(options)) = entries.get_mut("anyOf") {
                options.retain(|option| option.get("type") != Some(&json!("null")));
                if let [Value::Object(only)] = options.as_slice() {
                    let mut only = only.clone();
                    entries.remove("anyOf");
                    only.append(entries);
                    *entries = only;
                }
            }
            // Editors know `integer`; the widths of Rust mean nothing to them.
            if entries.get("format").and_then(Value::as_str).is_some_and(|name| name.contains("int")) {
                entries.remove("format");
            }
            for (key, part) in entries {
                match part {
                    // Here the keys are names that operators write, not words of JSON Schema.
                    Value::Object(named) if NAMING.contains(&key.as_str()) => {
                        named.values_mut().for_each(refuse_null);
                    }
                    part => refuse_null(part),
                }
            }
        }
        _ => {}
    }
}

pub(super) const NAME_PATTERN: &str = "^[a-z0-9]+(-[a-z0-9]+)*$";

pub(super) fn name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "pattern": NAME_PATTERN})
}

pub(super) fn span(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "pattern": "^[0-9]+(s|m|h|d|w|mo|y)$", "examples": ["30d"]})
}

/// A length of time that a machine waits.
pub(super) fn seconds(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "pattern": "^[0-9]+(s|m|h)$", "examples": ["30s"]})
}

pub(super) fn percentage(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "pattern": "^[0-9]{1,2}(\\.[0-9]{1,2})?%$", "examples": ["5%"]})
}

pub(super) fn secret(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "pattern": "^(\\$\\{[A-Za-z_][A-Za-z0-9_]*\\}|file:.+)$", "examples": ["${NAME}"]})
}

pub(super) const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

pub(super) fn weekdays(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "array", "minItems": 1, "uniqueItems": true, "items": {"enum": WEEKDAYS}})
}

/// A column, or a path into a json column.
pub(super) fn field_name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"anyOf": [{"enum": names(|_| true)}, {"type": "string", "pattern": json_pattern()}]})
}

fn names(filter: impl Fn(&Field) -> bool) -> Vec<String> {
    FIELDS.iter().filter(|field| filter(field)).map(ToString::to_string).collect()
}

/// What a path into one of the json columns looks like.
fn json_pattern() -> String {
    let columns = names(|field| field.kind == Kind::Json).join("|").replace('.', "\\.");
    format!("^({columns})\\.[^.]+(\\.[^.]+)*$")
}

pub(super) fn order_by(_: &mut SchemaGenerator) -> Schema {
    let direction = json!({"enum": ["asc", "desc"]});
    let columns: Map<String, Value> =
        names(|field| field.kind != Kind::Json).into_iter().map(|name| (name, direction.clone())).collect();
    json_schema!({
        "type": "array",
        "maxItems": 10,
        "items": {
            "type": "object",
            "properties": columns,
            "patternProperties": {json_pattern(): direction},
            "additionalProperties": false,
            "minProperties": 1,
            "maxProperties": 1,
        },
    })
}

pub(super) fn company_columns(_: &mut SchemaGenerator) -> Schema {
    columns(Entity::Company)
}

pub(super) fn employee_columns(_: &mut SchemaGenerator) -> Schema {
    columns(Entity::Employee)
}

fn columns(entity: Entity) -> Schema {
    let columns: Map<String, Value> = FIELDS
        .iter()
        .filter(|field| field.entity == entity)
        .map(|field| (field.column.to_owned(), literal::literal_schema(field.kind, field.allowed)))
        .collect();
    json_schema!({"type": "object", "properties": columns, "additionalProperties": false})
}

pub(super) fn write_back(_: &mut SchemaGenerator) -> Schema {
    let columns: Map<String, Value> = WRITABLE_FIELDS
        .iter()
        .map(|name| ((*name).to_owned(), json!({"type": "string", "minLength": 1})))
        .collect();
    json_schema!({"type": "object", "properties": columns, "additionalProperties": false})
}

pub(super) fn fields(generator: &mut SchemaGenerator) -> Schema {
    let short = field_name(generator);
    let long = RawField::json_schema(generator);
    json_schema!({
        "type": "object",
        "maxProperties": 100,
        "propertyNames": {"pattern": FIELD_NAME_PATTERN},
        "additionalProperties": {"anyOf": [short, long]},
    })
}

pub(super) const FIELD_NAME_PATTERN: &str = "^[a-z][a-z0-9_]*$";

pub(super) fn providers(generator: &mut SchemaGenerator) -> Schema {
    let kinds = [
        RawFile::json_schema(generator),
        RawWebhook::json_schema(generator),
        RawSmartlead::json_schema(generator),
        RawSmtp::json_schema(generator),
    ];
    json_schema!({
        "type": "object",
        "propertyNames": {"pattern": NAME_PATTERN},
        "additionalProperties": {"oneOf": kinds},
    })
}

/// The recursive rule: a clause refers to itself as `#/$defs/clause`.
pub(super) fn rule(generator: &mut SchemaGenerator) -> Schema {
    let clause = json!({"$ref": "#/$defs/clause"});
    let clauses = json!({"type": "array", "minItems": 1, "items": clause});
    let mut properties = Map::new();
    for (key, schema, description) in [
        ("all", &clauses, "Every one of these holds."),
        ("any", &clauses, "At least one of these holds."),
        ("not", &clause, "This does not hold. It is the exact opposite, so it holds for unset values."),
        ("in_segment", &json!({"type": "string"}), "The contact matches the rule of that segment."),
        (
            "sql",
            &json!({"type": "string", "minLength": 1}),
            "A boolean SQL expression over e (employees) and c (companies); checked against the database.",
        ),
    ] {
        let mut schema = schema.clone();
        schema["description"] = json!(description);
        properties.insert(key.to_owned(), schema);
    }
    for field in FIELDS {
        let comparison = if field.allowed.is_empty() {
            comparison_of(generator, field.kind)
        } else {
            operator::comparison_schema(field.kind, field.allowed)
        };
        properties.insert(field.to_string(), comparison);
    }
    let clause_schema = json!({
        "type": "object",
        "properties": properties,
        "patternProperties": {json_pattern(): comparison_of(generator, Kind::Json)},
        "additionalProperties": false,
        "minProperties": 1,
    });
    generator.definitions_mut().insert("clause".to_owned(), clause_schema);
    json_schema!({"$ref": "#/$defs/clause"})
}

/// The comparisons of one kind of column stand in the schema once.
fn comparison_of(generator: &mut SchemaGenerator, kind: Kind) -> Value {
    let name = kind.as_str().replace(' ', "_");
    let definitions = generator.definitions_mut();
    definitions.entry(name.clone()).or_insert_with(|| operator::comparison_schema(kind, &[]));
    json!({"$ref": format!("#/$defs/{name}")})
}
