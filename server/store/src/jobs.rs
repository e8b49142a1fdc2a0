//! How a call becomes a job of the writer thread and gets its answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::oneshot;

use crate::change::Change;
use crate::engine::Job;
use crate::{Store, StoreError};

/// Changes nobody waits for that may wait to be written, such as parts of stories; more are dropped.
const MAX_FORGOTTEN: usize = 10_000;

/// A change somebody waits for.
struct Awaited<T, F> {
    work: F,
    value: Option<T>,
    adds: Option<u64>,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Job for Awaited<T, F>
where
    T: Send,
    F: FnMut(&mut Change<'_>) -> Result<T, StoreError> + Send,
{
    fn apply(&mut self, change: &mut Change<'_>) -> Result<(), StoreError> {
        self.value = Some((self.work)(change)?);
        Ok(())
    }

    fn answer(self: Box<Self>, result: Result<(), StoreError>) {
        let Self { value, answer, .. } = *self;
        // Whoever gave up waiting has no use for it.
        let _ = answer.send(result.and_then(|()| value.ok_or(StoreError::Closed)));
    }

    fn adds(&self) -> Option<u64> {
        self.adds
    }
}

/// A change nobody waits for.
struct Forgotten<F> {
    work: F,
    waiting: Arc<AtomicUsize>,
}

impl<F: FnMut(&mut Change<'_>) -> Result<(), StoreError> + Send> Job for Forgotten<F> {
    fn apply(&mut self, change: &mut Change<'_>) -> Result<(), StoreError> {
        (self.work)(change)
    }

    fn answer(self: Box<Self>, result: Result<(), StoreError>) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        if let Err(error) = result {
            tracing::debug!("something that nobody waits for could not be written: {error}");
        }
    }

    fn adds(&self) -> Option<u64> {
        Some(0)
    }
}

impl Store {
    /// A change that adds, with so many bytes of messages: refused on a full disk.
    pub(crate) async fn add<T: Send + 'static>(
        &self,
        bytes: u64,
        work: impl FnMut(&mut Change<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.send(Some(bytes), work).await
    }

    /// A change that makes room, or must be tried on a full disk too.
    pub(crate) async fn lessen<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Change<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.send(None, work).await
    }

    async fn send<T: Send + 'static>(
        &self,
        adds: Option<u64>,
        work: impl FnMut(&mut Change<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, result) = oneshot::channel();
        self.submit(Box::new(Awaited { work, value: None, adds, answer }))?;
        result.await.map_err(|_| StoreError::Closed)?
    }

    /// Waits until all that was asked for before is written, even what nobody waits for.
    ///
    /// # Errors
    /// The store is closing.
    pub async fn written(&self) -> Result<(), StoreError> {
        self.lessen(|_| Ok(())).await
    }

    pub(crate) fn send_and_forget(&self, work: impl FnMut(&mut Change<'_>) -> Result<(), StoreError> + Send + 'static) {
        let waiting = self.forgotten();
        if waiting.fetch_add(1, Ordering::Relaxed) >= MAX_FORGOTTEN {
            waiting.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        let job = Forgotten { work, waiting: Arc::clone(waiting) };
        // A closed store has nobody left to tell.
        let _ = self.submit(Box::new(job));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use crate::{Options, Store, StoreError};

    #[tokio::test]
    async fn the_failure_of_the_writer_is_noticed_and_nothing_is_acknowledged_from_then_on() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Options::default()).unwrap();
        let (watching, another) = (store.clone(), store.clone());
        let noticed = tokio::spawn(async move { watching.writer_failed().await });
        store.written().await.unwrap();
        assert!(!noticed.is_finished());

        let failing = store.lessen::<()>(|_| panic!("a defect in a change")).await;
        assert!(matches!(failing, Err(StoreError::Closed)), "{failing:?}");
        tokio::time::timeout(Duration::from_secs(30), noticed).await.unwrap().unwrap();
        // Whoever asks later learns it too.
        another.writer_failed().await;
        assert!(matches!(another.written().await, Err(StoreError::Closed)));

        drop((store, another));
        Store::open(folder.path(), Options::default()).unwrap().written().await.unwrap();
    }
}
