//! A run of drafting: asks within the budget, checks what comes back, settles both together.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use tracing::warn;
use uuid::Uuid;

use super::{AT_ONCE, Context, DraftError, Order, PAGE, Report, Wanted, checks, drafting, waiting, wanted};
use crate::model::{Campaign, Review};
use crate::provider::CallError;
use crate::provider::chat::Chat;
use crate::store::Lease;
use crate::store::drafts::{self, Asking, End, NewDraft};
use crate::store::spending::Purse;

/// A run under way.
pub(super) struct Run<'a, 'c> {
    pub(super) context: &'a Context<'c>,
    pub(super) lease: &'a Lease,
    pub(super) purse: Purse<'a>,
    pub(super) chat: Chat<'a>,
    pub(super) report: Report,
}

impl<'c> Run<'_, 'c> {
    /// Why it ended before it was through.
    pub(super) async fn all(&mut self, order: &Order<'_>) -> Result<Option<String>, DraftError> {
        for campaign in drafting(self.context, order) {
            for people in waiting(self.context, campaign).await?.chunks(PAGE) {
                let wanted = wanted(self.context, campaign, people, &mut self.report).await?;
                let stopped = self.campaign(campaign, wanted).await?;
                if stopped.is_some() {
                    return Ok(stopped);
                }
            }
        }
        Ok(None)
    }

    async fn campaign(
        &mut self,
        campaign: &'c Campaign,
        wanted: Vec<Wanted<'c>>,
    ) -> Result<Option<String>, DraftError> {
        let store = self.context.store;
        // One digest is asked once, however many want it.
        let mut by_digest: BTreeMap<String, Vec<Wanted<'c>>> = BTreeMap::new();
        let mut order = Vec::new();
        for one in wanted {
            let group = by_digest.entry(one.request.digest.clone()).or_default();
            if group.is_empty() {
                order.push(one.request.digest.clone());
            }
            group.push(one);
        }
        for (digest, interaction_id, text) in drafts::answers(store, &order).await? {
            let Some(group) = by_digest.remove(&digest) else { continue };
            self.report.reused += group.len() as i64;
            let made = self.drafts(&group, &text, interaction_id);
            drafts::put(store, campaign.number, self.context.clock.now(), &made).await?;
        }
        order.retain(|digest| by_digest.contains_key(digest));
        for part in order.chunks(AT_ONCE) {
            if self.context.stop.is_asked() {
                return Ok(Some("asked to stop".to_owned()));
            }
            let stopped = self.ask(campaign, part, &by_digest).await?;
            if stopped.is_some() {
                return Ok(stopped);
            }
        }
        Ok(None)
    }

    /// Asks for a few digests at once, and settles what comes back.
    async fn ask(
        &mut self,
        campaign: &Campaign,
        digests: &[String],
        groups: &BTreeMap<String, Vec<Wanted<'c>>>,
    ) -> Result<Option<String>, DraftError> {
        if !self.lease.is_surely_held() {
            return Err(DraftError::LeaseLost);
        }
        let store = self.context.store;
        let calls: Vec<Asking> = digests
            .iter()
            .filter_map(|digest| groups.get(digest)?.first())
            .map(|one| Asking {
                employee_id: one.employee_id,
                field: one.field.to_owned(),
                digest: one.request.digest.clone(),
                interaction_id: Uuid::new_v4(),
                session_key: one.session_key.clone(),
                prompt: one.request.prompt.clone(),
                model: one.request.model.clone(),
            })
            .collect();
        // Held answers are no reason to stop: somebody else's call, or one that was lost, is open under the digest.
        let open = drafts::open(store, digests).await?;
        let now = self.context.clock.now();
        let claimed = drafts::claim(store, self.lease, &self.purse, campaign.number, now, &calls).await?;
        let made: Vec<&Asking> = calls.iter().filter(|call| claimed.contains(&call.digest)).collect();
        self.report.calls += made.len() as i64;
        let said = join_all(made.iter().map(|call| async {
            let request = groups.get(&call.digest).and_then(|group| group.first());
            match request {
                Some(one) => self.chat.complete(&one.request.body, &call.interaction_id.to_string()).await,
                None => Err(CallError::Later { after: None, reason: "nobody wants it".to_owned() }),
            }
        }))
        .await;
        let (mut ends, mut drafted, mut stopped) = (Vec::new(), Vec::new(), None);
        for (call, said) in made.iter().zip(said) {
            let end = match said {
                Ok(completion) => {
                    let group = groups.get(&call.digest).map_or(&[][..], Vec::as_slice);
                    self.report.reused += group.len() as i64 - 1;
                    drafted.extend(self.drafts(group, &completion.text, call.interaction_id));
                    End::Answered { response: completion.text, confidence: completion.confidence }
                }
                Err(CallError::InDoubt(reason)) => {
                    warn!(interaction = %call.interaction_id, reason, "an answer was lost");
                    End::Lost
                }
                Err(error) => {
                    self.report.calls -= 1;
                    stopped = Some(error.to_string());
                    End::Released
                }
            };
            ends.push((call.digest.clone(), end));
        }
        let now = self.context.clock.now();
        drafts::settle(store, self.lease, campaign.number, now, &ends, &drafted).await?;
        if stopped.is_none() && claimed.len() + open < calls.len() {
            stopped = Some("the calls of the day or of the run are used up".to_owned());
        }
        Ok(stopped)
    }

    /// One answer as the drafts of everybody who wants it.
    fn drafts(&mut self, group: &[Wanted<'c>], text: &str, interaction_id: Uuid) -> Vec<NewDraft> {
        let mut made = Vec::new();
        for one in group {
            let (state, text, problem) = match checks::check(text, one.draft) {
                Ok(text) if one.draft.review == Review::None => ("approved", text, None),
                Ok(text) => ("drafted", text, None),
                Err(problem) => ("failed", text.to_owned(), Some(problem)),
            };
            *self.report.drafts.entry(state.to_owned()).or_default() += 1;
            made.push(NewDraft {
                employee_id: one.employee_id,
                field: one.field.to_owned(),
                spec: one.draft.spec.clone(),
                digest: one.request.digest.clone(),
                text,
                state,
                problem,
                interaction_id,
            });
        }
        made
    }
}
