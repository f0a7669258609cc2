//! What every provider must do, each judged by what it says it can: a new one is added to `Candidate::all` and
//! inherits the lot.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use mail_parser::MessageParser;
use outreachd::model::{
    ActionKind, MailServer, MailTls, Mailbox, OtherCampaigns, ProviderKind, ProviderSettings, PushKey,
    SecretRef, SenderLimits, SmtpSettings, SystemClock, Term, Verdict, Withdrawal,
};
use outreachd::provider::{self, Answer, Destination, Item, Mail, Presence, Provider, SentFolder, Unpaced};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::folder;
use crate::support::receiver::{Behaviour, Receiver, SECRET};
use crate::support::smartlead::{KEY, Smartlead};
use crate::support::smtp::{Act, At, PostOffice};

/// A provider under test, with a way to see what it really holds.
struct Candidate {
    name: &'static str,
    folder: tempfile::TempDir,
    place: Place,
}

enum Place {
    Outbox,
    Receiver {
        receiver: Receiver,
        idempotent: bool,
        look_up: bool,
    },
    Smartlead {
        smartlead: Smartlead,
        campaign: i64,
    },
    /// Sends mails; what has gone cannot be changed or taken back.
    Post(PostOffice),
}

/// How an answer gets lost.
#[derive(Clone, Copy)]
enum Loss {
    BeforeItIsDone,
    AfterItIsDone,
}

impl Candidate {
    async fn all() -> Vec<Self> {
        let mut all = vec![Self::new("file", Place::Outbox)];
        for (name, idempotent, look_up) in [
            ("deduping webhook", true, false),
            ("webhook with look-up", false, true),
            ("blind webhook", false, false),
        ] {
            let receiver = Receiver::start().await;
            all.push(Self::new(name, Place::Receiver { receiver, idempotent, look_up }));
        }
        let smartlead = Smartlead::start().await;
        let campaign = smartlead.campaign("contract").await;
        all.push(Self::new("smartlead", Place::Smartlead { smartlead, campaign }));
        all.push(Self::new("smtp", Place::Post(PostOffice::start(MailTls::Starttls).await)));
        all
    }

    fn new(name: &'static str, place: Place) -> Self {
        let candidate = Self { name, folder: folder(), place };
        std::fs::write(candidate.folder.path().join("secret"), SECRET).unwrap();
        std::fs::write(candidate.folder.path().join("key"), KEY).unwrap();
        candidate
    }

    fn open(&self) -> Box<dyn Provider + 'static> {
        self.open_until(None)
    }

    fn open_until(&self, until: Option<Term>) -> Box<dyn Provider + 'static> {
        let timeout = Duration::from_secs(2);
        let kind = match &self.place {
            Place::Outbox => ProviderKind::File { dir: "outbox".into() },
            Place::Receiver { receiver, idempotent, look_up } => ProviderKind::Webhook {
                url: receiver.url(),
                secret: SecretRef::File("secret".into()),
                idempotent: *idempotent,
                look_up: *look_up,
                timeout,
            },
            Place::Smartlead { smartlead, .. } => ProviderKind::Smartlead {
                url: smartlead.base(),
                key: SecretRef::File("key".into()),
                per_minute: 60_000,
                timeout,
                other_campaigns: OtherCampaigns::Allow,
                listen_every: Duration::from_mins(5),
                webhook_secret: None,
                webhook_url: None,
            },
            Place::Post(office) => {
                let server = office.server();
                let password = Some(SecretRef::File(office.root().join("password")));
                ProviderKind::Smtp(Box::new(smtp_settings(MailServer { password, ..server })))
            }
        };
        let settings = ProviderSettings { name: "out".to_owned(), kind, batch: 100, per_minute: None };
        let pace = Box::new(Unpaced::default());
        provider::open_until(&settings, self.folder.path(), &SystemClock, pace, until, self.sent()).unwrap()
    }

    fn sent(&self) -> Box<dyn SentFolder> {
        match &self.place {
            Place::Post(office) => Box::new(office.sent()),
            _ => Box::new(provider::Unseen),
        }
    }

    fn item(&self, n: u128, ordinal: i32, action: ActionKind, fields: Value) -> Item {
        let key = PushKey { campaign: 7, employee_id: Uuid::from_u128(n), ordinal };
        let mail = match (&self.place, action) {
            (Place::Post(_), ActionKind::Enroll) => Some(Mail {
                step: 1,
                sender: "alice".to_owned(),
                message_id: format!("{n}-{ordinal}@test.local"),
                return_token: "r".to_owned(),
                unsubscribe_token: "u".to_owned(),
                subject: "Contract".to_owned(),
                text: fields.to_string(),
                html: None,
                thread: Vec::new(),
            }),
            _ => None,
        };
        Item { key, action, email: format!("p{n}@c.example"), fields, reason: None, held: None, mail }
    }

    /// Whether what it holds can be changed and taken back.
    fn keeps_contacts(&self) -> bool {
        !matches!(self.place, Place::Post(_))
    }

    /// What it says of an item.
    fn says(&self, provider: &dyn Provider, here: bool) -> Presence {
        match (&self.place, here) {
            // A copy among the sent mails proves it, the lack of one does not.
            (Place::Post(_), false) => Presence::Unknown,
            (_, _) if provider.dedupes() => Presence::SendAgain,
            (Place::Receiver { look_up: false, .. }, _) => Presence::Unknown,
            (_, true) => Presence::Here,
            (_, false) => Presence::NotHere,
        }
    }

    fn to(&self) -> Destination {
        let remote = match &self.place {
            Place::Smartlead { campaign, .. } => Some(campaign.to_string()),
            _ => None,
        };
        Destination { campaign: "seventh".to_owned(), number: 7, remote, withdraw: Withdrawal::Remove }
    }

    fn loses(&self, loss: Loss) -> bool {
        match (&self.place, loss) {
            (Place::Outbox, _) => return false,
            (Place::Receiver { receiver, .. }, loss) => {
                receiver.script([Behaviour::Drop { keep: matches!(loss, Loss::AfterItIsDone) }]);
            }
            (Place::Post(office), Loss::BeforeItIsDone) => office.script(vec![(At::End, Act::Drop); 9]),
            (Place::Post(office), Loss::AfterItIsDone) => office.script(vec![(At::End, Act::KeepAndDrop); 9]),
            (Place::Smartlead { smartlead, .. }, Loss::BeforeItIsDone) => smartlead.faults("drop=100%"),
            (Place::Smartlead { smartlead, .. }, Loss::AfterItIsDone) => smartlead.faults("drop-after=100%"),
        }
        true
    }

    fn mends(&self) {
        match &self.place {
            Place::Smartlead { smartlead, .. } => smartlead.faults(""),
            Place::Post(office) => office.script([]),
            _ => {}
        }
    }

    /// Fields by address, of whom it holds after all that it took, in its order.
    fn holds(&self) -> BTreeMap<String, Value> {
        let mut holds = BTreeMap::new();
        let mut take = |action: &str, email: &str, fields: &Value| match action {
            "withdraw" => drop(holds.remove(email)),
            _ => drop(holds.insert(email.to_owned(), fields.clone())),
        };
        match &self.place {
            Place::Outbox => {
                let path = self.folder.path().join("outbox/campaign-7.jsonl");
                for line in std::fs::read_to_string(path).unwrap_or_default().lines() {
                    let line: Value = serde_json::from_str(line).unwrap();
                    take(line["action"].as_str().unwrap(), line["email"].as_str().unwrap(), &line["fields"]);
                }
            }
            Place::Receiver { receiver, .. } => {
                assert_eq!(receiver.complaints(), Vec::<String>::new());
                for delivery in receiver.kept() {
                    take(&delivery.action, &delivery.email, &delivery.fields);
                }
            }
            Place::Smartlead { smartlead, campaign } => {
                let inside = smartlead.get(&format!("campaigns/{campaign}"));
                for (email, member) in inside["members"].as_object().unwrap() {
                    let mut fields = member["fields"].as_object().unwrap().clone();
                    fields.extend(member["custom_fields"].as_object().unwrap().clone());
                    take("enroll", email, &Value::Object(fields));
                }
            }
            Place::Post(office) => {
                for taken in office.taken() {
                    let read = MessageParser::new().parse(&taken.mail).unwrap();
                    let to = read.to().unwrap().first().unwrap().address().unwrap();
                    let text = read.body_text(0).unwrap();
                    take("enroll", to, &serde_json::from_str(text.trim()).unwrap());
                }
            }
        }
        holds
    }
}

fn smtp_settings(server: MailServer) -> SmtpSettings {
    let mailbox = Mailbox {
        name: "alice".to_owned(),
        address: "alice@test.local".to_owned(),
        display_name: None,
        smtp: Some(server),
        imap: None,
        limits: SenderLimits { per_day: None, ramp: None, gap: Duration::ZERO },
        timezone: chrono_tz::UTC,
    };
    SmtpSettings {
        senders: vec![mailbox],
        key: SecretRef::File("key".into()),
        previous_keys: Vec::new(),
        bounces: None,
        unsubscribe: None,
        dkim: None,
        auto_submitted: true,
        timeout: Duration::from_secs(2),
    }
}

fn accepted(answer: Answer) -> bool {
    matches!(answer, Answer::Items(verdicts) if verdicts.iter().all(|verdict| *verdict == Verdict::Accepted))
}

#[tokio::test]
async fn what_is_accepted_is_held_as_it_was_given_changed_and_let_go() {
    for candidate in Candidate::all().await {
        let (provider, to, name) = (candidate.open(), candidate.to(), candidate.name);
        let item = |n, ordinal, action, fields| candidate.item(n, ordinal, action, fields);
        let awkward = json!({ "first_name": "Ёлка 🎄", "quote": "\"\\", "lines": "a\nb\r\n\u{2028}<b>&" });
        let new = [
            item(1, 1, ActionKind::Enroll, awkward.clone()),
            item(2, 1, ActionKind::Enroll, json!({ "first_name": "B" })),
            item(3, 1, ActionKind::Enroll, json!({})),
        ];
        assert!(accepted(provider.perform(&to, &new).await), "{name}");
        assert_eq!(candidate.holds().len(), 3, "{name}");
        assert_eq!(candidate.holds()["p1@c.example"], awkward, "{name}");
        let changes = [
            item(2, 2, ActionKind::Update, json!({ "first_name": "C", "more": "x" })),
            item(3, 2, ActionKind::Withdraw, json!({})),
        ];
        assert!(accepted(provider.perform(&to, &changes).await), "{name}");
        let holds = candidate.holds();
        if !candidate.keeps_contacts() {
            assert_eq!(holds.len(), 3, "{name}");
            continue;
        }
        assert_eq!(holds.keys().collect::<Vec<_>>(), ["p1@c.example", "p2@c.example"], "{name}");
        assert_eq!(holds["p2@c.example"], json!({ "first_name": "C", "more": "x" }), "{name}");
        // A withdrawal of somebody who is not there does no harm.
        assert!(
            accepted(provider.perform(&to, &[item(3, 3, ActionKind::Withdraw, json!({}))]).await),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_look_up_answers_for_each_item_in_its_place() {
    for candidate in Candidate::all().await {
        let (provider, to, name) = (candidate.open(), candidate.to(), candidate.name);
        let all: Vec<Item> = (1..=5).map(|n| candidate.item(n, 1, ActionKind::Enroll, json!({}))).collect();
        let says = |here| candidate.says(&*provider, here);
        assert_eq!(provider.look_up(&to, &all).await.unwrap(), [says(false); 5], "{name} at first");
        provider.perform(&to, &all[1..2]).await;
        provider.perform(&to, &all[3..4]).await;
        let found = provider.look_up(&to, &all).await.unwrap();
        assert_eq!(found, [false, true, false, true, false].map(says), "{name}");
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_is_in_doubt_and_a_look_up_settles_it() {
    for loss in [Loss::BeforeItIsDone, Loss::AfterItIsDone] {
        for candidate in Candidate::all().await {
            let (provider, to, name) = (candidate.open(), candidate.to(), candidate.name);
            let items: Vec<Item> =
                (1..=4).map(|n| candidate.item(n, 1, ActionKind::Enroll, json!({}))).collect();
            if !candidate.loses(loss) {
                continue;
            }
            let answer = provider.perform(&to, &items).await;
            candidate.mends();
            let Answer::Items(verdicts) = &answer else { panic!("{name}: {answer:?}") };
            let doubted =
                verdicts.iter().take_while(|verdict| matches!(verdict, Verdict::InDoubt(_))).count();
            // Where items go one by one the others are not even tried.
            let expected = if matches!(candidate.place, Place::Post(_)) { 1 } else { 4 };
            assert_eq!(doubted, expected, "{name}: {answer:?}");
            assert!(
                verdicts[doubted..].iter().all(|verdict| matches!(verdict, Verdict::Retry { .. })),
                "{name}"
            );
            let done = matches!(loss, Loss::AfterItIsDone);
            let presence = candidate.says(&*provider, done);
            let found = provider.look_up(&to, &items[..doubted]).await.unwrap();
            assert_eq!(found, vec![presence; doubted], "{name}");
            assert_eq!(candidate.holds().len(), if done { doubted } else { 0 }, "{name}");
        }
    }
}

#[tokio::test]
async fn items_of_one_call_are_answered_in_their_order() {
    for candidate in Candidate::all().await {
        let (provider, to, name) = (candidate.open(), candidate.to(), candidate.name);
        let item = |n, ordinal, action, fields| candidate.item(n, ordinal, action, fields);
        let first: Vec<Item> = (1..=3).map(|n| item(n, 1, ActionKind::Enroll, json!({}))).collect();
        assert!(accepted(provider.perform(&to, &first).await), "{name}");
        let mixed = [
            item(4, 1, ActionKind::Enroll, json!({})),
            item(1, 2, ActionKind::Withdraw, json!({})),
            item(2, 2, ActionKind::Update, json!({ "first_name": "New" })),
            item(5, 1, ActionKind::Enroll, json!({})),
            item(3, 2, ActionKind::Withdraw, json!({})),
        ];
        match provider.perform(&to, &mixed).await {
            Answer::Items(verdicts) => assert_eq!(verdicts, vec![Verdict::Accepted; 5], "{name}"),
            answer @ Answer::Whole(_) => panic!("{name}: {answer:?}"),
        }
        let held: Vec<String> = candidate.holds().into_keys().collect();
        if candidate.keeps_contacts() {
            assert_eq!(held, ["p2@c.example", "p4@c.example", "p5@c.example"], "{name}");
        } else {
            assert_eq!(held.len(), 5, "{name}");
        }
    }
}

/// A process that was frozen wakes up with a call in its hands, and another one has its pushes.
#[tokio::test]
async fn nothing_goes_out_when_the_right_to_call_is_over() {
    for candidate in Candidate::all().await {
        let (to, name) = (candidate.to(), candidate.name);
        let term = Term::until(Instant::now() + Duration::from_hours(1));
        let provider = candidate.open_until(Some(term.clone()));
        let items =
            |action| [candidate.item(1, 1, action, json!({})), candidate.item(2, 1, action, json!({}))];
        assert!(accepted(provider.perform(&to, &items(ActionKind::Enroll)[..1]).await), "{name}");
        let before = candidate.holds();
        term.move_to(Instant::now());
        let calls: &[ActionKind] = if candidate.keeps_contacts() {
            &[ActionKind::Enroll, ActionKind::Update, ActionKind::Withdraw]
        } else {
            &[ActionKind::Enroll]
        };
        for action in calls.iter().copied() {
            let answer = provider.perform(&to, &items(action)).await;
            let put_off = match &answer {
                Answer::Whole(verdict) => matches!(verdict, Verdict::Retry { .. }),
                Answer::Items(verdicts) => {
                    // Of somebody who is not there nothing has to be asked for.
                    verdicts.iter().all(|verdict| {
                        matches!(verdict, Verdict::Retry { .. } | Verdict::Accepted | Verdict::Refused(_))
                    }) && matches!(verdicts[0], Verdict::Retry { .. })
                }
            };
            assert!(put_off, "{name}: {answer:?}");
            assert_eq!(candidate.holds(), before, "{name}");
        }
        // The right comes back, and with it the calls.
        term.move_to(Instant::now() + Duration::from_hours(1));
        assert!(accepted(provider.perform(&to, &items(ActionKind::Enroll)[1..]).await), "{name}");
        assert_eq!(candidate.holds().len(), 2, "{name}");
    }
}
