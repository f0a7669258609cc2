//! Plans of campaigns put together. Pure.

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};

use crate::model::{Campaign, CampaignPlan, FORMAT_VERSION, Orphan, Plan, Totals};

/// Campaigns in the order in which they are planned and applied.
pub fn in_rank(campaigns: &[Campaign]) -> Vec<&Campaign> {
    let mut sorted: Vec<&Campaign> = campaigns.iter().collect();
    sorted.sort_by_key(|campaign| (std::cmp::Reverse(campaign.priority), campaign.number));
    sorted
}

/// Puts campaign plans together.
pub fn total(as_of: DateTime<Utc>, campaigns: Vec<CampaignPlan>, orphaned: Vec<Orphan>) -> Plan {
    let mut totals = Totals::default();
    let mut hasher = Sha256::new();
    for plan in &campaigns {
        totals.enroll += plan.enroll;
        totals.update += plan.update;
        totals.withdraw += plan.withdraw;
        totals.send += plan.send;
        totals.keep += plan.keep;
        totals.blocked += i64::from(plan.blocked.is_some());
        hasher.update(&plan.digest);
    }
    let digest = hex::encode(hasher.finalize());
    Plan { format_version: FORMAT_VERSION, digest, as_of, campaigns, orphaned, totals }
}
