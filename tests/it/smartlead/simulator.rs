//! The stand-in behaves as the real service is known to.

use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use chrono::TimeDelta;
use hmac::{Hmac, KeyInit as _, Mac as _};
use outreachd::simulate::smartlead::{HOOK_SECRET, Options};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::project::until;
use crate::support::smartlead::{Smartlead, client};

async fn ready(smartlead: &Smartlead) -> i64 {
    let id = smartlead.campaign("by hand").await;
    let steps = json!({ "sequences": [
        { "seq_number": 1, "seq_delay_details": { "delay_in_days": 0 }, "subject": "Hi {{first_name}}", "email_body": "A" },
        { "seq_number": 2, "seq_delay_details": { "delay_in_days": 3 }, "subject": "", "email_body": "B" },
    ] });
    assert_eq!(smartlead.call("POST", &format!("campaigns/{id}/sequences"), steps).await.0, 200);
    let mailboxes = json!({ "email_account_ids": [501] });
    assert_eq!(smartlead.call("POST", &format!("campaigns/{id}/email-accounts"), mailboxes).await.0, 200);
    id
}

fn leads(emails: &[&str], settings: &Value) -> Value {
    let leads: Vec<Value> = emails.iter().map(|email| json!({ "email": email, "first_name": "F" })).collect();
    json!({ "lead_list": leads, "settings": settings })
}

#[tokio::test]
async fn what_it_does_not_know_it_refuses_in_the_words_of_the_real_one() {
    let smartlead = Smartlead::start().await;
    let id = ready(&smartlead).await;
    for (method, path, body, message) in [
        ("POST", "campaigns/create".to_owned(), json!({ "nam": "x" }), "\"nam\" is not allowed"),
        (
            "POST",
            format!("campaigns/{id}/status"),
            json!({ "status": "PAUSE" }),
            "\"status\" must be one of [START, PAUSED, STOPPED]",
        ),
        (
            "POST",
            format!("campaigns/{id}/schedule"),
            json!({ "timezone": "UTC", "days_of_the_week": [1], "start_hour": "09:00", "end_hour": "18:00", "min_time_btw_emails": 5 }),
            "\"max_new_leads_per_day\" is required",
        ),
        (
            "POST",
            format!("campaigns/{id}/leads"),
            json!({ "lead_list": [{ "email": "a@b.example", "company": "x" }] }),
            "\"lead_list[0].company\" is not allowed",
        ),
        (
            "POST",
            format!("campaigns/{id}/leads"),
            json!({ "lead_list": [{ "email": "a@b.example" }], "return_lead_ids": true }),
            "\"return_lead_ids\" is not allowed",
        ),
        (
            "GET",
            format!("campaigns/{id}/leads?limit=500"),
            json!({}),
            "\"limit\" must be less than or equal to 100",
        ),
    ] {
        let (status, said) = smartlead.call(method, &path, body).await;
        assert_eq!((status, said["message"].as_str().unwrap()), (400, message), "{path}");
    }
    let many: Vec<String> = (0..401).map(|n| format!("p{n}@c.example")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(
        smartlead.call("POST", &format!("campaigns/{id}/leads"), leads(&many, &json!({}))).await.0,
        400
    );
    assert_eq!(smartlead.call("GET", "campaigns/1", json!({})).await.0, 404);
    let url = format!("{}/campaigns?api_key=wrong", smartlead.base());
    assert_eq!(client().get(url).send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn words_to_write_are_not_words_to_read_and_counters_mislead() {
    let smartlead = Smartlead::start().await;
    let id = ready(&smartlead).await;
    let settings = json!({ "track_settings": ["DONT_TRACK_EMAIL_OPEN"] });
    smartlead.call("POST", &format!("campaigns/{id}/settings"), settings).await;
    let (_, shown) = smartlead.call("GET", &format!("campaigns/{id}"), json!({})).await;
    assert_eq!(
        (shown["status"].as_str(), &shown["track_settings"]),
        (Some("DRAFTED"), &json!(["DONT_EMAIL_OPEN"]))
    );
    let (_, steps) = smartlead.call("GET", &format!("campaigns/{id}/sequences"), json!({})).await;
    assert_eq!(steps[1]["seq_delay_details"], json!({ "delayInDays": 3 }));

    let other = smartlead.campaign("another").await;
    smartlead
        .call("POST", &format!("campaigns/{other}/leads"), leads(&["there@c.example"], &json!({})))
        .await;
    let path = format!("campaigns/{id}/leads");
    let new_only = json!({ "ignore_duplicate_leads_in_other_campaign": true, "return_lead_ids": true });
    let (_, said) = smartlead.call("POST", &path, leads(&["there@c.example"], &new_only)).await;
    assert_eq!((said["upload_count"].as_i64(), said["total_leads"].as_i64()), (Some(1), Some(0)));
    assert!(said["emailToLeadIdMap"]["existingLeadsInOtherCampaigns"]["there@c.example"].is_string());
    smartlead.reading("duplicates=allow");
    let (_, said) = smartlead.call("POST", &path, leads(&["there@c.example"], &new_only)).await;
    assert_eq!(said["total_leads"], 1, "the other reading");
    let (_, found) = smartlead.call("GET", "leads?email=there@c.example", json!({})).await;
    assert_eq!(found["lead_campaign_data"].as_array().unwrap().len(), 2, "one lead, two campaigns");
    assert_eq!(smartlead.call("GET", "leads?email=nobody@c.example", json!({})).await, (200, json!({})));
    let (_, roster) = smartlead.call("GET", &path, json!({})).await;
    assert_eq!(roster["total_leads"], "1", "a number as text");
}

#[tokio::test]
async fn a_roster_is_late_and_a_limit_holds() {
    let options =
        Options { roster_delay: TimeDelta::minutes(5), rate: "8/2".parse().unwrap(), ..Options::default() };
    let smartlead = Smartlead::with(options).await;
    let id = ready(&smartlead).await;
    let path = format!("campaigns/{id}/leads");
    smartlead.call("POST", &path, leads(&["a@b.example"], &json!({}))).await;
    assert_eq!(smartlead.call("GET", &path, json!({})).await.1["total_leads"], "0");
    smartlead.advance(301);
    assert_eq!(smartlead.call("GET", &path, json!({})).await.1["total_leads"], "1");
    let url = format!("{}/{path}?api_key={}", smartlead.base(), crate::support::smartlead::KEY);
    let left = client().get(&url).send().await.unwrap().headers()["x-ratelimit-remaining"]
        .to_str()
        .unwrap()
        .to_owned();
    assert_eq!(left, "1");
    client().get(&url).send().await.unwrap();
    let over = client().get(&url).send().await.unwrap();
    assert_eq!(over.status(), 429);
    assert!(over.headers().contains_key("retry-after"));
    assert!(over.text().await.unwrap().contains("Account limit of 8 requests"));
}

#[tokio::test]
async fn faults_do_what_they_say() {
    let smartlead = Smartlead::start().await;
    let id = ready(&smartlead).await;
    let url = format!("{}/campaigns/{id}/leads?api_key={}", smartlead.base(), crate::support::smartlead::KEY);
    let mut expected = 0;
    for (fault, taken) in
        [("drop", 0), ("drop-after", 1), ("timeout", 1), ("429", 0), ("500", 0), ("500-after", 1), ("503", 0)]
    {
        smartlead.faults(&format!("{fault}=100%"));
        let body = leads(&[&format!("{fault}@b.example")], &json!({}));
        let sent =
            client().post(&url).timeout(std::time::Duration::from_millis(500)).json(&body).send().await;
        let broken = ["drop", "drop-after", "timeout"].contains(&fault);
        assert_eq!(sent.is_err(), broken, "{fault}: {sent:?}");
        expected += taken;
        let members = smartlead.get(&format!("campaigns/{id}"))["members"].as_object().unwrap().len();
        assert_eq!(members, expected, "{fault}");
    }
    smartlead.faults("partial=100%");
    client()
        .post(&url)
        .json(&leads(&["a@b.example", "c@b.example", "d@b.example"], &json!({})))
        .send()
        .await
        .unwrap();
    let members = smartlead.get(&format!("campaigns/{id}"))["members"].as_object().unwrap().len();
    assert_eq!(members, expected + 2);
}

#[tokio::test]
async fn mails_leave_on_its_own_clock_and_people_do_something() {
    let smartlead = Smartlead::start().await;
    let id = ready(&smartlead).await;
    let people = ["quiet@c.example", "bounce@c.example", "reply@c.example", "unsubscribe@c.example"];
    smartlead.call("POST", &format!("campaigns/{id}/leads"), leads(&people, &json!({}))).await;
    smartlead.advance(60);
    assert_eq!(smartlead.get("mails"), json!([]), "not started");
    smartlead.call("POST", &format!("campaigns/{id}/status"), json!({ "status": "START" })).await;
    smartlead.advance(60);
    assert_eq!(smartlead.get("mails").as_array().unwrap().len(), 4);
    assert_eq!(smartlead.get("mails")[0]["subject"], "Hi F");
    smartlead.advance(4 * 86_400);
    let mails = smartlead.get("mails");
    let second: Vec<&Value> = mails.as_array().unwrap().iter().filter(|mail| mail["step"] == 2).collect();
    assert_eq!(second.len(), 1, "only who keeps quiet gets a second one: {second:?}");
    assert_eq!(second[0]["email"], "quiet@c.example");
    let (_, rows) =
        smartlead.call("GET", &format!("campaigns/{id}/statistics?email_status=bounced"), json!({})).await;
    assert_eq!(rows["total_stats"], "1");
    assert_eq!(smartlead.get("")["blocks"], json!(["bounce@c.example"]));
    assert_eq!(smartlead.get(&format!("campaigns/{id}"))["status"], "COMPLETED");
}

#[tokio::test]
async fn webhooks_are_signed_and_tried_again() {
    let got: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
    let seen = Arc::clone(&got);
    let take = move |headers: HeaderMap, body: Bytes| {
        let mut mac = Hmac::<Sha256>::new_from_slice(HOOK_SECRET.as_bytes()).unwrap();
        mac.update(&body);
        let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
        assert_eq!(headers["x-smartlead-signature"], signature);
        let id = headers["x-request-id"].to_str().unwrap().to_owned();
        let mut got = seen.lock().unwrap();
        got.push((id, serde_json::from_slice(&body).unwrap()));
        let status = if got.len() == 1 { StatusCode::BAD_GATEWAY } else { StatusCode::OK };
        async move { status }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let router = axum::Router::new().route("/hook", axum::routing::post(take));
    let server = tokio::spawn(async move { axum::serve(listener, router).await });

    let smartlead = Smartlead::start().await;
    let id = ready(&smartlead).await;
    let hook = json!({ "id": null, "name": "ours", "webhook_url": url, "event_types": ["EMAIL_SENT", "LEAD_UNSUBSCRIBED"], "categories": ["Interested"] });
    assert_eq!(smartlead.call("POST", &format!("campaigns/{id}/webhooks"), hook).await.0, 200);
    smartlead
        .call("POST", &format!("campaigns/{id}/leads"), leads(&["unsubscribe@c.example"], &json!({})))
        .await;
    smartlead.call("POST", &format!("campaigns/{id}/status"), json!({ "status": "START" })).await;
    smartlead.advance(3 * 3600);
    until("both webhooks, one of them twice", || async { got.lock().unwrap().len() == 3 }).await;
    let got = got.lock().unwrap().clone();
    assert_eq!(got[0].0, got[2].0, "the same request again");
    let unsubscribed = got.iter().find(|(_, body)| body["event_type"] == "LEAD_UNSUBSCRIBED").unwrap();
    assert!(unsubscribed.1["event_timestamp"].as_str().unwrap().ends_with('Z'));
    assert!(unsubscribed.1.get("sl_email_lead_id").is_none(), "no lead id in this one");
    server.abort();
}
