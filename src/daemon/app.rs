//! What all requests share: the service, and what follows its events.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};

use super::fixed::Fixed;
use super::metrics::Metrics;
use super::web::{WebOptions, WebSettings, WebState};
use super::{Reload, systemd};
use crate::base::clean::with_causes;
use crate::base::time::Timestamp;
use crate::config::WebConfig;
use crate::queue::model::RunId;
use crate::service::view::{Actions, RunDetail, ServiceEvent};
use crate::service::{Service, ServiceError};

/// So many events wait for whoever follows them; who is slower is told that some were lost.
const EVENTS: usize = 1024;

/// How often a run is looked at that somebody waits for, and that may be under way elsewhere, from where no events
/// come.
const LOOK: Duration = Duration::from_secs(1);

/// What all requests share.
pub(super) struct App {
    pub(super) service: Service,
    pub(super) actions: Arc<dyn Actions>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) web: Arc<WebState>,
    fixed: Fixed,
    reload: Reload,
    events: broadcast::Sender<Arc<ServiceEvent>>,
    /// Whether nothing more will become of any run.
    over: watch::Sender<bool>,
}

impl App {
    pub(super) fn of(service: Service, fixed: Fixed, reload: Reload) -> Self {
        let actions = service.actions();
        let metrics = Arc::new(Metrics::of(Arc::clone(&actions)));
        let (events, _) = broadcast::channel(EVENTS);
        let config = service.config();
        let WebConfig { access, public_url, trusted_proxies, .. } = config.web.clone();
        let body_timeout = config.daemon.request_timeout;
        let settings = WebSettings { public_url, body_timeout, trusted_proxies };
        let look_every = service.is_shared().then_some(LOOK);
        let options = WebOptions { access, settings, look_every, ..WebOptions::default() };
        let web = WebState::new(service.actions(), service.clock(), options);
        let web = Arc::new(web);
        let (counted, told, shown) = (Arc::clone(&metrics), events.clone(), Arc::clone(&web));
        service.listen(Box::new(move |event| {
            counted.hear(event);
            shown.publish(event);
            // Nobody follows: that is no failure.
            let _ = told.send(Arc::new(event.clone()));
        }));
        let over = watch::Sender::new(false);
        Self { service, actions, metrics, web, fixed, reload, events, over }
    }

    /// Now, by the clock of the service.
    pub(super) fn now(&self) -> Timestamp {
        self.service.now()
    }

    /// Reads the configuration again. One that is not sound changes nothing.
    pub(super) async fn reload(self: &Arc<Self>) {
        systemd::reloading();
        let reloaded = self.blocking(|app| Ok(app.reload_now())).await;
        if let Ok(Some(mirrors)) = reloaded {
            systemd::ready(mirrors);
            return;
        }
        let counted = self.blocking(|app| app.actions.overview()).await;
        let states = counted.map(|overview| overview.states).unwrap_or_default();
        systemd::ready(states.iter().map(|count| count.mirrors).sum());
    }

    /// How many mirrors there are now, if the configuration could be used.
    fn reload_now(&self) -> Option<usize> {
        let config = match (self.reload)() {
            Ok(config) => config,
            Err(error) => {
                tracing::error!("the configuration stays as it is: {}", with_causes(&error));
                return None;
            }
        };
        let needs_restart = self.fixed.changed(&Fixed::of(&config));
        if !needs_restart.is_empty() {
            let keys = needs_restart.join(", ");
            tracing::warn!("these have changed, and stay as they were until a restart: {keys}");
        }
        let mirrors = config.mirrors.len();
        match self.service.reload(config) {
            Ok(()) => {
                let config = self.service.config();
                let WebConfig { access, public_url, trusted_proxies, .. } = config.web.clone();
                let body_timeout = config.daemon.request_timeout;
                self.web.set_access(access);
                self.web.configure(WebSettings { public_url, body_timeout, trusted_proxies });
                tracing::info!(mirrors, "the configuration was read again");
                Some(mirrors)
            }
            Err(error) => {
                tracing::error!("the configuration stays as it is: {error}");
                None
            }
        }
    }

    /// Lets those go who wait for a run: the next daemon goes on with what is not over.
    pub(super) fn let_go(&self) {
        self.over.send_replace(true);
    }

    /// Everything that happens from now on.
    pub(super) fn events(&self) -> broadcast::Receiver<Arc<ServiceEvent>> {
        self.events.subscribe()
    }

    /// Does what may block for as long as a disk takes, where that holds up nobody.
    pub(super) async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, ServiceError> + Send + 'static,
    ) -> Result<T, ServiceError> {
        let app = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || work(&app)).await;
        done.unwrap_or(Err(ServiceError::Stopping))
    }

    /// The run called `id` once it is over, or as it is after `wait`; `None` if there is no such run, or
    /// not any more.
    pub(super) async fn outcome(
        self: &Arc<Self>,
        id: RunId,
        wait: Duration,
    ) -> Result<Option<RunDetail>, ServiceError> {
        // Followed before the first look: what happens between the two is not missed.
        let mut events = self.events();
        let look = || self.blocking(move |app| app.actions.run(id));
        let found = look().await?;
        if wait.is_zero() || found.as_ref().is_none_or(|run| run.summary.state.is_over()) {
            return Ok(found);
        }
        let look_every = self.service.is_shared().then_some(LOOK);
        let is_over = async {
            loop {
                let event = match look_every {
                    None => events.recv().await,
                    // As if something had been lost.
                    Some(time) => tokio::time::timeout(time, events.recv())
                        .await
                        .unwrap_or(Err(RecvError::Lagged(0))),
                };
                match event {
                    Ok(event) => {
                        if matches!(&*event, ServiceEvent::Ended { run } if run.id == id) {
                            return;
                        }
                    }
                    // What was lost may have been the end.
                    Err(RecvError::Lagged(_)) => {
                        let run = look().await.ok().flatten();
                        if run.is_none_or(|run| run.summary.state.is_over()) {
                            return;
                        }
                    }
                    Err(RecvError::Closed) => return,
                }
            }
        };
        let mut over = self.over.subscribe();
        tokio::select! {
            () = is_over => {}
            _ = over.wait_for(|over| *over) => {}
            () = tokio::time::sleep(wait) => {}
        }
        look().await
    }
}
