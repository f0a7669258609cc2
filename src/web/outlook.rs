//! Plans, forecasts and verdicts: as dear as the plan itself, so each is made once for what it is made from, and
//! by one asker at a time.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Mutex as Turn;

/// What an outlook is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum About {
    Plan(i32),
    Forecast(i32),
    Contact(uuid::Uuid),
}

/// Outlooks that are kept; contacts are many, and looked at one after the other.
const MOST: usize = 256;

/// What it was made from (files and the database's counters), and the answer.
type Kept<T> = Option<(String, Arc<T>)>;
type Slots<T> = Mutex<HashMap<About, Arc<Turn<Kept<T>>>>>;

/// One kind of answer.
#[derive(Debug)]
pub(super) struct Shelf<T>(Slots<T>);

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Shelf<T> {
    /// The answer for this state of the world; made if it is not there. Others who ask meanwhile wait for it.
    pub(super) async fn get<E>(
        &self,
        about: About,
        world: &str,
        make: impl Future<Output = Result<T, E>>,
    ) -> Result<Arc<T>, E> {
        let slot = {
            let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if slots.len() >= MOST && !slots.contains_key(&about) {
                slots.clear();
            }
            Arc::clone(slots.entry(about).or_default())
        };
        let mut kept = slot.lock().await;
        if let Some((made_from, answer)) = kept.as_ref()
            && made_from == world
        {
            return Ok(Arc::clone(answer));
        }
        let answer = Arc::new(make.await?);
        *kept = Some((world.to_owned(), Arc::clone(&answer)));
        Ok(answer)
    }
}

/// Every kind.
#[derive(Debug, Default)]
pub(super) struct Outlooks {
    pub plans: Shelf<super::read::PlanView>,
    pub forecasts: Shelf<super::read::ForecastView>,
    pub verdicts: Shelf<Vec<crate::reconcile::Explanation>>,
}
