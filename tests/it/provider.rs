//! The contract of providers, each judged by what it can do, and what the webhook's answers mean.

use std::path::Path;
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::join_all;
use outreachd::model::{
    ActionKind, Clock as _, FixedClock, ProviderKind, ProviderSettings, PushKey, SecretRef, SystemClock,
    Verdict,
};
use outreachd::provider::{self, Answer, Destination, Item, Presence, Provider};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::folder;
use crate::support::project::{Kind, Project};
use crate::support::receiver::{Behaviour, Delivery, LookUp, Receiver, SECRET};

/// A provider under test, with a way to see what it really holds.
struct Candidate {
    kind: Kind,
    folder: tempfile::TempDir,
    receiver: Receiver,
    timeout: Duration,
}

/// Long enough for a machine with much else to do.
const PATIENT: Duration = Duration::from_secs(20);

impl Candidate {
    async fn new(kind: Kind) -> Self {
        let candidate = Self { kind, folder: folder(), receiver: Receiver::start().await, timeout: PATIENT };
        std::fs::write(candidate.folder.path().join("secret"), SECRET).unwrap();
        candidate
    }

    fn open(&self) -> Box<dyn Provider + 'static> {
        let kind = match self.kind {
            Kind::File => ProviderKind::File { dir: "outbox".into() },
            _ => webhook(self.receiver.url(), self.kind, self.timeout),
        };
        open(kind, self.folder.path()).unwrap()
    }

    fn taken(&self) -> Vec<Delivery> {
        if self.kind != Kind::File {
            return self.receiver.kept();
        }
        let text =
            std::fs::read_to_string(self.folder.path().join("outbox/campaign-7.jsonl")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What a look-up says of an item that is there, and of one that is not.
    const fn presences(&self) -> [Presence; 2] {
        match self.kind {
            Kind::File | Kind::LookedUp | Kind::Smartlead => [Presence::Here, Presence::NotHere],
            Kind::Deduping => [Presence::SendAgain, Presence::SendAgain],
            Kind::Blind => [Presence::Unknown, Presence::Unknown],
        }
    }
}

const EVERY: [Kind; 4] = [Kind::File, Kind::Deduping, Kind::LookedUp, Kind::Blind];

fn webhook(url: String, kind: Kind, timeout: Duration) -> ProviderKind {
    ProviderKind::Webhook {
        url,
        secret: SecretRef::File("secret".into()),
        idempotent: kind == Kind::Deduping,
        look_up: kind == Kind::LookedUp,
        timeout,
    }
}

fn open(kind: ProviderKind, root: &Path) -> Result<Box<dyn Provider + 'static>, provider::ProviderError> {
    let settings = ProviderSettings { name: "out".to_owned(), kind, batch: 100, per_minute: None };
    provider::open(&settings, root, &SystemClock)
}

fn to() -> Destination {
    Destination { campaign: "seventh".to_owned(), number: 7, ..Destination::default() }
}

fn item(n: u128, action: ActionKind, fields: Value) -> Item {
    let key = PushKey { campaign: 7, employee_id: Uuid::from_u128(n), ordinal: 1 };
    Item { key, action, email: format!("p{n}@c.example"), fields, reason: None, held: None, mail: None }
}

fn items(n: u128) -> Vec<Item> {
    (1..=n).map(|n| item(n, ActionKind::Enroll, json!({}))).collect()
}

#[tokio::test]
async fn what_is_accepted_is_held_as_it_was_given() {
    for kind in EVERY {
        let candidate = Candidate::new(kind).await;
        let awkward =
            json!({ "quote": "\"\\", "lines": "a\nb\r\n\u{2028}", "Ключ": "Ёлка 🎄", "n": 1.5, "no": null });
        let given = [
            item(1, ActionKind::Enroll, awkward.clone()),
            item(2, ActionKind::Update, json!({ "a": [1, { "b": "c" }] })),
            item(3, ActionKind::Withdraw, json!({})),
        ];
        let answer = candidate.open().perform(&to(), &given).await;
        assert_eq!(answer, Answer::Items(vec![Verdict::Accepted; 3]), "{kind:?}");
        let expected: Vec<Delivery> = given
            .iter()
            .map(|item| Delivery {
                key: item.key.to_string(),
                action: item.action.as_str().to_owned(),
                email: item.email.clone(),
                fields: item.fields.clone(),
            })
            .collect();
        assert_eq!(candidate.taken(), expected, "{kind:?}");
        assert!(candidate.receiver.complaints().is_empty());
    }
}

#[tokio::test]
async fn a_look_up_answers_for_each_item_in_its_place() {
    for kind in EVERY {
        let candidate = Candidate::new(kind).await;
        let provider = candidate.open();
        let [here, not_here] = candidate.presences();
        let all = items(5);
        assert_eq!(provider.look_up(&to(), &all).await.unwrap(), vec![not_here; 5], "{kind:?} at first");
        provider.perform(&to(), &all[1..2]).await;
        provider.perform(&to(), &all[3..4]).await;
        let found = provider.look_up(&to(), &all).await.unwrap();
        assert_eq!(found, [not_here, here, not_here, here, not_here], "{kind:?}");
        assert_eq!(provider.dedupes(), here == Presence::SendAgain, "{kind:?}");
    }
}

#[tokio::test]
async fn campaigns_do_not_see_each_other_in_an_outbox() {
    let candidate = Candidate::new(Kind::File).await;
    let provider = candidate.open();
    provider.perform(&to(), &items(1)).await;
    let other = Destination { campaign: "other".to_owned(), number: 8, ..to() };
    assert_eq!(provider.look_up(&other, &items(1)).await.unwrap(), [Presence::NotHere]);
    let renamed = Destination { campaign: "renamed".to_owned(), ..to() };
    assert_eq!(
        provider.look_up(&renamed, &items(1)).await.unwrap(),
        [Presence::Here],
        "the number is its identity"
    );
}

#[tokio::test]
async fn a_torn_line_is_not_there_and_spoils_no_other() {
    let candidate = Candidate::new(Kind::File).await;
    let provider = candidate.open();
    provider.perform(&to(), &items(2)).await;
    let path = candidate.folder.path().join("outbox/campaign-7.jsonl");
    let whole = std::fs::read(&path).unwrap();
    for cut in 1..whole.len() / 2 {
        std::fs::write(&path, &whole[..whole.len() - cut]).unwrap();
        let found = provider.look_up(&to(), &items(2)).await.unwrap();
        assert_eq!(found, [Presence::Here, Presence::NotHere], "cut by {cut}");
    }
    provider.perform(&to(), &items(2)[1..]).await;
    assert_eq!(candidate.taken().len(), 2, "every line is whole again");
}

#[tokio::test]
async fn an_outbox_that_cannot_be_opened_leaves_nothing_in_doubt() {
    let candidate = Candidate::new(Kind::File).await;
    std::fs::write(candidate.folder.path().join("outbox"), "in the way").unwrap();
    let answer = candidate.open().perform(&to(), &items(2)).await;
    assert!(matches!(answer, Answer::Whole(Verdict::Misconfigured(_))), "{answer:?}");
}

/// The kind of a verdict, and how long it asks to wait.
fn read(answer: &Answer) -> (String, Option<Duration>) {
    let name = |verdict: &Verdict| {
        format!("{verdict:?}").chars().take_while(char::is_ascii_alphabetic).collect::<String>()
    };
    let (text, first) = match answer {
        Answer::Whole(verdict) => (format!("whole {}", name(verdict)), verdict),
        Answer::Items(verdicts) => (verdicts.iter().map(name).collect::<Vec<_>>().join(" "), &verdicts[0]),
    };
    match first {
        Verdict::Retry { after, .. } => (text, *after),
        _ => (text, None),
    }
}

#[tokio::test]
async fn each_answer_of_a_webhook_has_its_meaning() {
    let status = |status| Behaviour::Status(status);
    let come_back = |status, after: &str| Behaviour::ComeBack { status, after: after.to_owned() };
    let say = |body: &str| Behaviour::Say { status: 200, body: body.to_owned() };
    let seconds = |n| Some(Duration::from_secs(n));
    let odd = json!({ "results": items(2).iter().map(|item| json!({ "key": item.key.to_string(), "status": "ok" })).collect::<Vec<_>>() });
    let both_in_doubt = "InDoubt InDoubt";
    let cases = [
        (Behaviour::Accept, "Accepted Accepted", None),
        (Behaviour::Item { email: "p1@c.example".into(), status: "refused" }, "Refused Accepted", None),
        (Behaviour::Item { email: "p2@c.example".into(), status: "retry" }, "Accepted Retry", None),
        (status(400), "whole Refused", None),
        (status(413), "whole Refused", None),
        (status(422), "whole Refused", None),
        (status(301), "whole Misconfigured", None),
        (status(401), "whole Misconfigured", None),
        (status(402), "whole Misconfigured", None),
        (status(403), "whole Misconfigured", None),
        (status(404), "whole Misconfigured", None),
        (status(410), "whole Misconfigured", None),
        (status(429), "whole Retry", None),
        (come_back(429, "7"), "whole Retry", seconds(7)),
        (come_back(429, "soon"), "whole Retry", None),
        (come_back(503, "120"), "whole Retry", seconds(120)),
        // Without a word about when, nobody knows how far it got.
        (status(408), both_in_doubt, None),
        (status(500), both_in_doubt, None),
        (status(502), both_in_doubt, None),
        (status(503), both_in_doubt, None),
        (Behaviour::Hang { keep: true }, both_in_doubt, None),
        (Behaviour::Drop { keep: true }, both_in_doubt, None),
        (Behaviour::Drop { keep: false }, both_in_doubt, None),
        (say(""), both_in_doubt, None),
        (say("<html>accepted</html>"), both_in_doubt, None),
        (say("{\"results\":null}"), both_in_doubt, None),
        (say("{\"results\":[]}"), both_in_doubt, None),
        (say(&odd.to_string()), both_in_doubt, None),
        (say(&format!("{{\"results\":[],\"more\":\"{}\"}}", "x".repeat(5 << 20))), both_in_doubt, None),
        (Behaviour::HalfList, "Accepted InDoubt", None),
    ];
    for kind in [Kind::Deduping, Kind::Blind] {
        join_all(cases.iter().map(|(behaviour, meaning, after)| async move {
            let mut candidate = Candidate::new(kind).await;
            if matches!(behaviour, Behaviour::Hang { .. }) {
                candidate.timeout = Duration::from_millis(300);
            }
            candidate.receiver.always(behaviour.clone());
            let found = read(&candidate.open().perform(&to(), &items(2)).await);
            assert_eq!(found, ((*meaning).to_owned(), *after), "{kind:?} {behaviour:?}");
        }))
        .await;
    }
}

#[tokio::test]
async fn a_date_says_when_to_come_back() {
    let candidate = Candidate::new(Kind::Deduping).await;
    let now = SystemClock.now();
    let clock = FixedClock(now);
    let settings = ProviderSettings {
        name: "out".to_owned(),
        kind: webhook(candidate.receiver.url(), Kind::Deduping, PATIENT),
        batch: 100,
        per_minute: None,
    };
    let provider = provider::open(&settings, candidate.folder.path(), &clock).unwrap();
    for (offset, expected) in [(90, 89..=90), (-90, 0..=0)] {
        let date = (now + TimeDelta::seconds(offset)).format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        candidate.receiver.always(Behaviour::ComeBack { status: 429, after: date });
        let (_, after) = read(&provider.perform(&to(), &items(1)).await);
        assert!(expected.contains(&after.unwrap().as_secs()), "{after:?}");
    }
}

#[tokio::test]
async fn a_webhook_that_is_not_there_surely_got_nothing() {
    for kind in [Kind::Deduping, Kind::Blind] {
        let candidate = Candidate::new(kind).await;
        let root = candidate.folder.path();
        // Port 1 is reserved and nobody listens on it.
        let provider = open(webhook("http://127.0.0.1:1/".to_owned(), kind, PATIENT), root).unwrap();
        assert_eq!(read(&provider.perform(&to(), &items(2)).await).0, "whole Retry");
    }
}

#[tokio::test]
async fn a_look_up_that_fails_says_nothing_about_the_items() {
    let candidate = Candidate::new(Kind::LookedUp).await;
    let provider = candidate.open();
    candidate.receiver.look_up(LookUp::Status(500));
    assert!(provider.look_up(&to(), &items(1)).await.is_err());
    candidate.receiver.look_up(LookUp::Garbage);
    assert_eq!(provider.look_up(&to(), &items(1)).await.unwrap(), [Presence::Unknown]);
}

#[tokio::test]
async fn an_address_or_secret_that_would_leak_is_refused() {
    let candidate = Candidate::new(Kind::Deduping).await;
    let root = candidate.folder.path();
    for url in ["http://hooks.example/x", "ftp://127.0.0.1/", "https://me:hunter2@hooks.example/", "nonsense"]
    {
        let refused = open(webhook(url.to_owned(), Kind::Deduping, PATIENT), root).err().unwrap().to_string();
        assert!(refused.contains("https") && !refused.contains("hunter2"), "{refused}");
    }
    std::fs::write(root.join("secret"), "whsec_hunter2 is not base64!").unwrap();
    let refused =
        open(webhook("https://hooks.example/".to_owned(), Kind::Deduping, PATIENT), root).err().unwrap();
    assert!(!refused.to_string().contains("hunter2"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poisoned_batch_is_bisected_to_the_row_at_fault() {
    let project = Project::new(Kind::Blind, 9).await;
    let outreach = project.read("outreach.yaml").replace("batch: 2", "batch: 100");
    project.write("outreach.yaml", &outreach);
    project.receiver.always(Behaviour::Poison("p5@c5.example".to_owned()));
    project.run(&["apply", "--yes"]).await.ended(3);
    let batches = project.receiver.batches();
    assert_eq!(batches[0], 9);
    assert!(batches.len() <= 9, "halves and not one by one: {batches:?}");
    assert_eq!(project.enrolled().len(), 8);
    assert_eq!(project.count("employees where campaign_number = 1").await, 8);
    let plan = project.run(&["plan", "--format", "json"]).await.ended(0).json();
    assert_eq!(plan["campaigns"][0]["skipped"], json!({ "refused": 1 }));
    // What was refused is tried again when something about it has changed, and not before.
    project.receiver.always(Behaviour::Accept);
    project.run(&["plan", "--detailed-exitcode"]).await.ended(0);
    project.db.execute("update employees set first_name = 'Changed' where first_name = 'P5'").await;
    project.quiet().await;
    project.agrees(9).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_put_off_goes_through_in_the_same_pass() {
    let project = Project::new(Kind::Blind, 3).await;
    let come_back = |after: &str| Behaviour::ComeBack { status: 429, after: after.to_owned() };
    let put_off = Behaviour::Item { email: "p1@c1.example".to_owned(), status: "retry" };
    project.receiver.script([come_back("0"), come_back("1"), put_off]);
    let applied = project.run(&["apply", "--yes", "--format", "json"]).await.ended(0).json();
    assert_eq!(applied["campaigns"][0]["accepted"], 3);
    assert_eq!(applied["campaigns"][0]["retry"], 0, "nothing is put off any more");
    project.agrees(3).await;
    let history = project.run(&["history", "--format", "json"]).await.ended(0).json();
    assert_eq!(history[0]["outcome"], "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_put_off_for_long_is_left_to_a_later_pass() {
    let project = Project::new(Kind::Blind, 3).await;
    project.receiver.always(Behaviour::ComeBack { status: 429, after: "3600".to_owned() });
    let applied = project.run(&["apply", "--yes"]).await.ended(75);
    assert!(applied.stdout.contains("put off"), "{}", applied.stdout);
    project.receiver.always(Behaviour::Accept);
    let again = project.run(&["apply", "--yes"]).await;
    assert_eq!(project.enrolled().len(), 0, "Retry-After holds over processes: {again:?}");
    project.db.execute("update outreach.pushes set not_before = now()").await;
    project.quiet().await;
    project.agrees(3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_asks_for_ages_is_asked_again_after_a_day() {
    let project = Project::new(Kind::Blind, 3).await;
    for after in ["99999999999", "18446744073709551615"] {
        project.receiver.always(Behaviour::ComeBack { status: 429, after: after.to_owned() });
        project.db.execute("update outreach.pushes set not_before = now()").await;
        let applied = project.run(&["apply", "--yes"]).await.ended(75);
        let day = (SystemClock.now() + TimeDelta::hours(24)).format("put off until %Y-%m-%d").to_string();
        assert!(applied.stdout.contains(&day), "{day}: {}", applied.stdout);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_put_off_together_comes_back_in_as_few_calls() {
    let project = Project::new(Kind::Blind, 6).await;
    let outreach = project.read("outreach.yaml").replace("batch: 2", "batch: 100");
    project.write("outreach.yaml", &outreach);
    project.receiver.script([Behaviour::Status(429), Behaviour::Status(429), Behaviour::Status(429)]);
    project.run(&["apply", "--yes"]).await.ended(0);
    assert_eq!(project.receiver.batches(), [6, 6, 6, 6]);
    project.agrees(6).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_many_that_is_put_off_makes_apply_say_try_again() {
    let project = Project::new(Kind::Blind, 6).await;
    project.receiver.script([
        Behaviour::Accept,
        Behaviour::Accept,
        Behaviour::ComeBack { status: 429, after: "3600".to_owned() },
    ]);
    project.run(&["apply", "--yes"]).await.ended(75);
    assert_eq!(project.enrolled().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_misconfigured_stops_and_loses_nothing() {
    for behaviour in [Behaviour::Status(401), Behaviour::Status(402), Behaviour::Status(404)] {
        let project = Project::new(Kind::Blind, 5).await;
        project.receiver.always(behaviour);
        let applied = project.run(&["apply", "--yes"]).await.ended(1);
        assert!(applied.stderr.contains("provider out"), "{}", applied.stderr);
        assert_eq!(project.receiver.batches().len(), 1, "one call says it all");
        assert_eq!(project.count("outreach.pushes where attempts > 0").await, 0, "no attempt is burned");
        assert_eq!(project.count("employees where campaign_number is not null").await, 0);
        project.receiver.always(Behaviour::Accept);
        project.quiet().await;
        project.agrees(5).await;
    }
}
