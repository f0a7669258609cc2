//! SQL expressions over one contact (`e`, `c`): what the provider gets of it, and whether it can.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::audience::{Bind, Binds, column};
use crate::model::{Campaign, FieldRef, FieldSource, Kind};

/// An address as it is compared everywhere; the twin of `model::normalize_address`.
pub fn normalized(email: &str) -> String {
    format!("outreach.address({email})")
}

/// Whether `email` can be written to; the twin of `model::is_address`.
///
/// The common kind is told by a pattern over plain letters, which costs a tenth of the general one.
pub fn is_address(email: &str) -> String {
    format!(
        r"(({email} ~ '^{ATOM}(\.{ATOM})*@({LABEL}\.)+{LABEL}$' and octet_length({email}) <= 64)
            or ({email} ~ '^[^@{FORBIDDEN}]+@([^@.{FORBIDDEN}]+\.)+[^@.{FORBIDDEN}]+$'
                and octet_length({email}) <= 254
                and octet_length(split_part({email}, '@', 1)) <= 64
                and {email} !~ '^\.|\.\.|\.@|@-|\.-|-\.|-$'))"
    )
}

const ATOM: &str = "[a-z0-9_+-]+";
const LABEL: &str = "[a-z0-9]+(-+[a-z0-9]+)*";

/// Characters of no address, in a bracket expression: blanks, controls, and what makes a header or
/// a list. Spelled out, because character classes depend on the database's locale.
const FORBIDDEN: &str =
    r",;:<>()\[\]\\\x22\x01-\x20\x7f-\u00a0\u1680\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff";

/// What a text is trimmed of: the blanks of Unicode, as in `outreach.address`.
const BLANKS: &str = r"E' \t\n\u000b\f\r\u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000'";

/// The value if it is set: blank text counts as unset.
fn set_value(from: &FieldRef) -> String {
    let expression = column(from);
    match from.field.kind {
        Kind::Text => format!("nullif(btrim({expression}, {BLANKS}), '')"),
        Kind::Json if !from.path.is_empty() => format!("nullif(btrim({expression}, {BLANKS}), '')"),
        _ => expression,
    }
}

/// Whether a text has anything but blanks in it. Mostly its first character tells, at a tenth of the cost.
fn has_text(text: &str) -> String {
    let first = format!("ascii({text})");
    format!("({first} between 33 and 126 or {first} between 161 and 5759 or btrim({text}, {BLANKS}) <> '')")
}

/// Whether a field counts as unset for one contact.
pub fn is_unset(from: &FieldRef) -> String {
    format!("({} is null)", set_value(from))
}

/// The columns that templates read, without repeats.
fn template_reads(campaign: &Campaign) -> Vec<&FieldRef> {
    let mut reads: Vec<&FieldRef> = campaign
        .fields
        .values()
        .filter_map(|source| match source {
            FieldSource::Template { reads, .. } => Some(reads),
            _ => None,
        })
        .flatten()
        .collect();
    reads.sort_by_key(ToString::to_string);
    reads.dedup();
    reads
}

/// The columns that decide whether a contact is complete and whether it has changed, as they are.
///
/// Carried under names of their own, because what is computed from them is computed late: below an
/// outer join PostgreSQL would compute it for every row that is read.
pub(super) struct Values<'a> {
    seed: i64,
    columns: Vec<(&'a FieldRef, bool)>,
    /// Texts of drafts that may be used, as expressions over `e`.
    drafts: Vec<String>,
}

impl<'a> Values<'a> {
    pub(super) fn new(campaign: &'a Campaign) -> Self {
        let mut columns = Vec::new();
        for source in campaign.fields.values() {
            if let FieldSource::Column { from, default } = source {
                columns.push((from, default.is_none()));
            }
        }
        columns.extend(template_reads(campaign).into_iter().map(|from| (from, false)));
        let drafts = campaign.drafts().map(|(field, _)| draft(campaign, field)).collect();
        Self { seed: shape(campaign), columns, drafts }
    }

    /// `e.first_name as value_0, ...`, each with a comma before it.
    pub(super) fn select(&self) -> String {
        let mut text = String::new();
        for (index, (from, _)) in self.columns.iter().enumerate() {
            let _ = write!(text, ",\n    {} as value_{index}", column(from));
        }
        for (index, draft) in self.drafts.iter().enumerate() {
            let _ = write!(text, ",\n    {draft} as draft_{index}");
        }
        text
    }

    /// True when every field that must be set is.
    pub(super) fn complete(&self, alias: &str) -> String {
        let required = self.columns.iter().enumerate().filter(|(_, (_, required))| *required);
        let tests: Vec<String> = required
            .map(|(index, (from, _))| match from.field.kind {
                Kind::Text | Kind::Json => has_text(&format!("{alias}.value_{index}::text")),
                _ => format!("{alias}.value_{index} is not null"),
            })
            .collect();
        if tests.is_empty() { "true".to_owned() } else { format!("({}) is true", tests.join(" and ")) }
    }

    /// True when every field that is drafted has a text.
    pub(super) fn drafted(&self, alias: &str) -> String {
        let tests: Vec<String> =
            (0..self.drafts.len()).map(|index| format!("{alias}.draft_{index} is not null")).collect();
        if tests.is_empty() { "true".to_owned() } else { format!("({})", tests.join(" and ")) }
    }

    /// A hash of everything that the provider's copy is made from: address, columns, templates.
    ///
    /// Only compared with hashes made by the same server; a collision hides one change of one contact
    /// with odds of 2^-64.
    pub(super) fn hash(&self, alias: &str, binds: &mut Binds) -> String {
        let mut values = format!("{alias}.work_email");
        for index in 0..self.columns.len() {
            let _ = write!(values, ", {alias}.value_{index}");
        }
        for index in 0..self.drafts.len() {
            let _ = write!(values, ", {alias}.draft_{index}");
        }
        format!("hash_record_extended(row({values}), {})", binds.add(Bind::Int(self.seed)))
    }
}

/// The text of a field's draft that may be used. Names were checked when the manifest was read.
fn draft(campaign: &Campaign, field: &str) -> String {
    format!(
        "(select d.text from outreach.drafts d
        where d.employee_id = e.id and d.campaign_number = {} and d.field = '{}' and d.state = 'approved')",
        campaign.number,
        field.replace('\'', "''")
    )
}

/// Changes whenever the declared fields do. Of a draft only that it is one: a prompt that is edited concerns those
/// who enter from then on.
fn shape(campaign: &Campaign) -> i64 {
    let mut fields = campaign.fields.clone();
    for source in fields.values_mut() {
        if matches!(source, FieldSource::Draft(_)) {
            *source = FieldSource::Value("drafted".to_owned());
        }
    }
    hash_of(&fields)
}

/// Changes whenever the mails do: who was refused for what they say may be tried again.
pub fn sequence_hash(campaign: &Campaign) -> i64 {
    if campaign.sequence.is_empty() { 0 } else { hash_of(&campaign.sequence) }
}

fn hash_of(declared: &impl serde::Serialize) -> i64 {
    let digest = Sha256::digest(serde_json::to_vec(declared).unwrap_or_default());
    i64::from_be_bytes(std::array::from_fn(|index| digest[index]))
}

/// The fields that need no template, as `jsonb`, values in their own type.
pub(super) fn plain_fields(campaign: &Campaign, binds: &mut Binds) -> String {
    let mut parts = Vec::new();
    for (field, source) in &campaign.fields {
        let name = |binds: &mut Binds| binds.add(Bind::Text(field.clone()));
        match source {
            FieldSource::Column { from, default } => {
                parts.push(name(binds));
                let value = format!("to_jsonb({})", set_value(from));
                parts.push(match default {
                    Some(text) => {
                        format!("coalesce({value}, to_jsonb({}))", binds.add(Bind::Text(text.clone())))
                    }
                    None => value,
                });
            }
            FieldSource::Value(text) => {
                parts.push(name(binds));
                parts.push(format!("to_jsonb({})", binds.add(Bind::Text(text.clone()))));
            }
            FieldSource::Draft(_) => {
                parts.push(name(binds));
                parts.push(format!("to_jsonb({})", draft(campaign, field)));
            }
            FieldSource::Template { .. } => {}
        }
    }
    object(&parts)
}

pub(super) fn has_template(campaign: &Campaign) -> bool {
    campaign.fields.values().any(|source| matches!(source, FieldSource::Template { .. }))
}

/// What templates read, as `{"company": {...}, "employee": {...}}` with unset columns left out,
/// or `null` when the campaign has no template.
pub(super) fn template_inputs(campaign: &Campaign) -> String {
    if !has_template(campaign) {
        return "null::jsonb".to_owned();
    }
    let reads = template_reads(campaign);
    let side = |entity: &str| {
        let mut columns: Vec<&str> = reads
            .iter()
            .filter(|from| from.field.entity.as_str() == entity)
            .map(|from| from.field.column)
            .collect();
        columns.dedup();
        let alias = &entity[..1];
        let parts: Vec<String> =
            columns.iter().flat_map(|name| [format!("'{name}'"), format!("{alias}.{name}")]).collect();
        object(&parts)
    };
    format!(
        "jsonb_strip_nulls(jsonb_build_object('company', {}, 'employee', {}))",
        side("company"),
        side("employee")
    )
}

/// `jsonb_build_object` in pieces: a function takes at most 100 arguments.
fn object(parts: &[String]) -> String {
    if parts.is_empty() {
        return "'{}'::jsonb".to_owned();
    }
    let pieces: Vec<String> =
        parts.chunks(80).map(|chunk| format!("jsonb_build_object({})", chunk.join(", "))).collect();
    pieces.join(" || ")
}
