//! The locks that threads of a collection meet at: those of the standard library or, under `--cfg loom`, those of a model
//! checker that tries every order in which threads may come to them (`src/models.rs`).

#[cfg(not(loom))]
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};

#[cfg(loom)]
pub(crate) use modelled::{Condvar, Mutex, MutexGuard};

#[cfg(loom)]
mod modelled {
    use std::sync::LockResult;
    use std::time::Duration;

    pub(crate) use loom::sync::{Mutex, MutexGuard};

    /// The model's condition with what the standard library's has besides. Time does not pass: a wait ends by a notice.
    #[derive(Default)]
    pub(crate) struct Condvar(loom::sync::Condvar);

    impl Condvar {
        pub(crate) fn new() -> Self {
            Self::default()
        }

        pub(crate) fn wait<'a, T>(
            &self,
            guard: MutexGuard<'a, T>,
        ) -> LockResult<MutexGuard<'a, T>> {
            self.0.wait(guard)
        }

        pub(crate) fn wait_while<'a, T>(
            &self,
            mut guard: MutexGuard<'a, T>,
            mut is_idle: impl FnMut(&mut T) -> bool,
        ) -> LockResult<MutexGuard<'a, T>> {
            while is_idle(&mut guard) {
                guard = self.0.wait(guard)?;
            }
            Ok(guard)
        }

        pub(crate) fn wait_timeout_while<'a, T>(
            &self,
            guard: MutexGuard<'a, T>,
            _timeout: Duration,
            is_idle: impl FnMut(&mut T) -> bool,
        ) -> LockResult<(MutexGuard<'a, T>, ())> {
            match self.wait_while(guard, is_idle) {
                Ok(guard) => Ok((guard, ())),
                Err(error) => Err(std::sync::PoisonError::new((error.into_inner(), ()))),
            }
        }

        pub(crate) fn notify_all(&self) {
            self.0.notify_all();
        }
    }
}
