//! The import held to a naive model of itself: rows one by one, in memory, in the order of the file.

use std::collections::BTreeMap;

use outreachd::intake::import::{ImportError, ImportReport, ImportRequest, import};
use outreachd::model::{Entity, FixedClock};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use sqlx::Row as _;

use crate::support::TestDb;

/// Few values, so that rows meet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Person {
    company: u8,
    name: Option<String>,
    address: Option<String>,
    position: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Firm {
    tin: Option<String>,
    registration: Option<String>,
    name: Option<String>,
    region: Option<String>,
}

/// A row's outcome: the place of the stored row that it is (a new one is appended), or refused.
type Outcome = Option<usize>;

/// What sharing a key means for two rows of one file.
struct Keys {
    /// Kind and value; `settled` keys decide nothing between two rows that both have them so.
    keys: Vec<(&'static str, String, bool)>,
}

/// Matches every row against what was stored before, then walks the file: the first good row has its keys.
fn naive<Row: Clone + Ord>(
    stored: &mut Vec<Row>,
    rows: &[Row],
    find: impl Fn(&[Row], &Row) -> Result<(Option<usize>, Keys), ()>,
    merge: impl Fn(&mut Row, &Row),
) -> Vec<Outcome> {
    let before = stored.clone();
    let mut firsts: BTreeMap<&Row, Outcome> = BTreeMap::new();
    let mut taken: Vec<(&'static str, String, bool)> = Vec::new();
    let mut outcomes = Vec::new();
    for row in rows {
        if let Some(outcome) = firsts.get(row) {
            outcomes.push(*outcome);
            continue;
        }
        let outcome = find(&before, row).ok().and_then(|(place, keys)| {
            let clash = keys.keys.iter().any(|(kind, key, settled)| {
                taken.iter().any(|(k, v, s)| k == kind && v == key && !(*s && *settled))
            });
            if clash {
                return None;
            }
            taken.extend(keys.keys);
            let place = place.unwrap_or_else(|| {
                stored.push(row.clone());
                stored.len() - 1
            });
            merge(&mut stored[place], row);
            Some(place)
        });
        firsts.insert(row, outcome);
        outcomes.push(outcome);
    }
    outcomes
}

fn find_firm(stored: &[Firm], row: &Firm) -> Result<(Option<usize>, Keys), ()> {
    let by = |key: fn(&Firm) -> &Option<String>| {
        key(row).as_ref().and_then(|wanted| stored.iter().position(|firm| key(firm).as_ref() == Some(wanted)))
    };
    let (tin, registration) = (by(|firm| &firm.tin), by(|firm| &firm.registration));
    let place = tin.or(registration);
    let differs = |a: &Option<String>, b: &Option<String>| a.is_some() && b.is_some() && a != b;
    match place {
        None if row.tin.is_none() && row.registration.is_none() || row.name.is_none() => return Err(()),
        Some(_) if tin.is_some() && registration.is_some() && tin != registration => return Err(()),
        Some(place)
            if differs(&stored[place].tin, &row.tin)
                || differs(&stored[place].registration, &row.registration) =>
        {
            return Err(());
        }
        _ => {}
    }
    let mut keys = Vec::new();
    keys.extend(row.tin.clone().map(|tin| ("tin", tin, false)));
    keys.extend(row.registration.clone().map(|number| ("registration", number, false)));
    keys.extend(place.map(|place| ("id", place.to_string(), false)));
    Ok((place, Keys { keys }))
}

fn find_person(stored: &[Person], row: &Person) -> Result<(Option<usize>, Keys), ()> {
    if row.name.is_none() && row.address.is_none() {
        return Err(());
    }
    let places = |test: &dyn Fn(&Person) -> bool| -> Vec<usize> {
        (0..stored.len())
            .filter(|&place| stored[place].company == row.company && test(&stored[place]))
            .collect()
    };
    let addressed = places(&|person| row.address.is_some() && person.address == row.address);
    let named = places(&|person| row.name.is_some() && person.name == row.name);
    let exact: Vec<usize> =
        addressed.iter().copied().filter(|&place| stored[place].name == row.name).collect();
    let place = match (addressed.as_slice(), exact.as_slice(), named.as_slice()) {
        ([one], [], []) | ([], _, [one]) | ([_, ..], [one], _) => Some(*one),
        ([], _, []) => None,
        _ => return Err(()),
    };
    let mut keys = Vec::new();
    keys.extend(row.address.clone().map(|address| ("address", format!("{} {address}", row.company), false)));
    keys.extend(
        row.name.clone().map(|name| ("name", format!("{} {name}", row.company), !addressed.is_empty())),
    );
    keys.extend(place.map(|place| ("id", place.to_string(), false)));
    Ok((place, Keys { keys }))
}

fn fill(stored: &mut Option<String>, given: Option<&String>) {
    if given.is_some() {
        *stored = given.cloned();
    }
}

fn merge_firm(stored: &mut Firm, row: &Firm) {
    fill(&mut stored.tin, row.tin.as_ref());
    fill(&mut stored.registration, row.registration.as_ref());
    fill(&mut stored.name, row.name.as_ref());
    fill(&mut stored.region, row.region.as_ref());
}

fn merge_person(stored: &mut Person, row: &Person) {
    fill(&mut stored.name, row.name.as_ref());
    fill(&mut stored.address, row.address.as_ref());
    fill(&mut stored.position, row.position.as_ref());
}

fn maybe(values: &'static [&'static str]) -> impl Strategy<Value = Option<String>> {
    proptest::option::weighted(0.8, proptest::sample::select(values).prop_map(ToOwned::to_owned))
}

fn firms() -> impl Strategy<Value = Vec<Firm>> {
    let firm = (
        maybe(&["1000000001", "1000000002", "1000000003", "0000000004"]),
        maybe(&["1000000000001", "1000000000002", "1000000000003"]),
        maybe(&["ООО «Альфа»", "Beta; \"B\"", "Gamma\nplant"]),
        maybe(&["Msk", "a,b", "\\N"]),
    )
        .prop_map(|(tin, registration, name, region)| Firm { tin, registration, name, region });
    proptest::collection::vec(firm, 0..12)
}

fn people() -> impl Strategy<Value = Vec<Person>> {
    let person = (
        1..=2_u8,
        maybe(&["Ann", "Bob", "Егор"]),
        maybe(&["a@x.example", "b@x.example", "c@x.example"]),
        maybe(&["CTO", "CEO\tand \\founder"]),
    )
        .prop_map(|(company, name, address, position)| Person { company, name, address, position });
    proptest::collection::vec(person, 0..12)
}

/// A file as a person might have written it.
fn csv(header: &str, rows: impl Iterator<Item = Vec<Option<String>>>) -> String {
    let mut text = format!("{header}\n");
    for row in rows {
        let cells: Vec<String> = row
            .into_iter()
            .map(|cell| format!("\"{}\"", cell.unwrap_or_default().replace('"', "\"\"")))
            .collect();
        text.extend([cells.join(","), "\n".to_owned()]);
    }
    text
}

fn firm_file(firms: &[Firm]) -> String {
    let cells = |firm: &Firm| {
        vec![firm.tin.clone(), firm.registration.clone(), firm.name.clone(), firm.region.clone()]
    };
    csv("tin,registration_number,company_name,region", firms.iter().map(cells))
}

fn person_file(people: &[Person]) -> String {
    let cells = |person: &Person| {
        let tin = Some(format!("100000000{}", person.company));
        vec![tin, person.name.clone(), person.address.clone(), person.position.clone()]
    };
    csv("company_tin,full_name,work_email,position", people.iter().map(cells))
}

struct Bench {
    runtime: tokio::runtime::Runtime,
    db: TestDb,
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let db = runtime.block_on(TestDb::new());
        Self { runtime, db, folder: tempfile::tempdir().unwrap() }
    }

    fn try_import(&self, entity: Entity, content: &[u8]) -> Result<ImportReport, ImportError> {
        let file = self.folder.path().join("file.csv");
        std::fs::write(&file, content).unwrap();
        let request =
            ImportRequest { entity, file, session_key: None, batch_id: None, dry_run: false, rejects: None };
        let clock = FixedClock("2026-11-23T09:00:00Z".parse().unwrap());
        self.runtime.block_on(import(self.db.store(), &request, &clock, &|_| {}))
    }

    fn clear(&self) {
        self.runtime.block_on(self.db.execute(
            "truncate companies, employees, outreach.imports, outreach.suppressions;
             insert into companies (company_name, tin) values ('One', '1000000001'), ('Two', '1000000002')",
        ));
    }

    fn rows<T>(&self, sql: &'static str, read: impl Fn(sqlx::postgres::PgRow) -> T) -> Vec<T> {
        let rows = self.runtime.block_on(sqlx::query(sql).fetch_all(self.db.pool())).unwrap();
        rows.into_iter().map(read).collect()
    }

    fn firms(&self) -> Vec<Firm> {
        self.rows("select tin, registration_number, company_name, region from companies", |row| Firm {
            tin: row.get(0),
            registration: row.get(1),
            name: row.get(2),
            region: row.get(3),
        })
    }

    fn people(&self) -> Vec<Person> {
        self.rows(
            "select right(c.tin, 1), full_name, work_email, position
             from employees e join companies c on c.id = e.company_id",
            |row| Person {
                company: row.get::<String, _>(0).parse().unwrap(),
                name: row.get(1),
                address: row.get(2),
                position: row.get(3),
            },
        )
    }
}

fn check(cases: u32, test: impl Fn(&Bench, TestRunner)) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    test(&Bench::new(), TestRunner::new(config));
}

fn sorted<T: Ord + Clone>(rows: &[T]) -> Vec<T> {
    let mut rows = rows.to_vec();
    rows.sort();
    rows
}

/// What the model says of an import, compared with what it did; `None` when all is as it should be.
fn compare<Row: Ord + Clone + std::fmt::Debug>(
    report: &ImportReport,
    outcomes: &[Outcome],
    before: usize,
    expected: &[Row],
    stored: &[Row],
) -> Result<(), TestCaseError> {
    let refused: Vec<u64> = report.shown.iter().map(|row| row.line).collect();
    prop_assert_eq!(refused.len(), outcomes.iter().filter(|outcome| outcome.is_none()).count());
    prop_assert_eq!(report.inserted as usize, expected.len() - before);
    prop_assert_eq!(sorted(stored), sorted(expected));
    Ok(())
}

#[test]
fn companies_equal_the_model() {
    check(40, |bench, mut runner| {
        runner
            .run(&(firms(), firms()), |(first, second)| {
                bench.clear();
                let mut model = bench.firms();
                for rows in [&first, &second] {
                    let before = model.len();
                    let rows: Vec<Firm> = rows
                        .iter()
                        .filter(|row| {
                            **row != Firm { tin: None, registration: None, name: None, region: None }
                        })
                        .cloned()
                        .collect();
                    let report = bench.try_import(Entity::Company, firm_file(&rows).as_bytes()).unwrap();
                    let outcomes = naive(&mut model, &rows, find_firm, merge_firm);
                    compare(&report, &outcomes, before, &model, &bench.firms())?;
                    // Again, and nothing is new. (A refused row may be good the second time: it lacked a name,
                    // and a later row brought the company in.)
                    if report.rejected == 0 {
                        let again = bench.try_import(Entity::Company, firm_file(&rows).as_bytes()).unwrap();
                        prop_assert_eq!((again.inserted, again.updated, again.rejected), (0, 0, 0));
                    }
                }
                Ok(())
            })
            .unwrap();
    });
}

#[test]
fn employees_equal_the_model() {
    check(40, |bench, mut runner| {
        runner
            .run(&(people(), people()), |(first, second)| {
                bench.clear();
                let mut model = Vec::new();
                for rows in [&first, &second] {
                    let before = model.len();
                    let report = bench.try_import(Entity::Employee, person_file(rows).as_bytes()).unwrap();
                    let outcomes = naive(&mut model, rows, find_person, merge_person);
                    compare(&report, &outcomes, before, &model, &bench.people())?;
                    let again = bench.try_import(Entity::Employee, person_file(rows).as_bytes()).unwrap();
                    if report.rejected == 0 {
                        prop_assert_eq!((again.inserted, again.updated, again.rejected), (0, 0, 0));
                    } else {
                        // Settled or not, the model goes the same way.
                        let before = model.len();
                        let outcomes = naive(&mut model, rows, find_person, merge_person);
                        compare(&again, &outcomes, before, &model, &bench.people())?;
                    }
                }
                Ok(())
            })
            .unwrap();
    });
}

#[test]
fn the_order_of_rows_that_share_nothing_does_not_matter() {
    let rows: Vec<Firm> = (0..20)
        .map(|i| Firm {
            tin: Some(format!("10000000{i:02}")),
            registration: (i % 2 == 0).then(|| format!("20000000000{i:02}")),
            name: (i % 3 > 0).then(|| format!("Firm {i}")),
            region: None,
        })
        .collect();
    check(8, |bench, mut runner| {
        bench.clear();
        bench.try_import(Entity::Company, firm_file(&rows).as_bytes()).unwrap();
        let expected = sorted(&bench.firms());
        runner
            .run(&Just(rows.clone()).prop_shuffle(), |shuffled| {
                bench.clear();
                bench.try_import(Entity::Company, firm_file(&shuffled).as_bytes()).unwrap();
                prop_assert_eq!(sorted(&bench.firms()), expected.clone());
                Ok(())
            })
            .unwrap();
    });
}

/// Whatever the bytes, the import ends in a report whose counts add up, or in an error about the file.
#[test]
fn arbitrary_bytes_never_panic_nor_fail_the_database() {
    let pieces = proptest::sample::select(vec![
        "1000000001",
        "1000000002",
        ",",
        ",",
        ";",
        "\"",
        "\"\"",
        "\n",
        "\n",
        "\r\n",
        "x@y.zz",
        "{\"a\":1}",
        "\u{0}",
        "\\N",
        "\\",
        "\t",
        "да",
        "1 250,5",
        "=1",
        "\u{feff}",
        "{",
        "}",
        "null",
        "\\u0000",
        "2019-12-31",
        "1e400",
    ]);
    let text = proptest::collection::vec(pieces, 0..40).prop_map(|pieces| pieces.concat().into_bytes());
    let noise = proptest::collection::vec(any::<u8>(), 0..200);
    let body = prop_oneof![text, noise];
    let headers = proptest::sample::select(vec![
        "tin,company_name,revenue\n",
        "company_name;tin;all_company_emails\n",
        "company_tin,full_name,ai_research_data\n",
        "{\"tin\":\"1000000001\",\"revenue\":",
        "",
    ]);
    check(50, |bench, mut runner| {
        bench.clear();
        runner
            .run(&(headers.clone(), body.clone()), |(header, body)| {
                let content = [header.as_bytes(), &body].concat();
                for entity in [Entity::Company, Entity::Employee] {
                    match bench.try_import(entity, &content) {
                        Ok(report) => prop_assert_eq!(
                            report.read,
                            report.inserted + report.updated + report.unchanged + report.rejected
                        ),
                        Err(error) => prop_assert!(error.is_invalid_file(), "{error:?}"),
                    }
                }
                Ok(())
            })
            .unwrap();
    });
}
