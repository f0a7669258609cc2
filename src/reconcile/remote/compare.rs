//! Three views of a setting: what is declared, what the provider shows, what was last written there. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::model::{Change, OnDrift, RemotePlan};
use crate::provider::{RemoteValues, STATUS};
use crate::store::remote::Written;

/// What differs, as a plan shows it.
pub(super) struct Compared {
    pub(super) plan: RemotePlan,
    /// Settings that are as declared and not known as such: remembered, so that an edit is seen as one.
    pub(super) settled: BTreeMap<String, Written>,
}

/// `has_people` tells whether anybody is in the campaign, or enters with this plan; `enters` only the latter.
pub(super) fn compare(
    wanted: &RemoteValues,
    there: &RemoteValues,
    written: &BTreeMap<String, Written>,
    on_drift: OnDrift,
    [has_people, enters]: [bool; 2],
) -> Compared {
    let mut compared = Compared {
        plan: RemotePlan { restores: on_drift == OnDrift::Restore, ..RemotePlan::default() },
        settled: BTreeMap::new(),
    };
    // A step that is there and not declared goes: the sequence is one thing.
    let steps = there.keys().filter(|name| name.starts_with("sequence."));
    let names: BTreeSet<&String> = wanted.keys().chain(steps).collect();
    let nothing = Value::Null;
    for name in names {
        let want = wanted.get(name).unwrap_or(&nothing);
        let have = there.get(name).unwrap_or(&nothing);
        let known = written.get(name);
        let fits = if name == STATUS { status_fits(want, have, has_people, enters) } else { want == have };
        let edited = known.is_some_and(|known| !same(name, &known.observed, have));
        let intended = known.is_none_or(|known| known.declared != *want);
        let restarts = name == STATUS && enters && have == "completed" && !fits;
        if fits {
            if known.is_none_or(|known| known.declared != *want || edited) && (name != STATUS || want == have)
            {
                let settled = Written { declared: want.clone(), observed: have.clone() };
                compared.settled.insert(name.clone(), settled);
            }
        } else if edited && !intended {
            let known = known.map_or(Value::Null, |known| known.observed.clone());
            compared.plan.drift.push(Change { field: name.clone(), old: known, new: have.clone() });
        } else if intended || restarts {
            compared.plan.changes.push(Change { field: name.clone(), old: have.clone(), new: want.clone() });
        }
    }
    compared
}

/// A campaign that came to its end by itself was not edited.
fn same(name: &str, known: &Value, have: &Value) -> bool {
    known == have || name == STATUS && known == "active" && have == "completed"
}

/// A campaign with nobody in it cannot be started; one that is not running need not be paused.
fn status_fits(want: &Value, have: &Value, has_people: bool, enters: bool) -> bool {
    match (want.as_str(), have.as_str()) {
        (Some("active"), Some("active")) => true,
        (Some("active"), Some("completed")) => !enters,
        (Some("active"), Some("draft")) => !has_people,
        (Some("paused"), have) => have != Some("active"),
        _ => want == have,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn values(pairs: &[(&str, Value)]) -> RemoteValues {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    fn written(name: &str, declared: &Value, observed: &Value) -> BTreeMap<String, Written> {
        let written = Written { declared: declared.clone(), observed: observed.clone() };
        BTreeMap::from([(name.to_owned(), written)])
    }

    /// Of one setting: whether it is changed, and whether it counts as edited.
    fn of(name: &str, want: Value, have: Value, known: Option<(Value, Value)>) -> (bool, bool) {
        let known =
            known.map_or_else(BTreeMap::new, |(declared, observed)| written(name, &declared, &observed));
        let compared = compare(
            &values(&[(name, want)]),
            &values(&[(name, have)]),
            &known,
            OnDrift::Report,
            [true, false],
        );
        (!compared.plan.changes.is_empty(), !compared.plan.drift.is_empty())
    }

    #[test]
    fn an_edit_is_told_from_a_change_of_the_declaration() {
        let a = || json!("a");
        let (b, c) = (json!("b"), json!("c"));
        assert_eq!(of("x", a(), a(), None), (false, false));
        assert_eq!(of("x", a(), b.clone(), None), (true, false), "never written");
        assert_eq!(of("x", a(), b.clone(), Some((a(), a()))), (false, true), "edited there");
        assert_eq!(of("x", a(), b.clone(), Some((b.clone(), b.clone()))), (true, false), "declared anew");
        assert_eq!(
            of("x", a(), b.clone(), Some((c.clone(), c))),
            (true, false),
            "both: the declaration wins"
        );
        assert_eq!(
            of("x", a(), b.clone(), Some((a(), b))),
            (false, false),
            "the provider's own way of writing it"
        );
    }

    #[test]
    fn a_campaign_that_ends_by_itself_is_not_edited() {
        let active = || Some((json!("active"), json!("active")));
        assert_eq!(of(STATUS, json!("active"), json!("completed"), active()), (false, false));
        assert_eq!(of(STATUS, json!("active"), json!("paused"), active()), (false, true));
        assert_eq!(of(STATUS, json!("active"), json!("draft"), None), (true, false));
        assert_eq!(of(STATUS, json!("paused"), json!("draft"), None), (false, false));
        assert_eq!(of(STATUS, json!("paused"), json!("active"), active()), (true, false));
        let status = |have: &str, people| {
            let compared = compare(
                &values(&[(STATUS, json!("active"))]),
                &values(&[(STATUS, json!(have))]),
                &written(STATUS, &json!("active"), &json!("active")),
                OnDrift::Report,
                people,
            );
            compared.plan.changes.len()
        };
        assert_eq!(status("completed", [true, true]), 1, "started again for who enters");
        assert_eq!(status("draft", [false, false]), 0, "nobody to start it for");
    }

    #[test]
    fn a_step_too_many_goes() {
        let there = values(&[("sequence.02.body", json!("x"))]);
        let compared = compare(&values(&[]), &there, &BTreeMap::new(), OnDrift::Report, [true, false]);
        assert_eq!(compared.plan.changes[0].new, Value::Null);
    }
}
