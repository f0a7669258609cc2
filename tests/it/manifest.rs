//! Manifests as files: what loads, and what is said about what does not.
//!
//! A case is a folder of `tests/cases/manifest`: a project and `expected.txt`, the diagnostics as
//! they are printed. `UPDATE_CASES=1` writes them anew, to be reviewed like code.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use outreachd::manifest::{self, Loaded, Manifest, Severity};
use outreachd::model::{FIELDS, FieldSource, Template};
use proptest::prelude::*;
use serde_json::json;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Loads a case and holds what is said about it against `expected.txt`.
fn check(folder: &Path) {
    let loaded = manifest::load(folder);
    let mut said = String::new();
    for diagnostic in &loaded.diagnostics {
        writeln!(said, "{diagnostic}").unwrap();
    }
    let outcome = loaded.manifest.as_ref().map_or_else(|| "refused\n".to_owned(), summary);
    said.push_str(&outcome);
    let expected = folder.join("expected.txt");
    if std::env::var_os("UPDATE_CASES").is_some() {
        std::fs::write(&expected, &said).unwrap();
        return;
    }
    let wanted = std::fs::read_to_string(&expected).unwrap_or_default();
    assert_eq!(said, wanted, "{}: run with UPDATE_CASES=1 and review the difference", folder.display());
}

fn summary(manifest: &Manifest) -> String {
    let mut out = String::new();
    for segment in manifest.segments.values() {
        writeln!(out, "segment {}: {}", segment.name, segment.rule).unwrap();
    }
    for campaign in &manifest.campaigns {
        writeln!(out, "campaign {} {}: {}", campaign.number, campaign.name, campaign.segment).unwrap();
    }
    out
}

#[test]
fn every_case_is_answered_as_expected() {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(root().join("tests/cases/manifest"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    folders.sort();
    assert!(folders.len() > 10);
    for folder in &folders {
        check(folder);
    }
}

#[test]
fn a_literal_secret_is_never_repeated() {
    let loaded = manifest::load(&root().join("tests/cases/manifest/secrets-are-never-repeated"));
    let said: String = loaded.diagnostics.iter().map(ToString::to_string).collect();
    let json = serde_json::to_string(&loaded.diagnostics).unwrap();
    assert!(loaded.diagnostics.iter().filter(|found| found.code == "literal-secret").count() >= 4);
    for text in [said, json] {
        assert!(!text.contains("hunter2") && !text.contains("72727272"), "{text}");
    }
}

#[test]
fn the_projects_own_files_load_without_a_word() {
    let loaded = manifest::load(&root());
    let said: String = loaded.diagnostics.iter().map(ToString::to_string).collect();
    assert_eq!(said, "");
    let manifest = loaded.manifest.unwrap();
    assert!(manifest.segments.len() >= 4 && manifest.campaigns.len() >= 4);
    let examples = manifest.segments.values().filter(|segment| !segment.examples.is_empty()).count();
    assert!(examples >= 2);
}

/// Fills every text of the project's campaigns for a contact with all columns, and for a bare one.
#[test]
fn the_projects_own_texts_come_out_whole() {
    let manifest = manifest::load(&root()).manifest.unwrap();
    let mut full = json!({"company": {}, "employee": {}});
    for field in FIELDS {
        full[field.entity.as_str()][field.column] = json!(format!("{} of the contact", field.column));
    }
    let bare =
        json!({"company": {"company_name": "Acme", "registration_date": "2020-01-01"}, "employee": {}});
    for (campaign, contact) in manifest.campaigns.iter().flat_map(|it| [(it, &full), (it, &bare)]) {
        let mut fields = serde_json::Map::new();
        for (name, source) in &campaign.fields {
            let value = match source {
                FieldSource::Template { text, .. } => Template::parse(text).unwrap().render(contact).unwrap(),
                FieldSource::Value(text) => text.clone(),
                FieldSource::Draft(_) => "drafted".to_owned(),
                FieldSource::Column { default, .. } => default.clone().unwrap_or_else(|| "set".to_owned()),
            };
            fields.insert(name.clone(), json!(value));
        }
        let fields = serde_json::Value::Object(fields);
        for step in &campaign.sequence {
            let plain = step.subject.iter().chain([&step.body]).map(|text| Template::parse(text).unwrap());
            let html = step.html.iter().map(|text| Template::parse_html(text).unwrap());
            for template in plain.chain(html) {
                let text = template.render(&fields).unwrap();
                assert!(!text.contains("{{") && !text.contains(" ,"), "{}: {text}", campaign.name);
            }
        }
    }
}

#[test]
fn the_schemas_on_disk_are_the_generated_ones() {
    for (name, text) in manifest::schemas() {
        let path = root().join("schemas").join(name);
        if std::env::var_os("UPDATE_CASES").is_some() {
            std::fs::create_dir_all(root().join("schemas")).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), text, "{name}: outreachd schema");
    }
}

#[test]
fn the_schemas_accept_what_the_program_accepts() {
    for (name, text) in manifest::schemas() {
        let schema: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert!(jsonschema::draft202012::meta::is_valid(&schema), "{name}");
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        let own = |folder: &str| yaml_files(&root().join(folder));
        let files = match name {
            "outreach.schema.json" => vec![root().join("outreach.yaml")],
            "segment.schema.json" => own("segments"),
            _ => own("campaigns"),
        };
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            let value: serde_json::Value = serde_yaml::from_str(&text).unwrap();
            let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{}: {errors:?}", file.display());
        }
    }
}

fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

const SEGMENT: &str = "segment: a\nwhere: { company.segment: Fintech, employee.position: { word: CTO } }\n";
const CAMPAIGN: &str = "campaign: c\nnumber: 1\ntype: sales\nsegment: a\nprovider: box\n";
const PROJECT: &str = "providers: { box: { kind: file } }\n";

fn project(segment: &str, campaign: &str) -> Loaded {
    manifest::load_sources([
        ("outreach.yaml", PROJECT),
        ("segments/a.yaml", segment),
        ("campaigns/c.yaml", campaign),
    ])
}

#[test]
fn the_digest_follows_what_is_declared_and_nothing_else() {
    let digest = |segment: &str, file: &str| {
        let files = [("outreach.yaml", PROJECT), (file, segment), ("campaigns/c.yaml", CAMPAIGN)];
        manifest::load_sources(files).manifest.unwrap().digest
    };
    let first = digest(SEGMENT, "segments/a.yaml");
    let turned = SEGMENT.replace(
        "company.segment: Fintech, employee.position: { word: CTO }",
        "employee.position: { word: CTO }, company.segment: Fintech",
    );
    assert_eq!(first, digest(&turned, "segments/a.yaml"));
    let same = "# why\nsegment: a\ndescription: words\nwhere:\n  company.segment: 'Fintech'\n  employee.position:\n    word: CTO\n";
    assert_eq!(first, digest(same, "segments/renamed.yaml"));
    assert_ne!(first, digest(&SEGMENT.replace("CTO", "CIO"), "segments/a.yaml"));
    assert_ne!(first, digest(&SEGMENT.replace("word", "contains"), "segments/a.yaml"));
}

#[test]
fn a_missing_folder_or_project_file_is_an_empty_manifest() {
    let folder = tempfile::tempdir().unwrap();
    let loaded = manifest::load(folder.path());
    assert!(loaded.diagnostics.is_empty());
    assert!(loaded.manifest.unwrap().campaigns.is_empty());
    let nowhere = manifest::load(&folder.path().join("not-mounted"));
    assert!(nowhere.manifest.is_none());
    assert_eq!(nowhere.diagnostics[0].code, "unreadable");
}

#[test]
fn what_looks_like_a_declaration_and_is_not_read_is_said() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("campaigns/archive")).unwrap();
    for name in ["segments.YAML", "campaigns/one.YAML", "campaigns/.hidden.YML", "campaigns/notes.txt"] {
        std::fs::write(folder.path().join(name), "x: [").unwrap();
    }
    let loaded = manifest::load(folder.path());
    let said: Vec<_> = loaded.diagnostics.iter().map(|found| (found.file.as_str(), found.code)).collect();
    assert_eq!(said, [("campaigns/archive", "not-read"), ("campaigns/one.YAML", "not-read")]);
    assert!(loaded.manifest.is_some());
}

#[test]
fn a_later_finding_is_placed_in_its_file() {
    let segment = "segment: a\nwhere:\n  all:\n    - sql: \"c.nope > 0\"\n";
    let manifest = project(segment, CAMPAIGN).manifest.unwrap();
    let diagnostic = manifest.diagnostic(
        "segments/a.yaml",
        "/where/all/0/sql",
        "sql",
        "column c.nope does not exist",
        None,
    );
    assert_eq!((diagnostic.line, diagnostic.column, diagnostic.severity), (4, 12, Severity::Error));
    let json = serde_json::to_value(&diagnostic).unwrap();
    assert_eq!(json["code"], "sql");
    assert_eq!(json["severity"], "error");
}

#[test]
fn colour_is_only_added_and_never_needed() {
    let loaded = project(&SEGMENT.replace("Fintech", "7"), CAMPAIGN);
    let plain = loaded.diagnostics[0].render(false);
    let coloured = loaded.diagnostics[0].render(true);
    assert!(coloured.contains("\u{1b}[1;31m"));
    let mut stripped = coloured;
    for style in ["1;31", "1;33", "1;34", "1;36", "1", "0"] {
        stripped = stripped.replace(&format!("\u{1b}[{style}m"), "");
    }
    assert_eq!(stripped, plain);
}

/// The codes of what is said about one segment file.
fn codes(text: &str) -> Vec<&'static str> {
    manifest::load_sources([("segments/a.yaml", text)])
        .diagnostics
        .iter()
        .map(|diagnostic| diagnostic.code)
        .filter(|code| *code != "unused-segment")
        .collect()
}

#[test]
fn hostile_files_end_in_one_error() {
    let bomb = (1..20).fold("a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned(), |mut text, n| {
        let before = n - 1;
        writeln!(
            text,
            "a{n}: &a{n} [*a{before}, *a{before}, *a{before}, *a{before}, *a{before}, *a{before}]"
        )
        .unwrap();
        text
    });
    assert_eq!(codes(&bomb), ["too-many-values"]);
    let flat: String =
        std::iter::once("where:\n".to_owned()).chain((0..60_000).map(|_| "- 1\n".to_owned())).collect();
    assert_eq!(codes(&flat), ["too-many-values"]);
    for deep in ["[".repeat(10_000), "{a: ".repeat(10_000), "- ".repeat(10_000)] {
        let said = codes(&deep);
        assert!(said == ["too-deep"] || said == ["yaml-syntax"], "{said:?}");
    }
    let steps: String = (0..10_000).fold(String::new(), |mut text, depth| {
        if text.len() < 1_000_000 {
            writeln!(text, "{}a:", " ".repeat(depth)).unwrap();
        }
        text
    });
    assert_eq!(codes(&steps), ["too-deep"]);
    assert_eq!(codes(&"x".repeat(2_000_000)), ["too-large"]);
    assert_eq!(codes("a: &a [*a]\n"), ["yaml-syntax"]);
}

/// `in_segment` is written out where it stands, so few lines can make a rule without end.
#[test]
fn rules_stay_of_a_size_that_a_database_can_plan() {
    let said = |files: Vec<(String, String)>| -> Vec<(&'static str, String)> {
        let start = std::time::Instant::now();
        let found = manifest::load_sources(files).diagnostics;
        assert!(start.elapsed() < std::time::Duration::from_secs(5), "{:?}", start.elapsed());
        let errors = found.into_iter().filter(manifest::Diagnostic::is_error);
        errors.map(|found| (found.code, format!("{}: {}", found.file, found.message))).collect()
    };
    let file =
        |n: usize, rule: &str| (format!("segments/s{n}.yaml"), format!("segment: s{n}\nwhere: {rule}\n"));
    let leaf = file(0, "{ employee.position: { is_set: true } }");
    let doubling =
        |n: usize| file(n, &format!("{{ all: [{{ in_segment: s{0} }}, {{ in_segment: s{0} }}] }}", n - 1));
    let doubled: Vec<_> = std::iter::once(leaf.clone()).chain((1..32).map(doubling)).collect();
    assert_eq!(said(doubled[..12].to_vec()), []);
    // 2^n times the leaf and 3 * (2^n - 1) above it: said once, where it comes about.
    let found = said(doubled);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, "too-large");
    assert!(
        found[0].1.starts_with("segments/s12.yaml: ") && found[0].1.contains(" 16381 clauses"),
        "{found:?}"
    );

    let naming = |n: usize| file(n, &format!("{{ in_segment: s{} }}", n - 1));
    let chain = |n: usize| std::iter::once(leaf.clone()).chain((1..n).map(naming)).collect::<Vec<_>>();
    assert_eq!(said(chain(32)), []);
    let found = said(chain(1999));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].1.contains("33 segments name each other"), "{found:?}");

    let wide = |n: usize| format!("{{ any: [{}] }}", "{ employee.position: x },".repeat(n));
    assert_eq!(said(vec![file(1, &wide(1_990))]), []);
    assert_eq!(said(vec![file(1, &wide(2_000))])[0].0, "too-many-clauses");
    let many: Vec<_> = (1..=12).map(|n| file(n, &wide(20_000))).collect();
    let found = said(many);
    assert!(found.iter().any(|found| found.0 == "too-many-values"), "{found:?}");
    assert!(found.len() <= 4, "{found:?}");
}

/// Each text is one mistake made tens of thousands of times; the answer stays small.
#[test]
fn many_mistakes_are_answered_briefly() {
    let many = |part: &dyn Fn(usize) -> String| (0..40_000).map(part).collect::<Vec<_>>().join(", ");
    let texts = [
        format!("{{ {} }}", many(&|_| "a: 1".to_owned())),
        format!("{{ {} }}", many(&|n| format!("limits{n}: 1"))),
        format!("segment: a\nwhere: {{ any: [{}] }}\n", many(&|n| format!("in_segment: s{n}"))),
        format!("segment: a\nwhere: {{ any: [{}] }}\n", many(&|_| "company.x: 1".to_owned())),
        format!("segment: a\nwhere: {{ company.segment: {{ in: [{}] }} }}\n", many(&|n| n.to_string())),
        format!("segment: a\norder_by: [{}]\n", many(&|_| "company.x: asc".to_owned())),
        format!("segment: a\nexamples: [{}]\n", many(&|_| "1".to_owned())),
        format!("segment: a\nwhere: {{ {}: 1 }}\n", "x".repeat(900_000)),
        format!("segment: {}\n", "x".repeat(900_000)),
    ];
    for text in texts {
        let loaded = manifest::load_sources([("segments/a.yaml", text.as_str())]);
        assert!(loaded.manifest.is_none());
        assert!(loaded.diagnostics.len() <= 301, "{}", loaded.diagnostics.len());
        let said: usize = loaded.diagnostics.iter().map(|found| found.to_string().len()).sum();
        assert!(said < 300_000, "{said} bytes about {}", &text[..40]);
    }
}

#[test]
fn a_huge_file_is_refused_unread() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("segments")).unwrap();
    let file = std::fs::File::create(folder.path().join("segments/a.yaml")).unwrap();
    // Sparse: reading it would take memory, asking for its size does not.
    file.set_len(100 * 1024 * 1024 * 1024).unwrap();
    let loaded = manifest::load(folder.path());
    let codes: Vec<_> = loaded.diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
    assert_eq!(codes, ["too-large"]);
}

#[test]
fn what_is_no_text_file_is_said_so() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("segments/folder.yaml")).unwrap();
    std::fs::write(folder.path().join("segments/binary.yaml"), [0xff, 0xfe, 0x00]).unwrap();
    std::fs::write(folder.path().join("segments/.hidden.yaml"), "not: ours").unwrap();
    let loaded = manifest::load(folder.path());
    let files: BTreeMap<_, _> =
        loaded.diagnostics.iter().map(|found| (found.file.as_str(), found.code)).collect();
    assert_eq!(
        files.into_iter().collect::<Vec<_>>(),
        [("segments/binary.yaml", "unreadable"), ("segments/folder.yaml", "unreadable")]
    );
}

proptest! {
    #[test]
    fn arbitrary_text_is_answered_and_never_a_panic(text in "\\PC{0,200}", other in any::<String>()) {
        let loaded = project(&text, &other);
        prop_assert!(loaded.manifest.is_none());
        prop_assert!(loaded.diagnostics.iter().all(|found| found.line > 0 && found.column > 0));
    }

    #[test]
    fn a_broken_character_is_placed_inside_its_file(at in 0_usize..120, with in "[\\[\\]{}:,&*!|>'\"%@`#\\- \ta\n]{1,3}") {
        let whole = format!("{SEGMENT}limit: 5\norder_by: [{{ company.revenue: desc }}]\nexamples: []\n");
        let mut text: String = whole.chars().take(at).collect();
        text.push_str(&with);
        text.extend(whole.chars().skip(at));
        let loaded = project(&text, CAMPAIGN);
        for found in loaded.diagnostics {
            prop_assert!(found.line <= text.lines().count() + 1, "{found}");
            prop_assert!(!found.render(false).is_empty());
        }
    }
}
