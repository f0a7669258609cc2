//! What the stand-in holds: one account with its leads, campaigns, mailboxes and block list.
//!
//! Leads are account-wide; a membership ties one to a campaign. Nothing here speaks HTTP.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::faults::Dice;
use super::readings::Readings;

/// A person, once an account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Lead {
    pub(super) email: String,
    /// The fields that every lead has.
    pub(super) fields: Map<String, Value>,
    pub(super) custom: Map<String, Value>,
    pub(super) unsubscribed: bool,
    pub(super) created_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Status {
    Started,
    Inprogress,
    Completed,
    Paused,
    Stopped,
    Blocked,
}

impl Status {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "STARTED",
            Self::Inprogress => "INPROGRESS",
            Self::Completed => "COMPLETED",
            Self::Paused => "PAUSED",
            Self::Stopped => "STOPPED",
            Self::Blocked => "BLOCKED",
        }
    }

    pub(super) const fn goes_on(self) -> bool {
        matches!(self, Self::Started | Self::Inprogress)
    }
}

/// A lead in a campaign.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Member {
    pub(super) map_id: i64,
    pub(super) status: Status,
    pub(super) category: Option<i64>,
    pub(super) created_at: DateTime<Utc>,
    /// The roster shows it from then on.
    pub(super) visible_at: DateTime<Utc>,
    /// Last thing that happened.
    pub(super) event_at: DateTime<Utc>,
    /// Mails sent.
    pub(super) sent: usize,
    pub(super) last_sent_at: Option<DateTime<Utc>>,
    pub(super) next_at: Option<DateTime<Utc>>,
    pub(super) replied_at: Option<DateTime<Utc>>,
    pub(super) bounced: bool,
    pub(super) unsubscribed: bool,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Step {
    pub(super) id: i64,
    pub(super) delay_days: i64,
    pub(super) subject: String,
    pub(super) body: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Campaign {
    pub(super) name: String,
    /// As it is read: DRAFTED, ACTIVE, PAUSED, STOPPED, COMPLETED.
    pub(super) status: String,
    pub(super) created_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
    pub(super) settings: Map<String, Value>,
    pub(super) schedule: Schedule,
    pub(super) steps: Vec<Step>,
    pub(super) mailboxes: BTreeSet<i64>,
    pub(super) members: BTreeMap<i64, Member>,
    pub(super) hooks: Vec<Hook>,
    /// The day of the last first mail, and how many there were on it.
    #[serde(default)]
    pub(super) begun: (NaiveDate, i64),
}

impl Campaign {
    /// Leads that had their first mail on that day.
    pub(super) fn begun_on(&self, day: NaiveDate) -> i64 {
        if self.begun.0 == day { self.begun.1 } else { 0 }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Schedule {
    pub(super) timezone: String,
    pub(super) days: Vec<i64>,
    pub(super) start: String,
    pub(super) end: String,
    pub(super) gap: i64,
    pub(super) new_leads: i64,
    pub(super) start_time: Option<String>,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            timezone: "UTC".to_owned(),
            days: (0..7).collect(),
            start: "00:00".to_owned(),
            end: "23:59".to_owned(),
            gap: 10,
            new_leads: 20,
            start_time: None,
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Hook {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) url: String,
    pub(super) events: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Block {
    pub(super) id: i64,
    pub(super) target: String,
    pub(super) source: String,
    pub(super) created_at: DateTime<Utc>,
}

/// A mail that went out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Mail {
    pub(super) campaign: i64,
    pub(super) lead: i64,
    pub(super) step: usize,
    pub(super) subject: String,
    pub(super) body: String,
    pub(super) at: DateTime<Utc>,
}

/// A call that asked for something to be done, as it came in, and what became of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Call {
    pub(super) method: String,
    /// Without the query, which carries the key.
    pub(super) path: String,
    /// Milliseconds of the machine's clock.
    pub(super) at_ms: i64,
    /// 0 where no answer went out.
    pub(super) status: u16,
    pub(super) fault: Option<String>,
}

/// A webhook on its way.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Delivery {
    pub(super) url: String,
    pub(super) request_id: String,
    pub(super) body: String,
    pub(super) attempts: u32,
    /// By the machine's clock.
    pub(super) not_before: DateTime<Utc>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct World {
    /// The stand-in's own time.
    pub(super) now: DateTime<Utc>,
    pub(super) seed: u64,
    pub(super) dice: Dice,
    pub(super) readings: Readings,
    pub(super) roster_delay_ms: i64,
    /// Leads that the plan still admits; `None` is no limit.
    pub(super) lead_limit: Option<i64>,
    next_id: i64,
    pub(super) leads: BTreeMap<i64, Lead>,
    by_email: BTreeMap<String, i64>,
    pub(super) campaigns: BTreeMap<i64, Campaign>,
    pub(super) mailboxes: BTreeMap<i64, String>,
    pub(super) blocks: Vec<Block>,
    /// Addresses that bounced for other accounts.
    pub(super) community_bounces: BTreeSet<String>,
    pub(super) mails: Vec<Mail>,
    pub(super) calls: Vec<Call>,
    /// How often a lead was put into a campaign: what "never twice" is counted by.
    pub(super) entered: BTreeMap<String, u32>,
    pub(super) deliveries: Vec<Delivery>,
    /// Due moments of members, earliest first.
    pub(super) due: BTreeSet<(DateTime<Utc>, i64, i64)>,
}

/// The fields that a lead has beside `email` and `custom_fields`.
pub(super) const LEAD_FIELDS: [&str; 8] = [
    "first_name",
    "last_name",
    "company_name",
    "phone_number",
    "website",
    "location",
    "linkedin_profile",
    "company_url",
];

/// Categories of every account.
pub(super) const CATEGORIES: [(i64, &str); 7] = [
    (1, "Interested"),
    (2, "Meeting Request"),
    (3, "Not Interested"),
    (4, "Do Not Contact"),
    (5, "Information Request"),
    (6, "Out Of Office"),
    (7, "Wrong Person"),
];

impl World {
    pub(super) fn new(now: DateTime<Utc>, seed: u64, readings: Readings, roster_delay: TimeDelta) -> Self {
        Self {
            now,
            seed,
            dice: Dice(seed),
            readings,
            roster_delay_ms: roster_delay.num_milliseconds(),
            lead_limit: None,
            next_id: 1000,
            leads: BTreeMap::new(),
            by_email: BTreeMap::new(),
            campaigns: BTreeMap::new(),
            mailboxes: BTreeMap::from([
                (501, "anna@sender.example".to_owned()),
                (502, "boris@sender.example".to_owned()),
            ]),
            blocks: Vec::new(),
            community_bounces: BTreeSet::new(),
            mails: Vec::new(),
            calls: Vec::new(),
            entered: BTreeMap::new(),
            deliveries: Vec::new(),
            due: BTreeSet::new(),
        }
    }

    pub(super) fn id(&mut self) -> i64 {
        self.next_id += 1;
        self.next_id
    }

    pub(super) fn lead_of(&self, email: &str) -> Option<i64> {
        self.by_email.get(&email.trim().to_lowercase()).copied()
    }

    /// The account's record of an address, made if there is none, with these fields on top.
    pub(super) fn put_lead(
        &mut self,
        email: &str,
        fields: Map<String, Value>,
        custom: Map<String, Value>,
    ) -> i64 {
        let email = email.trim().to_lowercase();
        let id = match self.by_email.get(&email) {
            Some(id) => *id,
            None => {
                let id = self.id();
                self.by_email.insert(email.clone(), id);
                let lead = Lead {
                    email,
                    fields: Map::new(),
                    custom: Map::new(),
                    unsubscribed: false,
                    created_at: self.now,
                };
                self.leads.insert(id, lead);
                id
            }
        };
        if let Some(lead) = self.leads.get_mut(&id) {
            lead.fields.extend(fields);
            lead.custom.extend(custom);
        }
        id
    }

    /// Puts a lead into a campaign; false when it is in.
    pub(super) fn enter(&mut self, campaign: i64, lead: i64) -> bool {
        let (now, map_id) = (self.now, self.id());
        let visible_at = now + TimeDelta::milliseconds(self.roster_delay_ms);
        let Some(into) = self.campaigns.get_mut(&campaign) else { return false };
        if into.members.contains_key(&lead) {
            return false;
        }
        into.members.insert(
            lead,
            Member {
                map_id,
                status: Status::Started,
                category: None,
                created_at: now,
                visible_at,
                event_at: now,
                sent: 0,
                last_sent_at: None,
                next_at: Some(now),
                replied_at: None,
                bounced: false,
                unsubscribed: false,
            },
        );
        self.due.insert((now, campaign, lead));
        if let Some(lead) = self.leads.get(&lead) {
            *self.entered.entry(format!("{campaign} {}", lead.email)).or_default() += 1;
        }
        true
    }

    pub(super) fn is_blocked(&self, email: &str) -> bool {
        let domain = email.rsplit_once('@').map_or("", |(_, domain)| domain);
        self.blocks
            .iter()
            .any(|block| block.target == email || block.target.trim_start_matches('@') == domain)
    }

    pub(super) fn block(&mut self, target: &str, source: &str) {
        let target = target.trim().to_lowercase();
        if self.blocks.iter().all(|block| block.target != target) {
            let (id, created_at) = (self.id(), self.now);
            self.blocks.push(Block { id, target, source: source.to_owned(), created_at });
        }
    }

    /// Campaigns that a lead is in, apart from one.
    pub(super) fn is_elsewhere(&self, lead: i64, campaign: i64) -> bool {
        self.campaigns.iter().any(|(id, other)| *id != campaign && other.members.contains_key(&lead))
    }

    /// A counter as the account's replies carry it.
    pub(super) fn number(&self, n: usize) -> Value {
        match self.readings.numbers {
            super::readings::Numbers::Text => json!(n.to_string()),
            super::readings::Numbers::Plain => json!(n),
        }
    }
}
