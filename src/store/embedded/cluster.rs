//! One data directory and the server on it: make, start, ask, stop.
//!
//! Knows nothing of sharing: callers hold the set-up lock.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::Profile;
use super::account::Account;
use super::error::{EmbeddedError, IoContext};
use super::programs::Programs;

/// The number in the socket's name; no port is opened.
pub(super) const PORT: u16 = 5432;
/// The cluster's superuser.
pub(super) const USER: &str = "postgres";

/// `sun_path` holds 108 bytes with its closing zero.
const LONGEST_SOCKET_PATH: usize = 107;
/// Recovery after a crash is counted in this; an orderly start takes a fraction of a second.
const START_PATIENCE: Duration = Duration::from_mins(1);
/// Backends of a killed postmaster take some hundred milliseconds to leave, and block the next start.
const RESTART_PAUSE: Duration = Duration::from_millis(300);
const RESTARTS: u32 = 20;
/// How long an `initdb` goes on that nobody waits for any more.
const ORPHAN_PATIENCE: Duration = Duration::from_secs(15);
/// Seconds that connections get to end.
const FAST_STOP: &str = "20";
const POLL: Duration = Duration::from_millis(25);
const LOG_LIMIT: u64 = 8 << 20;

pub(super) struct Cluster<'a> {
    pub(super) dir: &'a Path,
    pub(super) account: &'a Account,
    pub(super) profile: Profile,
}

impl Cluster<'_> {
    fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    fn log(&self) -> PathBuf {
        self.dir.join("server.log")
    }

    /// The server programs that fit the data, or the newest when there is no data yet.
    pub(super) fn programs(&self) -> Result<Programs, EmbeddedError> {
        let pinned = std::fs::read_to_string(self.data().join("PG_VERSION")).ok();
        let pinned = pinned.and_then(|version| version.trim().parse().ok());
        let programs = match Programs::find(self.dir, pinned) {
            #[cfg(feature = "fetch-postgres")]
            Err(EmbeddedError::NoPrograms { .. } | EmbeddedError::OtherVersion { .. })
                if pinned.is_none_or(|major| major >= super::programs::OLDEST) =>
            {
                super::fetch::fetch(&super::programs::fetched(self.dir), pinned)?;
                Programs::find(self.dir, pinned)?
            }
            outcome => outcome?,
        };
        self.account.check_reaches(&programs.folder)?;
        Ok(programs)
    }

    /// Makes the data directory unless there is one. It gets its name only when it is complete, so
    /// what a killed run left half-made is never taken for a database.
    pub(super) fn make(&self, programs: &Programs) -> Result<(), EmbeddedError> {
        let data = self.data();
        self.sweep()?;
        if data.join("PG_VERSION").is_file() {
            return Ok(());
        }
        if data.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(EmbeddedError::NotADatabase { path: data });
        }
        tracing::info!(dir = %self.dir.display(), postgresql = programs.major, "creating a private PostgreSQL");
        let half_made = self.dir.join(format!("data.new-{}", std::process::id()));
        self.account.make_private_folder(&half_made)?;
        // Lower-casing beyond ASCII needs a UTF-8 locale; Debian always has the first, macOS the second.
        let initdb = |locale| {
            let mut command = self.account.command(&programs.program("initdb"));
            command.arg("-D").arg(&half_made);
            command.args(["-U", USER, "-A", "trust", "-E", "UTF8", "--no-instructions", "--locale", locale]);
            if self.profile == Profile::Test {
                command.arg("--no-sync");
            }
            run(command)
        };
        initdb("C.UTF-8").or_else(|_| initdb("en_US.UTF-8"))?;
        std::fs::rename(&half_made, &data).doing("name", &data)?;
        std::fs::File::open(self.dir).and_then(|dir| dir.sync_all()).doing("write", self.dir)
    }

    fn sweep(&self) -> Result<(), EmbeddedError> {
        for entry in self.dir.read_dir().doing("read", self.dir)?.flatten() {
            if entry.file_name().to_string_lossy().starts_with("data.new-") {
                remove_all(&entry.path()).doing("remove the half-made", entry.path())?;
            }
        }
        Ok(())
    }

    /// Where the socket lies: beside the data, or in a short place when that path is too long.
    pub(super) fn socket_dir(&self) -> PathBuf {
        let near = self.dir.join("run");
        if socket_in(&near).as_os_str().len() <= LONGEST_SOCKET_PATH {
            return near;
        }
        let digest = hex::encode(Sha256::digest(self.dir.as_os_str().as_encoded_bytes()));
        PathBuf::from("/tmp").join(format!("outreachd-{}", &digest[..16]))
    }

    /// Starts the server and waits until it takes work. After a crash the first attempts may fail.
    pub(super) fn start(&self, programs: &Programs) -> Result<(), EmbeddedError> {
        let sockets = self.socket_dir();
        self.account.make_private_folder(&sockets)?;
        if std::fs::metadata(self.log()).is_ok_and(|log| log.len() > LOG_LIMIT) {
            std::fs::remove_file(self.log()).doing("shorten", self.log())?;
        }
        std::fs::OpenOptions::new().create(true).append(true).open(self.log()).doing("write", self.log())?;
        self.account.own(&self.log())?;
        for attempt in 0..RESTARTS {
            if attempt > 0 {
                std::thread::sleep(RESTART_PAUSE);
            }
            self.forget_dead_postmaster();
            let mut command = self.account.command(&programs.program("pg_ctl"));
            command.arg("start").arg("-D").arg(self.data()).arg("-l").arg(self.log());
            command.args(["-w", "-t", &START_PATIENCE.as_secs().to_string(), "-o", &self.settings(&sockets)]);
            // Not `output()`: the server keeps what pg_ctl writes to open for as long as it lives.
            let status = command.status().doing("run", programs.program("pg_ctl"))?;
            if status.success() && self.wait_until_ready() {
                return Ok(());
            }
        }
        Err(EmbeddedError::NotStarted { dir: self.dir.to_owned(), log: tail(&self.log()) })
    }

    /// `pg_ctl` hands this to a shell.
    fn settings(&self, sockets: &Path) -> String {
        let mut settings = vec![
            "listen_addresses=".to_owned(),
            format!("port={PORT}"),
            format!("unix_socket_directories={}", sockets.display()),
            "unix_socket_permissions=0700".to_owned(),
            "timezone=UTC".to_owned(),
            "log_timezone=UTC".to_owned(),
            // Compiling costs more than it saves on statements as short as ours.
            "jit=off".to_owned(),
        ];
        if self.profile == Profile::Test {
            settings.extend(
                ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=300"]
                    .map(ToOwned::to_owned),
            );
        }
        let quoted = settings.iter().map(|setting| format!("-c '{}'", setting.replace('\'', r"'\''")));
        quoted.collect::<Vec<_>>().join(" ")
    }

    /// A pid file whose process is no postmaster of this data directory blocks the start for good when
    /// the number is in use again, as it often is after a container restarts.
    fn forget_dead_postmaster(&self) {
        let path = self.data().join("postmaster.pid");
        let Ok(text) = std::fs::read_to_string(&path) else { return };
        let Some(pid) = text.lines().next().and_then(|line| line.trim().parse::<u32>().ok()) else { return };
        // A postmaster stands in its data directory; where there is no /proc, pg_ctl's own check remains.
        let proc = Path::new("/proc");
        let stands_in = std::fs::read_link(proc.join(pid.to_string()).join("cwd")).ok();
        if proc.join("self").exists() && stands_in != self.data().canonicalize().ok() {
            tracing::debug!(pid, "removing the pid file of a dead server");
            std::fs::remove_file(path).ok();
        }
    }

    /// Whether a server listens; it may still be recovering.
    pub(super) fn is_running(&self) -> bool {
        UnixStream::connect(socket_in(&self.socket_dir())).is_ok()
    }

    /// Waits for a listening server to take work; false when it went away or never did.
    pub(super) fn wait_until_ready(&self) -> bool {
        let start = Instant::now();
        while start.elapsed() < START_PATIENCE {
            match self.takes_work() {
                Ok(true) => return true,
                Ok(false) => std::thread::sleep(POLL),
                Err(_) => return false,
            }
        }
        false
    }

    /// Opens a session as any client would: `R` lets us in, `E` says that the server is not ready.
    fn takes_work(&self) -> std::io::Result<bool> {
        let mut stream = UnixStream::connect(socket_in(&self.socket_dir()))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let mut message = vec![0, 0, 0, 0, 0, 3, 0, 0];
        message.extend(format!("user\0{USER}\0database\0postgres\0\0").into_bytes());
        let length = u32::try_from(message.len()).unwrap_or_default();
        message[..4].copy_from_slice(&length.to_be_bytes());
        stream.write_all(&message)?;
        let mut answer = [0_u8; 1];
        stream.read_exact(&mut answer)?;
        Ok(answer[0] == b'R')
    }

    /// Waits for what runs; then at once, as a crash would end it, and the next start recovers. PostgreSQL 15 was seen
    /// to hang in a fast stop for ever: a connection that is lost and told to end in one moment deadlocks in its exit.
    pub(super) fn stop(&self, programs: &Programs) -> Result<(), EmbeddedError> {
        let stop = |mode: &str, seconds: &str| {
            let mut command = self.account.command(&programs.program("pg_ctl"));
            command.arg("stop").arg("-D").arg(self.data()).args(["-m", mode, "-w", "-t", seconds]);
            run(command)
        };
        stop("fast", FAST_STOP).or_else(|_| stop("immediate", "30"))?;
        std::fs::remove_dir(self.socket_dir()).ok();
        Ok(())
    }

    /// Leaves a small process behind that stops the server once nobody has used it for `linger`,
    /// even if every user is killed. It waits for the users' lock, so it costs nothing meanwhile.
    pub(super) fn leave_reaper(&self, programs: &Programs, linger: Duration) -> Result<(), EmbeddedError> {
        use std::os::unix::process::CommandExt;
        let flock = Path::new("/usr/bin/flock");
        if !flock.is_file() {
            // Not on macOS: there the server stays, and the next run adopts it.
            return Ok(());
        }
        let script = r#"
            cd "$1" || exit
            exec 8<setup.lock 9<users.lock
            while flock -x 9 && flock -u 9 && sleep "$2"; do
                flock -x 8
                if flock -xn 9; then
                    "$3" stop -D data -m fast -w -t "$4" || "$3" stop -D data -m immediate -w
                    exit
                fi
                flock -u 8
            done"#;
        let mut command = self.account.command(flock);
        // One reaper at a time; a second waits for one that is about to leave, then gives up.
        command.args(["-w", "10"]).arg(self.dir.join("reaper.lock"));
        command.args(["/bin/sh", "-c", script, "reaper"]).arg(self.dir);
        command.arg(linger.as_secs_f32().to_string()).arg(programs.program("pg_ctl")).arg(FAST_STOP);
        command.process_group(0).spawn().doing("run", flock).map(drop)
    }
}

/// Removes a folder that an `initdb` whose parent was killed may still be writing to, for a few seconds.
fn remove_all(folder: &Path) -> std::io::Result<()> {
    let start = Instant::now();
    loop {
        match std::fs::remove_dir_all(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(_) if start.elapsed() < ORPHAN_PATIENCE => std::thread::sleep(POLL),
            result => return result,
        }
    }
}

fn socket_in(dir: &Path) -> PathBuf {
    dir.join(format!(".s.PGSQL.{PORT}"))
}

fn run(mut command: Command) -> Result<(), EmbeddedError> {
    let program = PathBuf::from(command.get_program());
    let answer =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().doing("run", program.clone())?;
    if answer.status.success() {
        return Ok(());
    }
    let output = [answer.stdout, answer.stderr].concat();
    Err(EmbeddedError::Program { program, output: String::from_utf8_lossy(&output).trim().to_owned() })
}

fn tail(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}
