//! The SMTP provider against a server that misbehaves: what is sent, and what each failure is taken for.

use std::time::Duration;

use mail_parser::MessageParser;
use outreachd::model::{
    ActionKind, Dkim, FixedClock, MailServer, MailTls, Mailbox, ProviderKind, ProviderSettings, PushKey,
    SecretRef, SenderLimits, SmtpSettings, Term, Unsubscribe, Verdict,
};
use outreachd::provider::{self, Answer, Destination, Item, Mail, Notice, Notifier, Presence, Provider};
use serde_json::json;
use uuid::Uuid;

use crate::support::smtp::{Act, At, PASSWORD, PostOffice};

const NOW: FixedClock = FixedClock(chrono::DateTime::from_timestamp(1_795_000_000, 0).unwrap());

fn settings(server: MailServer) -> SmtpSettings {
    let mailbox = Mailbox {
        name: "alice".to_owned(),
        address: "alice@test.local".to_owned(),
        display_name: Some("Алиса, \"отдел\" <продаж>".to_owned()),
        smtp: Some(server),
        imap: None,
        limits: SenderLimits { per_day: None, ramp: None, gap: Duration::ZERO },
        timezone: chrono_tz::UTC,
    };
    SmtpSettings {
        senders: vec![mailbox],
        key: SecretRef::File("password".into()),
        previous_keys: Vec::new(),
        bounces: Some("bounce@test.local".to_owned()),
        unsubscribe: Some(Unsubscribe {
            url: Some("https://out.test.local/".to_owned()),
            mailto: Some("unsubscribe@test.local".to_owned()),
        }),
        dkim: None,
        auto_submitted: false,
        timeout: Duration::from_millis(1500),
    }
}

fn open(office: &PostOffice, settings: SmtpSettings) -> Box<dyn Provider + 'static> {
    let kind = ProviderKind::Smtp(Box::new(settings));
    let settings = ProviderSettings { name: "mail".to_owned(), kind, batch: 100, per_minute: None };
    provider::open(&settings, office.root(), &NOW).unwrap()
}

fn mail(n: u128) -> Mail {
    Mail {
        step: 1,
        sender: "alice".to_owned(),
        message_id: format!("id-{n}@test.local"),
        return_token: format!("r{n}"),
        unsubscribe_token: format!("u{n}"),
        subject: "Платежи без таблиц".to_owned(),
        text: "Здравствуйте!\n.\n..точки\nend".to_owned(),
        html: None,
        thread: Vec::new(),
    }
}

fn item(n: u128, mail: Option<Mail>) -> Item {
    Item {
        key: PushKey { campaign: 7, employee_id: Uuid::from_u128(n), ordinal: 1 },
        action: ActionKind::Enroll,
        email: format!("p{n}@c.example"),
        fields: json!({}),
        reason: None,
        held: None,
        mail,
    }
}

async fn perform(provider: &dyn Provider, items: &[Item]) -> Vec<Verdict> {
    match provider.perform(&Destination::default(), items).await {
        Answer::Items(verdicts) => verdicts,
        Answer::Whole(verdict) => panic!("{verdict:?}"),
    }
}

/// What becomes of one mail, and whether the mailbox was told to rest.
async fn one(office: &PostOffice, act: (At, Act)) -> (Verdict, bool) {
    let provider = open(office, settings(office.server()));
    office.script([act]);
    let verdict = perform(&*provider, &[item(1, Some(mail(1)))]).await.remove(0);
    let faults = provider.sender_faults();
    assert!(faults.iter().all(|fault| fault.mailbox == "alice" && !fault.pause.is_zero()));
    assert!(provider.sender_faults().is_empty(), "told once");
    (verdict, !faults.is_empty())
}

#[tokio::test]
async fn a_mail_arrives_as_it_was_meant() {
    for tls in [MailTls::Implicit, MailTls::Starttls, MailTls::None] {
        let office = PostOffice::start(tls).await;
        let provider = open(&office, settings(office.server()));
        let follow_up = Mail {
            step: 3,
            html: Some("<p>Здравствуйте &amp; до свидания</p>".to_owned()),
            subject: "Re: a\r\nBcc: victim@x.example".to_owned(),
            thread: vec!["id-0@test.local".to_owned(), "id-00@test.local".to_owned()],
            ..mail(2)
        };
        let items = [item(1, Some(mail(1))), item(2, Some(follow_up))];
        assert_eq!(perform(&*provider, &items).await, [Verdict::Accepted, Verdict::Accepted], "{tls:?}");
        assert_eq!(office.connections(), 1, "one connection carries both");
        let taken = office.taken();
        let [first, second] = taken.as_slice() else { panic!("{taken:?}") };
        assert_eq!(first.encrypted, tls != MailTls::None);
        let login = data_encoding::BASE64.encode(format!("\0user\0{PASSWORD}").as_bytes());
        assert_eq!(first.user.as_deref(), Some(login.as_str()));
        assert!(first.from.starts_with("MAIL FROM:<bounce+b-r1@test.local> SIZE="), "{}", first.from);
        assert!(first.from.ends_with(" RET=HDRS ENVID=r1"), "{}", first.from);
        assert_eq!(first.to, "RCPT TO:<p1@c.example> NOTIFY=FAILURE,DELAY ORCPT=rfc822;p1@c.example");
        assert!(first.mail.is_ascii());
        let read = MessageParser::new().parse(&first.mail).unwrap();
        let from = read.from().unwrap().first().unwrap();
        assert_eq!(from.name.as_deref(), Some("Алиса, \"отдел\" <продаж>"));
        assert_eq!(from.address.as_deref(), Some("alice@test.local"));
        assert_eq!(read.subject(), Some("Платежи без таблиц"));
        assert_eq!(read.message_id(), Some("id-1@test.local"));
        assert_eq!(read.date().unwrap().to_timestamp(), 1_795_000_000);
        assert_eq!(read.body_text(0).unwrap().trim_end().replace("\r\n", "\n"), mail(1).text);
        let header = |name: &str| first.header(name).unwrap_or_default();
        assert_eq!(
            header("List-Unsubscribe"),
            "<https://out.test.local/u/u1>, <mailto:unsubscribe+u-u1@test.local?subject=unsubscribe>"
        );
        assert_eq!(header("List-Unsubscribe-Post"), "List-Unsubscribe=One-Click");
        assert_eq!(header("X-Outreachd-Token"), "r1");
        assert_eq!((first.header("Auto-Submitted"), first.header("In-Reply-To")), (None, None));
        let read = MessageParser::new().parse(&second.mail).unwrap();
        assert_eq!(read.subject(), Some("Re: a Bcc: victim@x.example"));
        assert_eq!(second.header("Bcc"), None);
        assert_eq!(second.header("In-Reply-To").unwrap(), "<id-00@test.local>");
        assert_eq!(second.header("References").unwrap(), "<id-0@test.local> <id-00@test.local>");
        assert!(read.body_html(0).unwrap().contains("Здравствуйте &amp; до"));
        assert!(read.body_text(0).unwrap().contains("..точки"));
    }
}

#[tokio::test]
async fn notices_share_a_connection_are_signed_and_end_it_when_refused() {
    let office = PostOffice::start(MailTls::Starttls).await;
    std::fs::write(
        office.root().join("dkim"),
        rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap().serialize_pem(),
    )
    .unwrap();
    let key = SecretRef::File("dkim".into());
    let dkim = Dkim { domain: "test.local".to_owned(), selector: "s1".to_owned(), key };
    let mailbox = settings(office.server()).senders.remove(0);
    let mut notifier = Notifier::new(&mailbox, Some(&dkim), office.root()).unwrap();
    let notice = Notice {
        to: "ops@\u{43f}\u{43e}\u{447}\u{442}\u{430}.example".to_owned(),
        id: "notice-1".to_owned(),
        subject: "is blocked\r\nBcc: victim@x.example".to_owned(),
        text: "Слишком много.\n.\nend".to_owned(),
    };
    for _ in 0..2 {
        assert_eq!(notifier.send(&notice, NOW.0).await, Verdict::Accepted);
    }
    assert_eq!(office.connections(), 1);
    let taken = office.taken();
    assert_eq!(taken[0].mail, taken[1].mail, "said again, it is the same mail");
    assert!(taken[0].from.starts_with("MAIL FROM:<alice@test.local> "), "{}", taken[0].from);
    assert!(taken[0].to.starts_with("RCPT TO:<ops@xn--80a1acny.example>"), "{}", taken[0].to);
    assert!(taken[0].header("DKIM-Signature").is_some_and(|value| value.contains("d=test.local")));
    assert_eq!(taken[0].header("Message-ID").as_deref(), Some("<notice-1@test.local>"));
    assert_eq!((taken[0].header("Bcc"), taken[0].header("List-Unsubscribe")), (None, None));
    let read = MessageParser::new().parse(&taken[0].mail).unwrap();
    assert_eq!(read.body_text(0).unwrap().trim_end().replace("\r\n", "\n"), notice.text);

    office.script([(At::Recipient, Act::Say("550 5.1.1 no such user")), (At::End, Act::KeepAndDrop)]);
    assert!(matches!(notifier.send(&notice, NOW.0).await, Verdict::Bounced(_)));
    assert!(matches!(notifier.send(&notice, NOW.0).await, Verdict::InDoubt(_)));
    assert_eq!((office.connections(), office.taken().len()), (2, 3));
    notifier.close().await;

    // Only a domain that any server reads makes a Message-ID.
    let mailbox = Mailbox { address: "alice@почта.example".to_owned(), ..mailbox };
    assert_eq!(provider::message_id(&mailbox, "x"), "x@xn--80a1acny.example");
    let mut notifier = Notifier::new(&mailbox, None, office.root()).unwrap();
    assert_eq!(notifier.send(&notice, NOW.0).await, Verdict::Accepted);
    let id = office.taken()[3].header("Message-ID");
    assert_eq!(id.as_deref(), Some("<notice-1@xn--80a1acny.example>"));
}

#[tokio::test]
async fn what_breaks_before_the_end_was_not_sent_and_after_it_is_in_doubt() {
    let office = PostOffice::start(MailTls::Starttls).await;
    for at in [At::Connect, At::Hello, At::Starttls, At::Login, At::Sender, At::Recipient, At::Data] {
        let (verdict, rests) = one(&office, (at, Act::Drop)).await;
        assert!(matches!(verdict, Verdict::Retry { after: Some(_), .. }), "{at:?}: {verdict:?}");
        assert!(rests, "{at:?}");
    }
    for at in [At::Connect, At::Recipient] {
        let (verdict, rests) = one(&office, (at, Act::Silence)).await;
        assert!(matches!(verdict, Verdict::Retry { .. }) && rests, "{at:?}: {verdict:?}");
    }
    assert!(office.taken().is_empty());
    // It had all been written before the line broke: the server may have read the end.
    let (verdict, rests) = one(&office, (At::Text, Act::Drop)).await;
    assert!(matches!(verdict, Verdict::InDoubt(_)) && rests, "{verdict:?}");
    for act in [Act::Drop, Act::KeepAndDrop, Act::Say("hm"), Act::Silence] {
        let (verdict, rests) = one(&office, (At::End, act.clone())).await;
        assert!(matches!(verdict, Verdict::InDoubt(_)), "{act:?}: {verdict:?}");
        assert!(rests, "{act:?}: the next one would be in doubt as well");
    }
}

#[tokio::test]
async fn each_no_is_taken_for_what_it_is_about() {
    let office = PostOffice::start(MailTls::None).await;
    let says = |at, said| one(&office, (at, Act::Say(said)));
    for (at, said) in [(At::Recipient, "550 5.1.1 <p1@c.example> unknown"), (At::End, "550 5.2.1 disabled")] {
        let (verdict, rests) = says(at, said).await;
        let Verdict::Bounced(reason) = &verdict else { panic!("{said}: {verdict:?}") };
        assert!(reason.contains(&said[..9]) && !reason.contains("c.example") && !rests, "{reason}");
    }
    for (at, said) in
        [(At::Recipient, "452 too many"), (At::Recipient, "552 too many"), (At::End, "452 4.2.2 full")]
    {
        let (verdict, rests) = says(at, said).await;
        assert!(matches!(verdict, Verdict::Retry { .. }) && !rests, "{said}: {verdict:?}");
    }
    for (at, said) in [
        (At::Login, "535 5.7.8 wrong"),
        (At::Connect, "421 4.3.2 go away"),
        (At::Recipient, "421 4.3.2 closing"),
        (At::Sender, "550 5.7.1 not from here"),
        (At::End, "550 5.7.26 unauthenticated"),
        (At::Recipient, "451 4.7.1 slow down"),
    ] {
        let (verdict, rests) = says(at, said).await;
        assert!(matches!(verdict, Verdict::Retry { .. }) && rests, "{said}: {verdict:?}");
    }
    let (verdict, rests) = says(At::End, "554 5.6.0 malformed").await;
    assert!(matches!(verdict, Verdict::Refused(_)) && !rests, "{verdict:?}");
    assert!(office.taken().is_empty());
}

#[tokio::test]
async fn nothing_goes_out_unprotected_or_to_a_stranger() {
    // Offered nothing, offered something that is nothing, and answered too early.
    let stripped = PostOffice::start(MailTls::None).await;
    let server = MailServer { tls: MailTls::Starttls, ..stripped.server() };
    let provider = open(&stripped, settings(server));
    let verdicts = perform(&*provider, &[item(1, Some(mail(1)))]).await;
    assert!(
        matches!(&verdicts[0], Verdict::Retry { reason, .. } if reason.contains("STARTTLS")),
        "{verdicts:?}"
    );
    assert_eq!(provider.sender_faults().len(), 1);
    let office = PostOffice::start(MailTls::Starttls).await;
    for said in ["454 4.7.0 no", "220 go on\r\n250 injected"] {
        let (verdict, rests) = one(&office, (At::Starttls, Act::Say(said))).await;
        assert!(matches!(verdict, Verdict::Retry { .. }) && rests, "{said}: {verdict:?}");
    }
    // Somebody else's certificate, and one of an authority that nobody knows.
    for (name, ca) in [("elsewhere.example", true), ("localhost", false)] {
        let office = PostOffice::start_named(MailTls::Implicit, name, &["AUTH PLAIN"]).await;
        let other = PostOffice::start(MailTls::Implicit).await;
        let server = office.server();
        let ca = if ca { server.ca.clone() } else { other.server().ca };
        let provider = open(&office, settings(MailServer { ca, ..server }));
        let verdicts = perform(&*provider, &[item(1, Some(mail(1)))]).await;
        assert!(matches!(verdicts[0], Verdict::Retry { .. }), "{name}: {verdicts:?}");
        assert_eq!(provider.sender_faults().len(), 1, "{name}");
        assert!(office.taken().is_empty());
    }
    assert!(stripped.taken().is_empty() && office.taken().is_empty());
}

#[tokio::test]
async fn a_connection_is_used_again_and_replaced_when_it_is_gone() {
    let office = PostOffice::start(MailTls::None).await;
    let provider = open(&office, settings(office.server()));
    for n in 1..=3 {
        assert_eq!(perform(&*provider, &[item(n, Some(mail(n)))]).await, [Verdict::Accepted]);
    }
    assert_eq!(office.connections(), 1);
    office.script([(At::Reset, Act::Drop)]);
    assert_eq!(perform(&*provider, &[item(4, Some(mail(4)))]).await, [Verdict::Accepted]);
    assert_eq!(office.connections(), 2);
    // A no leaves the line usable, and the next mail is its own.
    office.script([(At::Recipient, Act::Say("550 5.1.1 no"))]);
    let verdicts = perform(&*provider, &[item(5, Some(mail(5))), item(6, Some(mail(6)))]).await;
    assert!(matches!(verdicts[..], [Verdict::Bounced(_), Verdict::Accepted]), "{verdicts:?}");
    assert_eq!(office.connections(), 2);
    let ids: Vec<_> = office.taken().iter().filter_map(|taken| taken.header("Message-ID")).collect();
    assert_eq!(ids.len(), 5);
    assert!(ids.contains(&"<id-6@test.local>".to_owned()) && !ids.contains(&"<id-5@test.local>".to_owned()));
}

#[tokio::test]
async fn after_a_mailboxs_trouble_the_rest_of_its_mails_wait() {
    let office = PostOffice::start(MailTls::None).await;
    let provider = open(&office, settings(office.server()));
    office.script([(At::End, Act::Say("451 4.7.1 too fast"))]);
    let items: Vec<Item> = (1..=4).map(|n| item(n, Some(mail(n)))).collect();
    let verdicts = perform(&*provider, &items).await;
    assert!(verdicts.iter().all(|verdict| matches!(verdict, Verdict::Retry { .. })), "{verdicts:?}");
    assert_eq!(provider.sender_faults().len(), 1);
    assert!(office.taken().is_empty());
}

#[tokio::test]
async fn what_is_no_mail_needs_no_server() {
    let office = PostOffice::start(MailTls::None).await;
    let provider = open(&office, settings(office.server()));
    let update = Item { action: ActionKind::Update, ..item(1, None) };
    let withdrawal = Item { action: ActionKind::Withdraw, ..item(2, None) };
    let verdicts = perform(&*provider, &[update.clone(), item(3, None), withdrawal]).await;
    assert!(
        matches!(verdicts[..], [Verdict::Accepted, Verdict::Refused(_), Verdict::Accepted]),
        "{verdicts:?}"
    );
    assert_eq!(office.connections(), 0);
    let found = provider.look_up(&Destination::default(), &[update, item(4, Some(mail(4)))]).await.unwrap();
    assert_eq!(found, [Presence::NotHere, Presence::Unknown]);
}

#[tokio::test]
async fn what_a_server_cannot_carry_is_not_begun() {
    let office = PostOffice::start_named(MailTls::None, "localhost", &["AUTH LOGIN PLAIN", "SIZE 100"]).await;
    let provider = open(&office, settings(office.server()));
    let far = Item { email: "иван@почта.рф".to_owned(), ..item(1, Some(mail(1))) };
    let verdicts = perform(&*provider, &[far, item(2, Some(mail(2)))]).await;
    assert!(matches!(&verdicts[0], Verdict::Refused(reason) if reason.contains("SMTPUTF8")), "{verdicts:?}");
    assert!(matches!(&verdicts[1], Verdict::Refused(reason) if reason.contains("larger")), "{verdicts:?}");
    assert!(provider.sender_faults().is_empty());
    // A domain beyond ASCII has a form that every server reads.
    let office = PostOffice::start(MailTls::None).await;
    let provider = open(&office, settings(office.server()));
    let domain = Item { email: "ivan@почта.рф".to_owned(), ..item(1, Some(mail(1))) };
    assert_eq!(perform(&*provider, &[domain]).await, [Verdict::Accepted]);
    assert!(office.taken()[0].to.contains("<ivan@xn--80a1acny.xn--p1ai>"));
}

#[tokio::test]
async fn signed_mails_carry_a_signature_over_both_unsubscribe_headers() {
    let office = PostOffice::start(MailTls::None).await;
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    std::fs::write(office.root().join("dkim"), pair.serialize_pem()).unwrap();
    let dkim = Dkim {
        domain: "test.local".to_owned(),
        selector: "s1".to_owned(),
        key: SecretRef::File("dkim".into()),
    };
    let provider = open(&office, SmtpSettings { dkim: Some(dkim), ..settings(office.server()) });
    assert_eq!(perform(&*provider, &[item(1, Some(mail(1)))]).await, [Verdict::Accepted]);
    let signature = office.taken()[0].header("DKIM-Signature").unwrap();
    let tags: String = signature.split_whitespace().collect();
    assert!(
        tags.starts_with("v=1;a=ed25519-sha256;c=relaxed/relaxed;d=test.local;s=s1;t=1795000000;"),
        "{tags}"
    );
    let names = tags.split("h=").nth(1).unwrap().split(';').next().unwrap();
    let names: Vec<&str> = names.split(':').collect();
    assert!(names.contains(&"list-unsubscribe") && names.contains(&"list-unsubscribe-post"), "{names:?}");
    assert_eq!(names.iter().filter(|name| **name == "from").count(), 2, "nobody adds another");
}

#[tokio::test]
async fn whoever_lost_the_right_to_send_does_not_say_the_end() {
    let office = PostOffice::start(MailTls::None).await;
    let kind = ProviderKind::Smtp(Box::new(settings(office.server())));
    let declared = ProviderSettings { name: "mail".to_owned(), kind, batch: 100, per_minute: None };
    let over = Term::until(std::time::Instant::now());
    let pace = Box::new(provider::Unpaced::default());
    let provider =
        provider::open_until(&declared, office.root(), &NOW, pace, Some(over), Box::new(provider::Unseen))
            .unwrap();
    let verdicts = perform(&*provider, &[item(1, Some(mail(1)))]).await;
    assert!(matches!(&verdicts[..], [Verdict::Retry { after: None, .. }]), "{verdicts:?}");
    assert!(office.taken().is_empty() && provider.sender_faults().is_empty());
}
