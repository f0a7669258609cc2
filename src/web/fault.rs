//! Why an answer is none, as a page and as JSON. The inside of a fault goes to the log, not to the asker.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tracing::warn;

use crate::reconcile::ReconcileError;
use crate::store::StoreError;

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Fault {
    /// There is no such thing.
    Unknown(&'static str),
    /// What was asked makes no sense as it was said.
    Unfit(String),
    /// It cannot even be read.
    Senseless(String),
    /// It is not so any more.
    Overtaken(String),
    /// The form is not one of ours, or too old.
    Forged,
    /// Whoever asks may not, or not from there.
    Forbidden(&'static str),
    /// It is being done for somebody else already.
    Busy(&'static str),
    /// The database, or what it was asked.
    Inside(ReconcileError),
}

impl Fault {
    fn status(&self) -> StatusCode {
        match self {
            Self::Unknown(_) => StatusCode::NOT_FOUND,
            Self::Senseless(_) => StatusCode::BAD_REQUEST,
            Self::Unfit(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Overtaken(_) => StatusCode::CONFLICT,
            Self::Forged | Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::Busy(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Inside(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    pub(super) fn words(&self) -> String {
        match self {
            Self::Unknown(what) => format!("there is no such {what}"),
            Self::Senseless(message) | Self::Unfit(message) | Self::Overtaken(message) => message.clone(),
            Self::Forbidden(message) | Self::Busy(message) => (*message).to_owned(),
            Self::Forged => "this form is not one of ours, or too old: open the page anew".to_owned(),
            Self::Inside(_) => "the database does not answer as it should; the log says why".to_owned(),
        }
    }

    pub(super) fn log(&self) {
        if let Self::Inside(error) = self {
            warn!(error = error.chain(), "a question over HTTP was not answered");
        }
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Inside(error.into())
    }
}

impl From<ReconcileError> for Fault {
    fn from(error: ReconcileError) -> Self {
        Self::Inside(error)
    }
}

/// As JSON: `{"error": "..."}`.
pub(super) struct ApiFault(Fault);

impl<F: Into<Fault>> From<F> for ApiFault {
    fn from(fault: F) -> Self {
        Self(fault.into())
    }
}

impl IntoResponse for ApiFault {
    fn into_response(self) -> Response {
        self.0.log();
        (self.0.status(), Json(json!({ "error": self.0.words() }))).into_response()
    }
}

/// As a page.
pub(super) struct PageFault(Fault);

impl<F: Into<Fault>> From<F> for PageFault {
    fn from(fault: F) -> Self {
        Self(fault.into())
    }
}

impl IntoResponse for PageFault {
    fn into_response(self) -> Response {
        self.0.log();
        super::pages::fault(self.0.status(), &self.0.words())
    }
}
