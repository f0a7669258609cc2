//! Plans, forecasts and verdicts: as dear as the plan itself, so each is made once for what it is made from, and
//! by one asker at a time. A page takes the last one at once, with its age, and the next is made behind it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex as Turn, Notify};
use tokio::time::timeout;

/// What an outlook is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum About {
    Plan(i32),
    Forecast(i32),
    Contact(uuid::Uuid),
}

/// Outlooks that are kept; contacts are many, and looked at one after the other.
const MOST: usize = 256;
/// Outlooks that wait to be made; who is not among them asks again.
const MOST_WANTED: usize = 64;
/// Of few contacts an outlook is made within this; a page waits no longer.
const GRACE: Duration = Duration::from_millis(40);
/// What could not be made is tried again after this: what stood in the way may be gone.
const BACK_OFF: Duration = Duration::from_secs(5);

/// What it was made from (files and the database's counters), and the answer; `None` where it could not be made.
#[derive(Debug)]
struct Kept<T> {
    made_from: String,
    answer: Option<Arc<T>>,
    failed: Option<Instant>,
}

#[derive(Debug)]
struct Slot<T> {
    turn: Turn<()>,
    kept: Mutex<Option<Kept<T>>>,
}

/// One kind of answer.
#[derive(Debug)]
pub(super) struct Shelf<T> {
    slots: Mutex<HashMap<About, Arc<Slot<T>>>>,
    made: Notify,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self { slots: Mutex::default(), made: Notify::new() }
    }
}

/// Whether an answer is that of the present world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Making {
    Made,
    /// The next one is on its way.
    Pending,
    /// It could not be made.
    Failed,
}

/// What there is at once.
pub(super) struct Told<T> {
    pub answer: Option<Arc<T>>,
    pub making: Making,
}

impl<T> Shelf<T> {
    fn slot(&self, about: About) -> Arc<Slot<T>> {
        let mut slots = held(&self.slots);
        if slots.len() >= MOST && !slots.contains_key(&about) {
            slots.clear();
        }
        let empty = || Arc::new(Slot { turn: Turn::default(), kept: Mutex::new(None) });
        Arc::clone(slots.entry(about).or_insert_with(empty))
    }

    /// The answer for this state of the world; made if it is not there. Others who ask meanwhile wait for it.
    pub(super) async fn get<E>(
        &self,
        about: About,
        world: &str,
        make: impl Future<Output = Result<T, E>>,
    ) -> Result<Arc<T>, E> {
        let slot = self.slot(about);
        let _turn = slot.turn.lock().await;
        if let Some(Kept { made_from, answer: Some(answer), failed: None }) = held(&slot.kept).as_ref()
            && made_from == world
        {
            return Ok(Arc::clone(answer));
        }
        let made = make.await.map(Arc::new);
        let answer = match &made {
            Ok(answer) => Some(Arc::clone(answer)),
            // The last one is still better than none.
            Err(_) => held(&slot.kept).take().and_then(|kept| kept.answer),
        };
        let failed = made.is_err().then(Instant::now);
        *held(&slot.kept) = Some(Kept { made_from: world.to_owned(), answer, failed });
        self.made.notify_waiters();
        made
    }

    /// What is kept, and whether it is of this world.
    fn last(&self, about: &About, world: &str) -> Told<T> {
        let slot = self.slot(about.clone());
        let kept = held(&slot.kept);
        let Some(kept) = kept.as_ref() else { return Told { answer: None, making: Making::Pending } };
        let making = match kept.failed {
            _ if kept.made_from != world => Making::Pending,
            Some(at) if at.elapsed() < BACK_OFF => Making::Failed,
            Some(_) => Making::Pending,
            None => Making::Made,
        };
        Told { answer: kept.answer.clone(), making }
    }

    async fn awaited(&self, about: &About, world: &str) -> Told<T> {
        loop {
            let made = self.made.notified();
            let told = self.last(about, world);
            if told.making != Making::Pending {
                return told;
            }
            made.await;
        }
    }
}

/// Every kind, and what pages wait for.
#[derive(Debug, Default)]
pub(super) struct Outlooks {
    pub plans: Shelf<super::read::PlanView>,
    pub forecasts: Shelf<super::read::ForecastView>,
    pub verdicts: Shelf<super::read::VerdictsView>,
    wanted: Mutex<VecDeque<About>>,
    bell: Notify,
    /// Campaigns whose provider is being asked.
    looks: Mutex<HashSet<i32>>,
}

/// A campaign's provider is being asked as long as this is there.
#[derive(Debug)]
pub(super) struct Looking<'o> {
    outlooks: &'o Outlooks,
    campaign: i32,
}

impl Drop for Looking<'_> {
    fn drop(&mut self) {
        held(&self.outlooks.looks).remove(&self.campaign);
    }
}

impl Outlooks {
    /// What there is of this world, or else the last one: the next is made behind it, by `next`'s caller.
    pub(super) async fn at_once<T>(&self, shelf: &Shelf<T>, about: About, world: &str) -> Told<T> {
        let told = shelf.last(&about, world);
        if told.making != Making::Pending {
            return told;
        }
        {
            let mut wanted = held(&self.wanted);
            if wanted.len() < MOST_WANTED && !wanted.contains(&about) {
                wanted.push_back(about.clone());
            }
        }
        self.bell.notify_one();
        timeout(GRACE, shelf.awaited(&about, world)).await.unwrap_or(told)
    }

    /// Only one at a time asks the provider of a campaign.
    pub(super) fn look(&self, campaign: i32) -> Option<Looking<'_>> {
        let is_first = held(&self.looks).insert(campaign);
        is_first.then(|| Looking { outlooks: self, campaign })
    }

    /// What is to be made next; waits for it.
    pub(super) async fn next(&self) -> About {
        loop {
            let next = held(&self.wanted).pop_front();
            match next {
                Some(about) => return about,
                None => self.bell.notified().await,
            }
        }
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_one_is_told_as_such_until_the_next_is_made() {
        let (outlooks, shelf) = (Outlooks::default(), Shelf::<u8>::default());
        let about = About::Plan(1);
        let told = outlooks.at_once(&shelf, about.clone(), "monday").await;
        assert!(told.answer.is_none() && told.making == Making::Pending);
        assert_eq!(outlooks.next().await, about);
        shelf.get(about.clone(), "monday", async { Ok::<_, ()>(1) }).await.unwrap();
        let told = outlooks.at_once(&shelf, about.clone(), "monday").await;
        assert_eq!((told.answer.as_deref(), told.making), (Some(&1), Making::Made));
        let told = outlooks.at_once(&shelf, about.clone(), "tuesday").await;
        assert_eq!((told.answer.as_deref(), told.making), (Some(&1), Making::Pending));
        // What is made within the grace is told at once.
        let (told, _) = tokio::join!(
            outlooks.at_once(&shelf, about.clone(), "tuesday"),
            shelf.get(about.clone(), "tuesday", async { Ok::<_, ()>(2) }),
        );
        assert_eq!((told.answer.as_deref(), told.making), (Some(&2), Making::Made));
        // One that cannot be made leaves the last, and is tried again when somebody waits for it.
        shelf.get(about.clone(), "wednesday", async { Err::<u8, _>(()) }).await.unwrap_err();
        let told = outlooks.at_once(&shelf, about.clone(), "wednesday").await;
        assert_eq!((told.answer.as_deref(), told.making), (Some(&2), Making::Failed));
        // After a while it is wanted anew, in the same world.
        while timeout(Duration::from_millis(1), outlooks.next()).await.is_ok() {}
        held(&shelf.slot(about.clone()).kept).as_mut().unwrap().failed = Instant::now().checked_sub(BACK_OFF);
        let told = outlooks.at_once(&shelf, about.clone(), "wednesday").await;
        assert_eq!((told.answer.as_deref(), told.making), (Some(&2), Making::Pending));
        assert_eq!(outlooks.next().await, about);
        let again = shelf.get(about, "wednesday", async { Ok::<_, ()>(3) }).await.unwrap();
        assert_eq!(*again, 3);
    }

    #[test]
    fn one_at_a_time_asks_the_provider() {
        let outlooks = Outlooks::default();
        let first = outlooks.look(1).unwrap();
        assert!(outlooks.look(1).is_none() && outlooks.look(1).is_none());
        assert!(outlooks.look(2).is_some());
        drop(first);
        assert!(outlooks.look(1).is_some());
    }

    #[tokio::test]
    async fn what_waits_to_be_made_is_bounded_and_asked_for_once() {
        let (outlooks, shelf) = (Outlooks::default(), Shelf::<u8>::default());
        let asked = (0..500).map(|n| outlooks.at_once(&shelf, About::Plan(n % 100), "x"));
        futures_util::future::join_all(asked).await;
        assert_eq!(held(&outlooks.wanted).len(), MOST_WANTED);
    }
}
