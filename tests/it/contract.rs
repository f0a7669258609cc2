//! What every provider must do, each judged by what it says it can: a new one is added to `Candidate::all` and
//! inherits the lot.

use std::collections::BTreeMap;
use std::time::Duration;

use outreachd::model::{
    ActionKind, OtherCampaigns, ProviderKind, ProviderSettings, PushKey, SecretRef, SystemClock, Verdict,
    Withdrawal,
};
use outreachd::provider::{self, Answer, Destination, Item, Presence, Provider};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::folder;
use crate::support::receiver::{Behaviour, Receiver, SECRET};
use crate::support::smartlead::{KEY, Smartlead};

/// A provider under test, with a way to see what it really holds.
struct Candidate {
    name: &'static str,
    folder: tempfile::TempDir,
    place: Place,
}

enum Place {
    Outbox,
    Receiver { receiver: Receiver, idempotent: bool, look_up: bool },
    Smartlead { smartlead: Smartlead, campaign: i64 },
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
        all
    }

    fn new(name: &'static str, place: Place) -> Self {
        let candidate = Self { name, folder: folder(), place };
        std::fs::write(candidate.folder.path().join("secret"), SECRET).unwrap();
        std::fs::write(candidate.folder.path().join("key"), KEY).unwrap();
        candidate
    }

    fn open(&self) -> Box<dyn Provider + 'static> {
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
            },
        };
        let settings = ProviderSettings { name: "out".to_owned(), kind, batch: 100, per_minute: None };
        provider::open(&settings, self.folder.path(), &SystemClock).unwrap()
    }

    fn to(&self) -> Destination {
        let remote = match &self.place {
            Place::Smartlead { campaign, .. } => Some(campaign.to_string()),
            _ => None,
        };
        Destination { campaign: "seventh".to_owned(), number: 7, remote, withdraw: Withdrawal::Remove }
    }

    /// Whether it can tell what it holds.
    fn can_tell(&self) -> bool {
        !matches!(self.place, Place::Receiver { look_up: false, .. })
    }

    fn loses(&self, loss: Loss) -> bool {
        match (&self.place, loss) {
            (Place::Outbox, _) => return false,
            (Place::Receiver { receiver, .. }, loss) => {
                receiver.script([Behaviour::Drop { keep: matches!(loss, Loss::AfterItIsDone) }]);
            }
            (Place::Smartlead { smartlead, .. }, Loss::BeforeItIsDone) => smartlead.faults("drop=100%"),
            (Place::Smartlead { smartlead, .. }, Loss::AfterItIsDone) => smartlead.faults("drop-after=100%"),
        }
        true
    }

    fn mends(&self) {
        if let Place::Smartlead { smartlead, .. } = &self.place {
            smartlead.faults("");
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
        }
        holds
    }
}

fn item(n: u128, ordinal: i32, action: ActionKind, fields: Value) -> Item {
    let key = PushKey { campaign: 7, employee_id: Uuid::from_u128(n), ordinal };
    Item { key, action, email: format!("p{n}@c.example"), fields, reason: None, held: None, mail: None }
}

fn accepted(answer: Answer) -> bool {
    matches!(answer, Answer::Items(verdicts) if verdicts.iter().all(|verdict| *verdict == Verdict::Accepted))
}

#[tokio::test]
async fn what_is_accepted_is_held_as_it_was_given_changed_and_let_go() {
    for candidate in Candidate::all().await {
        let (provider, to, name) = (candidate.open(), candidate.to(), candidate.name);
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
        let all: Vec<Item> = (1..=5).map(|n| item(n, 1, ActionKind::Enroll, json!({}))).collect();
        let blind = if provider.dedupes() { Presence::SendAgain } else { Presence::Unknown };
        let says = |here: bool| match (candidate.can_tell(), here) {
            (false, _) => blind,
            (true, true) => Presence::Here,
            (true, false) => Presence::NotHere,
        };
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
            let items: Vec<Item> = (1..=4).map(|n| item(n, 1, ActionKind::Enroll, json!({}))).collect();
            if !candidate.loses(loss) {
                continue;
            }
            let answer = provider.perform(&to, &items).await;
            candidate.mends();
            let doubted = matches!(&answer, Answer::Items(verdicts)
                if verdicts.iter().all(|verdict| matches!(verdict, Verdict::InDoubt(_))));
            assert!(doubted, "{name}: {answer:?}");
            if !candidate.can_tell() {
                continue;
            }
            let done = matches!(loss, Loss::AfterItIsDone);
            let presence = if done { Presence::Here } else { Presence::NotHere };
            assert_eq!(provider.look_up(&to, &items).await.unwrap(), vec![presence; 4], "{name}");
            assert_eq!(candidate.holds().len(), if done { 4 } else { 0 }, "{name}");
        }
    }
}

#[tokio::test]
async fn items_of_one_call_are_answered_in_their_order() {
    for candidate in Candidate::all().await {
        let (provider, to, name) = (candidate.open(), candidate.to(), candidate.name);
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
        assert_eq!(held, ["p2@c.example", "p4@c.example", "p5@c.example"], "{name}");
    }
}
