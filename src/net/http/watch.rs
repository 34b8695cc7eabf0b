//! Connections that are closed when a stop is requested, or when no bytes arrive for too long.
//!
//! This stands between the socket and the encryption: bytes that never came cannot be missing in
//! the middle of a record.

use std::time::{Duration, Instant};

use ureq::Error;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, NextTimeout, Transport, time,
};

use crate::base::{Carried, Interrupt};
use crate::net::NetError;

/// How often to check whether a stop was requested.
const GLANCE: Duration = Duration::from_millis(100);

/// Makes [`Watched`] connections.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) interrupt: Interrupt,
    pub(super) idle: Duration,
}

/// A connection that is watched.
#[derive(Debug)]
pub(super) struct Watched<T> {
    inner: T,
    interrupt: Interrupt,
    /// How long nothing may come where no other time is set: within the body of an answer.
    idle: Duration,
}

impl<T: Transport> Connector<T> for Watch {
    type Out = Watched<T>;

    fn connect(
        &self,
        _: &ConnectionDetails<'_>,
        chained: Option<T>,
    ) -> Result<Option<Watched<T>>, Error> {
        let (interrupt, idle) = (self.interrupt.clone(), self.idle);
        Ok(chained.map(|inner| Watched { inner, interrupt, idle }))
    }
}

impl<T> Watched<T> {
    fn longest(&self, timeout: NextTimeout) -> Duration {
        if timeout.after.is_not_happening() { self.idle } else { *timeout.after }
    }

    fn check(&self) -> Result<(), Error> {
        let stop = |error| Error::Io(Carried::wrap(NetError::Interrupted(error)));
        self.interrupt.check().map_err(stop)
    }
}

impl<T: Transport> Transport for Watched<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.check()?;
        let after = time::Duration::from(self.longest(timeout));
        self.inner.transmit_output(amount, NextTimeout { after, ..timeout })
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let (start, longest) = (Instant::now(), self.longest(timeout));
        loop {
            self.check()?;
            let left = longest.saturating_sub(start.elapsed());
            let after = time::Duration::from(left.min(GLANCE));
            match self.inner.await_input(NextTimeout { after, ..timeout }) {
                Err(Error::Timeout(_)) if left > GLANCE => {}
                other => return other,
            }
        }
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}
