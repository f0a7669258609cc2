//! Forms: checked to be ours, done, and answered by the page that shows what came of it.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Extension;
use axum::RequestExt as _;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use uuid::Uuid;

use super::show;
use crate::model::PushKey;
use crate::web::Shared;
use crate::web::access::{Visitor, same};
use crate::web::asked::Path;
use crate::web::deeds::{self, Approve, Correct, Done, Kind, Pause, Reason, Resolve, Resume, Suppress};
use crate::web::fault::{Fault, PageFault};
use crate::web::read;

type Answer = Result<Response, PageFault>;

/// A form of ours, and whose it is: it carries what only our pages can know.
pub(super) struct Form {
    visitor: Visitor,
    fields: HashMap<String, String>,
}

impl Form {
    fn text(&self, name: &str) -> Option<String> {
        self.fields.get(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }
}

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Response;

    async fn from_request(mut request: Request, state: &S) -> Result<Self, Response> {
        let visitor = request.extract_parts::<Extension<Visitor>>().await;
        let Extension(visitor) = visitor.map_err(IntoResponse::into_response)?;
        let body = Bytes::from_request(request, state).await.map_err(IntoResponse::into_response)?;
        let fields: HashMap<String, String> = url::form_urlencoded::parse(&body).into_owned().collect();
        let key = fields.get("form_key").map_or("", String::as_str);
        if !same(key, &visitor.form_key) {
            return Err(PageFault::from(Fault::Forged).into_response());
        }
        Ok(Self { visitor, fields })
    }
}

fn back(path: &str, done: &Done, word: &str) -> Response {
    let word = if done.changed { word } else { "nothing" };
    Redirect::to(&format!("{path}?done={word}")).into_response()
}

pub(super) async fn pause(State(shared): State<Arc<Shared>>, Path(number): Path<i32>, form: Form) -> Answer {
    let deed = Pause { reason: form.text("reason").unwrap_or_default(), until: form.text("until") };
    let done = deeds::pause(&shared, &form.visitor, number, &deed).await?;
    Ok(back(&format!("/campaigns/{number}"), &done, "paused"))
}

pub(super) async fn resume(State(shared): State<Arc<Shared>>, Path(number): Path<i32>, form: Form) -> Answer {
    let deed = Resume { reason: form.text("reason") };
    let done = deeds::resume(&shared, &form.visitor, number, &deed).await?;
    Ok(back(&format!("/campaigns/{number}"), &done, "resumed"))
}

pub(super) async fn resume_mailbox(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    form: Form,
) -> Answer {
    let deed = Resume { reason: form.text("reason") };
    let done = deeds::resume_mailbox(&shared, &form.visitor, &name, &deed).await?;
    Ok(back("/providers", &done, "resumed"))
}

pub(super) async fn approve(
    State(shared): State<Arc<Shared>>,
    Path(number): Path<i32>,
    form: Form,
) -> Answer {
    let deed = Approve { digest: form.text("digest").unwrap_or_default() };
    let done = deeds::approve(&shared, &form.visitor, number, &deed).await?;
    Ok(back(&format!("/campaigns/{number}"), &done, "approved"))
}

pub(super) async fn resolve(
    State(shared): State<Arc<Shared>>,
    Path(key): Path<String>,
    form: Form,
) -> Answer {
    let key: PushKey = key.parse().map_err(|_| Fault::Unknown("push"))?;
    let arrived = match form.text("arrived").as_deref() {
        Some("true") => true,
        Some("false") => false,
        _ => return Err(Fault::Unfit("say whether it arrived".to_owned()).into()),
    };
    let done = deeds::resolve(&shared, &form.visitor, key, &Resolve { arrived }).await?;
    Ok(back("/doubts", &done, "settled"))
}

pub(super) async fn correct(State(shared): State<Arc<Shared>>, Path(id): Path<Uuid>, form: Form) -> Answer {
    let said = form.text("kind").unwrap_or_default();
    let known = Kind::ALL.into_iter().find(|(_, word, _)| *word == said);
    let (kind, ..) = known.ok_or_else(|| Fault::Unfit("say what it is".to_owned()))?;
    let done = deeds::correct(&shared, &form.visitor, id, &Correct { kind }).await?;
    Ok(back("/replies", &done, "decided"))
}

pub(super) async fn suppress(State(shared): State<Arc<Shared>>, Path(id): Path<Uuid>, form: Form) -> Answer {
    let reason = form.text("reason");
    let reason = Reason::ALL.into_iter().find(|known| reason.as_deref() == Some(known.as_str()));
    let deed = Suppress { target: None, employee_id: Some(id), reason, note: form.text("note") };
    let done = deeds::suppress(&shared, &form.visitor, &deed).await?;
    Ok(back(&format!("/contacts/{id}"), &done, "suppressed"))
}

/// A question, and a form all the same: an address stands in no URL.
pub(super) async fn find(State(shared): State<Arc<Shared>>, form: Form) -> Answer {
    let found = read::find(&shared, &form.text("who").unwrap_or_default()).await?;
    if let [one] = found.as_slice() {
        return Ok(Redirect::to(&format!("/contacts/{}", one.employee_id)).into_response());
    }
    Ok(show::found(&shared, form.visitor, Some(found)))
}
