//! What a pass costs beside what psql alone needs for the same work, in one run on one server.
//!
//! `cargo bench --bench pass -- [EMPLOYEES ...]` (default 100000 and 1000000). Needs PostgreSQL's own
//! programs and psql on the machine. Figures are ratios of one run: the machine's speed drops out.

#![expect(clippy::print_stdout, reason = "a bench talks to people")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use outreachd::store::embedded::{Embedded, EmbeddedOptions, Profile};
use outreachd::store::{Store, migrate};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const SEED: &str = "
insert into public.companies (company_name, tin, registration_number, segment, region, sme_registry, revenue, employee_count)
select 'Company ' || i, (1000000000 + i)::text, (1000000000000 + i)::text,
    (array['Fintech', 'Retail', 'Logistics'])[1 + i % 3], 'Region ' || i % 40, i % 2 = 0, i * 1000, i % 500
from generate_series(1, :companies) i;
insert into public.employees (company_id, company_name, full_name, first_name, last_name, position, work_email, ai_research_data)
select c.id, c.company_name, 'First' || i || ' Last' || i, 'First' || i, 'Last' || i,
    (array['CTO', 'Deputy CTO', 'CEO', 'CFO', 'Buyer'])[1 + i % 5], 'person' || i || '@c' || i % 5000 || '.example',
    jsonb_build_object('persona', (array['builder', 'buyer'])[1 + i % 2])
from generate_series(1, :employees) i
join (select *, row_number() over (order by tin) as n from public.companies) c on c.n = 1 + i % :companies;
vacuum analyze;
";

const AUDIENCE: &str =
    "select e.id, e.company_id, lower(btrim(e.work_email)) as email, e.first_name, e.position
from public.employees e join public.companies c on c.id = e.company_id
where c.segment in ('Fintech', 'Retail') and e.position ilike '%CTO%' and e.reply_unsubscribe is not true";

/// Bare parts in the order of a first sync; each is timed by itself.
fn bare() -> [(&'static str, String); 4] {
    [
        ("audience query", format!("select count(*), count(distinct company_id) from ({AUDIENCE}) a")),
        ("hand-written diff", diff()),
        (
            "insert of enrollments",
            "insert into outreach.enrollments (employee_id, campaign_number, company_id, email, status, ordinal,
                 fields, source_hash, enrolled_at, updated_at)
             select id, 12, company_id, email, 'queued', 1,
                 jsonb_build_object('first_name', first_name, 'position', position), 1, now(), now()
             from bench_audience"
                .to_owned(),
        ),
        (
            "write-back",
            "update public.employees e set campaign_number = 12, outreach_sent_date = now(),
                 outreach_type = 'sales', campaign_status = 'queued'
             from bench_audience a where e.id = a.id"
                .to_owned(),
        ),
    ]
}

fn diff() -> String {
    format!(
        "select count(*) filter (where n.employee_id is null) as enroll,
             count(*) filter (where a.id is not null and n.live and (n.email <> a.email
                 or n.fields ->> 'first_name' is distinct from a.first_name
                 or n.fields ->> 'position' is distinct from a.position)) as update,
             count(*) filter (where a.id is null and n.live) as gone
         from ({AUDIENCE}) a
         full join (select * from outreach.enrollments where campaign_number = 12) n on n.employee_id = a.id"
    )
}

fn main() -> Outcome<()> {
    let sizes: Vec<u64> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let sizes = if sizes.is_empty() { vec![100_000, 1_000_000] } else { sizes };
    let target = PathBuf::from(env!("CARGO_BIN_EXE_outreachd"));
    let target = target.parent().and_then(Path::parent).ok_or("the binary has no folder")?;
    let dir = EmbeddedOptions::for_tests(target)?.dir.with_file_name("benchpg");
    let server = Embedded::start(&EmbeddedOptions { dir, profile: Profile::Durable, linger: None })?;
    for size in sizes {
        run(&server, size)?;
    }
    server.stop()?;
    Ok(())
}

fn run(server: &Embedded, employees: u64) -> Outcome<()> {
    println!("\n{employees} employees");
    let admin = server.url("postgres");
    for name in ["bench_ours", "bench_bare"] {
        psql(&admin, &format!("drop database if exists {name}"))?;
    }
    psql(&admin, "create database bench_ours")?;
    let ours = server.url("bench_ours");
    tokio::runtime::Runtime::new()?.block_on(async {
        let store = Store::connect_url(&ours).await?;
        migrate::run(&store).await?;
        store.close().await;
        Ok::<(), Box<dyn std::error::Error>>(())
    })?;
    let seed = SEED
        .replace(":companies", &(employees / 10).max(1).to_string())
        .replace(":employees", &employees.to_string());
    psql(&ours, &seed)?;
    psql(&admin, "create database bench_bare template bench_ours strategy file_copy")?;
    let bare_url = server.url("bench_bare");

    let mut times = std::collections::BTreeMap::new();
    psql(&bare_url, &format!("create table bench_audience as {AUDIENCE}; analyze bench_audience"))?;
    for (name, sql) in bare() {
        let took = if sql.starts_with("select") {
            best(3, || psql(&bare_url, &sql))?
        } else {
            psql(&bare_url, &sql)?
        };
        report(&format!("psql: {name}"), took, None, "");
        times.insert(name, took);
    }
    psql(&bare_url, "vacuum analyze")?;
    let full_diff = best(3, || psql(&bare_url, &diff()))?;
    report("psql: hand-written diff, all enrolled", full_diff, None, "");

    let project = tempfile::tempdir()?;
    write_project(project.path())?;
    let outreachd = |arguments: &[&str]| ours_run(project.path(), &ours, arguments);
    let bare_diff = times["hand-written diff"];
    let slack = Duration::from_millis(50);
    let plan = (0..3)
        .map(|_| outreachd(&["plan"]))
        .collect::<Outcome<Vec<_>>>()?
        .into_iter()
        .min_by_key(|run| run.took);
    let plan = plan.ok_or("no run")?;
    report("outreachd plan", plan.took, Some((bare_diff, slack)), &plan.costs());
    let first = outreachd(&["apply", "--yes"])?;
    let parts: Duration = bare().iter().map(|(name, _)| times[name]).sum();
    report("outreachd apply, first sync", first.took, Some((parts, Duration::ZERO)), &first.costs());
    psql(&ours, "vacuum analyze")?;
    let empty = (0..3)
        .map(|_| outreachd(&["apply", "--yes"]))
        .collect::<Outcome<Vec<_>>>()?
        .into_iter()
        .min_by_key(|run| run.took);
    let empty = empty.ok_or("no run")?;
    report("outreachd apply, nothing to do", empty.took, Some((full_diff, slack)), &empty.costs());
    psql(&ours, "update public.employees set first_name = first_name || 'x' where id in (
             select employee_id from outreach.enrollments order by employee_id limit (select count(*) / 100 from outreach.enrollments))")?;
    let changed = outreachd(&["apply", "--yes"])?;
    report("outreachd apply, 1 % changed", changed.took, Some((full_diff, slack)), &changed.costs());
    let left = outreachd(&["plan", "--detailed-exitcode"])?;
    println!("  a further plan exits with {} (0: empty)", left.code);
    Ok(())
}

fn write_project(root: &Path) -> Outcome<()> {
    std::fs::create_dir_all(root.join("segments"))?;
    std::fs::create_dir_all(root.join("campaigns"))?;
    std::fs::write(root.join("outreach.yaml"), "providers:\n  outbox: { kind: file, dir: outbox }\n")?;
    std::fs::write(
        root.join("segments/tech.yaml"),
        "segment: tech\nwhere:\n  all:\n    - company.segment: { in: [Fintech, Retail] }\n    \
         - employee.position: { ilike: \"%CTO%\" }\n    - employee.reply_unsubscribe: { ne: true }\n",
    )?;
    std::fs::write(
        root.join("campaigns/tech.yaml"),
        "campaign: tech\nnumber: 12\ntype: sales\nsegment: tech\nprovider: outbox\nstate: active\n\
         fields:\n  first_name: employee.first_name\n  position: employee.position\n",
    )?;
    Ok(())
}

fn psql(url: &str, sql: &str) -> Outcome<Duration> {
    let start = Instant::now();
    let output = Command::new("psql")
        .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url, "-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .and_then(|mut child| {
            use std::io::Write as _;
            if let Some(stdin) = child.stdin.as_mut() {
                stdin.write_all(sql.as_bytes())?;
            }
            child.wait_with_output()
        })?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(start.elapsed())
}

fn best(times: u32, mut measure: impl FnMut() -> Outcome<Duration>) -> Outcome<Duration> {
    let mut best = Duration::MAX;
    for _ in 0..times {
        best = best.min(measure()?);
    }
    Ok(best)
}

struct Run {
    took: Duration,
    cpu: Duration,
    peak_kib: u64,
    code: i32,
}

impl Run {
    fn costs(&self) -> String {
        format!("client cpu {:.2} s, peak {:.1} MiB", self.cpu.as_secs_f64(), self.peak_kib as f64 / 1024.0)
    }
}

/// Runs our binary as a process and watches what it takes of the machine.
fn ours_run(project: &Path, url: &str, arguments: &[&str]) -> Outcome<Run> {
    let start = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_outreachd"))
        .args(["-C", &project.to_string_lossy(), "--database-url", url])
        .args(arguments)
        .stdout(Stdio::null())
        .spawn()?;
    let mut run = Run { took: Duration::ZERO, cpu: Duration::ZERO, peak_kib: 0, code: -1 };
    let folder = PathBuf::from(format!("/proc/{}", child.id()));
    loop {
        if let Some(status) = child.try_wait()? {
            run.took = start.elapsed();
            run.code = status.code().unwrap_or(-1);
            return Ok(run);
        }
        // The high-water mark and the clock ticks (100 a second) only grow, so the last look counts.
        if let Ok(status) = std::fs::read_to_string(folder.join("status")) {
            let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kib = peak.and_then(|text| text.trim().trim_end_matches(" kB").parse().ok());
            run.peak_kib = kib.unwrap_or(run.peak_kib);
        }
        if let Ok(stat) = std::fs::read_to_string(folder.join("stat")) {
            let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
            let ticks: u64 = fields.iter().skip(11).take(2).filter_map(|text| text.parse::<u64>().ok()).sum();
            run.cpu = run.cpu.max(Duration::from_millis(ticks * 10));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn report(name: &str, took: Duration, beside: Option<(Duration, Duration)>, costs: &str) {
    let ratio = beside.map_or_else(String::new, |(bare, slack)| {
        let rest = took.saturating_sub(slack).as_secs_f64();
        format!("  {:5.2} x bare", rest / bare.as_secs_f64())
    });
    println!("  {name:<40} {:>9.3} s{ratio}  {costs}", took.as_secs_f64());
}
