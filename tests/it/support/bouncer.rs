//! `PgBouncer` in transaction mode before a test's database; the database itself where none is installed.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::{TestDb, folder};

/// What daemons connect to.
pub(crate) struct Bouncer {
    /// `None`: not installed.
    program: Option<PathBuf>,
    folder: TempDir,
    process: Option<Child>,
    port: u16,
    database: String,
    direct: String,
    owner: String,
}

impl Bouncer {
    pub(crate) fn start(db: &TestDb) -> Self {
        let program = program();
        if program.is_none() {
            eprintln!("pgbouncer is not installed: daemons connect to the database itself");
        }
        // Free a moment ago, and nobody else here asks for that one.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = folder();
        let database = db.name().to_owned();
        let sockets = db.sockets();
        let settings = format!(
            "[databases]\n{database} = host={} port=5432 user=postgres dbname={database}\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n\
             pool_mode = transaction\nmax_client_conn = 200\ndefault_pool_size = 5\nserver_login_retry = 1\n",
            sockets.display()
        );
        std::fs::write(folder.path().join("pgbouncer.ini"), settings).unwrap();
        let owner = owner(&sockets);
        let mut bouncer = Self { program, folder, process: None, port, database, direct: db.url(), owner };
        bouncer.up();
        bouncer
    }

    pub(crate) fn is_there(&self) -> bool {
        self.program.is_some()
    }

    pub(crate) fn url(&self) -> String {
        match self.program {
            Some(_) => {
                format!("postgres://postgres@127.0.0.1:{}/{}?sslmode=disable", self.port, self.database)
            }
            None => self.direct.clone(),
        }
    }

    /// Starts it if it is down.
    pub(crate) fn up(&mut self) {
        let Some(program) = self.program.as_ref().filter(|_| self.process.is_none()) else { return };
        let mut command = Command::new(program);
        if rustix::process::geteuid().is_root() {
            command.args(["-u", &self.owner]);
        }
        let log = std::fs::File::create(self.folder.path().join("log")).unwrap();
        let child = command
            .arg(self.folder.path().join("pgbouncer.ini"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.process = Some(child);
        let patience = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(std::time::Instant::now() < patience, "pgbouncer does not listen");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }

    /// Cuts every connection, and takes no new one until it is up again.
    pub(crate) fn down(&mut self) {
        if let Some(mut child) = self.process.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        self.down();
    }
}

fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places =
        std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/sbin")]);
    places.map(|place| place.join("pgbouncer")).find(|program| program.is_file())
}

/// The account that may enter the server's folder.
fn owner(path: &Path) -> String {
    let uid = std::fs::metadata(path).unwrap().uid().to_string();
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap();
    let account = accounts
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|parts| parts.get(2) == Some(&uid.as_str()));
    account.map_or(uid.clone(), |parts| parts[0].to_owned())
}
