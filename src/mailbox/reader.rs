//! Goes through the folders of a mailbox from where each was left.
//!
//! A place in a folder is UIDVALIDITY and the last UID. It is moved on by the caller, who has stored what the mails came
//! to; a reader that is dropped has lost nothing. Never marks, moves or deletes a mail.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::time::Duration;

use async_imap::imap_proto::{AttributeValue, Response};
use chrono::{DateTime, NaiveDate, Utc};
use tokio::time::sleep;

use super::MailboxError;
use super::connection::{Account, Connection, Ended};

/// What is fetched of one mail: its top, where reports and answers stand.
pub const MAIL_AT_MOST: usize = 1 << 20;
/// What is handed over at once.
const BATCH_BYTES: usize = 4 << 20;
const BATCH_MAILS: usize = 100;
const BREATH: Duration = Duration::from_millis(20);
/// Servers may hang up on an IDLE of half an hour.
const LONGEST_IDLE: Duration = Duration::from_mins(20);

/// Where a folder was left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    pub folder: String,
    pub uid_validity: u32,
    pub last_uid: u32,
}

/// One mail as it lies in its folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawMail {
    pub uid: u32,
    /// When the server took it.
    pub received_at: Option<DateTime<Utc>>,
    /// Up to [`MAIL_AT_MOST`]; empty where the server did not give the mail out.
    pub bytes: Vec<u8>,
}

/// Some mails of one folder, and the place behind them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    pub checkpoint: Checkpoint,
    pub mails: Vec<RawMail>,
}

struct Folder {
    name: String,
    /// As the caller has stored it.
    known: Option<Checkpoint>,
}

/// The folder that is being read.
struct Open {
    index: usize,
    uid_validity: u32,
    /// Groups of UIDs that are still to be fetched, each of a size that fits.
    groups: VecDeque<Vec<u32>>,
    /// The place to store although there is no mail to fetch.
    place: Option<u32>,
}

/// A mailbox that is being read.
pub struct Reader {
    connection: Connection,
    folders: Vec<Folder>,
    /// Of a folder that was never read, or was made anew, older mails are left alone.
    horizon: NaiveDate,
    open: Option<Open>,
    next: usize,
}

impl Reader {
    /// Logs in. `known` is where the folders were left.
    pub async fn open(
        account: &Account,
        folders: &[String],
        known: &[Checkpoint],
        horizon: NaiveDate,
    ) -> Result<Self, MailboxError> {
        let connection = Connection::open(account).await?;
        let place = |name: &String| known.iter().find(|place| place.folder == *name).cloned();
        let folders = folders.iter().map(|name| Folder { name: name.clone(), known: place(name) }).collect();
        Ok(Self { connection, folders, horizon, open: None, next: 0 })
    }

    /// The next mails; `None` once every folder was read to its end. The one after `None` begins again.
    pub async fn next(&mut self) -> Result<Option<Batch>, MailboxError> {
        loop {
            if let Some(open) = &mut self.open {
                let folder = &self.folders[open.index].name;
                let place = |last_uid| Checkpoint {
                    folder: folder.clone(),
                    uid_validity: open.uid_validity,
                    last_uid,
                };
                if let Some(group) = open.groups.pop_front() {
                    let checkpoint = place(group.last().copied().unwrap_or_default());
                    let mails = fetch(&mut self.connection, &group).await?;
                    return Ok(Some(Batch { checkpoint, mails }));
                }
                if let Some(uid) = open.place.take() {
                    return Ok(Some(Batch { checkpoint: place(uid), mails: Vec::new() }));
                }
                self.open = None;
            }
            if self.next == self.folders.len() {
                self.next = 0;
                return Ok(None);
            }
            self.open = Some(self.look(self.next).await?);
            self.next += 1;
        }
    }

    /// The caller has stored the place.
    pub fn stored(&mut self, place: &Checkpoint) {
        if let Some(folder) = self.folders.iter_mut().find(|folder| folder.name == place.folder) {
            folder.known = Some(place.clone());
        }
    }

    /// Waits until the server tells of something in the first folder, at most so long. Only a hint: folders are to be
    /// read again either way.
    pub async fn wait(&mut self, at_most: Duration) -> Result<(), MailboxError> {
        let at_most = at_most.min(LONGEST_IDLE);
        let Some(first) = self.folders.first().filter(|_| self.connection.can_idle) else {
            sleep(at_most).await;
            return Ok(());
        };
        let examined = self.connection.examine(&first.name).await?;
        let is_read = first.known.as_ref().is_some_and(|known| {
            known.uid_validity == examined.uid_validity
                && examined.uid_next.is_none_or(|next| next <= known.last_uid + 1)
        });
        if is_read {
            return self.connection.idle(at_most).await;
        }
        // One came while the other folders were read. A server that counts otherwise than it shows must not keep us running.
        sleep(BREATH).await;
        Ok(())
    }

    pub async fn close(self) {
        self.connection.close().await;
    }

    /// Opens a folder and finds what is new in it.
    async fn look(&mut self, index: usize) -> Result<Open, MailboxError> {
        let folder = &self.folders[index];
        let examined = self.connection.examine(&folder.name).await?;
        let uid_validity = examined.uid_validity;
        let known = folder.known.as_ref().filter(|known| known.uid_validity == uid_validity);
        let last = known.map_or(0, |known| known.last_uid);
        let mut open = Open { index, uid_validity, groups: VecDeque::new(), place: None };
        if known.is_some() && examined.uid_next.is_some_and(|next| next <= last.saturating_add(1)) {
            return Ok(open);
        }
        let query = if known.is_some() {
            format!("UID {}:*", last.saturating_add(1))
        } else {
            // Months are in English whatever the locale; `%b` is.
            format!("SINCE {}", self.horizon.format("%-d-%b-%Y"))
        };
        let mut uids = self.connection.search(&query).await?;
        // `n:*` finds the last mail even where nothing is new.
        uids.retain(|uid| *uid > last);
        // Mails that came and went unread, and those before the horizon, are behind us as well.
        let end = examined.uid_next.map_or(0, |next| next.saturating_sub(1));
        let found = uids.last().copied().unwrap_or(last);
        open.place = (end > found || known.is_none() && uids.is_empty()).then_some(end.max(found));
        for chunk in uids.chunks(BATCH_MAILS) {
            let sizes = if chunk.len() > BATCH_BYTES / MAIL_AT_MOST {
                sizes(&mut self.connection, chunk).await?
            } else {
                BTreeMap::new()
            };
            open.groups.extend(grouped(chunk, &sizes));
        }
        Ok(open)
    }
}

/// Groups that fit, in the order of the UIDs. A mail whose size is not known may be as large as they get.
fn grouped(uids: &[u32], sizes: &BTreeMap<u32, usize>) -> Vec<Vec<u32>> {
    let mut groups: Vec<Vec<u32>> = Vec::new();
    let mut bytes = 0;
    for uid in uids {
        let size = sizes.get(uid).copied().unwrap_or(MAIL_AT_MOST).min(MAIL_AT_MOST);
        match groups.last_mut() {
            Some(group) if bytes + size <= BATCH_BYTES => {
                group.push(*uid);
                bytes += size;
            }
            _ => {
                groups.push(vec![*uid]);
                bytes = size;
            }
        }
    }
    groups
}

fn set(uids: &[u32]) -> String {
    let mut set = String::new();
    for uid in uids {
        let comma = if set.is_empty() { "" } else { "," };
        let _ = write!(set, "{comma}{uid}");
    }
    set
}

async fn sizes(connection: &mut Connection, uids: &[u32]) -> Result<BTreeMap<u32, usize>, MailboxError> {
    let mut sizes = BTreeMap::new();
    let look = |answer: &Response<'_>| {
        let Response::Fetch(_, values) = answer else { return };
        let (mut uid, mut size) = (None, None);
        for value in values {
            match value {
                AttributeValue::Uid(value) => uid = Some(*value),
                AttributeValue::Rfc822Size(value) => size = Some(*value as usize),
                _ => {}
            }
        }
        if let (Some(uid), Some(size)) = (uid, size) {
            sizes.insert(uid, size);
        }
    };
    // Without sizes the groups are small.
    connection.command("tell sizes", &format!("UID FETCH {} (UID RFC822.SIZE)", set(uids)), look).await?;
    Ok(sizes)
}

/// The mails of these UIDs, in their order; those that have gone meanwhile are left out.
async fn fetch(connection: &mut Connection, uids: &[u32]) -> Result<Vec<RawMail>, MailboxError> {
    let (mut mails, refused) = fetch_at_once(connection, uids).await?;
    if refused {
        // Some servers refuse all of them for one that they cannot put into words.
        mails.clear();
        for uid in uids {
            let (one, refused) = fetch_at_once(connection, &[*uid]).await?;
            if refused {
                tracing::warn!(uid, "the server does not give a mail out: it is put before a person");
                mails.push(RawMail { uid: *uid, received_at: None, bytes: Vec::new() });
            }
            mails.extend(one);
        }
    }
    mails.sort_by_key(|mail| mail.uid);
    Ok(mails)
}

async fn fetch_at_once(
    connection: &mut Connection,
    uids: &[u32],
) -> Result<(Vec<RawMail>, bool), MailboxError> {
    let mut mails: BTreeMap<u32, RawMail> = BTreeMap::new();
    let look = |answer: &Response<'_>| {
        let Response::Fetch(_, values) = answer else { return };
        let (mut uid, mut received_at, mut bytes) = (None, None, None);
        for value in values {
            match value {
                AttributeValue::Uid(value) => uid = Some(*value),
                AttributeValue::InternalDate(text) => received_at = instant(text),
                AttributeValue::BodySection { section: None, data: Some(data), .. } => {
                    bytes = Some(data.get(..MAIL_AT_MOST).unwrap_or(data).to_vec());
                }
                _ => {}
            }
        }
        // Word of flags that somebody changed comes as FETCH too, without a body; other UIDs were not asked for.
        if let (Some(uid), Some(bytes)) = (uid, bytes)
            && uids.contains(&uid)
        {
            mails.insert(uid, RawMail { uid, received_at, bytes });
        }
    };
    let command = format!("UID FETCH {} (UID INTERNALDATE BODY.PEEK[]<0.{MAIL_AT_MOST}>)", set(uids));
    let ended = connection.command("give mails out", &command, look).await?;
    Ok((mails.into_values().collect(), matches!(ended, Ended::Refused(_))))
}

/// ` 7-Feb-1994 21:52:25 -0800`
fn instant(text: &str) -> Option<DateTime<Utc>> {
    let parsed = DateTime::parse_from_str(text.trim(), "%d-%b-%Y %H:%M:%S %z").ok()?;
    Some(parsed.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_fit_and_lose_nobody() {
        let uids: Vec<u32> = (1..=9).collect();
        let unknown = grouped(&uids, &BTreeMap::new());
        assert_eq!(unknown, [vec![1, 2, 3, 4], vec![5, 6, 7, 8], vec![9]]);
        let sizes: BTreeMap<u32, usize> = uids.iter().map(|uid| (*uid, 1000)).collect();
        assert_eq!(grouped(&uids, &sizes), [uids]);
        let huge = BTreeMap::from([(1, usize::MAX), (2, 10)]);
        assert_eq!(grouped(&[1, 2], &huge), [[1, 2]], "only the top of a huge one is fetched");
    }

    #[test]
    fn dates_of_servers_are_read() {
        let at = |text| instant(text).map(|at| at.to_rfc3339());
        assert_eq!(at(" 7-Feb-1994 21:52:25 -0800").as_deref(), Some("1994-02-08T05:52:25+00:00"));
        assert_eq!(at("24-Nov-2026 10:00:00 +0300").as_deref(), Some("2026-11-24T07:00:00+00:00"));
        assert_eq!(at("yesterday"), None);
    }
}
