//! A project whose mails went out already, with real mailboxes for the answers to come into.

use std::time::Duration;

use outreachd::mailbox::Account;
use outreachd::model::token::{self, Purpose};
use outreachd::model::{MailTls, PushKey};
use sqlx::AssertSqlSafe;
use tempfile::TempDir;
use uuid::Uuid;

use super::mail::{DOMAIN, MailServers};
use super::process::{Finished, Running};
use super::{TestDb, folder};

const KEY: &str = "what links are signed with";

const CAMPAIGN: &str = "campaign: first
number: 1
type: sales
segment: nobody
provider: mail
state: paused
sequence:
  - { subject: Hello, body: A question. }
  - { wait: 3d, body: Another one. }
";

/// Contacts are `p1@c1.example`, `p2@c2.example` ...; each got one mail, `m1@test.local` and so on, from alice.
pub(crate) struct Office {
    pub(crate) servers: MailServers,
    pub(crate) db: TestDb,
    folder: TempDir,
}

impl Office {
    /// `None` where mail servers cannot run.
    pub(crate) async fn open(contacts: usize) -> Option<Self> {
        let servers = MailServers::start()?;
        let office = Self { servers, db: TestDb::new().await, folder: folder() };
        office.declare();
        office.write("segments/nobody.yaml", "segment: nobody\nwhere: { company.segment: Nothing }\n");
        office.write("campaigns/first.yaml", CAMPAIGN);
        office.write("key", KEY);
        for account in ["alice", "bounce", "unsubscribe"] {
            office.write(account, MailServers::password(account));
        }
        office.db.execute(&seed(contacts)).await;
        Some(office)
    }

    pub(crate) fn account(&self, name: &str) -> Account {
        account(&self.servers, name)
    }

    /// Writes `outreach.yaml`.
    pub(crate) fn declare(&self) {
        self.declare_with("");
    }

    /// The same, with copies of what was sent.
    pub(crate) fn declare_copies(&self) {
        self.declare_with(", append_sent: true");
    }

    fn declare_with(&self, more: &str) {
        let ca = self.servers.certificates.ca.display().to_string();
        self.write("ca.pem", &std::fs::read_to_string(ca).unwrap());
        let imap = |account: &str, port: u16, tls: &str| {
            format!(
                "{{ host: localhost, port: {port}, tls: {tls}, user: {account}, password: file:{account}, ca: ca.pem, folders: [INBOX, Junk], sent: Sent, poll_every: 5s{more} }}"
            )
        };
        let (imap_port, imaps) = (self.servers.imap, self.servers.imaps);
        let smtp = format!(
            "{{ host: localhost, port: {}, tls: implicit, user: alice, password: file:alice, ca: ca.pem }}",
            self.servers.smtps
        );
        self.write(
            "outreach.yaml",
            &format!(
                "mailboxes:
  alice: {{ address: alice@{DOMAIN}, smtp: {smtp}, imap: {} }}
  bounce: {{ address: bounce@{DOMAIN}, imap: {} }}
  unsubscribe: {{ address: unsubscribe@{DOMAIN}, imap: {} }}
providers:
  mail: {{ kind: smtp, senders: [alice], key: file:key, bounces: bounce@{DOMAIN}, unsubscribe: {{ mailto: unsubscribe@{DOMAIN} }} }}
lease: 1s
",
                imap("alice", imaps, "implicit"),
                imap("bounce", imap_port, "starttls"),
                imap("unsubscribe", imaps, "implicit"),
            ),
        );
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        Running::start(self.folder.path(), &[("DATABASE_URL", self.db.url())], arguments)
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Finished {
        self.start(arguments).finish().await
    }

    /// The token of a contact's mail.
    pub(crate) fn token(contact: usize, purpose: Purpose) -> String {
        let key = PushKey { campaign: 1, employee_id: Uuid::from_u128(contact as u128), ordinal: 1 };
        token::sign(&key, purpose, KEY.as_bytes())
    }

    /// Somebody writes to alice; `headers` end with a line break.
    pub(crate) fn answer(&self, from: &str, headers: &str, text: &str) {
        let to = format!("alice@{DOMAIN}");
        let mail = format!("From: {from}\nTo: {to}\n{headers}\n{text}\n");
        let answer = self.servers.hand_over(from, &to, &mail);
        assert!(answer.starts_with("250"), "{answer}");
    }

    pub(crate) async fn count(&self, sql: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(format!("select count(*) from {sql}")))
            .fetch_one(self.db.pool())
            .await
            .unwrap()
    }

    /// Per contact: how its enrollment stands and which flags it has.
    pub(crate) async fn contacts(&self) -> Vec<String> {
        sqlx::query_scalar(
            "select concat_ws(' ', n.status, e.campaign_status,
                 case when e.reply_unsubscribe then 'U' end, case when e.reply_bounce then 'B' end,
                 case when e.reply_info_request then 'I' end,
                 case when n.live and n.next_at <> e.created_at + interval '3 days' then 'later' end)
             from outreach.enrollments n join employees e on e.id = n.employee_id order by n.employee_id",
        )
        .fetch_all(self.db.pool())
        .await
        .unwrap()
    }

    /// Waits until so many mails were read, by whomever.
    pub(crate) async fn has_read(&self, mails: i64) {
        let end = std::time::Instant::now() + Duration::from_mins(4);
        while self.count("outreach.replies").await < mails {
            assert!(std::time::Instant::now() < end, "{}", self.servers.logs());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// An account as the library wants it.
pub(crate) fn account(servers: &MailServers, name: &str) -> Account {
    Account {
        host: "localhost".to_owned(),
        port: servers.imaps,
        tls: MailTls::Implicit,
        user: name.to_owned(),
        password: MailServers::password(name).to_owned().into(),
        ca: Some(servers.certificates.ca.clone()),
    }
}

/// Contacts whose first mail was accepted.
pub(crate) fn seed(contacts: usize) -> String {
    format!(
        "with numbers as (select n, uuid_in(lpad(to_hex(n), 32, '0')::cstring) as id from generate_series(1, {contacts}) n),
         company as (insert into companies (id, company_name) select id, 'Company ' || n from numbers)
         insert into employees (id, company_id, full_name, work_email, campaign_number, campaign_status, outreach_sent_date, outreach_type, created_at)
         select id, id, 'Person ' || n, 'p' || n || '@c' || n || '.example', 1, 'active', now(), 'sales', now() from numbers;
         insert into outreach.campaigns (number, name, provider, declared_at, outreach_type) values (1, 'first', 'mail', now(), 'sales');
         insert into outreach.pushes (employee_id, campaign_number, ordinal, action, provider, company_id, email, reason, fields,
             source_hash, state, reconcile_id, recorded_at, handed_at, settled_at, attempts)
         select id, 1, 1, 'enroll', 'mail', company_id, work_email, 'new', '{{}}', 1, 'accepted', gen_random_uuid(), now(), now(), now(), 1
         from employees;
         insert into outreach.mails (employee_id, campaign_number, ordinal, step, sender, message_id, subject, email, made_at, handed_at, sent_at)
         select id, 1, 1, 1, 'alice', 'm' || substr(full_name, 8) || '@test.local', 'Hello', work_email, now(), now(), now() from employees;
         insert into outreach.enrollments (employee_id, campaign_number, company_id, email, status, ordinal, fields, source_hash,
             enrolled_at, updated_at, step, next_at, sender)
         select id, 1, company_id, work_email, 'active', 1, '{{}}', 1, now(), now(), 1, created_at + interval '3 days', 'alice'
         from employees"
    )
}
