//! What becomes of files: the samples, rejects, broken rows, files that are no tables.

use std::path::Path;

use outreachd::intake::import::ImportError;
use outreachd::model::Entity;

use super::{World, clock, counts, reasons, request};

#[tokio::test]
async fn the_clean_files_come_in_whole_and_again_without_a_change() {
    let world = World::new().await;
    let companies = world.sample("companies.csv");
    let employees = world.sample("employees.csv");
    assert_eq!(counts(&world.companies(&companies).await), [70, 70, 0, 0, 0, 0]);
    assert_eq!(counts(&world.employees(&employees).await), [80, 80, 0, 0, 0, 0]);
    let touched = world.text("select max(updated_at)::text from employees").await;

    let again = world.companies(&companies).await;
    assert_eq!(counts(&again), [70, 0, 0, 70, 0, 0]);
    assert_eq!(again.seen_before, Some(clock().0));
    assert_eq!(counts(&world.employees(&employees).await), [80, 0, 0, 80, 0, 0]);
    assert_eq!(world.text("select max(updated_at)::text from employees").await, touched);
    assert!(!world.folder.path().join("companies.rejects.csv").exists());
    assert_eq!(world.count("select count(*) from employees e join companies c on c.id = e.company_id where e.company_name = c.company_name and e.processing_status = 'pending' and not e.reply_bounce").await, 80);
}

#[tokio::test]
async fn the_messy_files_on_an_empty_database() {
    let world = World::new().await;
    let companies = world.companies(&world.sample("companies-messy.csv")).await;
    assert_eq!(counts(&companies), [13, 9, 0, 0, 4, 1]);
    assert_eq!(
        reasons(&companies),
        [
            (6, "tin", "is also on line 5, with other details in the row"),
            (8, "employee_count", "`about 40` is not a whole number"),
            (9, "office_qualification", "`Medium` is none of More, Less"),
            (10, "company_name", "is empty, and no such company is stored: a new company needs a name"),
        ]
    );
    assert_eq!(
        world
            .text("select company_name || '|' || segment from companies where tin = '8150875920'")
            .await
            .as_deref(),
        Some("Морозова Инкорпорэйтед|Fintech")
    );
    assert_eq!(
        world.text("select revenue::text from companies where tin = '3952692488'").await.as_deref(),
        Some("1250000.50")
    );
    assert_eq!(
        world.text("select registration_date::text from companies where tin = '5403524045'").await.as_deref(),
        Some("2019-12-31")
    );
    assert_eq!(
        world.text("select sme_registry::text from companies where tin = '8055850570'").await.as_deref(),
        Some("true")
    );

    let employees = world.employees(&world.sample("employees-messy.csv")).await;
    assert_eq!(counts(&employees), [10, 4, 0, 0, 6, 0]);
    let lines: Vec<(u64, &str)> = employees.shown.iter().map(|row| (row.line, row.column.as_str())).collect();
    assert_eq!(
        lines,
        [
            (3, "work_email"),
            (5, "company_tin"),
            (6, "ai_research_data"),
            (8, "company_tin"),
            (9, "full_name"),
            (10, "company_tin"),
        ]
    );
}

#[tokio::test]
async fn the_messy_files_after_the_clean_ones() {
    let world = World::new().await;
    world.companies(&world.sample("companies.csv")).await;
    world.employees(&world.sample("employees.csv")).await;

    let companies = world.companies(&world.sample("companies-messy.csv")).await;
    assert_eq!(
        reasons(&companies),
        [
            (
                5,
                "tin, registration_number",
                "tin 5574285774 and registration_number 5062492845993 belong to two different stored companies"
            ),
            (8, "employee_count", "`about 40` is not a whole number"),
            (9, "office_qualification", "`Medium` is none of More, Less"),
        ]
    );
    // Only the revenue of line 3, the date of line 7 and the research of line 14 say something new.
    assert_eq!(counts(&companies), [13, 0, 3, 7, 3, 1]);

    let employees = world.employees(&world.sample("employees-messy.csv")).await;
    assert_eq!(
        reasons(&employees),
        [
            (3, "work_email", "`not-an-email` is not a mail address"),
            (5, "company_tin", "no company with tin 0000000000 is stored: import the company first"),
            (6, "ai_research_data", "is not valid JSON (key must be a string at line 1 column 2)"),
            (9, "full_name", "`=HYPERLINK(\"http://x.example\",\"x\")` is a spreadsheet formula"),
        ]
    );
    assert_eq!(counts(&employees), [10, 0, 2, 4, 4, 0]);
    assert_eq!(employees.moved, 1);
}

#[tokio::test]
async fn rejects_can_be_fixed_and_imported_again() {
    let world = World::new().await;
    let first = world.companies(&world.sample("companies-messy.csv")).await;
    let rejects = first.rejects.clone().unwrap();
    assert_eq!(rejects, world.folder.path().join("companies-messy.rejects.csv"));
    let text = std::fs::read_to_string(&rejects).unwrap();
    assert!(text.starts_with("\u{feff}_line;_column;_reason;company_name;tin;"), "{text}");
    assert_eq!(text.matches("\r\n").count(), 5, "a header and four rows, with the line ends of the file");
    let original = std::fs::read_to_string(world.sample("companies-messy.csv")).unwrap();
    for line in text.lines().skip(1) {
        let own = original.lines().find(|own| line.ends_with(own) && !own.is_empty()).unwrap();
        assert!(own.len() > 100, "the row stands as it was");
    }

    // As they are, they are refused again, with lines of the new file and no second set of columns.
    let again = world.companies(&rejects).await;
    assert_eq!(counts(&again), [4, 0, 0, 0, 4, 0]);
    assert_eq!(again.shown[1].line, 3);
    let second = std::fs::read_to_string(again.rejects.unwrap()).unwrap();
    assert_eq!(second.lines().next(), text.lines().next());
    assert_eq!(second.matches("about 40").count(), 2, "once in its reason, once in its cell");

    let fixed = text
        .replace("about 40", "40")
        .replace("Medium", "More")
        .replace(";;8479999326", ";Новая;8479999326")
        .replace("5574285774;5037", "5574285775;5037");
    let fixed = world.companies(&world.file("companies-messy.rejects.csv", fixed)).await;
    assert_eq!(counts(&fixed), [4, 4, 0, 0, 0, 0]);
    assert!(!world.folder.path().join("companies-messy.rejects.rejects.csv").exists(), "no rejects, no file");
}

#[tokio::test]
async fn a_trial_changes_nothing_and_shows_everything() {
    let world = World::new().await;
    let file = world.sample("companies-messy.csv");
    let mut trial = request(Entity::Company, &file);
    trial.dry_run = true;
    let report = world.try_import(&trial).await.unwrap();
    assert_eq!(counts(&report), [13, 9, 0, 0, 4, 1]);
    assert!(report.rejects.unwrap().exists());
    assert_eq!(world.count("select count(*) from companies").await, 0);
    assert_eq!(world.count("select count(*) from outreach.imports").await, 0);
}

#[tokio::test]
async fn json_lines_with_types_nulls_and_broken_lines() {
    let world = World::new().await;
    let report = world
        .companies(&world.file(
            "a.jsonl",
            concat!(
                r#"{"tin": "0000000001", "company_name": "One", "region": "Msk", "revenue": 1250.5, "sme_registry": true, "all_company_emails": ["a@b.co"]}"#, "\n",
                "\n{}\n",
                r#"{"tin": "0000000002", "company_name": "Two", "revenu": 5}"#, "\n",
                "{broken\n",
                r#"{"tin": "0000000003", "company_name": "Three", "revenue": true}"#, "\n",
            ),
        ))
        .await;
    assert_eq!(counts(&report), [4, 1, 0, 0, 3, 2]);
    assert_eq!(
        reasons(&report)[0],
        (4, "revenu", "names what is no column of an import: `revenu` (did you mean `revenue`?)")
    );
    assert_eq!(reasons(&report)[1].0, 5);
    assert_eq!(reasons(&report)[2], (6, "revenue", "true is not a number"));
    let text = std::fs::read_to_string(report.rejects.unwrap()).unwrap();
    assert_eq!(text.lines().count(), 3);
    assert!(text.contains(r#""_raw":"{broken""#), "{text}");
    let fixed = text
        .replace("revenu\":5", "revenue\":5")
        .replace("{broken", r#"{\"tin\":\"0000000004\",\"company_name\":\"Four\"}"#)
        .replace("\"revenue\":true", "\"revenue\":3");
    let fixed = world.companies(&world.file("fixed.jsonl", fixed)).await;
    assert_eq!(counts(&fixed), [3, 3, 0, 0, 0, 0]);

    let cleared = world
        .file("null.jsonl", r#"{"tin": "0000000001", "region": null, "company_name": null, "revenue": ""}"#);
    for (session, expected) in [("s1", [1, 0, 1, 0, 0, 0]), ("s2", [1, 0, 0, 1, 0, 0])] {
        let mut named = request(Entity::Company, &cleared);
        named.session_key = Some(session.into());
        assert_eq!(counts(&world.try_import(&named).await.unwrap()), expected);
        assert_eq!(world.text("select max(session_key) from companies").await.unwrap(), "s1");
    }
    assert_eq!(
        world.text("select concat_ws('|', company_name, coalesce(region, '-'), revenue) from companies where tin = '0000000001'").await.unwrap(),
        "One|-|1250.5"
    );
}

#[tokio::test]
async fn files_that_are_no_tables_are_refused_before_anything_is_touched() {
    let world = World::new().await;
    let windows_1251 = [
        b"tin,company_name\n1000000001,".as_slice(),
        b"\xcc\xee\xf0\xee\xe7\n1000000002,\xcc\xee\n1000000003,\xcc\n",
    ]
    .concat();
    for (content, problem) in [
        (b"".to_vec(), "is empty"),
        (b"tin,revenu\n1,2\n".to_vec(), "did you mean `revenue`?"),
        (b"company_name\nX\n".to_vec(), "lacks tin or registration_number"),
        (b"tin,tin\n".to_vec(), "twice"),
        (windows_1251, "iconv -f WINDOWS-1251"),
        (b"\xff\xfet\0i\0n\0".to_vec(), "UTF-16"),
        (b"PK\x03\x04 ...".to_vec(), "spreadsheet"),
        (b"tin,company_name\r1000000001,A\r".to_vec(), "carriage return"),
    ] {
        let error =
            world.try_import(&request(Entity::Company, &world.file("a.csv", content))).await.unwrap_err();
        assert!(error.is_invalid_file() && error.to_string().contains(problem), "{error}");
    }
    assert!(matches!(
        world.try_import(&request(Entity::Company, Path::new("/nowhere.csv"))).await.unwrap_err(),
        ImportError::Read { .. }
    ));
    assert_eq!(world.count("select count(*) from outreach.imports").await, 0);
}

#[tokio::test]
async fn a_broken_row_takes_no_good_one_with_it() {
    let world = World::new().await;
    let content = [
        b"company_name,tin,company_research\n".as_slice(),
        b"\"Stray,1000000001,x\n",
        b"\xff\xfe,1000000002,x\n",
        "Хорошая,1000000003,\"a\nb, \"\"c\"\"\"\n".as_bytes(),
        b"\"Alfa\" Ltd,1000000004,x\n",
        b"Short,1000000005\n",
        b"OOO \"Beta\",1000000006,x\n",
        b"Open,1000000007,\"never closed\n",
        b"Last,1000000008,x",
    ]
    .concat();
    let report = world.companies(&world.file("a.csv", &content)).await;
    assert_eq!(
        reasons(&report),
        [
            (2, "", "opens a quote that is closed in the middle of a later line"),
            (3, "", "is not UTF-8"),
            (6, "", "has text after a closing quote"),
            (7, "", "has 2 cells, and the header 3"),
            (9, "", "opens a quote that is not closed"),
        ]
    );
    assert_eq!(counts(&report), [8, 3, 0, 0, 5, 0]);
    assert_eq!(
        world.text("select company_research from companies where tin = '1000000003'").await.unwrap(),
        "a\nb, \"c\""
    );
    let rejects = std::fs::read(report.rejects.unwrap()).unwrap();
    for raw in [
        b"\"Stray,1000000001,x\n".as_slice(),
        b"\xff\xfe,1000000002,x\n",
        b"Open,1000000007,\"never closed\n",
    ] {
        assert!(rejects.windows(raw.len()).any(|part| part == raw), "as it was, byte for byte");
    }
}

#[tokio::test]
async fn a_line_of_many_megabytes_is_one_reject() {
    let world = World::new().await;
    let long = "x".repeat(9 << 20);
    let content = format!(
        "company_name,tin\nA,1000000001\n{long},1000000002\nB,1000000003\n\"C,{long}\nD,1000000004\n"
    );
    let report = world.companies(&world.file("a.csv", &content)).await;
    assert_eq!(counts(&report), [5, 3, 0, 0, 2, 0]);
    let long = "is longer than 8 MiB and is not copied here: mend it in the imported file";
    assert_eq!(reasons(&report), [(3, "", long), (5, "", long)]);
    let rejects = report.rejects.unwrap();
    assert!(std::fs::metadata(&rejects).unwrap().len() < 1000);
    let again = world.companies(&rejects).await;
    assert_eq!(again.inserted, 0, "half a row is no row");
}

#[tokio::test]
async fn rejects_never_replace_another_file() {
    let world = World::new().await;
    let file = world.file("a.csv", "tin,company_name\n1000000001,A\nx,B\n");
    let mine = world.file("mine.csv", "my own notes\n");
    for place in [&mine, &file] {
        let mut wrong = request(Entity::Company, &file);
        wrong.rejects = Some(place.clone());
        assert!(matches!(world.try_import(&wrong).await.unwrap_err(), ImportError::Rejects { .. }));
    }
    assert_eq!(std::fs::read_to_string(&mine).unwrap(), "my own notes\n");
    assert_eq!(world.count("select count(*) from companies").await, 0);
    let rejects = world.companies(&file).await.rejects.unwrap();
    assert_eq!(
        std::fs::read_to_string(&rejects).unwrap(),
        "_line,_column,_reason,tin,company_name\n3,tin,`x` must have digits only,x,B\n"
    );
    world.companies(&world.file("a.csv", "tin,company_name\n1000000001,A\n")).await;
    assert!(!rejects.exists(), "rejects of an earlier import are gone once there are none");
}
