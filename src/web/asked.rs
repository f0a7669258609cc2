//! What stands in a path or a query, read; what cannot be read is answered in the shape of its side, page or API.
//!
//! Never logs what was asked.

use axum::extract::{self, FromRequestParts};
use axum::http::Uri;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use serde::de::DeserializeOwned;

use super::fault::{ApiFault, Fault, PageFault};

/// The places of a path.
pub(super) struct Path<T>(pub T);

/// The fields of a query.
pub(super) struct Query<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        match extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(extract::Path(places)) => Ok(Self(places)),
            Err(rejection) => Err(answer(&parts.uri, Fault::Senseless(rejection.body_text()))),
        }
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        match extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(extract::Query(fields)) => Ok(Self(fields)),
            Err(rejection) => Err(answer(&parts.uri, Fault::Senseless(rejection.body_text()))),
        }
    }
}

/// For whatever is at no path of ours.
pub(super) async fn nothing(uri: Uri) -> Response {
    let what = if is_api(&uri) { "path" } else { "page" };
    answer(&uri, Fault::Unknown(what))
}

fn answer(uri: &Uri, fault: Fault) -> Response {
    if is_api(uri) { ApiFault::from(fault).into_response() } else { PageFault::from(fault).into_response() }
}

fn is_api(uri: &Uri) -> bool {
    uri.path() == "/api" || uri.path().starts_with("/api/")
}
