//! One chromium with a driver and a profile of its own.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use thirtyfour::error::WebDriverErrorInner;
use thirtyfour::prelude::*;
use thirtyfour::session::http::{Body, HttpClient};
use thirtyfour::{LoggingPrefsLogLevel, TypingData};
use warp::http::{Request, Response};
use warp::hyper::body::Bytes;

/// Something that serves pages.
pub(crate) trait Pages {
    /// The address of a page.
    fn url(&self, path: &str) -> String;
}

/// How a page is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Theme {
    Light,
    Dark,
    /// As narrow as the smallest phone.
    Phone,
    /// Only the colours that the system gives.
    Forced,
}

impl Theme {
    pub(crate) const ALL: [Self; 4] = [Self::Light, Self::Dark, Self::Phone, Self::Forced];
}

/// Asks the driver with the client of HTTP that we have.
struct Client(ureq::Agent);

impl Client {
    fn new() -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false);
        Self(config.timeout_global(Some(Duration::from_secs(60))).build().new_agent())
    }
}

#[async_trait::async_trait]
impl HttpClient for Client {
    async fn send(&self, request: Request<Body<'_>>) -> WebDriverResult<Response<Bytes>> {
        let (parts, body) = request.into_parts();
        let body = match body {
            Body::Empty => String::new(),
            Body::Json(json) => json.to_string(),
        };
        let agent = self.0.clone();
        let sent = tokio::task::spawn_blocking(move || {
            let mut answer = agent.run(Request::from_parts(parts, body))?;
            let bytes = answer.body_mut().with_config().limit(64 << 20).read_to_vec()?;
            Ok::<_, ureq::Error>(Response::from_parts(answer.into_parts().0, Bytes::from(bytes)))
        });
        let failed = |text: String| WebDriverErrorInner::RequestFailed(text).into();
        match sent.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(failed(error.to_string())),
            Err(error) => Err(failed(error.to_string())),
        }
    }

    async fn new(&self) -> Arc<dyn HttpClient> {
        Arc::new(Self::new())
    }
}

/// The process that drives browsers; it ends with this.
struct Driver {
    process: Child,
    address: String,
}

impl Driver {
    fn start(home: &std::path::Path) -> Option<Self> {
        let mut process = Command::new("chromedriver")
            .arg("--port=0")
            .env("HOME", home)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let line = lines.map_while(Result::ok).find(|line| line.contains("started successfully"));
        let line = line.expect("chromedriver says on which port it listens");
        let port = line.rsplit(' ').next().unwrap().trim_end_matches('.');
        Some(Self { process, address: format!("http://127.0.0.1:{port}") })
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A browser with one window.
pub(crate) struct Browser {
    pub(crate) driver: WebDriver,
}

/// Runs a test with a browser; skips it aloud if there is none.
pub(crate) fn with_browser(test: impl AsyncFn(&Browser)) {
    let home = tempfile::tempdir().unwrap();
    let Some(driver) = Driver::start(home.path()) else {
        skip("no chromedriver: the pages are not tried in a browser");
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let browser = Browser::start(&driver, home.path()).await;
        let result = browser.guarded(&test).await;
        browser.driver.clone().quit().await.unwrap();
        if let Err(panic) = result {
            std::panic::resume_unwind(panic);
        }
    });
    runtime.shutdown_background();
}

/// Asks until there is an answer, for at most five seconds: a page that is loading has no elements yet.
async fn while_a_page_comes<T>(seen: impl AsyncFn() -> WebDriverResult<T>) -> WebDriverResult<T> {
    for _ in 0..100 {
        if let Ok(seen) = seen().await {
            return Ok(seen);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    seen().await
}

fn missing(what: &str) -> WebDriverError {
    WebDriverErrorInner::NotFound("page".to_owned(), what.to_owned()).into()
}

fn skip(why: &str) {
    assert_ne!(std::env::var("SYNCHRONISER_STRICT").as_deref(), Ok("1"), "{why}");
    eprintln!("left out: {why}");
}

/// Notes what the policy of a page has refused.
const WATCH: &str = "window.refused = []; document.addEventListener('securitypolicyviolation', \
                     (it) => window.refused.push(it.violatedDirective + ' ' + it.blockedURI));";

impl Browser {
    async fn start(driver: &Driver, home: &std::path::Path) -> Self {
        let mut capabilities = DesiredCapabilities::chrome();
        for argument in [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--force-device-scale-factor=1",
            "--window-size=1200,900",
            "--lang=en",
            &format!("--user-data-dir={}", home.join("profile").display()),
        ] {
            capabilities.add_arg(argument).unwrap();
        }
        capabilities.set_browser_log_level(LoggingPrefsLogLevel::All).unwrap();
        let driver = WebDriver::builder(&driver.address, capabilities).client(Client::new());
        let browser = Self { driver: driver.await.unwrap() };
        let script = json!({ "source": WATCH });
        browser.cdp("Page.addScriptToEvaluateOnNewDocument", script).await;
        browser
    }

    /// The result of a test, so that the browser is closed whatever it is.
    async fn guarded(&self, test: &impl AsyncFn(&Self)) -> std::thread::Result<()> {
        use std::future::Future as _;
        let mut test = std::pin::pin!(test(self));
        std::future::poll_fn(|context| {
            let polled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                test.as_mut().poll(context)
            }));
            match polled {
                Ok(std::task::Poll::Pending) => std::task::Poll::Pending,
                Ok(std::task::Poll::Ready(())) => std::task::Poll::Ready(Ok(())),
                Err(panic) => std::task::Poll::Ready(Err(panic)),
            }
        })
        .await
    }

    pub(crate) async fn cdp(&self, command: &str, parameters: Value) -> Value {
        self.driver.cdp().send_raw(command, parameters).await.unwrap()
    }

    pub(crate) async fn set_theme(&self, theme: Theme) {
        let scheme = if theme == Theme::Dark { "dark" } else { "light" };
        let forced = if theme == Theme::Forced { "active" } else { "none" };
        let features = json!({ "features": [
            { "name": "prefers-color-scheme", "value": scheme },
            { "name": "forced-colors", "value": forced },
        ] });
        self.cdp("Emulation.setEmulatedMedia", features).await;
        let width = if theme == Theme::Phone { 320 } else { 1200 };
        let metrics =
            json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.cdp("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    pub(crate) async fn open_without_scripts(&self, site: &impl Pages, path: &str) {
        self.driver.goto(site.url(path)).await.unwrap();
    }

    pub(crate) async fn open(&self, site: &impl Pages, path: &str) {
        self.open_without_scripts(site, path).await;
        let loaded = self.script("return document.readyState;").await;
        assert_eq!(loaded, "complete", "{path}");
    }

    pub(crate) async fn log_in(&self, site: &impl Pages, token: &str) {
        self.open_without_scripts(site, "/login").await;
        self.find("#token").await.send_keys(token).await.unwrap();
        self.find("main button").await.click().await.unwrap();
        self.wait_for("h1", "Mirrors").await;
    }

    pub(crate) async fn script(&self, script: &str) -> Value {
        self.driver.execute(script, Vec::new()).await.unwrap().json().clone()
    }

    /// The first element that this selects; waits for it while a page comes.
    pub(crate) async fn find(&self, selector: &str) -> WebElement {
        let seen = async || self.driver.find(By::Css(selector)).await;
        while_a_page_comes(seen).await.unwrap_or_else(|error| panic!("{selector}: {error}"))
    }

    pub(crate) async fn find_all(&self, selector: &str) -> Vec<WebElement> {
        self.driver.find_all(By::Css(selector)).await.unwrap()
    }

    /// What the first element that this selects says; an element may go with its page between the two questions.
    pub(crate) async fn text(&self, selector: &str) -> String {
        let seen = async || self.driver.find(By::Css(selector)).await?.text().await;
        while_a_page_comes(seen).await.unwrap_or_else(|error| panic!("{selector}: {error}"))
    }

    /// Waits until a page is shown whose path begins so; also without scripts.
    pub(crate) async fn wait_for_path(&self, start: &str) {
        let seen = async || {
            let url = self.driver.current_url().await?;
            if url.path().starts_with(start) { Ok(()) } else { Err(missing(url.as_str())) }
        };
        while_a_page_comes(seen).await.unwrap_or_else(|error| panic!("{start}: {error}"));
    }

    /// Waits until an element has this text.
    pub(crate) async fn wait_for(&self, selector: &str, text: &str) {
        let seen = async || {
            let found = self.driver.find(By::Css(selector)).await?.text().await?;
            if found == text { Ok(()) } else { Err(missing(text)) }
        };
        if while_a_page_comes(seen).await.is_err() {
            panic!("{selector} is not {text:?} but {:?}", self.text("main").await);
        }
    }

    /// Waits until a script says true.
    pub(crate) async fn until(&self, what: &str, script: &str) {
        for _ in 0..600 {
            if self.script(script).await == true {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{what}: {}", self.text("main").await);
    }

    /// Types where the focus is.
    pub(crate) async fn keys(&self, keys: impl Into<TypingData>) {
        self.driver.action_chain().send_keys(keys).perform().await.unwrap();
    }

    /// Goes on by the tabulator until an element of this kind with this text, value or id has the focus.
    pub(crate) async fn tab_to(&self, name: &str, text: &str) {
        for _ in 0..100 {
            self.keys(Key::Tab).await;
            let script = "const at = document.activeElement; \
                          return [at.nodeName, (at.innerText || at.value || at.id || '').trim()];";
            if self.script(script).await == json!([name, text]) {
                return;
            }
        }
        panic!("{name} {text:?} never has the focus");
    }

    /// What axe-core finds wrong with the page; nothing if it is not there, which is said aloud.
    pub(crate) async fn axe(&self, theme: Theme) -> Vec<String> {
        let Some(axe) = axe() else { return Vec::new() };
        self.driver.execute(axe, Vec::new()).await.unwrap();
        // Colours that the system gives are its own.
        let rules = json!({ "color-contrast": { "enabled": theme != Theme::Forced } });
        let options = json!({
            "runOnly": { "type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] },
            "rules": rules,
        });
        let script = "const done = arguments[arguments.length - 1];
            axe.run(document, arguments[0]).then((found) => done(found.violations.map((it) =>
                it.id + ': ' + it.help + ' ' + it.nodes.map((node) => node.html + ' ' + node.failureSummary).join(' | '))),
                (error) => done([String(error)]));";
        let found = self.driver.execute_async(script, vec![options]).await.unwrap();
        found.convert().unwrap()
    }

    /// Panics if the policy of the page has refused something, or the page has something to complain of.
    pub(crate) async fn assert_quiet(&self, path: &str) {
        assert_eq!(self.script("return window.refused;").await, json!([]), "{path}");
        let log = self.driver.browser_log().await.unwrap();
        // Advice is not counted, and neither is that a page is not there or a token is not known.
        let complaints =
            log.iter().filter(|line| line.level == "SEVERE" || line.level == "WARNING");
        let complaints = complaints.map(|line| line.message.as_str());
        let complaints: Vec<_> =
            complaints.filter(|line| !line.contains("404 (") && !line.contains("422 (")).collect();
        assert!(complaints.is_empty(), "{path}: {complaints:#?}");
    }

    /// Keeps a picture of the page, if they are wanted.
    pub(crate) async fn picture(&self, name: &str) {
        let Some(folder) = std::env::var_os("SYNCHRONISER_SCREENSHOTS") else { return };
        let path = PathBuf::from(folder).join(format!("page-{name}.png"));
        self.driver.screenshot(&path).await.unwrap();
    }
}

impl Browser {
    /// Writes a picture of the page from its top to its end.
    pub(crate) async fn picture_of_all(&self, path: &std::path::Path) {
        let taken = json!({ "captureBeyondViewport": true, "clip": self.whole().await });
        let taken = self.cdp("Page.captureScreenshot", taken).await;
        let bytes = base64(taken["data"].as_str().unwrap());
        std::fs::write(path, bytes).unwrap();
    }

    async fn whole(&self) -> Value {
        let size = "return { x: 0, y: 0, scale: 1, width: document.documentElement.clientWidth, \
                    height: Math.min(document.documentElement.scrollHeight, 4000) };";
        self.script(size).await
    }
}

/// What a text in base64 stands for.
fn base64(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}

/// The text of axe-core.
fn axe() -> Option<String> {
    let Some(path) = std::env::var_os("SYNCHRONISER_AXE") else {
        skip("no axe-core: it is not judged whether everybody can use the pages");
        return None;
    };
    Some(std::fs::read_to_string(path).unwrap())
}
