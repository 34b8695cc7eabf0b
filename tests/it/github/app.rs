//! Tokens of an app.

use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use secrecy::ExposeSecret as _;
use synchroniser::forge::Project;
use synchroniser::forge::github::{App, AppOptions};
use synchroniser::net::{SecretSource, TokenMaker as _, TokenSource};

use super::*;
use crate::support::github::AppState;

/// The app 12, installed for `acme/rocket`, and the file with its key.
pub(super) fn install(github: &FakeGitHub, folder: &Path, lifetime: i64) -> PathBuf {
    let pair = Rsa::generate(2048).unwrap();
    let path = folder.join("app.pem");
    fs::write(&path, pair.private_key_to_pem().unwrap()).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let public_key = PKey::public_key_from_pem(&pair.public_key_to_pem().unwrap()).unwrap();
    github.state().app = Some(AppState {
        id: "12".to_owned(),
        public_key,
        installation: 345,
        repositories: ["acme/rocket".to_owned()].into(),
        lifetime,
    });
    path
}

struct Installed {
    place: Place,
    options: AppOptions,
}

impl Installed {
    fn new(lifetime: i64) -> Self {
        let place = Place::new();
        place.github.repo("acme/rocket", |_| {});
        let key = install(&place.github, place.folder.path(), lifetime);
        let key = SecretSource::File(key);
        let options = AppOptions { id: "12".to_owned(), key, installation: None, workflows: false };
        Self { place, options }
    }

    fn app(&self) -> App {
        let access = Access { token: None, ..self.place.access.clone() };
        let project = Project::of(&self.place.target).unwrap();
        App::new(self.place.options.api.clone(), access, project, self.options.clone())
    }

    fn token(app: &App) -> Result<String, (Fault, String)> {
        let token = app.token(&Interrupt::default());
        token.map(|token| token.expose_secret().to_owned()).map_err(|error| {
            let hint = error.hint().unwrap_or_default();
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            let text = format!("{error}: {} [{hint}]", cause.unwrap_or_default());
            secrets::assert_none("an error", &text);
            (error.fault(), text)
        })
    }
}

#[test]
fn a_token_is_made_for_one_repository_and_kept() {
    let installed = Installed::new(3600);
    let app = installed.app();
    let token = Installed::token(&app).unwrap();
    assert!(token.len() > 400 && token.starts_with("ghs_12_"), "{}", token.len());
    assert_eq!(
        installed.place.github.requests(),
        ["GET /repos/acme/rocket/installation", "POST /app/installations/345/access_tokens"]
    );
    let asked = installed.place.github.state().asked_tokens.clone();
    let asked: serde_json::Value = serde_json::from_str(&asked[0]).unwrap();
    let narrow = serde_json::json!({
        "repositories": ["rocket"], "permissions": { "contents": "write" },
    });
    assert_eq!(asked, narrow);
    assert_eq!(Installed::token(&app).unwrap(), token);
    assert_eq!(installed.place.github.requests(), Vec::<String>::new());
    // One that was not accepted is made anew.
    app.forget();
    assert_ne!(Installed::token(&app).unwrap(), token);
}

#[test]
fn a_token_that_is_about_to_end_is_made_anew() {
    let installed = Installed::new(200);
    let app = installed.app();
    assert_ne!(Installed::token(&app).unwrap(), Installed::token(&app).unwrap());
}

#[test]
fn what_is_configured_is_asked_for() {
    let mut installed = Installed::new(3600);
    installed.options.installation = Some(345);
    installed.options.workflows = true;
    Installed::token(&installed.app()).unwrap();
    assert_eq!(installed.place.github.requests(), ["POST /app/installations/345/access_tokens"]);
    let asked = installed.place.github.state().asked_tokens.clone();
    assert!(asked[0].contains(r#""workflows":"write""#), "{asked:?}");
}

#[test]
fn what_an_app_can_lack() {
    let installed = Installed::new(3600);
    installed.place.github.state().app.as_mut().unwrap().repositories.clear();
    let (fault, text) = Installed::token(&installed.app()).unwrap_err();
    assert_eq!(fault, Fault::Auth);
    assert!(text.starts_with("get a token for the app 12 at acme/rocket: "), "{text}");
    assert!(text.contains("the app is not installed for it"), "{text}");

    let mut installed = Installed::new(3600);
    installed.options.id = "13".to_owned();
    let (fault, text) = Installed::token(&installed.app()).unwrap_err();
    assert_eq!(fault, Fault::Auth);
    assert!(text.contains("check that `target.app_id` and its key belong together"), "{text}");

    let mut installed = Installed::new(3600);
    installed.options.installation = Some(9);
    assert_eq!(Installed::token(&installed.app()).unwrap_err().0, Fault::Auth);

    let installed = Installed::new(3600);
    let path = installed.options.key.path().unwrap();
    fs::write(&path, "-----BEGIN RSA PRIVATE KEY-----\ngeheim\n-----END RSA PRIVATE KEY-----\n")
        .unwrap();
    let (fault, text) = Installed::token(&installed.app()).unwrap_err();
    assert_eq!(fault, Fault::Config);
    assert!(text.contains("app.pem"), "{text}");
}

/// Of what it may do, GitHub tells an app nothing.
#[test]
fn an_app_may_push_where_it_is_installed() {
    let installed = Installed::new(3600);
    let mut place = installed.place;
    let access = Access { token: None, ..place.access.clone() };
    let project = Project::of(&place.target).unwrap();
    let app = App::new(place.options.api.clone(), access, project, installed.options);
    let source = TokenSource::Made(std::sync::Arc::new(app));
    place.access.token = Some(Token { user: None, source });
    assert_eq!(place.check().unwrap(), []);
    assert_eq!(place.check().unwrap(), []);
    place.github.repo("acme/rocket", |repo| repo.archived = true);
    fs::remove_file(place.folder.path().join("forge")).unwrap();
    assert!(place.refusal().1.contains("archived"));
}

/// As a workflow of GitHub's has it in its environment.
#[test]
fn a_token_of_an_app_that_somebody_else_made() {
    let mut place = Place::new();
    place.github.repo("acme/rocket", |_| {});
    let token = secrets::token("ghs_");
    let repository = "acme/rocket".to_owned();
    place.github.state().tokens.insert(token.clone(), Who::Installation { repository });
    place.access.token = Some(Token::at(token_file(place.folder.path(), &token)));
    assert_eq!(place.check().unwrap(), []);
}
