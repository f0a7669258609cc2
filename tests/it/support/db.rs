//! A database of its own for each test, cloned from a migrated template on one shared server.
//!
//! Needs no environment: the server starts with the first test and leaves some seconds after the last, under
//! `cargo test` and under `cargo nextest` (a process per test).

use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use outreachd::store::Store;
use outreachd::store::embedded::{Embedded, EmbeddedOptions, Profile};
use outreachd::store::migrate;
use rustix::process::{Pid, Signal, kill_process};
use sha2::{Digest, Sha256};
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};

static SERVER: OnceLock<Embedded> = OnceLock::new();
static TEMPLATE: tokio::sync::OnceCell<String> = tokio::sync::OnceCell::const_new();
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A fresh database; dropped at the end of the test, or by the next run if the test died.
pub(crate) struct TestDb {
    name: String,
    pool: PgPool,
    store: Store,
    /// Its own server, which may be crashed; else the one that tests share.
    own: Option<Own>,
}

struct Own {
    server: std::sync::Mutex<Option<Embedded>>,
    options: EmbeddedOptions,
    _folder: tempfile::TempDir,
}

impl TestDb {
    /// With every migration applied.
    pub(crate) async fn new() -> Self {
        let template = TEMPLATE.get_or_init(make_template).await;
        Self::create(&format!("template {template} strategy wal_log")).await
    }

    /// With nothing in it.
    pub(crate) async fn empty() -> Self {
        server().await;
        Self::create("template template0").await
    }

    /// On a durable server of its own.
    pub(crate) async fn own_server() -> Self {
        let folder = super::folder();
        let options =
            EmbeddedOptions { dir: folder.path().join("pg"), profile: Profile::Durable, linger: None };
        let starting = options.clone();
        let server = tokio::task::spawn_blocking(move || Embedded::start(&starting).unwrap()).await.unwrap();
        let pool = PgPoolOptions::new()
            .max_connections(5)
            .test_before_acquire(true)
            .connect_lazy_with(server.connect_options("postgres"));
        let store = Store::from_pool(pool.clone());
        migrate::run(&store).await.unwrap();
        let own = Own { server: std::sync::Mutex::new(Some(server)), options, _folder: folder };
        Self { name: "postgres".to_owned(), pool, store, own: Some(own) }
    }

    /// Its own server crashes, and is started again.
    pub(crate) async fn crash(&self) {
        let own = self.own.as_ref().unwrap();
        let file = std::fs::read_to_string(own.options.dir.join("data/postmaster.pid")).unwrap();
        let pid = Pid::from_raw(file.lines().next().unwrap().parse().unwrap()).unwrap();
        kill_process(pid, Signal::QUIT).unwrap();
        let options = own.options.clone();
        let again = tokio::task::spawn_blocking(move || Embedded::start(&options).unwrap()).await.unwrap();
        let before = own.server.lock().unwrap().replace(again);
        // Its users' lock goes; the new one holds the server.
        tokio::task::spawn_blocking(move || drop(before)).await.unwrap();
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The folder of the server's socket.
    pub(crate) fn sockets(&self) -> std::path::PathBuf {
        let options = match &self.own {
            Some(own) => own.server.lock().unwrap().as_ref().unwrap().connect_options("postgres"),
            None => running().connect_options("postgres"),
        };
        options.get_socket().unwrap().clone()
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// For `outreachd --database-url`.
    pub(crate) fn url(&self) -> String {
        match &self.own {
            Some(own) => own.server.lock().unwrap().as_ref().unwrap().url(&self.name),
            None => running().url(&self.name),
        }
    }

    /// Runs statements that a test needs set up.
    pub(crate) async fn execute(&self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&self.pool).await.unwrap();
    }

    async fn create(how: &str) -> Self {
        let name = format!("t_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let mut admin = admin().await;
        run(&mut admin, &format!("create database {name} {how}")).await;
        admin.close().await.unwrap();
        let options = running().connect_options(&name);
        let pool = PgPoolOptions::new().max_connections(5).connect_lazy_with(options);
        let store = Store::from_pool(pool.clone());
        Self { name, pool, store, own: None }
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        if self.own.is_some() {
            return;
        }
        // A test's runtime may be about to end, so the clean-up has one of its own.
        let name = std::mem::take(&mut self.name);
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut admin = admin().await;
                run(&mut admin, &format!("drop database if exists {name} with (force)")).await;
            });
        });
        dropped.join().ok();
    }
}

fn running() -> &'static Embedded {
    SERVER.get().expect("started by TestDb::new")
}

/// Started once a process, on a thread that may block; never dropped, so that the process counts as a user
/// for as long as it lives.
async fn server() -> &'static Embedded {
    tokio::task::spawn_blocking(|| {
        SERVER.get_or_init(|| {
            let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
            Embedded::start(&EmbeddedOptions::for_tests(target).unwrap()).unwrap()
        })
    })
    .await
    .unwrap()
}

async fn admin() -> PgConnection {
    PgConnection::connect_with(&running().connect_options("postgres")).await.unwrap()
}

async fn run(connection: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await.unwrap();
}

/// Named by what it was migrated with, so a changed migration makes a new one; a half-made one keeps another name.
async fn make_template() -> String {
    server().await;
    let mut digest = Sha256::new();
    for migration in migrate::migrator().iter() {
        digest.update(&migration.checksum);
    }
    let name = format!("tmpl_{}", &hex::encode(digest.finalize())[..16]);
    let mut admin = admin().await;
    run(&mut admin, "select pg_advisory_lock(7206)").await;
    remove_leftovers(&mut admin).await;
    let exists: bool = sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
        .bind(&name)
        .fetch_one(&mut admin)
        .await
        .unwrap();
    if !exists {
        remove(&mut admin, r"tmpl\_%", |_| true).await;
        let building = format!("{name}_building");
        run(&mut admin, &format!("drop database if exists {building} with (force)")).await;
        run(&mut admin, &format!("create database {building} template template0")).await;
        let store = Store::connect(running().connect_options(&building)).await.unwrap();
        migrate::run(&store).await.unwrap();
        store.close().await;
        run(&mut admin, &format!("alter database {building} rename to {name}")).await;
    }
    admin.close().await.unwrap();
    name
}

/// Databases of runs that died.
async fn remove_leftovers(admin: &mut PgConnection) {
    remove(admin, r"t\_%", |name| {
        let pid = name.split('_').nth(1).unwrap_or_default();
        Path::new("/proc/self").exists() && !Path::new("/proc").join(pid).exists()
    })
    .await;
}

async fn remove(admin: &mut PgConnection, pattern: &str, unwanted: impl Fn(&str) -> bool) {
    let names: Vec<String> = sqlx::query_scalar("select datname from pg_database where datname like $1")
        .bind(pattern)
        .fetch_all(&mut *admin)
        .await
        .unwrap();
    for name in names.iter().filter(|name| unwanted(name)) {
        run(admin, &format!("drop database if exists {name} with (force)")).await;
    }
}
