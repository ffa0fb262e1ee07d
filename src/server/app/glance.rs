//! What is counted over many rows and is the same for every viewer.
//!
//! Where counting takes long it is done once for many viewers: for so long a time that it takes up a set share
//! of it. What is counted in a moment is counted anew for everybody. Where that will do, what is a little older
//! is still shown while it is counted anew.

use std::sync::{Arc, Mutex, PoisonError};

use time::Duration;

use super::{App, Result};

/// What takes no longer than this is counted anew for everybody.
const QUICK: Duration = Duration::milliseconds(20);
/// Counting takes up at most one part in so many of the time.
const SHARE: i32 = 20;
/// But for this part, whatever is said of how old it may be.
const MOST: i32 = 4;

/// How old what is shown may be.
#[derive(Clone, Copy, Debug)]
pub struct Age {
    /// It is as good as new for so long, however long counting takes.
    fresh: Duration,
    /// For so many times as long it is shown while it is counted anew.
    shown: i32,
}

impl Age {
    /// Of what nobody waits for.
    pub const CALM: Self = Self { fresh: Duration::seconds(10), shown: 3 };
    /// Of what somebody watches while it moves.
    pub const WATCHED: Self = Self { fresh: Duration::seconds(5), shown: 1 };
}

/// The last one, and who counts.
pub struct Glances<T> {
    age: Age,
    last: Mutex<Option<Counted<T>>>,
    counting: Arc<tokio::sync::Mutex<()>>,
}

impl<T> Glances<T> {
    pub fn new(age: Age) -> Self {
        Self { age, last: Mutex::default(), counting: Arc::default() }
    }
}

struct Counted<T> {
    glance: Arc<T>,
    /// By the clock that only goes forward.
    begun: Duration,
    fresh: Duration,
}

impl<T> Clone for Counted<T> {
    fn clone(&self) -> Self {
        Self { glance: self.glance.clone(), begun: self.begun, fresh: self.fresh }
    }
}

impl<T: Send + Sync + 'static> Glances<T> {
    /// The last one if it is fresh, or another, as `count` gives it.
    pub async fn get<C>(
        self: &Arc<Self>,
        app: &App,
        count: impl Fn(App) -> C + Send + 'static,
    ) -> Result<Arc<T>>
    where
        C: Future<Output = Result<T>> + Send + 'static,
    {
        let asked = app.elapsed();
        if let Some(last) = self.last() {
            let age = asked - last.begun;
            if age < last.fresh {
                return Ok(last.glance);
            }
            if age < last.fresh * self.age.shown {
                if let Ok(counting) = self.counting.clone().try_lock_owned() {
                    let (glances, app) = (self.clone(), app.clone());
                    tokio::spawn(async move {
                        let counted = count(app.clone());
                        if let Err(error) = glances.keep(&app, counted).await {
                            tracing::warn!(%error, "counting for a glance failed");
                        }
                        drop(counting);
                    });
                }
                return Ok(last.glance);
            }
        }
        let _counting = self.counting.lock().await;
        match self.last() {
            // Somebody else counted while we waited.
            Some(last) if last.begun > asked => Ok(last.glance),
            _ => self.keep(app, count(app.clone())).await,
        }
    }

    fn last(&self) -> Option<Counted<T>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn keep(&self, app: &App, counted: impl Future<Output = Result<T>>) -> Result<Arc<T>> {
        let begun = app.elapsed();
        let glance = Arc::new(counted.await?);
        let took = app.elapsed() - begun;
        let fresh = match took > QUICK {
            true => (took * SHARE).min(self.age.fresh).max(took * MOST),
            false => Duration::ZERO,
        };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Counted { glance: glance.clone(), begun, fresh });
        Ok(glance)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use sqlx::PgPool;

    use super::*;
    use crate::tests::support::World;

    #[sqlx::test]
    async fn what_takes_long_is_counted_once_for_many(pool: PgPool) {
        let world = World::new(pool).await;
        let glances = Arc::new(Glances::<i64>::new(Age::CALM));
        let times = Arc::new(AtomicI64::new(0));
        let look = async |took: Duration| {
            let (clock, times) = (world.clock.clone(), times.clone());
            let count = move |_| {
                let (clock, times) = (clock.clone(), times.clone());
                async move {
                    clock.advance(took);
                    Ok(times.fetch_add(1, Ordering::Relaxed) + 1)
                }
            };
            *glances.get(&world.app, count).await.unwrap()
        };
        let (quick, slow) = (Duration::milliseconds(5), Duration::milliseconds(300));
        assert_eq!((look(quick).await, look(quick).await), (1, 2));
        assert_eq!((look(slow).await, look(slow).await, look(slow).await), (3, 3, 3));
        // It took 300 ms, so it is shared for 6 s. Then somebody counts, and nobody waits for that.
        world.pass(Duration::seconds(7));
        assert_eq!(look(slow).await, 3);
        while times.load(Ordering::Relaxed) < 4 {
            tokio::task::yield_now().await;
        }
        assert_eq!(look(slow).await, 4);
        // What is much older is nothing to show.
        world.pass(Duration::minutes(1));
        assert_eq!(look(slow).await, 5);
    }

    #[sqlx::test]
    async fn what_is_watched_is_never_old(pool: PgPool) {
        let world = World::new(pool).await;
        let glances = Arc::new(Glances::<i64>::new(Age::WATCHED));
        let times = Arc::new(AtomicI64::new(0));
        let look = async || {
            let (clock, times) = (world.clock.clone(), times.clone());
            let count = move |_| {
                let (clock, times) = (clock.clone(), times.clone());
                async move {
                    clock.advance(Duration::milliseconds(400));
                    Ok(times.fetch_add(1, Ordering::Relaxed) + 1)
                }
            };
            *glances.get(&world.app, count).await.unwrap()
        };
        assert_eq!((look().await, look().await), (1, 1));
        world.pass(Duration::seconds(4));
        assert_eq!(look().await, 1);
        world.pass(Duration::seconds(1));
        assert_eq!(look().await, 2, "five seconds old is too old");
    }
}
