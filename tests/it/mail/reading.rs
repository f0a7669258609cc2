//! Answers of real servers, and what becomes of contacts.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::time::Duration;

use outreachd::mailbox::{self, Account, Reader};
use outreachd::model::token::Purpose;
use outreachd::model::{MailTls, PushKey};
use outreachd::store::feedback;
use uuid::Uuid;

use crate::support::mail::{DOMAIN, MailServers};
use crate::support::office::{Office, account};
use crate::support::project::until;

/// One answer of each sort, from real people, Postfix and a vacation script. Gives the number of mails.
async fn answers(office: &Office) -> i64 {
    let alice = format!("alice@{DOMAIN}");
    office.answer(
        "p1@c1.example",
        "Message-ID: <a1@c1>\nIn-Reply-To: <m1@test.local>\nSubject: Re: Hello\n",
        "We already have a supplier and are happy with it.",
    );
    // The return path that the provider would have used, to an address that does not exist any more.
    let back = format!("bounce+b-{}@{DOMAIN}", Office::token(2, Purpose::Return));
    let mail = format!(
        "From: {alice}\nTo: lost@c2.example\nMessage-ID: <m2@test.local>\nSubject: Hello\n\nA question.\n"
    );
    assert!(office.servers.hand_over(&back, "lost@c2.example", &mail).starts_with("250"));
    let stop = format!("unsubscribe+u-{}@{DOMAIN}", Office::token(3, Purpose::Unsubscribe));
    let mail = format!("From: p3@c3.example\nTo: {stop}\nMessage-ID: <a3@c3>\nSubject: unsubscribe\n\n\n");
    assert!(office.servers.hand_over("p3@c3.example", &stop, &mail).starts_with("250"));
    let mail = format!(
        "From: {alice}\nTo: away@{DOMAIN}\nMessage-ID: <m4@test.local>\nSubject: Hello\n\nA question.\n"
    );
    assert!(office.servers.hand_over(&alice, &format!("away@{DOMAIN}"), &mail).starts_with("250"));
    // From another address, as people do.
    office.answer(
        "private@home.example",
        "Message-ID: <a5@c5>\nReferences: <x@y> <m5@test.local>\nSubject: Re: Hello\n",
        "Please remove me from your list.\n\n> A question.",
    );
    office.answer(
        "p6@c6.example",
        "Message-ID: <a6@c6>\nIn-Reply-To: <m6@test.local>\nSubject: Re: Hello\n",
        "Sounds interesting. Could you send me your price list and more information, please?",
    );
    let back = format!("bounce+b-{}@{DOMAIN}", Office::token(7, Purpose::Return));
    let mail = format!(
        "From: {alice}\nTo: full@{DOMAIN}\nMessage-ID: <m7@test.local>\nSubject: Hello\n\nA question.\n"
    );
    assert!(office.servers.hand_over(&back, &format!("full@{DOMAIN}"), &mail).starts_with("250"));
    office.answer(
        "friend@elsewhere.example",
        "Message-ID: <s@e>\nSubject: Lunch\n",
        "Shall we have lunch on Friday?",
    );
    office.servers.arrived("alice", 5).await;
    office.servers.arrived("bounce", 2).await;
    office.servers.arrived("unsubscribe", 1).await;
    8
}

const AFTER: [&str; 8] = [
    "replied replied",
    "bounced bounced B",
    "unsubscribed unsubscribed U",
    "active active later",
    "unsubscribed unsubscribed U",
    "replied replied I",
    "active active",
    "active active",
];

#[tokio::test(flavor = "multi_thread")]
async fn answers_reach_their_contacts_and_nothing_counts_twice() {
    let Some(mut office) = Office::open(8).await else { return };
    let mails = answers(&office).await;
    office.run(&["feedback"]).await.ended(0);
    assert_eq!(office.contacts().await, AFTER);
    assert_eq!(office.count("outreach.replies").await, mails);
    let stopped: Vec<String> =
        sqlx::query_scalar("select target || ' ' || reason from outreach.suppressions order by target")
            .fetch_all(office.db.pool())
            .await
            .unwrap();
    assert_eq!(
        stopped,
        [
            "p2@c2.example bounced",
            "p3@c3.example unsubscribed",
            "p5@c5.example unsubscribed",
            "private@home.example unsubscribed"
        ]
    );
    let matched: Vec<String> = sqlx::query_scalar(
        "select distinct matched_by from outreach.replies where matched_by is not null order by 1",
    )
    .fetch_all(office.db.pool())
    .await
    .unwrap();
    assert_eq!(matched, ["in_reply_to", "references", "return_path", "unsubscribe_address"]);
    let words_of_strangers = "outreach.replies where employee_id is null and raw <> ''";
    assert_eq!(office.count(words_of_strangers).await, 0, "nobody's private letters are kept");

    // Copies in another folder, all UIDs void, and everything read once more.
    let copies: Vec<Vec<u8>> =
        office.servers.mails("alice", "INBOX").into_iter().map(String::into_bytes).collect();
    mailbox::append(&office.account("alice"), "Junk", &copies).await.unwrap();
    office.servers.imap_down();
    office.servers.forget_uids("alice", "INBOX");
    office.servers.imap_up();
    let before: Vec<i64> =
        sqlx::query_scalar("select uid_validity from outreach.mailbox_folders order by mailbox, folder")
            .fetch_all(office.db.pool())
            .await
            .unwrap();
    let read = office.run(&["feedback"]).await.ended(0);
    let after: Vec<i64> =
        sqlx::query_scalar("select uid_validity from outreach.mailbox_folders order by mailbox, folder")
            .fetch_all(office.db.pool())
            .await
            .unwrap();
    assert_ne!(before, after, "the folder was made anew: {read:?}");
    assert_eq!(office.contacts().await, AFTER);
    assert_eq!(office.count("outreach.replies").await, mails);
    office.run(&["audit"]).await.ended(0);
    // What is unread stays so.
    let seen = office.servers.mails("alice", "INBOX").len();
    let unseen = std::fs::read_dir(office.servers.path("mail/alice/Maildir/cur")).unwrap().flatten();
    assert_eq!(seen, 5);
    assert!(unseen.into_iter().all(|file| !file.file_name().to_string_lossy().ends_with('S')));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_hears_at_once_and_a_killed_one_loses_nothing() {
    let Some(mut office) = Office::open(8).await else { return };
    // Killed in the middle of taking mails in: the first that reads them waits at a gate.
    let mails = answers(&office).await;
    office
        .db
        .execute(
            "create table gate as select 1 as id;
             create function wait_there() returns trigger language plpgsql as
             $$ begin perform from public.gate for share; return null; end $$;
             create constraint trigger wait_there after insert on outreach.mailbox_folders
                 deferrable initially deferred for each row execute function wait_there()",
        )
        .await;
    let mut gate = office.db.pool().begin().await.unwrap();
    sqlx::query("select from gate for update").execute(&mut *gate).await.unwrap();
    let daemon = office.start(&["run"]);
    until("it waits in its commit", || async {
        let waits = "pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
        office.count(waits).await > 0
    })
    .await;
    daemon.kill().await;
    drop(gate);
    until("its transactions are over", || async {
        office.count("pg_stat_activity where datname = current_database() and state like 'idle in%'").await
            == 0
    })
    .await;
    let daemon = office.start(&["run"]);
    office.has_read(mails).await;
    assert_eq!(office.contacts().await, AFTER);

    // One that comes while it runs.
    office.answer(
        "p8@c8.example",
        "Message-ID: <a8@c8>\nIn-Reply-To: <m8@test.local>\nSubject: Re: Hello\n",
        "Unsubscribe me, please.",
    );
    until("the stop is known", || async {
        office.count("outreach.suppressions where target = 'p8@c8.example'").await == 1
    })
    .await;

    // Another process takes over from one that dies.
    let before = office.count("outreach.daemons").await;
    let other = office.start(&["run"]);
    until("the other one runs", || async { office.count("outreach.daemons").await > before }).await;
    daemon.kill().await;
    office.answer(
        "p7@c7.example",
        "Message-ID: <a7@c7>\nIn-Reply-To: <m7@test.local>\nSubject: Re: Hello\n",
        "Unsubscribe me, please.",
    );
    until("the other one reads it", || async {
        office.count("outreach.suppressions where target = 'p7@c7.example'").await == 1
    })
    .await;
    let daemon = other;

    // The server goes away and comes back.
    office.servers.imap_down();
    until("its absence is known", || async {
        office.count("outreach.mailboxes where read_fault is not null").await == 3
    })
    .await;
    let status = office.run(&["status"]).await.ended(0).stdout;
    let line = status
        .lines()
        .find(|line| line.starts_with("mailbox alice: read "))
        .unwrap_or_else(|| panic!("{status}"));
    assert!(line.contains("; "), "and why not since: {status}");
    office.servers.imap_up();
    until("it is read again", || async {
        office.count("outreach.mailboxes where read_fault is null").await == 3
    })
    .await;
    daemon.terminate();
    daemon.finish().await.ended(0);
    assert_eq!(office.count("outreach.leases where name like 'mailbox:%' and until > now()").await, 0);
    office.run(&["audit"]).await.ended(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_has_the_last_word() {
    let Some(office) = Office::open(3).await else { return };
    office.answer(
        "p1@c1.example",
        "Message-ID: <a1@c1>\nIn-Reply-To: <m1@test.local>\nSubject: Re: Hello\n",
        "Please unsubscribe me.",
    );
    office.answer(
        "p2@c2.example",
        "Message-ID: <a2@c2>\nIn-Reply-To: <m2@test.local>\nSubject: Re: Hello\n",
        "We will talk about it next week.",
    );
    office.servers.arrived("alice", 2).await;
    office.run(&["feedback"]).await.ended(0);
    assert_eq!(office.contacts().await, ["unsubscribed unsubscribed U", "replied replied", "active active"]);

    let all = office.run(&["replies", "list", "--all", "--format", "json"]).await.ended(0).json();
    let id = |email: &str| {
        let one = all.as_array().unwrap().iter().find(|one| one["email"] == email).unwrap();
        one["id"].as_str().unwrap().to_owned()
    };
    let (stop, reply) = (id("p1@c1.example"), id("p2@c2.example"));
    let shown = office.run(&["replies", "show", &stop]).await.ended(0).stdout;
    assert!(
        shown.contains("| Please unsubscribe me.") && shown.contains("has set reply_unsubscribe"),
        "{shown}"
    );

    // A false stop is lifted, and the sequence goes on.
    office.run(&["replies", "correct", &stop[..8], "other"]).await.ended(0);
    assert_eq!(office.contacts().await[0], "active active");
    assert_eq!(office.count("outreach.suppressions").await, 0);
    // No rule gets past that word, nor a copy of the mail.
    let copies: Vec<Vec<u8>> =
        office.servers.mails("alice", "INBOX").into_iter().map(String::into_bytes).collect();
    mailbox::append(&office.account("alice"), "Junk", &copies).await.unwrap();
    office.run(&["feedback"]).await.ended(0);
    office.run(&["reclassify"]).await.ended(0);
    assert_eq!(office.contacts().await[0], "active active");
    // A missed one is made good.
    office.run(&["replies", "correct", &reply, "unsubscribe"]).await.ended(0);
    assert_eq!(office.contacts().await[1], "unsubscribed unsubscribed U");
    assert_eq!(office.count("outreach.suppressions where target = 'p2@c2.example'").await, 1);
    // And taken back.
    office.run(&["replies", "correct", &reply, "as_read"]).await.ended(0);
    assert_eq!(office.contacts().await[1], "replied replied");
    assert_eq!(office.count("outreach.suppressions").await, 0);
    assert_eq!(office.count("outreach.events where kind = 'correct'").await, 3);
    office.run(&["replies", "correct", "ffffffff", "other"]).await.ended(64);

    // What their own hand said by a link stands, whatever becomes of a mail.
    office.answer(
        "p3@c3.example",
        "Message-ID: <a3@c3>\nIn-Reply-To: <m3@test.local>\nSubject: Re: Hello\n",
        "Please unsubscribe me.",
    );
    // Nobody we know, and one from another address.
    office.answer("private@home.example", "Message-ID: <s@h>\nSubject: stop\n", "Please unsubscribe me.");
    office.answer(
        "p1.at.home@mail.example",
        "Message-ID: <a4@c1>\nIn-Reply-To: <m1@test.local>\nSubject: Re: Hello\n",
        "We will talk about it next week.",
    );
    office.servers.arrived("alice", 5).await;
    office.run(&["feedback"]).await.ended(0);
    let all = office.run(&["replies", "list", "--all", "--format", "json"]).await.ended(0).json();
    let id = |word: &str| {
        let one = all.as_array().unwrap().iter().find(|one| one.to_string().contains(word)).unwrap();
        one["id"].as_str().unwrap().to_owned()
    };
    let push = PushKey { campaign: 1, employee_id: Uuid::from_u128(3), ordinal: 1 };
    feedback::follow(office.db.store(), push, false, chrono::DateTime::UNIX_EPOCH).await.unwrap();
    office.run(&["replies", "correct", &id("p3@c3.example"), "other"]).await.ended(0);
    assert_eq!(office.contacts().await[2], "unsubscribed unsubscribed U");
    assert_eq!(office.count("outreach.suppressions where target = 'p3@c3.example'").await, 1);

    let waiting = office.run(&["replies"]).await.ended(0).stdout;
    assert!(waiting.contains("private@home.example") && waiting.lines().count() == 2, "{waiting}");
    let stranger = id("private@home.example");
    let shown = office.run(&["replies", "show", &stranger]).await.ended(0).stdout;
    assert!(shown.contains("answers nobody of ours: from private@home.example"), "{shown}");
    assert!(office.run(&["status"]).await.stdout.contains("1 answer to decide"));
    let stopped = async |address: &str| {
        office.count(&format!("outreach.suppressions where target = '{address}'")).await == 1
    };
    assert!(stopped("private@home.example").await);
    office.run(&["replies", "correct", &stranger, "other"]).await.ended(0);
    assert!(!stopped("private@home.example").await);
    // As if the rules had taken it for a stop, but not surely.
    office.db.execute("update outreach.replies set stops = '{}' where dedupe like 's@h %'").await;
    for kind in ["unsubscribe", "complaint", "bounce"] {
        office.run(&["replies", "correct", &stranger, kind]).await.ended(0);
        assert!(stopped("private@home.example").await, "{kind}");
        office.run(&["replies", "correct", &stranger, "other"]).await.ended(0);
        assert!(!stopped("private@home.example").await, "{kind}");
    }
    let nothing = office.run(&["replies"]).await.ended(0).stdout;
    assert!(nothing.contains("No mail waits"), "{nothing}");
    let elsewhere: String =
        sqlx::query_scalar("select id::text from outreach.replies where dedupe like 'a4@c1 %'")
            .fetch_one(office.db.pool())
            .await
            .unwrap();
    office.run(&["replies", "correct", &elsewhere, "unsubscribe"]).await.ended(0);
    assert!(stopped("p1.at.home@mail.example").await && stopped("p1@c1.example").await);
    office.run(&["replies", "correct", &elsewhere, "as_read"]).await.ended(0);
    assert!(!stopped("p1.at.home@mail.example").await && !stopped("p1@c1.example").await);
    office.db.execute("delete from outreach.suppressions").await;

    // Rules that have become better: this one was once taken for a stop.
    office
        .db
        .execute(
            "update outreach.replies set kind = 'unsubscribe', rule = 'older', meaning = 'unsubscribed',
                 flags_set = '{reply_unsubscribe}', stops = '{p2@c2.example}' where email = 'p2@c2.example';
             update employees set reply_unsubscribe = true, campaign_status = 'unsubscribed' where work_email = 'p2@c2.example';
             update outreach.enrollments set status = 'unsubscribed' where email = 'p2@c2.example'",
        )
        .await;
    let dry = office.run(&["reclassify", "--dry-run"]).await.ended(0).stdout;
    assert!(dry.contains("-reply_unsubscribe") && dry.contains("p2@c2.example"), "{dry}");
    assert_eq!(office.contacts().await[1], "unsubscribed unsubscribed U", "a dry run changes nothing");
    office.run(&["reclassify"]).await.ended(0);
    assert_eq!(office.contacts().await[1], "replied replied");
    assert_eq!(office.count("outreach.suppressions").await, 0);
    let again = office.run(&["reclassify"]).await.ended(0).stdout;
    assert!(again.contains("all as before"), "{again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn large_folders_come_in_batches_and_large_mails_by_their_top() {
    let Some(servers) = MailServers::start() else { return };
    let alice = account(&servers, "alice");
    let large = format!(
        "From: a@b.example\r\nSubject: large\r\n\r\n{}",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd\r\n".repeat(40_000)
    );
    let mut mails = vec![large.into_bytes()];
    mails.extend(
        (0..250).map(|n| format!("From: a@b.example\r\nSubject: {n}\r\n\r\nHello.\r\n").into_bytes()),
    );
    mailbox::append(&alice, "INBOX", &mails).await.unwrap();
    let folders = ["INBOX".to_owned(), "Junk".to_owned()];
    let long_ago = chrono::NaiveDate::from_ymd_opt(2000, 1, 1).unwrap();
    let mut reader = Reader::open(&alice, &folders, &[], long_ago).await.unwrap();
    let (mut uids, mut places, mut most) = (Vec::new(), Vec::new(), 0);
    while let Some(batch) = reader.next().await.unwrap() {
        most = most.max(batch.mails.iter().map(|mail| mail.bytes.len()).max().unwrap_or_default());
        assert!(batch.mails.len() <= 100);
        uids.extend(batch.mails.iter().map(|mail| mail.uid));
        reader.stored(&batch.checkpoint);
        places.push(batch.checkpoint);
    }
    assert_eq!(uids, (1..=251).collect::<Vec<u32>>(), "each once, in order");
    assert_eq!(most, mailbox::MAIL_AT_MOST);
    assert_eq!(places.last().map(|place| (place.folder.as_str(), place.last_uid)), Some(("Junk", 0)));
    assert!(reader.next().await.unwrap().is_none(), "nothing new");
    // From where it was left; a reader that was not told so begins there again.
    mailbox::append(&alice, "INBOX", &mails[1..3]).await.unwrap();
    let left = places.iter().rev().find(|place| place.folder == "INBOX").unwrap().clone();
    for _ in 0..2 {
        let mut reader = Reader::open(&alice, &folders, std::slice::from_ref(&left), long_ago).await.unwrap();
        let batch = reader.next().await.unwrap().unwrap();
        assert_eq!(batch.mails.iter().map(|mail| mail.uid).collect::<Vec<_>>(), [252, 253]);
        assert!(batch.mails[0].received_at.is_some());
    }
    // Sent mails are found by the whole of their id only.
    let sent = b"Message-ID: <one.two@test.local>\r\nSubject: x\r\n\r\nHello.\r\n".to_vec();
    mailbox::append(&alice, "Sent", &[sent]).await.unwrap();
    let ids = ["two@test.local".to_owned(), "one.two@test.local".to_owned()];
    assert_eq!(mailbox::holds(&alice, "Sent", &ids).await.unwrap(), [false, true]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_prove_itself_gets_no_password() {
    let Some(servers) = MailServers::start() else { return };
    let open = async |account: &Account| {
        let day = chrono::NaiveDate::from_ymd_opt(2026, 1, 1).unwrap();
        Reader::open(account, &["INBOX".to_owned()], &[], day).await.err().map(|error| error.code())
    };
    let good = account(&servers, "alice");
    assert_eq!(open(&good).await, None);
    let port = servers.imap;
    assert_eq!(open(&Account { tls: MailTls::Starttls, port, ..good.clone() }).await, None);
    assert_eq!(open(&Account { tls: MailTls::None, port, ..good.clone() }).await, None, "on this machine");
    assert_eq!(
        open(&Account { ca: None, ..good.clone() }).await,
        Some("Tls"),
        "nobody we know vouches for it"
    );
    assert_eq!(open(&Account { host: "127.0.0.2".to_owned(), ..good.clone() }).await, Some("Unreachable"));
    assert_eq!(
        open(&Account { password: "wrong".to_owned().into(), ..good.clone() }).await,
        Some("LoginRefused")
    );
    assert_eq!(open(&Account { ca: Some("nowhere.pem".into()), ..good.clone() }).await, Some("Certificates"));

    // Somebody in between takes STARTTLS out: the connection ends there.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        (&stream).write_all(b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello\r\n").unwrap();
        let mut heard = Vec::new();
        for line in BufReader::new(&stream).lines().map_while(Result::ok) {
            let tag = line.split(' ').next().unwrap().to_owned();
            heard.push(line);
            (&stream).write_all(format!("{tag} BAD unknown\r\n").as_bytes()).unwrap();
        }
        heard
    });
    assert_eq!(open(&Account { tls: MailTls::Starttls, port, ..good }).await, Some("Unprotected"));
    let heard = heard.join().unwrap();
    assert!(heard.len() == 1 && heard[0].ends_with("STARTTLS"), "{heard:?}");
}

/// What a server of the test does at a FETCH.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fetching {
    /// Refuses every set that has the second mail in it.
    RefusesTheSecond,
    /// Hangs up after the first mail.
    HangsUp,
    /// Says NO to all of it.
    RefusesSizes,
}

/// An IMAP server with three mails in one folder, for one connection.
fn peculiar(fetching: Fetching) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let say = |text: &str| (&stream).write_all(text.as_bytes()).unwrap();
        say("* OK hello\r\n");
        for line in BufReader::new(&stream).lines().map_while(Result::ok) {
            let (tag, command) = line.split_once(' ').unwrap();
            let set = command.strip_prefix("UID FETCH ").and_then(|rest| rest.split(' ').next());
            match (command, set) {
                ("CAPABILITY", _) => say("* CAPABILITY IMAP4rev1\r\n"),
                (_, Some(set)) => {
                    let uids: Vec<u32> = set.split(',').map(|uid| uid.parse().unwrap()).collect();
                    if fetching == Fetching::RefusesTheSecond && uids.contains(&2) {
                        say(&format!("{tag} NO one of them cannot be put into words\r\n"));
                        continue;
                    }
                    if fetching == Fetching::RefusesSizes && command.contains("RFC822.SIZE") {
                        say(&format!("{tag} NO not today\r\n"));
                        continue;
                    }
                    for uid in uids {
                        let mail = format!("From: a@b.example\r\nSubject: {uid}\r\n\r\nHello.\r\n");
                        say(&format!(
                            "* {uid} FETCH (UID {uid} INTERNALDATE \"24-Nov-2026 10:00:00 +0000\" BODY[]<0> {{{}}}\r\n{mail})\r\n",
                            mail.len()
                        ));
                        // Word of somebody else's doing comes in between.
                        say("* 1 FETCH (UID 1 FLAGS (\\Seen))\r\n");
                        if fetching == Fetching::HangsUp {
                            return;
                        }
                    }
                }
                (command, _) if command.starts_with("EXAMINE") => {
                    say("* 3 EXISTS\r\n* OK [UIDVALIDITY 7] v\r\n* OK [UIDNEXT 4] n\r\n");
                }
                (command, _) if command.starts_with("UID SEARCH") => say("* SEARCH 3 1 2\r\n"),
                _ => {}
            }
            say(&format!("{tag} OK done\r\n"));
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_or_a_cut_is_never_taken_for_an_empty_folder() {
    let read = async |fetching| {
        let account = Account {
            host: "127.0.0.1".to_owned(),
            port: peculiar(fetching),
            tls: MailTls::None,
            user: "a".to_owned(),
            password: "b".to_owned().into(),
            ca: None,
        };
        let day = chrono::NaiveDate::from_ymd_opt(2026, 1, 1).unwrap();
        let mut reader = Reader::open(&account, &["INBOX".to_owned()], &[], day).await.unwrap();
        reader.next().await
    };
    // One that cannot be had keeps nobody from the others, and is told of by being empty.
    let batch = read(Fetching::RefusesTheSecond).await.unwrap().unwrap();
    let mails: Vec<(u32, bool)> = batch.mails.iter().map(|mail| (mail.uid, mail.bytes.is_empty())).collect();
    assert_eq!(mails, [(1, false), (2, true), (3, false)]);
    assert_eq!(batch.checkpoint.last_uid, 3);
    let batch = read(Fetching::RefusesSizes).await.unwrap().unwrap();
    assert_eq!(batch.mails.len(), 3);
    let error = read(Fetching::HangsUp).await.unwrap_err();
    assert_eq!(error.code(), "Lost", "{error}");
}
