//! The pages for people: who may read them, and what is read for them. Nobody changes anything with them.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::timeout;

use super::board::Board;
use super::options::PageOptions;
use super::token::{is_bearer, is_password};
use crate::agent::{Estate, Overview, World, overview};
use crate::domain::environment::Environment;
use crate::domain::time::Time;
use crate::page::{self, CSP, Filter, Shown, file_of, folder_of};
use crate::ports::RepositoryError;

/// How long a page may take to be read, in seconds, and to wait for those before it.
const READ_SECS: u64 = 20;

/// Of how many environments what was read is kept. A large one takes some 10 MB.
const MAX_KEPT: usize = 4;

/// How many requests wait at most until something is read. Those whose clients are gone wait too.
const MAX_WAITING: usize = 64;

/// What each answer says to the browser besides its content.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, CSP),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

static STYLE: LazyLock<String> = LazyLock::new(page::style);

/// The pages of a daemon.
pub(super) struct Pages {
    options: PageOptions,
    board: Arc<Board>,
    world: World,
    /// What was read, the newest last. Who reads holds it: one page at a time is read.
    read: Mutex<Vec<Read>>,
    /// Who may wait for that.
    places: Arc<Semaphore>,
}

/// What was read of an environment.
struct Read {
    environment: Arc<Environment>,
    /// When the newest pass had begun then.
    examined: Option<Time>,
    overview: Arc<Overview>,
}

/// What a page cannot be shown for.
enum Missing {
    /// There is no such page.
    Unknown,
    /// It cannot be read now, for this reason.
    Unread(String),
}

impl Pages {
    /// Pages of this world.
    pub(super) fn new(options: PageOptions, board: Arc<Board>, world: World) -> Self {
        Self { options, board, world, read: Mutex::default(), places: Arc::new(Semaphore::new(MAX_WAITING)) }
    }

    /// The environment whose pages are in this folder.
    fn find(&self, folder: &str) -> Option<(&Arc<Estate>, &Arc<Environment>)> {
        self.world.environments().find(|(_, one)| folder_of(&one.name) == folder)
    }

    /// What is known of an environment, as of its newest pass. Who goes away while it is read leaves it to those who come after: it is not
    /// read anew for each of them.
    async fn overview(
        self: &Arc<Self>,
        estate: &Arc<Estate>,
        environment: &Arc<Environment>,
    ) -> Result<Arc<Overview>, Missing> {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return Err(Missing::Unread("too many wait for it".to_owned()));
        };
        let (pages, estate, environment) = (Arc::clone(self), Arc::clone(estate), Arc::clone(environment));
        let reading = tokio::spawn(async move {
            let _place = place;
            pages.read(&estate, &environment).await
        });
        match timeout(Duration::from_secs(READ_SECS), reading).await {
            Ok(Ok(read)) => read.map_err(|error| Missing::Unread(error.to_string())),
            Ok(Err(crash)) => Err(Missing::Unread(crash.to_string())),
            Err(_late) => {
                Err(Missing::Unread(format!("it takes longer than {READ_SECS} s, and goes on: try again")))
            }
        }
    }

    /// Reads what is known of an environment, unless that was done since its newest pass.
    async fn read(
        &self,
        estate: &Estate,
        environment: &Arc<Environment>,
    ) -> Result<Arc<Overview>, RepositoryError> {
        let mut read = self.read.lock().await;
        let examined = self.board.examined(&estate.name, &environment.name);
        let is_current = |one: &&Read| one.environment.name == environment.name && one.examined == examined;
        if let Some(known) = read.iter().find(is_current) {
            return Ok(Arc::clone(&known.overview));
        }
        let overview = overview(&self.world, estate, environment).await.map(Arc::new)?;
        read.retain(|one| one.environment.name != environment.name);
        if read.len() >= MAX_KEPT {
            read.remove(0);
        }
        let kept = Read { environment: Arc::clone(environment), examined, overview: Arc::clone(&overview) };
        read.push(kept);
        Ok(overview)
    }

    async fn environment(
        self: &Arc<Self>,
        folder: &str,
        file: &str,
        search: &str,
    ) -> Result<String, Missing> {
        let state = match file.strip_suffix(".html").ok_or(Missing::Unknown)? {
            "index" => None,
            word => Some(
                page::ServiceState::ALL.into_iter().find(|one| one.word() == word).ok_or(Missing::Unknown)?,
            ),
        };
        let filter = Filter { state, search: search.to_owned() };
        self.show(folder, |shown| Some(page::environment(shown, &filter))).await
    }

    async fn service(self: &Arc<Self>, folder: &str, file: &str) -> Result<String, Missing> {
        let draw = |shown: Shown<'_>| {
            let mut names = shown.overview.status.services.iter().map(|one| &one.service);
            let name = names.find(|name| file_of(name) == file)?;
            page::service(shown, name)
        };
        self.show(folder, draw).await
    }

    async fn show(
        self: &Arc<Self>,
        folder: &str,
        draw: impl FnOnce(Shown<'_>) -> Option<String>,
    ) -> Result<String, Missing> {
        let (estate, environment) = self.find(folder).ok_or(Missing::Unknown)?;
        let overview = self.overview(estate, environment).await?;
        let site = self.board.site([(&estate.name, environment.as_ref())]);
        let seen = site.environments.first().ok_or(Missing::Unknown)?;
        draw(Shown { site: &site, seen, overview: &overview }).ok_or(Missing::Unknown)
    }
}

/// The routes of the pages.
pub(super) fn routes(pages: Pages) -> Router {
    let pages = Arc::new(pages);
    Router::new()
        .route("/", get(index))
        .route("/index.html", get(index))
        .route(
            "/style.css",
            get(async || ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE.as_str())),
        )
        .route("/environments/{environment}/{file}", get(environment))
        .route("/environments/{environment}/services/{file}", get(service))
        .layer(from_fn_with_state(Arc::clone(&pages), guard))
        .with_state(pages)
}

/// Lets only those read who may, and says what a browser may do with what they read.
async fn guard(State(pages): State<Arc<Pages>>, request: Request, next: Next) -> Response {
    let mut response = if may_read(&pages.options, request.headers()) {
        next.run(request).await
    } else {
        let asked = [(header::WWW_AUTHENTICATE, "Basic realm=\"backout\", charset=\"UTF-8\"")];
        (StatusCode::UNAUTHORIZED, asked, "the pages are for those who have the secret of `run.page`\n")
            .into_response()
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn may_read(options: &PageOptions, headers: &HeaderMap) -> bool {
    options.secret.as_ref().is_none_or(|secret| {
        let secret = secret.expose_secret().as_bytes();
        is_bearer(headers, secret) || is_password(headers, secret)
    })
}

async fn index(State(pages): State<Arc<Pages>>) -> Response {
    let all = pages.world.environments();
    let site = pages.board.site(all.map(|(estate, environment)| (&estate.name, environment.as_ref())));
    Html(page::index(&site)).into_response()
}

/// What a form asks for.
#[derive(Default, Deserialize)]
struct Asked {
    #[serde(default)]
    search: String,
}

async fn environment(
    State(pages): State<Arc<Pages>>,
    Path((environment, file)): Path<(String, String)>,
    Query(asked): Query<Asked>,
) -> Response {
    answer(pages.environment(&environment, &file, &asked.search).await)
}

async fn service(
    State(pages): State<Arc<Pages>>,
    Path((environment, file)): Path<(String, String)>,
) -> Response {
    answer(pages.service(&environment, &file).await)
}

fn answer(page: Result<String, Missing>) -> Response {
    match page {
        Ok(html) => Html(html).into_response(),
        Err(Missing::Unknown) => (StatusCode::NOT_FOUND, "there is no such page\n").into_response(),
        Err(Missing::Unread(why)) => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("this page cannot be read now: {why}\n"))
                .into_response()
        }
    }
}
