//! Work that keeps a core busy, off the threads that wait for sockets.

use std::sync::Arc;
use std::thread::available_parallelism;

use tokio::sync::Semaphore;

/// As many pieces of work at one time as there are cores; further ones wait in order.
#[derive(Clone, Debug)]
pub(crate) struct Workers(Arc<Semaphore>);

/// The work panicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the work panicked")]
pub(crate) struct Panicked;

impl Workers {
    pub(crate) fn new() -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        Self(Arc::new(Semaphore::new(cores)))
    }

    /// Runs `work` to its end, also when nobody waits for it any more: it keeps its place until then,
    /// so that abandoned work cannot pile up.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Panicked> {
        let place = Arc::clone(&self.0)
            .acquire_owned()
            .await
            .map_err(|_| Panicked)?;
        let running = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(place);
            done
        });
        running.await.map_err(|_| Panicked)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn work_that_panics_gives_its_place_back() {
        let workers = Workers(Arc::new(Semaphore::new(1)));
        let failed = workers.run(|| -> u8 { panic!("as the test wants") }).await;
        assert_eq!(failed, Err(Panicked));
        assert_eq!(workers.run(|| 7).await, Ok(7));
    }

    #[tokio::test]
    async fn abandoned_work_keeps_its_place_until_it_ends() {
        let workers = Workers(Arc::new(Semaphore::new(1)));
        let (finish, wait) = std::sync::mpsc::channel::<()>();
        let abandoned = workers.run(move || wait.recv());
        let _ = tokio::time::timeout(Duration::from_millis(20), abandoned).await;
        let next = workers.run(|| 7);
        tokio::pin!(next);
        let waits = tokio::time::timeout(Duration::from_millis(20), &mut next).await;
        assert!(waits.is_err());
        finish.send(()).unwrap();
        assert_eq!(next.await, Ok(7));
    }
}
