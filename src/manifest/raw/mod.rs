//! The files as they are written: the types that both read them and make the JSON Schemas.
//!
//! Nothing here is checked beyond its shape. Every key is optional to the reader, although the
//! schema requires some: a file with one key missing still has its other mistakes reported. The
//! doc comments are what editors show to operators.

mod campaign;
mod drafting;
mod enrichment;
mod http;
mod mail;
mod notify;
mod project;
mod segment;

pub(super) use campaign::{
    RawCampaign, RawField, RawLimits, RawRamp, RawRemote, RawSchedule, RawStep, RawWindow,
};
pub(super) use drafting::{RawDraft, RawDrafting};
pub(super) use enrichment::{RawEnrichment, RawPrices, SpecialDomains};
pub(super) use http::{RawHttp, RawToken};
pub(super) use mail::{
    RawDkim, RawImap, RawMailbox, RawOnReply, RawReplies, RawServer, RawSmtp, RawUnsubscribe,
};
pub(super) use notify::{RawNoticeMail, RawNotify};
pub(super) use project::{RawDaemon, RawDatabase, RawFile, RawProject, RawSafety, RawSmartlead, RawWebhook};
pub(super) use segment::{RawExample, RawSegment};
