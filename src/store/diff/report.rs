//! What the diff answers, as rows become values.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::model::ActionKind;
use crate::store::StoreError;

/// One action with what a person wants to see of it.
#[derive(Debug, Clone, PartialEq)]
pub struct ActionRow {
    pub action: ActionKind,
    pub employee_id: Uuid,
    pub email: String,
    pub reason: String,
    pub full_name: String,
    pub position: String,
    pub company_name: String,
    /// What the provider holds; only of an update.
    pub held: Option<Map<String, Value>>,
    /// The address that the provider holds; absent when it holds nothing.
    pub held_email: Option<String>,
    /// The fields that need no template; absent of a withdrawal.
    pub fields: Option<Map<String, Value>>,
    /// What templates read; absent when there is none.
    pub inputs: Option<Value>,
}

impl ActionRow {
    pub(super) fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let object = |name: &str| -> Result<Option<Map<String, Value>>, sqlx::Error> {
            Ok(match row.try_get::<Option<Value>, _>(name)? {
                Some(Value::Object(map)) => Some(map),
                _ => None,
            })
        };
        Ok(Self {
            action: action(row.try_get("action")?)?,
            employee_id: row.try_get("employee_id")?,
            email: row.try_get("email")?,
            reason: row.try_get("reason")?,
            full_name: row.try_get("full_name")?,
            position: row.try_get("position")?,
            company_name: row.try_get("company_name")?,
            held: object("held")?,
            held_email: row.try_get("held_email")?,
            fields: object("fields")?,
            inputs: row.try_get("inputs")?,
        })
    }

    fn from_json(mut value: Value) -> Option<Self> {
        let text = |value: &mut Value, name: &str| match value.get_mut(name).map(Value::take) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let object = |value: &mut Value, name: &str| match value.get_mut(name).map(Value::take) {
            Some(Value::Object(map)) => Some(map),
            _ => None,
        };
        Some(Self {
            action: ActionKind::parse(&text(&mut value, "action")?)?,
            employee_id: text(&mut value, "employee_id")?.parse().ok()?,
            email: text(&mut value, "email")?,
            reason: text(&mut value, "reason")?,
            full_name: text(&mut value, "full_name")?,
            position: text(&mut value, "position")?,
            company_name: text(&mut value, "company_name")?,
            held: object(&mut value, "held"),
            held_email: text(&mut value, "held_email"),
            fields: object(&mut value, "fields"),
            inputs: value.get_mut("inputs").map(Value::take).filter(|inputs| !inputs.is_null()),
        })
    }
}

fn action(code: &str) -> Result<ActionKind, sqlx::Error> {
    ActionKind::parse(code).ok_or_else(|| sqlx::Error::Decode(format!("unknown action `{code}`").into()))
}

/// Counts, digest and samples of one campaign's diff.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    pub enroll: i64,
    pub update: i64,
    pub withdraw: i64,
    pub send: i64,
    /// Of the withdrawals, those that nothing may delay.
    pub stops: i64,
    /// Live enrollments before any action.
    pub live: i64,
    /// Live enrollments with an unsettled push.
    pub in_flight: i64,
    /// Contacts that are not enrolled yet and have an unsettled push.
    pub on_the_way: i64,
    pub skipped: BTreeMap<String, i64>,
    pub leaving: BTreeMap<String, i64>,
    /// Two independent sums over all actions, whatever their order.
    pub sums: [i64; 2],
    pub samples: Vec<ActionRow>,
}

impl Report {
    /// Live enrollments that nothing happens to.
    pub const fn keep(&self) -> i64 {
        self.live - self.withdraw - self.update
    }

    /// Withdrawals that the guard counts.
    pub const fn withdraw_by_rule(&self) -> i64 {
        self.withdraw - self.stops
    }

    pub(super) fn from_rows(rows: &[PgRow]) -> Result<Self, StoreError> {
        let mut report = Self::default();
        for row in rows {
            report.add(row).map_err(StoreError::on("read the diff"))?;
        }
        Ok(report)
    }

    fn add(&mut self, row: &PgRow) -> Result<(), sqlx::Error> {
        let part: &str = row.try_get("part")?;
        let code: String = row.try_get("code")?;
        if part == "sample" {
            let sample = ActionRow::from_json(row.try_get("detail")?)
                .ok_or_else(|| sqlx::Error::Decode("a sample of the diff has another shape".into()))?;
            self.samples.push(sample);
            return Ok(());
        }
        let n: i64 = row.try_get("n")?;
        match part {
            "skip" => {
                self.skipped.insert(code, n);
            }
            "left" => {
                self.leaving.insert(code, n);
            }
            "live" => self.live = n,
            "in_flight" => self.in_flight = n,
            "on_the_way" => self.on_the_way = n,
            _ => {
                match action(&code)? {
                    ActionKind::Enroll => self.enroll = n,
                    ActionKind::Update => self.update = n,
                    ActionKind::Withdraw => {
                        self.withdraw = n;
                        self.stops = row.try_get("stops")?;
                    }
                    ActionKind::Send => self.send = n,
                }
                self.sums[0] ^= row.try_get::<i64, _>("digest_1")?;
                self.sums[1] ^= row.try_get::<i64, _>("digest_2")?;
            }
        }
        Ok(())
    }
}

/// Where one contact stands in one campaign after every step of the diff.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub employee_id: Uuid,
    /// The rule lets it in.
    pub matched: bool,
    /// Status of the enrollment, if there is one.
    pub status: Option<String>,
    pub live: bool,
    pub in_flight: bool,
    /// Why it is not enrolled.
    pub skip: Option<String>,
    /// Why it leaves.
    pub leaves: Option<String>,
    pub action: Option<String>,
    /// Every reason that speaks against an enrollment, but for the bounds that count contacts.
    pub against: Vec<String>,
    /// Every reason to leave.
    pub leaving: Vec<String>,
}

impl Verdict {
    /// Of a contact about which nothing is known.
    pub const fn nothing(employee_id: Uuid) -> Self {
        Self {
            employee_id,
            matched: false,
            status: None,
            live: false,
            in_flight: false,
            skip: None,
            leaves: None,
            action: None,
            against: Vec::new(),
            leaving: Vec::new(),
        }
    }

    pub(super) fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            employee_id: row.try_get("employee_id")?,
            matched: row.try_get("matched")?,
            status: row.try_get("status")?,
            live: row.try_get("live")?,
            in_flight: row.try_get("in_flight")?,
            skip: row.try_get("skip")?,
            leaves: row.try_get("leaves")?,
            action: row.try_get("action")?,
            against: row.try_get("against")?,
            leaving: row.try_get("leaving")?,
        })
    }

    /// The reasons beside the one that counts.
    pub fn further(&self) -> Vec<String> {
        let (first, all) = match (&self.skip, &self.leaves) {
            (Some(skip), _) => (skip, &self.against),
            (None, Some(leaves)) => (leaves, &self.leaving),
            (None, None) => return Vec::new(),
        };
        all.iter().filter(|reason| *reason != first).cloned().collect()
    }
}
