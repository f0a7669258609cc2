//! What an idle daemon with twenty campaigns costs: memory, processor, statements a look.
//!
//! `cargo bench --bench idle -- [SECONDS]` (default 60). Needs PostgreSQL's own programs on the machine.

#![expect(clippy::print_stdout, reason = "a bench talks to people")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use outreachd::store::embedded::{Embedded, EmbeddedOptions, Profile};
use outreachd::store::{Store, migrate, sql};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const CAMPAIGNS: usize = 20;
const LOOK_EVERY: u64 = 10;

fn main() -> Outcome<()> {
    let seconds = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(60);
    let folder = tempfile::tempdir()?;
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    let dir = folder.path().join("pg");
    let server = Embedded::start(&EmbeddedOptions { dir, profile: Profile::Durable, linger: None })?;
    declare(folder.path())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let store = runtime.block_on(async {
        let store = Store::connect(server.connect_options("postgres")).await?;
        migrate::run(&store).await?;
        sql::query(
            "insert into employees (full_name, work_email, company_name)
             select 'Person ' || n, 'p' || n || '@c' || n % 100 || '.example', 'C' from generate_series(1, 1000) n",
        )
        .execute(&store)
        .await?;
        Ok::<_, Box<dyn std::error::Error>>(store)
    })?;
    let mut daemon = Command::new(env!("CARGO_BIN_EXE_outreachd"))
        .args(["-q", "run", "-C"])
        .arg(folder.path())
        .env("DATABASE_URL", server.url("postgres"))
        .stdin(Stdio::null())
        .spawn()?;
    // The first passes, and those that look at what the first ones wrote.
    std::thread::sleep(Duration::from_secs(45));
    let transactions = || {
        runtime.block_on(
            sql::query_scalar::<i64>(
                "select xact_commit from pg_stat_database where datname = current_database()",
            )
            .fetch_one(&store),
        )
    };
    let (cpu, committed) = (cpu_ticks(daemon.id())?, transactions()?);
    std::thread::sleep(Duration::from_secs(seconds));
    let cpu = (cpu_ticks(daemon.id())? - cpu) as f64 / ticks_a_second();
    let committed = transactions()? - committed;
    let looks = (CAMPAIGNS as u64 * seconds / LOOK_EVERY) as f64;
    println!("{CAMPAIGNS} idle campaigns, {seconds} s");
    println!("processor        {:6.2} % of a core", cpu * 100.0 / seconds as f64);
    println!("memory, peak     {:6.1} MiB", status_kib(daemon.id(), "VmHWM:")? / 1024.0);
    println!("memory, resident {:6.1} MiB", status_kib(daemon.id(), "VmRSS:")? / 1024.0);
    println!("transactions     {committed:6}, {:.2} a look at a campaign", committed as f64 / looks);
    daemon.kill()?;
    daemon.wait()?;
    runtime.block_on(store.close());
    Ok(())
}

fn declare(root: &Path) -> Outcome<()> {
    std::fs::create_dir_all(root.join("segments"))?;
    std::fs::create_dir_all(root.join("campaigns"))?;
    std::fs::write(
        root.join("outreach.yaml"),
        format!(
            "providers: {{ out: {{ kind: file, dir: outbox }} }}\ndaemon: {{ look_every: {LOOK_EVERY}s }}\n"
        ),
    )?;
    std::fs::write(
        root.join("segments/some.yaml"),
        "segment: some\nwhere: { employee.work_email: { ends_with: \"@c7.example\" } }\n",
    )?;
    for number in 1..=CAMPAIGNS {
        let schedule = if number % 2 == 0 { "schedule: { cron: \"0 9 * * 1-5\" }\n" } else { "" };
        std::fs::write(
            root.join(format!("campaigns/c{number}.yaml")),
            format!(
                "campaign: c{number}\nnumber: {number}\ntype: sales\nsegment: some\nprovider: out\n{schedule}\
                 fields: {{ name: employee.full_name }}\nlimits: {{ per_day: 5 }}\n"
            ),
        )?;
    }
    Ok(())
}

fn cpu_ticks(pid: u32) -> Outcome<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // After the name, which may hold blanks: utime and stime are the 14th and 15th fields.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let field = |index: usize| fields.get(index).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    Ok(field(11) + field(12))
}

fn ticks_a_second() -> f64 {
    rustix::param::clock_ticks_per_second() as f64
}

fn status_kib(pid: u32, key: &str) -> Outcome<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(key)).ok_or("no such line")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse()?)
}
