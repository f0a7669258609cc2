//! Domains that take no mail are sorted out before they cost; a resolver that fails says nothing.

use std::sync::Mutex;

use futures_util::future::BoxFuture;
use outreachd::intake::enrich::{self, Context, MailDomains, Order, TakesMail};
use outreachd::manifest::load_sources;
use outreachd::model::{FixedClock, Stop};
use outreachd::simulate::leadmagic::Options;
use uuid::Uuid;

use crate::support::leadmagic::LeadMagic;

struct Zone(Mutex<Vec<String>>);

impl MailDomains for Zone {
    fn takes_mail<'a>(&'a self, domain: &'a str) -> BoxFuture<'a, TakesMail> {
        self.0.lock().unwrap().push(domain.to_owned());
        let answer = match domain {
            "c1.example" => TakesMail::Yes,
            "c2.example" => TakesMail::No,
            _ => TakesMail::Unknown,
        };
        Box::pin(async move { answer })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_is_asked_about_once_and_only_a_clear_no_counts() {
    let story = LeadMagic::new(3, Options::default()).await;
    story.db.execute("update employees set work_email = 'second@c2.example' where last_name = 'P1'").await;
    let key = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(key.path(), crate::support::leadmagic::KEY).unwrap();
    let yaml = std::fs::read_to_string(story.path().join("outreach.yaml")).unwrap();
    let yaml = yaml
        .replace("${LM_KEY}", &format!("file:{}", key.path().display()))
        .replace("check_mx: false", "check_mx: true");
    let loaded = load_sources([("outreach.yaml", yaml)]);
    let project = loaded.project.unwrap();
    let zone = Zone(Mutex::default());
    let segments = std::collections::BTreeMap::new();
    let clock = FixedClock("2026-11-24T09:00:00Z".parse().unwrap());
    let context = Context {
        store: story.db.store(),
        project: &project,
        settings: project.enrichment.as_ref().unwrap(),
        segments: &segments,
        clock: &clock,
        root: story.path(),
        holder: Uuid::nil(),
        stop: Stop::never(),
        domains: &zone,
    };
    let order = Order { trigger: "test", segment: None, max_credits: None, retry_lost: false };
    let report = enrich::run(&context, &order).await.unwrap();
    assert_eq!((report.steps[0].refused, report.steps[0].asked), (2, 1));
    let mut asked = zone.0.into_inner().unwrap();
    asked.sort();
    assert_eq!(asked, ["c2.example", "c3.example"]);
    assert_eq!(story.count("employees where processing_status = 'invalid'").await, 2);
    assert_eq!(story.count("outreach.verifications where source = 'domain' and status = 'invalid'").await, 2);
    assert_eq!(story.count("employees where processing_status = 'ready'").await, 1);
}
