//! The servers that the other tests of mail stand on do what those tests take for granted.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};

use crate::support::mail::{DOMAIN, MailServers};

/// Subjects of an account's INBOX, over TLS that is verified against the authority of the test.
fn subjects(servers: &MailServers, account: &str) -> Vec<String> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&servers.certificates.ca).unwrap()).unwrap();
    let config =
        rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let socket = TcpStream::connect(("127.0.0.1", servers.imaps)).unwrap();
    let mut stream = BufReader::new(rustls::StreamOwned::new(client, socket));
    let password = MailServers::password(account);
    let mut found = Vec::new();
    for command in [
        format!("a login {account} {password}"),
        "a examine INBOX".to_owned(),
        "a fetch 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT)])".to_owned(),
    ] {
        write!(stream.get_mut(), "{command}\r\n").unwrap();
        loop {
            let mut line = String::new();
            assert!(stream.read_line(&mut line).unwrap() > 0, "Dovecot hung up");
            if let Some(answer) = line.strip_prefix("a ") {
                assert!(answer.starts_with("OK"), "{command}: {answer}");
                break;
            }
            found.extend(line.strip_prefix("Subject: ").map(|subject| subject.trim_end().to_owned()));
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_is_delivered_and_read_and_servers_stand_side_by_side() {
    let (Some(mut one), Some(other)) = (MailServers::start(), MailServers::start()) else { return };
    let alice = format!("alice@{DOMAIN}");
    let mail =
        |subject: &str| format!("From: {alice}\nTo: x@y.example\nSubject: {subject}\n\n.dots\n.\nend\n");
    // By the catch-all, with the address it was sent to; plus-addressed; and back to the sender.
    assert!(one.hand_over(&alice, "x@y.example", &mail("to people")).starts_with("250 "));
    let people = one.arrived("people", 1).await;
    assert!(people[0].contains("X-Original-To: x@y.example") && people[0].contains("\n.dots\n.\nend"));
    assert!(
        one.hand_over("x@y.example", &format!("bounce+b-token@{DOMAIN}"), &mail("verp")).starts_with("250 ")
    );
    let bounce = one.arrived("bounce", 1).await;
    assert!(bounce[0].contains("Delivered-To: bounce+b-token@"), "{}", bounce[0]);
    assert!(one.hand_over(&alice, "lost@y.example", &mail("lost")).starts_with("250 "));
    assert!(one.arrived("alice", 1).await[0].contains("Status: 5.1.1"));
    assert!(one.hand_over(&alice, &format!("full@{DOMAIN}"), &mail("full")).starts_with("250 "));
    assert!(one.arrived("alice", 2).await.iter().any(|mail| mail.contains("5.2.2")));
    assert!(
        one.hand_over(
            &alice,
            &format!("away@{DOMAIN}"),
            &mail("away").replace("x@y.example", "away@test.local")
        )
        .starts_with("250 ")
    );
    assert!(one.arrived("alice", 3).await.iter().any(|mail| mail.contains("until Monday")));
    assert!(one.hand_over(&alice, "gone.since.may@y.example", "").starts_with("550 5.1.1"));
    assert_eq!(subjects(&one, "people"), ["to people"]);
    assert!(other.mails("people", "INBOX").is_empty());
    // Both come back after a stop, and a folder whose numbers were lost still holds its mails.
    one.smtp_down();
    one.imap_down();
    one.forget_uids("people", "INBOX");
    one.imap_up();
    one.smtp_up();
    assert!(one.hand_over(&alice, "x@y.example", &mail("again")).starts_with("250 "));
    one.arrived("people", 2).await;
    assert_eq!(subjects(&one, "people").len(), 2);
}
