//! Who comes in, and who does not.

use reqwest::Method;
use serde_json::json;

use super::{OPERATE, Site, VIEW, sha256};
use crate::support::project::{Kind, Project};

#[tokio::test(flavor = "multi_thread")]
async fn with_tokens_nobody_comes_in_without_one() {
    let site = Site::start(true).await;
    site.enrolled(3).await;
    // Health stays open; everything else asks.
    assert_eq!(site.get("/healthz").await.0, 200);
    for path in ["/api/v1/overview", "/metrics", "/live", "/api/openapi.json"] {
        assert_eq!(site.get(path).await.0, 401, "{path}");
    }
    let answer = site.ask(Method::GET, "/events").send().await.unwrap();
    assert_eq!(
        (answer.status(), &answer.headers()["location"]),
        (303.try_into().unwrap(), &"/sign-in".parse().unwrap())
    );
    for wrong in ["ort_", "ort_operate2", &sha256(OPERATE)] {
        let answer = site.ask(Method::GET, "/api/v1/me").bearer_auth(wrong).send().await.unwrap();
        assert_eq!(answer.status(), 401, "{wrong}");
    }
    let me = site.ask(Method::GET, "/api/v1/me").bearer_auth(VIEW).send().await.unwrap();
    assert_eq!(me.json::<serde_json::Value>().await.unwrap(), json!({ "name": "vera", "role": "view" }));
    // Who may look may not act.
    let pause = |token| {
        let body = json!({ "reason": "a look at the texts" });
        site.ask(Method::POST, "/api/v1/campaigns/1/pause").bearer_auth(token).json(&body).send()
    };
    assert_eq!(pause(VIEW).await.unwrap().status(), 403);
    let find = |path| site.ask(Method::POST, path).bearer_auth(VIEW);
    let found = find("/api/v1/contacts/find").json(&json!({ "who": "p1@c1.example" })).send().await.unwrap();
    assert_eq!(found.status(), 200);
    let unkeyed = find("/contacts").body("who=p1@c1.example").send().await.unwrap();
    assert_eq!(unkeyed.status(), 403);
    assert!(unkeyed.text().await.unwrap().contains("not one of ours"));
    let keyed = find("/contacts").header("cookie", format!("outreachd_form={}", "k".repeat(32)));
    let keyed = keyed.body(format!("who=p1@c1.example&form_key={}", "k".repeat(32))).send().await.unwrap();
    assert_eq!(keyed.status(), 303);
    let looks = site.ask(Method::GET, "/api/v1/campaigns/1/plan?look=true").bearer_auth(VIEW);
    assert_eq!(looks.send().await.unwrap().status(), 403);
    assert_eq!(site.actors().await, []);
    assert_eq!(pause(OPERATE).await.unwrap().status(), 200);
    assert_eq!(site.actors().await, [("olga".into(), "paused".into(), "campaign:1".into())]);

    // Signing in gives a cookie that scripts and other sites do not get.
    let sign = |token| site.ask(Method::POST, "/sign-in").body(format!("token={token}")).send();
    assert_eq!(sign("nonsense").await.unwrap().status(), 401);
    let answer = sign(OPERATE).await.unwrap();
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let page = site.ask(Method::GET, "/campaigns/1").header("cookie", &cookie).send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(page.text().await.unwrap().contains("olga"));
    // The cookie alone, from a page of somebody else's, does nothing.
    for (origin, form) in [("http://evil.example", "form_key=x"), (site.place.as_str(), "form_key=x")] {
        let answer = site
            .ask(Method::POST, "/campaigns/1/resume")
            .header("cookie", &cookie)
            .header("origin", origin)
            .body(form.to_owned())
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 403, "{origin}");
    }
    assert_eq!(site.project.count("outreach.pauses").await, 1);
    let log = site.end().await;
    assert!(!log.contains(OPERATE) && !log.contains("c1.example"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_loopback_others_names_and_pages_are_turned_away() {
    let site = Site::start(false).await;
    site.enrolled(3).await;
    let overview = site.page("/").await;
    assert!(overview.contains("this machine"));
    // A name of somebody else's that leads here.
    let rebound = site.ask(Method::GET, "/").header("host", "evil.example").send().await.unwrap();
    assert_eq!(rebound.status(), 421);
    // A form without our key, and JSON that a page may send without asking leave.
    let body = json!({ "reason": "x" });
    let foreign = site
        .ask(Method::POST, "/api/v1/campaigns/1/pause")
        .header("content-type", "text/plain")
        .body(body.to_string());
    assert_eq!(foreign.send().await.unwrap().status(), 415);
    let cross = site.ask(Method::POST, "/api/v1/campaigns/1/pause").header("sec-fetch-site", "cross-site");
    assert_eq!(cross.json(&body).send().await.unwrap().status(), 403);
    let forged = site.ask(Method::POST, "/campaigns/1/pause").body("reason=x&form_key=");
    assert_eq!(forged.send().await.unwrap().status(), 403);
    assert_eq!(site.project.count("outreach.pauses").await, 0);
    // A page of somebody else's that leads here spends none of a provider's calls.
    for path in ["/campaigns/1/plan?look=true", "/api/v1/campaigns/1/plan?look=true"] {
        let look =
            |site_of: &'static str| site.ask(Method::GET, path).header("sec-fetch-site", site_of).send();
        assert_eq!(look("cross-site").await.unwrap().status(), 403, "{path}");
        assert_eq!(look("same-origin").await.unwrap().status(), 200, "{path}");
    }
    // A body without end.
    let huge = site.ask(Method::POST, "/api/v1/contacts/find").json(&json!({ "who": "x".repeat(100_000) }));
    assert!([413, 422].contains(&huge.send().await.unwrap().status().as_u16()));
    // What browsers are told.
    let answer = site.ask(Method::GET, "/").send().await.unwrap();
    let policy = answer.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    for page in ["/", "/campaigns/1", "/contacts", "/doubts", "/providers", "/files", "/events"] {
        let html = site.page(page).await;
        assert!(
            !html.contains("style=") && !html.contains("<script>") && !html.contains("onclick"),
            "{page}"
        );
        // Files are shown as they are, and may name hosts.
        let elsewhere = ["src=\"http", "href=\"http", "action=\"http", "url("];
        assert!(!elsewhere.iter().any(|part| html.contains(part)), "{page} leads to another host");
    }
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_reach_webhooks_alone_and_at_a_rate() {
    let site = Site::start(false).await;
    for path in ["/", "/api/v1/overview", "/metrics", "/healthz", "/sign-in", "/assets/app.css", "/live"] {
        let answer = site.outside(Method::GET, path).send().await.unwrap();
        assert_eq!(answer.status(), 404, "{path}");
    }
    let answer = site.outside(Method::POST, "/hooks/out").body("{}").send().await.unwrap();
    assert_eq!(answer.status(), 404, "this provider sends no webhooks");
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    let mut statuses = Vec::new();
    for _ in 0..40 {
        statuses.push(site.outside(Method::POST, "/hooks/out").body("{}").send().await.unwrap().status());
    }
    assert!(statuses.iter().any(|status| *status == 429), "{statuses:?}");
    // The operators' side is not slowed by it.
    site.page("/").await;
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_door_is_refused() {
    let project = Project::new(Kind::File, 0).await;
    let text = project.read("outreach.yaml");
    project.write("outreach.yaml", &format!("{text}http: {{ listen: \"0.0.0.0:0\" }}\n"));
    let refused = project.run(&["run"]).await.ended(65);
    assert!(refused.stderr.contains("error[open-door]"), "{}", refused.stderr);
    project.write("outreach.yaml", &text);
    let refused = project.run(&["run", "--listen", "0.0.0.0:0"]).await.ended(64);
    assert!(refused.stderr.contains("outreachd token"), "{}", refused.stderr);
    // A token in the file itself is no hash, and is not repeated.
    project.write(
        "outreach.yaml",
        &format!("{text}http: {{ tokens: [{{ name: olga, role: view, sha256: ort_secret }}] }}\n"),
    );
    let literal = project.run(&["validate"]).await.ended(65);
    assert!(literal.stderr.contains("error[literal-secret]"), "{}", literal.stderr);
    let made = project.run(&["token", "olga", "--role", "operate"]).await.ended(0);
    let digest = sha256(made.stdout.trim());
    assert!(made.stderr.contains(&digest) && made.stderr.contains("role: operate"), "{}", made.stderr);
}
