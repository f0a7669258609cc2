//! What became of a batch: by ids where they were given, by the roster where not; and why somebody is missing.

use super::SmartleadProvider;
use super::client::Call;
use super::leads::{several, verdict};
use super::wire::{self, Added};
use crate::model::{OtherCampaigns, Verdict, domain_of};
use crate::provider::{CallError, Item};

/// So many of those who are missing are looked up before the others.
const SAMPLE: usize = 3;
const ELSEWHERE: &str = "another campaign at Smartlead holds this lead";

impl SmartleadProvider<'_> {
    pub(super) async fn settle(&self, campaign: &str, items: &[&Item], added: Added) -> Vec<Verdict> {
        let mut verdicts: Vec<Option<Verdict>> = items.iter().map(|item| self.by_ids(item, &added)).collect();
        // People whom other campaigns hold and who were not taken: once more, with the flag the other way round.
        let elsewhere: Vec<usize> = (0..items.len())
            .filter(|at| verdicts[*at].is_none() && added.elsewhere.contains_key(&items[*at].email))
            .collect();
        if !elsewhere.is_empty() && added.exhausted.is_none() {
            let others: Vec<&Item> = elsewhere.iter().map(|at| items[*at]).collect();
            match self.post_the_other_way(campaign, &others).await {
                Ok(again) => {
                    for at in elsewhere {
                        let refused = (!added.here.contains_key(&items[at].email)
                            && self.other_campaigns == OtherCampaigns::Refuse)
                            .then(|| Verdict::Refused(ELSEWHERE.to_owned()));
                        verdicts[at] = self.by_ids(items[at], &again).or(refused);
                    }
                }
                Err(error) => {
                    let error = verdict(error);
                    for at in elsewhere {
                        verdicts[at] = Some(error.clone());
                    }
                }
            }
        }
        let missing: Vec<usize> = (0..items.len()).filter(|at| verdicts[*at].is_none()).collect();
        if let Some(said) = &added.exhausted {
            for at in missing {
                verdicts[at] = Some(Verdict::Misconfigured(format!("Smartlead takes no more leads: {said}")));
            }
        } else if !added.has_ids {
            self.by_roster(campaign, items, &missing, &mut verdicts).await;
        } else {
            // Where the first few are missing for no reason, so are the others: a batch was cut short, and is taken
            // the next time.
            let (first, others) = missing.split_at(missing.len().min(SAMPLE));
            let mut reasons = self.reasons(campaign, items, first, &added).await;
            let explained = |(_, verdict): &(usize, Verdict)| !matches!(verdict, Verdict::Retry { .. });
            if reasons.iter().any(explained) {
                reasons.extend(self.reasons(campaign, items, others, &added).await);
            } else {
                reasons.extend(others.iter().map(|at| (*at, unexplained())));
            }
            for (at, reason) in reasons {
                verdicts[at] = Some(reason);
            }
        }
        let lost = || Verdict::InDoubt("Smartlead did not say what became of it".to_owned());
        verdicts.into_iter().map(|verdict| verdict.unwrap_or_else(lost)).collect()
    }

    /// What the reply says of one contact itself.
    fn by_ids(&self, item: &Item, added: &Added) -> Option<Verdict> {
        if let Some(id) = added.here.get(&item.email) {
            self.learn(item, id);
            return Some(Verdict::Accepted);
        }
        if added.invalid.contains(&item.email) {
            return Some(Verdict::Refused("Smartlead takes this address for invalid".to_owned()));
        }
        if added.unsubscribed.contains(&item.email) {
            return Some(Verdict::Refused("unsubscribed at Smartlead".to_owned()));
        }
        None
    }

    /// A reply with counters only. Whom the roster does not show yet may be late: that is looked at again.
    async fn by_roster(
        &self,
        campaign: &str,
        items: &[&Item],
        missing: &[usize],
        verdicts: &mut [Option<Verdict>],
    ) {
        if missing.is_empty() {
            return;
        }
        match self.export(campaign).await {
            Ok(here) => {
                for at in missing {
                    verdicts[*at] = Some(match here.get(&items[*at].email) {
                        Some(id) => {
                            self.learn(items[*at], id);
                            Verdict::Accepted
                        }
                        None => Verdict::InDoubt("Smartlead's roster does not show it yet".to_owned()),
                    });
                }
            }
            Err(error) => {
                let reason = format!("the roster could not be read: {error}");
                for at in missing {
                    verdicts[*at] = Some(Verdict::InDoubt(reason.clone()));
                }
            }
        }
    }

    async fn reasons(
        &self,
        campaign: &str,
        items: &[&Item],
        missing: &[usize],
        added: &Added,
    ) -> Vec<(usize, Verdict)> {
        let reasons =
            missing.iter().map(|at| async { (*at, self.reason(campaign, items[*at], added).await) });
        several(reasons.collect()).await
    }

    /// Why a contact silently did not arrive.
    async fn reason(&self, campaign: &str, item: &Item, added: &Added) -> Verdict {
        match self.look_for_reason(campaign, item, added).await {
            Ok(found) => found,
            Err(CallError::Misconfigured(reason)) => Verdict::Misconfigured(reason),
            Err(error) => {
                Verdict::InDoubt(format!("it was not taken, and the reason could not be found: {error}"))
            }
        }
    }

    async fn look_for_reason(
        &self,
        campaign: &str,
        item: &Item,
        added: &Added,
    ) -> Result<Verdict, CallError> {
        let found = self.find_lead(&item.email).await?;
        if found.campaigns.contains(campaign) {
            self.learn(item, found.id.as_deref().unwrap_or_default());
            return Ok(Verdict::Accepted);
        }
        if found.unsubscribed {
            return Ok(Verdict::Refused("unsubscribed at Smartlead".to_owned()));
        }
        if added.blocked {
            let domain = domain_of(&item.email).unwrap_or_default();
            for target in [item.email.as_str(), domain] {
                let list = Call::get("leads/get-domain-block-list").with("filter_email_or_domain", target);
                let listed = wire::rows(&self.client.json(list).await?).iter().any(|row| {
                    wire::text(row, "email_or_domain")
                        .is_some_and(|listed| listed.trim_start_matches('@') == target)
                });
                if listed {
                    let kind = if target == domain { "a domain" } else { "an address" };
                    return Ok(Verdict::Refused(format!("on Smartlead's block list as {kind}")));
                }
            }
        }
        if added.bounced {
            return Ok(Verdict::Refused(
                "on Smartlead's list of addresses that bounced for others".to_owned(),
            ));
        }
        if !found.campaigns.is_empty() && added.elsewhere.contains_key(&item.email) {
            return Ok(Verdict::Refused(ELSEWHERE.to_owned()));
        }
        Ok(unexplained())
    }
}

fn unexplained() -> Verdict {
    Verdict::Retry { after: None, reason: "Smartlead did not take it and gives no reason".to_owned() }
}
