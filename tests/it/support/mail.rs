//! Real mail servers, thrown away with the test: Postfix and Dovecot on ports of their own, and certificates of our own making.
//!
//! Everything lives in one temporary folder. Postfix changes accounts, so it wants root; Debian's packages `postfix`,
//! `dovecot-imapd`, `dovecot-lmtpd` and `dovecot-sieve` are what it was tried with.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process_group};
use tempfile::TempDir;

use super::folder;

/// Where the accounts are. Mail to any domain below `.example` goes to the account `people`.
pub(crate) const DOMAIN: &str = "test.local";

/// Names and passwords. `away` answers with a vacation notice; whatever goes to `full` comes back as 5.2.2; a name that is
/// not here comes back as 5.1.1.
pub(crate) const ACCOUNTS: &[(&str, &str)] = &[
    ("alice", "secret-a"),
    ("bob", "secret-b"),
    ("bounce", "secret-c"),
    ("unsubscribe", "secret-d"),
    ("people", "secret-e"),
    ("away", "secret-f"),
    ("full", "secret-g"),
];

/// What Postfix answers at RCPT to local parts that begin so, in any domain. `lost...` in a domain other than
/// `test.local` is taken, and bounces.
const REFUSED: &str = "\
/^gone[^@]*@/ 550 5.1.1 no such user here
/^disabled[^@]*@/ 550 5.2.1 the mailbox is disabled
/^busy[^@]*@/ 450 4.2.1 the mailbox is busy
/^spam[^@]*@/ 550 5.7.1 your message looks like spam
";

/// Longer than a server takes to come up.
const PATIENCE: Duration = Duration::from_secs(30);

/// A certificate authority and a certificate of its making for `localhost` and 127.0.0.1, as files.
pub(crate) struct Certificates {
    pub(crate) ca: PathBuf,
    pub(crate) chain: PathBuf,
    pub(crate) key: PathBuf,
}

impl Certificates {
    pub(crate) fn make(dir: &Path, names: &[&str]) -> Self {
        let authority = rcgen::KeyPair::generate().unwrap();
        let mut about = rcgen::CertificateParams::new(Vec::new()).unwrap();
        about.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        about.distinguished_name.push(rcgen::DnType::CommonName, "outreachd tests");
        let ca = about.self_signed(&authority).unwrap();
        let issuer = rcgen::Issuer::new(about, authority);
        let key = rcgen::KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let leaf = rcgen::CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
        let files = Self { ca: dir.join("ca.pem"), chain: dir.join("chain.pem"), key: dir.join("key.pem") };
        fs::write(&files.ca, ca.pem()).unwrap();
        fs::write(&files.chain, leaf.pem()).unwrap();
        fs::write(&files.key, key.serialize_pem()).unwrap();
        files
    }
}

/// A running Postfix and Dovecot.
pub(crate) struct MailServers {
    dir: TempDir,
    /// SMTP: plain, with STARTTLS and AUTH offered.
    pub(crate) smtp: u16,
    /// SMTP, TLS from the first byte.
    pub(crate) smtps: u16,
    /// IMAP: plain, with STARTTLS offered.
    pub(crate) imap: u16,
    /// IMAP, TLS from the first byte.
    pub(crate) imaps: u16,
    pub(crate) certificates: Certificates,
    postfix: Option<Child>,
    dovecot: Option<Child>,
}

impl MailServers {
    /// Brings both up. `None`, with a line that says so, only where the tests do not run as root.
    pub(crate) fn start() -> Option<Self> {
        if !geteuid().is_root() {
            eprintln!("Postfix wants root: this test was not run");
            return None;
        }
        let installed = Path::new("/usr/sbin/postfix").exists() && Path::new("/usr/sbin/dovecot").exists();
        assert!(
            installed,
            "install them first: apt-get install postfix dovecot-imapd dovecot-lmtpd dovecot-sieve"
        );
        let dir = folder();
        let certificates = Certificates::make(dir.path(), &["localhost", "127.0.0.1"]);
        // All four are held together, so that they differ; each was free a moment ago.
        let held: Vec<TcpListener> = (0..4).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let ports: Vec<u16> = held.iter().map(|socket| socket.local_addr().unwrap().port()).collect();
        drop(held);
        let mut servers = Self {
            dir,
            smtp: ports[0],
            smtps: ports[1],
            imap: ports[2],
            imaps: ports[3],
            certificates,
            postfix: None,
            dovecot: None,
        };
        servers.write_dovecot();
        servers.write_postfix();
        servers.imap_up();
        servers.smtp_up();
        Some(servers)
    }

    pub(crate) fn password(account: &str) -> &'static str {
        ACCOUNTS.iter().find(|(name, _)| *name == account).unwrap().1
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Starts Dovecot if it is down.
    pub(crate) fn imap_up(&mut self) {
        if self.dovecot.is_none() {
            let mut command = Command::new("/usr/sbin/dovecot");
            command.arg("-F").arg("-c").arg(self.path("dovecot.conf"));
            self.dovecot = Some(self.spawn(command, "dovecot.out"));
            self.listens(&[self.imap, self.imaps], "dovecot");
        }
    }

    /// Ends Dovecot and its connections at once.
    pub(crate) fn imap_down(&mut self) {
        end(&mut self.dovecot);
    }

    /// Starts Postfix if it is down.
    pub(crate) fn smtp_up(&mut self) {
        if self.postfix.is_none() {
            let mut command = Command::new("/usr/lib/postfix/sbin/master");
            command.arg("-c").arg(self.path("postfix/etc")).arg("-d");
            self.postfix = Some(self.spawn(command, "postfix.out"));
            self.listens(&[self.smtp, self.smtps], "postfix");
        }
    }

    /// Ends Postfix and its connections at once.
    pub(crate) fn smtp_down(&mut self) {
        end(&mut self.postfix);
    }

    /// Makes the folder's UIDs void: Dovecot gives it a new UIDVALIDITY. It must be down. `folder` is `INBOX` or its name.
    pub(crate) fn forget_uids(&self, account: &str, folder: &str) {
        assert!(self.dovecot.is_none());
        let folder = self.maildir(account, folder);
        // A process that is about to end may still write what it knew.
        loop {
            let entries = fs::read_dir(&folder).unwrap().flatten();
            let known: Vec<PathBuf> = entries
                .filter(|entry| entry.file_name().to_string_lossy().starts_with("dovecot"))
                .map(|entry| entry.path())
                .collect();
            if known.is_empty() {
                break;
            }
            for path in known {
                let _ = fs::remove_file(path);
            }
            std::thread::sleep(std::time::Duration::from_millis(300));
        }
        // Left alone it takes the second of its start, which may be the one that it had.
        let later =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() + 1000;
        let list = folder.join("dovecot-uidlist");
        fs::write(&list, format!("3 V{later} N1\n")).unwrap();
        let owner = fs::metadata(&folder).unwrap();
        std::os::unix::fs::chown(&list, Some(owner.uid()), Some(owner.gid())).unwrap();
    }

    /// The raw mails of a folder, oldest first as far as file names tell.
    pub(crate) fn mails(&self, account: &str, folder: &str) -> Vec<String> {
        let folder = self.maildir(account, folder);
        let mut files: Vec<PathBuf> = ["new", "cur"]
            .iter()
            .filter_map(|part| fs::read_dir(folder.join(part)).ok())
            .flat_map(|entries| entries.flatten().map(|entry| entry.path()))
            .collect();
        files.sort_by_key(|path| path.file_name().map(ToOwned::to_owned));
        files.iter().map(|file| String::from_utf8_lossy(&fs::read(file).unwrap()).into_owned()).collect()
    }

    /// Waits until an account's INBOX holds so many mails, and gives them.
    pub(crate) async fn arrived(&self, account: &str, count: usize) -> Vec<String> {
        let patience = Instant::now() + PATIENCE;
        loop {
            let mails = self.mails(account, "INBOX");
            if mails.len() >= count {
                return mails;
            }
            assert!(Instant::now() < patience, "{} of {count} mails: {}", mails.len(), self.logs());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Hands a mail to Postfix as any stranger would; gives its last answer.
    pub(crate) fn hand_over(&self, from: &str, to: &str, mail: &str) -> String {
        let stream = TcpStream::connect(("127.0.0.1", self.smtp)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let mut talk = |said: &str| {
            (&stream).write_all(said.as_bytes()).unwrap();
            loop {
                let line = lines.next().expect("Postfix hung up").unwrap();
                if line.as_bytes().get(3) != Some(&b'-') {
                    return line;
                }
            }
        };
        talk("");
        talk("EHLO stranger.example\r\n");
        talk(&format!("MAIL FROM:<{from}>\r\n"));
        let answer = talk(&format!("RCPT TO:<{to}>\r\n"));
        if !answer.starts_with('2') {
            return answer;
        }
        talk("DATA\r\n");
        let body = mail.replace("\r\n", "\n").replace("\n.", "\n..").replace('\n', "\r\n");
        talk(&format!("{body}\r\n.\r\n"))
    }

    /// What both servers logged, to be shown when a test fails.
    pub(crate) fn logs(&self) -> String {
        ["postfix.log", "postfix.out", "dovecot.log", "dovecot.out"]
            .map(|name| format!("== {name}\n{}", fs::read_to_string(self.path(name)).unwrap_or_default()))
            .join("\n")
    }

    fn maildir(&self, account: &str, folder: &str) -> PathBuf {
        let root = self.path("mail").join(account).join("Maildir");
        if folder == "INBOX" { root } else { root.join(format!(".{folder}")) }
    }

    fn spawn(&self, mut command: Command, log: &str) -> Child {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.path(log)).unwrap();
        command
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            // A group of their own, so that none of its processes outlives it.
            .process_group(0)
            .spawn()
            .unwrap()
    }

    fn listens(&self, ports: &[u16], name: &str) {
        let patience = Instant::now() + PATIENCE;
        for port in ports {
            while TcpStream::connect(("127.0.0.1", *port)).is_err() {
                assert!(Instant::now() < patience, "{name} does not listen: {}", self.logs());
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }

    fn write_dovecot(&self) {
        let dir = self.dir.path().display();
        let Self { imap, imaps, smtp, certificates, .. } = self;
        let (chain, key) = (certificates.chain.display(), certificates.key.display());
        let owner = account("mail");
        let mut users = String::new();
        for (name, password) in ACCOUNTS {
            let quota = if *name == "full" { "userdb_quota_rule=*:bytes=1" } else { "" };
            users.extend([name, ":{PLAIN}", password, "::::::", quota, "\n"]);
        }
        let home = self.path("mail");
        fs::create_dir_all(home.join("away")).unwrap();
        fs::create_dir_all(self.path("run")).unwrap();
        fs::write(self.path("users"), users).unwrap();
        fs::write(
            home.join("away/active.sieve"),
            format!(
                "require [\"vacation\"];\nvacation :days 1 :addresses [\"away@{DOMAIN}\"] \
                 :subject \"Out of office\" \"I am away until Monday.\";\n"
            ),
        )
        .unwrap();
        for path in [home.clone(), home.join("away"), home.join("away/active.sieve")] {
            chown(path, Some(owner.0), Some(owner.1)).unwrap();
        }
        let (uid, gid) = owner;
        let settings = format!(
            "base_dir = {dir}/run
state_dir = {dir}/run
log_path = {dir}/dovecot.log
protocols = imap lmtp
listen = 127.0.0.1
ssl = yes
ssl_cert = <{chain}
ssl_key = <{key}
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_failure_delay = 0
first_valid_uid = 1
mail_plugins = quota
mail_location = maildir:{dir}/mail/%n/Maildir
recipient_delimiter = +
submission_host = 127.0.0.1:{smtp}
postmaster_address = postmaster@{DOMAIN}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%n {dir}/users
}}
userdb {{
  driver = passwd-file
  args = username_format=%n {dir}/users
  default_fields = uid={uid} gid={gid} home={dir}/mail/%n
}}
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Sent {{
    auto = create
  }}
  mailbox Junk {{
    auto = create
  }}
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service lmtp {{
  unix_listener lmtp {{
    mode = 0666
  }}
}}
service auth {{
  unix_listener auth-postfix {{
    mode = 0666
  }}
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
protocol lmtp {{
  mail_plugins = quota sieve
  auth_username_format = %n
}}
plugin {{
  quota = count:User quota
  quota_vsizes = yes
  sieve = file:{dir}/mail/%n/sieve.d;active={dir}/mail/%n/active.sieve
}}
"
        );
        fs::write(self.path("dovecot.conf"), settings).unwrap();
    }

    fn write_postfix(&self) {
        let dir = self.dir.path().display();
        let Self { smtp, smtps, certificates, .. } = self;
        let (chain, key) = (certificates.chain.display(), certificates.key.display());
        for part in ["etc", "spool", "data"] {
            fs::create_dir_all(self.path("postfix").join(part)).unwrap();
        }
        let (uid, _) = account("postfix");
        chown(self.path("postfix/data"), Some(uid), None).unwrap();
        fs::write(self.path("postfix/etc/refused"), REFUSED).unwrap();
        fs::write(
            self.path("postfix/etc/people"),
            format!("/^(lost[^@]*@.*)$/ $1\n/@([^@]+\\.)?example$/ people@{DOMAIN}\n"),
        )
        .unwrap();
        let settings = format!(
            "compatibility_level = 3.6
config_directory = {dir}/postfix/etc
queue_directory = {dir}/postfix/spool
data_directory = {dir}/postfix/data
maillog_file_prefixes = /
maillog_file = {dir}/postfix.log
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.{DOMAIN}
mydestination =
local_transport = error:local mail delivery is disabled
local_recipient_maps =
virtual_alias_domains =
virtual_alias_maps = regexp:{dir}/postfix/etc/people
virtual_mailbox_domains = {DOMAIN}
virtual_transport = lmtp:unix:{dir}/run/lmtp
recipient_delimiter = +
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions = check_recipient_access regexp:{dir}/postfix/etc/refused, permit_mynetworks, reject
smtpd_client_connection_count_limit = 0
smtpd_error_sleep_time = 0
relay_domains =
default_transport = error:5.1.1 there is nobody of that name
smtpd_tls_security_level = may
smtpd_tls_chain_files = {key}, {chain}
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {dir}/run/auth-postfix
smtputf8_enable = yes
alias_maps =
alias_database =
"
        );
        fs::write(self.path("postfix/etc/main.cf"), settings).unwrap();
        let services = format!(
            "127.0.0.1:{smtp} inet n - n - - smtpd
127.0.0.1:{smtps} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp flags=O
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"
        );
        fs::write(self.path("postfix/etc/master.cf"), services).unwrap();
        // Makes the folders of the queue.
        let mut check = Command::new("/usr/sbin/postfix");
        check.arg("-c").arg(self.path("postfix/etc")).arg("check");
        let done = self.spawn(check, "postfix.out").wait().unwrap();
        assert!(done.success(), "postfix check: {}", self.logs());
        // A test's folder is nobody's business, but the servers' accounts must pass through.
        fs::set_permissions(self.path("postfix"), fs::Permissions::from_mode(0o755)).unwrap();
    }
}

impl Drop for MailServers {
    fn drop(&mut self) {
        self.smtp_down();
        self.imap_down();
    }
}

fn end(child: &mut Option<Child>) {
    if let Some(mut child) = child.take() {
        // Gone already where it failed to start.
        let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
        child.wait().unwrap();
    }
}

/// User and group number of a system account.
fn account(name: &str) -> (u32, u32) {
    let accounts = fs::read_to_string("/etc/passwd").unwrap();
    let line = accounts.lines().find(|line| line.split(':').next() == Some(name));
    let parts: Vec<&str> = line.unwrap_or_else(|| panic!("no account `{name}`")).split(':').collect();
    (parts[2].parse().unwrap(), parts[3].parse().unwrap())
}
