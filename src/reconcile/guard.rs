//! The guard: whether a plan changes more than its campaign allows. Pure.

use crate::model::{Blocked, Campaign, Guard, Membership, WithdrawReason};
use crate::store::diff::Report;

/// The first limit that the plan would break. Stops never count: they go out whatever holds.
pub(super) fn check(campaign: &Campaign, report: &Report) -> Option<Blocked> {
    let safety = campaign.safety;
    let live = report.live;
    let leaving = report.withdraw_by_rule();
    let left = report.leaving.get(WithdrawReason::LeftAudience.code()).copied().unwrap_or(0);
    // Those with a push on its way and those who are stopped say nothing against an empty audience.
    let rest = live - report.stops - report.in_flight;
    if campaign.membership == Membership::Mirror && left > 0 && left >= rest {
        return Some(Blocked {
            guard: Guard::EmptyAudience,
            message: format!(
                "the audience came out empty, so all {left} enrolled contacts would be withdrawn"
            ),
        });
    }
    let percent = i64::from(safety.max_withdraw_percent);
    if live >= i64::from(safety.from) && leaving * 100 > live * percent {
        return Some(Blocked {
            guard: Guard::MaxWithdrawPercent,
            message: format!(
                "would withdraw {leaving} of {live} enrolled contacts ({:.1} %); the limit is {percent} % (safety.max_withdraw_percent)",
                leaving as f64 * 100.0 / live as f64,
            ),
        });
    }
    if let Some(limit) = safety.max_enroll
        && report.enroll > i64::from(limit)
    {
        return Some(Blocked {
            guard: Guard::MaxEnroll,
            message: format!(
                "would enroll {} contacts; the limit is {limit} (safety.max_enroll)",
                report.enroll
            ),
        });
    }
    None
}
