//! Whether a domain takes mail at all: asked of the DNS before an address of it costs anything.
//!
//! Only a clear no counts. A resolver that fails says nothing about anybody.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{StreamExt as _, iter};
use hickory_resolver::TokioResolver;
use hickory_resolver::proto::rr::RData;

/// One server may be slow; two tries of this are waited for.
const PATIENCE: Duration = Duration::from_secs(2);
const ATTEMPTS: usize = 2;
/// Whatever the resolver does, a look-up ends.
const LONGEST: Duration = Duration::from_secs(10);
/// Look-ups under way at once.
const AT_ONCE: usize = 16;

/// What is known of a domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakesMail {
    Yes,
    /// It does not exist, says so (a null MX), or has neither a mail server nor an address.
    No,
    Unknown,
}

/// Where it is asked.
pub trait MailDomains: Send + Sync {
    fn takes_mail<'a>(&'a self, domain: &'a str) -> BoxFuture<'a, TakesMail>;
}

/// The resolver of the machine.
pub struct Dns(Option<TokioResolver>);

impl Dns {
    /// As the system is configured; where that cannot be read, nothing is known of any domain.
    pub fn of_system() -> Self {
        let built = TokioResolver::builder_tokio().and_then(|mut builder| {
            let options = builder.options_mut();
            options.timeout = PATIENCE;
            options.attempts = ATTEMPTS;
            builder.build()
        });
        if let Err(error) = &built {
            tracing::warn!(%error, "no resolver: domains are not looked up before their addresses cost");
        }
        Self(built.ok())
    }
}

impl MailDomains for Dns {
    fn takes_mail<'a>(&'a self, domain: &'a str) -> BoxFuture<'a, TakesMail> {
        Box::pin(async move {
            let Some(resolver) = &self.0 else { return TakesMail::Unknown };
            tokio::time::timeout(LONGEST, ask(resolver, domain)).await.unwrap_or(TakesMail::Unknown)
        })
    }
}

async fn ask(resolver: &TokioResolver, domain: &str) -> TakesMail {
    // With a dot at its end no search list is tried.
    let name = format!("{}.", domain.trim_end_matches('.'));
    match resolver.mx_lookup(name.as_str()).await {
        Ok(found) => {
            let mut servers = found.answers().iter().filter_map(|record| match &record.data {
                RData::MX(mx) => Some(!mx.exchange.is_root()),
                _ => None,
            });
            // A null MX (RFC 7505) is a root name alone.
            let first = servers.next();
            match first {
                Some(false) if !servers.any(|named| named) => TakesMail::No,
                Some(_) => TakesMail::Yes,
                None => has_address(resolver, &name).await,
            }
        }
        Err(error) if error.is_nx_domain() => TakesMail::No,
        // Without an MX the domain's own address takes its mail (RFC 5321 5.1).
        Err(error) if error.is_no_records_found() => has_address(resolver, &name).await,
        Err(_) => TakesMail::Unknown,
    }
}

async fn has_address(resolver: &TokioResolver, name: &str) -> TakesMail {
    match resolver.lookup_ip(name).await {
        Ok(_) => TakesMail::Yes,
        Err(error) if error.is_nx_domain() || error.is_no_records_found() => TakesMail::No,
        Err(_) => TakesMail::Unknown,
    }
}

/// Each domain is asked about once a run.
pub(super) struct Remembered<'a> {
    domains: &'a dyn MailDomains,
    known: Mutex<HashMap<String, TakesMail>>,
}

impl<'a> Remembered<'a> {
    pub(super) fn new(domains: &'a dyn MailDomains) -> Self {
        Self { domains, known: Mutex::default() }
    }

    /// What is known of these domains, in their order.
    pub(super) async fn of(&self, domains: &[&str]) -> Vec<TakesMail> {
        let mut open: Vec<&str> = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            domains.iter().copied().filter(|domain| !known.contains_key(*domain)).collect()
        };
        open.sort_unstable();
        open.dedup();
        let answers: Vec<(&str, TakesMail)> = iter(open)
            .map(|domain| async move { (domain, self.domains.takes_mail(domain).await) })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.extend(answers.into_iter().map(|(domain, takes)| (domain.to_owned(), takes)));
        domains.iter().map(|domain| known.get(*domain).copied().unwrap_or(TakesMail::Unknown)).collect()
    }
}
