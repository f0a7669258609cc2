//! 100,000 contacts and 1,000 passes: how long each page takes at the server, and each part that it loads. Prints
//! figures; run it by name, with a release build if there is one:
//! `OUTREACHD_WEB_CONTACTS=100000 OUTREACHD_BIN=$PWD/target/release/outreachd cargo test --test it web::size -- --nocapture`.

use std::time::Instant;

use reqwest::Method;

use super::Site;
use crate::support::project::{Kind, Project, until};

const FIRST: &str = "00000000-0000-0000-0000-000000000001";

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_made_of_many_contacts() {
    let asked: Option<usize> = std::env::var("OUTREACHD_WEB_CONTACTS").ok().map(|text| text.parse().unwrap());
    let (contacts, requests) = asked.map_or((2000, 3), |contacts| (contacts, 60));
    let project = Project::new(Kind::File, contacts).await;
    // Three quarters were enrolled over the last month; some of them have answered.
    project
        .db
        .execute(
            "insert into outreach.campaigns (number, name, provider, declared_at, served_tick)
             values (1, 'first', 'out', now(), now());
             insert into outreach.enrollments
                 (employee_id, campaign_number, company_id, email, status, ordinal, fields, source_hash, enrolled_at, updated_at)
             select id, 1, company_id, work_email,
                 case when n % 37 = 0 then 'replied' when n % 41 = 0 then 'bounced' when n % 43 = 0 then 'unsubscribed' else 'queued' end,
                 1, '{}', 1, now() - n % 30 * interval '1 day', now() - n % 30 * interval '1 day'
             from (select *, row_number() over (order by id) as n from employees) e where n % 4 > 0;
             insert into outreach.pushes
                 (employee_id, campaign_number, ordinal, action, provider, company_id, email, reason, fields, source_hash,
                  state, attempts, reconcile_id, recorded_at, handed_at, settled_at)
             select employee_id, 1, 1, 'enroll', 'out', company_id, email, 'fintech', '{}', 1,
                 'accepted', 1, gen_random_uuid(), enrolled_at, enrolled_at, enrolled_at
             from outreach.enrollments;
             update employees e set campaign_number = 1, campaign_status = n.status, outreach_sent_date = n.enrolled_at
             from outreach.enrollments n where n.employee_id = e.id;
             insert into outreach.reconciles (id, campaign_number, campaign, trigger, manifest_digest, enroll, outcome, started_at, finished_at)
             select gen_random_uuid(), 1, 'first', 'time', 'x', n, 'done', now() - n * interval '10 minutes', now() - n * interval '10 minutes'
             from generate_series(1, 1000) n;
             insert into outreach.events select gen_random_uuid(), now() - n * interval '1 hour', 'olga', 'paused', 'campaign:1', '{}'
             from generate_series(1, 1000) n",
        )
        .await;
    project.db.execute("analyze").await;
    // A paused campaign: the daemon leaves everything as it is, and pages have the machine to themselves.
    project.campaign("state: paused\n");
    let site = Site::on(project, false).await;
    let contact = format!("/contacts/{FIRST}");
    let verdicts = format!("{contact}/verdicts");
    let pages = [
        "/",
        "/campaigns/1",
        &contact,
        "/contacts",
        "/replies",
        "/doubts",
        "/providers",
        "/files",
        "/events",
        "/metrics",
        "/api/v1/overview",
        "/api/v1/campaigns/1/history?limit=1000",
        "/campaigns/1/plan",
        "/campaigns/1/forecast",
        &verdicts,
    ];
    eprintln!("{contacts} contacts, {requests} requests each; ms");
    eprintln!("{:60} {:>8} {:>8} {:>8}", "", "first", "median", "p99");
    for path in pages {
        let mut times = Vec::new();
        for _ in 0..requests {
            let start = Instant::now();
            let answer = site.ask(Method::GET, path).header("x-fragment", "1").send().await.unwrap();
            assert_eq!(answer.status(), 200, "{path}");
            answer.bytes().await.unwrap();
            times.push(start.elapsed().as_secs_f64() * 1000.0);
        }
        let first = times[0];
        times.sort_by(f64::total_cmp);
        let (median, p99) = (times[times.len() / 2], times[(times.len() * 99).div_ceil(100) - 1]);
        let verdict = if first.max(p99) < 100.0 { "" } else { "  over 100 ms" };
        eprintln!("{path:60} {first:8.1} {median:8.1} {p99:8.1}{verdict}");
    }
    for path in ["/campaigns/1/plan", "/campaigns/1/forecast", &verdicts] {
        let start = Instant::now();
        until("worked out", || async { !site.page(path).await.contains("worked out") }).await;
        eprintln!("{path:60} of this moment within {:.0} ms", start.elapsed().as_secs_f64() * 1000.0);
    }
    site.end().await;
}
