//! How long an import of employees takes, beside a bare COPY of the same rows into the same indexed table.
//!
//! `cargo bench --bench import -- 1000000` (100000 rows without a number). Runs on a private PostgreSQL in a
//! temporary folder, or on `BENCH_DATABASE_URL`: an empty database.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench talks to people and may panic")]

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use outreachd::intake::import::{ImportRequest, import};
use outreachd::model::{Entity, SystemClock};
use outreachd::store::embedded::{Embedded, EmbeddedOptions, Profile};
use outreachd::store::{Store, migrate};
use sqlx::AssertSqlSafe;

const COLUMNS: &str = "company_id, company_name, company_session_key, employee_session_key, full_name, first_name, \
    last_name, position, work_email, generic_email, phone_numbers, source_urls, source_service, ai_research_data";

#[tokio::main]
async fn main() {
    let rows: u64 = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(100_000);
    let folder = tempfile::tempdir().unwrap();
    // The server's own account must be able to enter.
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut server = None;
    let store = if let Ok(url) = std::env::var("BENCH_DATABASE_URL") {
        Store::connect_url(&url).await.unwrap()
    } else {
        let dir = folder.path().join("pg");
        let options = EmbeddedOptions { dir, profile: Profile::Durable, linger: None };
        let running = tokio::task::spawn_blocking(move || Embedded::start(&options).unwrap()).await.unwrap();
        let options = running.connect_options("postgres");
        server = Some(running);
        Store::connect(options).await.unwrap()
    };
    migrate::run(&store).await.unwrap();
    execute(
        &store,
        &format!(
            "insert into companies (company_name, tin, registration_number)
             select 'Company ' || i, lpad(i::text, 10, '0'), lpad(i::text, 13, '0') from generate_series(1, {}) as i",
            rows / 10
        ),
    )
    .await;
    let csv = folder.path().join("employees.csv");
    write_employees(&csv, rows);
    let bare = folder.path().join("employees.copy");
    println!(
        "{rows} employees of {} companies, {} MB of CSV",
        rows / 10,
        csv.metadata().unwrap().len() / 1_000_000
    );

    let (mut imports, mut copies, mut again) = (Vec::new(), Vec::new(), Vec::new());
    // The smaller, the noisier.
    for round in 0..if rows > 200_000 { 1 } else { 3 } {
        clear(&store).await;
        imports.push(timed_import(&store, &csv, rows).await);
        if round == 0 {
            again.push(timed_import(&store, &csv, 0).await);
            copy_out(&store, &bare).await;
        }
        clear(&store).await;
        copies.push(timed_copy(&store, &bare).await);
    }
    let (import, copy) = (imports.into_iter().min().unwrap(), copies.into_iter().min().unwrap());
    println!("import        {:8.2} s", import.as_secs_f64());
    println!("bare COPY     {:8.2} s", copy.as_secs_f64());
    println!("ratio         {:8.2}", import.as_secs_f64() / copy.as_secs_f64());
    println!("import again  {:8.2} s (nothing changes)", again[0].as_secs_f64());
    println!("peak memory   {:>8} kB", peak_memory());
    store.close().await;
    drop(server);
}

async fn timed_import(store: &Store, csv: &Path, expected: u64) -> Duration {
    let request = ImportRequest {
        entity: Entity::Employee,
        file: csv.to_owned(),
        session_key: Some("bench".to_owned()),
        batch_id: None,
        dry_run: false,
        rejects: None,
    };
    let steps = std::sync::Mutex::new((Instant::now(), None));
    let tell = |now: outreachd::intake::import::Progress| {
        let mut steps = steps.lock().unwrap();
        if steps.1 != Some(now.phase) {
            println!("  {:8.2} s  {}", steps.0.elapsed().as_secs_f64(), now.phase.as_str());
            steps.1 = Some(now.phase);
        }
    };
    let start = Instant::now();
    let report = import(store, &request, &SystemClock, &tell).await.unwrap();
    let time = start.elapsed();
    println!("  {:8.2} s  done", time.as_secs_f64());
    assert_eq!((report.inserted, report.updated, report.rejected), (expected, 0, 0));
    time
}

async fn copy_out(store: &Store, file: &Path) {
    use futures_util::StreamExt;
    let mut connection = store.begin().await.unwrap();
    let statement = format!("copy (select {COLUMNS} from employees) to stdout");
    let mut rows = connection.copy_out_raw(&statement).await.unwrap();
    let mut out = BufWriter::new(File::create(file).unwrap());
    while let Some(chunk) = rows.next().await {
        out.write_all(&chunk.unwrap()).unwrap();
    }
    out.flush().unwrap();
}

async fn timed_copy(store: &Store, file: &Path) -> Duration {
    let mut connection = store.begin().await.unwrap();
    let start = Instant::now();
    let mut copy =
        connection.copy_in_raw(&format!("copy public.employees ({COLUMNS}) from stdin")).await.unwrap();
    let mut input = File::open(file).unwrap();
    let mut chunk = vec![0; 1024 * 1024];
    loop {
        let count = input.read(&mut chunk).unwrap();
        if count == 0 {
            break;
        }
        copy.send(&chunk[..count]).await.unwrap();
    }
    copy.finish().await.unwrap();
    connection.commit().await.unwrap();
    start.elapsed()
}

async fn clear(store: &Store) {
    execute(store, "truncate employees, outreach.imports").await;
    execute(store, "vacuum analyze companies").await;
    execute(store, "checkpoint").await;
}

async fn execute(store: &Store, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(store).await.unwrap();
}

fn write_employees(file: &Path, rows: u64) {
    let mut out = BufWriter::new(File::create(file).unwrap());
    writeln!(
        out,
        "company_tin,full_name,first_name,last_name,position,work_email,generic_email,phone_numbers,source_urls,\
         source_service,ai_research_data"
    )
    .unwrap();
    let mut line = String::new();
    for i in 0..rows {
        let company = i % (rows / 10) + 1;
        line.clear();
        writeln!(
            line,
            "{company:010},Иванов{i} Иван Петрович,Иван,Иванов{i},Deputy CTO,ivan.ivanov{i}@c{company}.example,\
             info@c{company}.example,+7495{i:07},https://c{company}.example/team,registry,\
             \"{{\"\"persona\"\": \"\"buyer\"\", \"\"signals\"\": [\"\"hiring\"\", \"\"rebrand\"\"]}}\""
        )
        .unwrap();
        out.write_all(line.as_bytes()).unwrap();
    }
    out.flush().unwrap();
}

/// High-water mark of this process, where the system tells it.
fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or_else(|| "unknown".to_owned(), |value| value.trim().trim_end_matches(" kB").to_owned())
}
