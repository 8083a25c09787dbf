//! Futures of traits that are used as objects.

use std::future::Future;
use std::pin::Pin;

/// A future that can be sent between threads, for traits used as objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
