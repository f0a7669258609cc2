//! How long it takes from the arrival of a stop until nothing can be handed over for that address any more.
//!
//! `OUTREACHD_STOP_MAILS=200 cargo test --test it mail::latency -- --nocapture` prints the spread; a usual run only sees that
//! each one is heard.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::support::office::Office;
use crate::support::project::until;

#[tokio::test(flavor = "multi_thread")]
async fn stops_hold_soon_after_they_arrive() {
    let mails: usize =
        std::env::var("OUTREACHD_STOP_MAILS").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    let Some(office) = Office::open(mails).await else { return };
    let daemon = office.start(&["run"]);
    until("every mailbox is read", || async {
        office.count("outreach.mailboxes where read_at is not null").await == 3
    })
    .await;
    let mut times = Vec::with_capacity(mails);
    for n in 1..=mails {
        let address = format!("p{n}@c{n}.example");
        let headers =
            format!("Message-ID: <a{n}@c{n}>\nIn-Reply-To: <m{n}@test.local>\nSubject: Re: Hello\n");
        office.answer(&address, &headers, "Please unsubscribe me.");
        // Postfix has taken it: it has arrived.
        let arrived = Instant::now();
        let target = format!("outreach.suppressions where target = '{address}'");
        while office.count(&target).await == 0 {
            assert!(arrived.elapsed() < Duration::from_mins(1), "{}", office.servers.logs());
            sleep(Duration::from_millis(2)).await;
        }
        // The suppression is committed: the claim of the next mail drops it.
        times.push(arrived.elapsed());
        sleep(Duration::from_millis(37 * (n as u64 % 9))).await;
    }
    daemon.terminate();
    daemon.finish().await.ended(0);
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize];
    eprintln!("{mails} stops: median {:?}, p99 {:?}, longest {:?}", at(0.5), at(0.99), at(1.0));
}
