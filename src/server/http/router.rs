//! All routes, and what lies around them.

use std::sync::Arc;

use axum::{
    Router,
    extract::{FromRef, MatchedPath, Request},
    http::{HeaderName, HeaderValue, StatusCode, header, request::Parts},
    middleware,
    response::IntoResponse,
    routing::get,
};
use ipnet::IpNet;
use leptos::{config::LeptosOptions, prelude::*};
use leptos_axum::{LeptosRoutes, ResponseOptions, generate_route_list};
use tower_http::{
    CompressionLevel,
    catch_panic::CatchPanicLayer,
    compression::{
        CompressionLayer, DefaultPredicate, Predicate,
        predicate::{NotForContentType, SizeAbove},
    },
    limit::RequestBodyLimitLayer,
    request_id::{MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer},
    set_header::SetResponseHeaderLayer,
    trace::TraceLayer,
};

use super::{
    api, brand, done, download, guard, health, live, oauth, origin, provider, relink, session,
    typed, upload,
};
use crate::{
    server::{
        app::App,
        assets::Site,
        clock::{Rng, SystemRng},
    },
    ui,
};

/// A form is never larger than this.
const BODY_LIMIT: usize = 2 * 1024 * 1024;

/// What has fewer bytes goes out as it is: it fits into one packet.
const SMALL: u16 = 1024;

/// Renders `/metrics`.
pub type Metrics = Arc<dyn Fn() -> String + Send + Sync>;

/// What the router needs besides the use cases.
pub struct Options {
    pub site: Arc<Site>,
    pub metrics: Metrics,
    /// Whose word on a request's origin is taken, besides this machine's.
    pub trusted_proxies: Vec<IpNet>,
}

/// What handlers are given.
#[derive(Clone)]
pub struct Web {
    pub app: App,
    pub assets: ui::Assets,
    leptos: LeptosOptions,
}

impl FromRef<Web> for LeptosOptions {
    fn from_ref(web: &Web) -> Self {
        web.leptos.clone()
    }
}

impl FromRef<Web> for App {
    fn from_ref(web: &Web) -> Self {
        web.app.clone()
    }
}

/// The whole site. Serve it with the peer's address
/// (`into_make_service_with_connect_info::<SocketAddr>`): the login limit counts by it.
pub fn router(app: App, options: Options) -> Router {
    let leptos = LeptosOptions::builder().output_name("regrant").build();
    let assets = page_assets(&options.site);
    let web = Web { app: app.clone(), assets: assets.clone(), leptos };
    let missing = {
        let assets = assets.clone();
        move || ui::shell(assets.clone())
    };
    let context = {
        let app = app.clone();
        move || provide_page_context(app.clone())
    };
    let pages = Router::new()
        .leptos_routes_with_context(
            &web,
            generate_route_list(ui::App),
            context.clone(),
            move || ui::shell(assets.clone()),
        )
        .fallback(leptos_axum::render_app_async_with_context(context, missing))
        .with_state::<()>(web.clone());
    let oauth = oauth::routes().with_state(web.clone());
    let brand = brand::routes().with_state(web.clone());
    let live = live::routes().with_state(web.clone());
    let relinks = relink::routes().with_state(web.clone());
    let drafts = provider::routes().with_state(web.clone());
    let downloads = download::routes().with_state(web.clone());
    let uploads = upload::routes().with_state(web.clone());
    // Server functions come with the pages, so the guard stands around all of it.
    let browser = pages
        .layer(middleware::from_fn(done::mark))
        .layer(middleware::from_fn_with_state(app.clone(), typed::carry))
        .merge(drafts)
        .merge(downloads)
        .merge(oauth)
        .merge(live)
        .layer(RequestBodyLimitLayer::new(BODY_LIMIT))
        .merge(uploads)
        .layer(middleware::from_fn_with_state(app.clone(), session::identify))
        .layer(session::layer(&app))
        .layer(middleware::from_fn_with_state(app.clone(), guard::same_origin))
        .merge(relinks)
        .merge(brand)
        .layer(compression());
    let secure = app.public_url().scheme() == "https";
    let router = Router::new()
        .merge(browser)
        .merge(health_router(app.clone(), options.metrics))
        .merge(options.site.routes())
        // Has a limit of its own, to refuse in its own form.
        .merge(api::router(app.clone()))
        // The first is the outermost. One `layer` for all: each wraps every route in another box.
        .layer((
            middleware::from_fn_with_state(options.trusted_proxies.into(), origin::tell),
            SetRequestIdLayer::x_request_id(Numbers),
            TraceLayer::new_for_http().make_span_with(span).on_request(()).on_failure(()),
            PropagateRequestIdLayer::x_request_id(),
            CatchPanicLayer::custom(panicked),
            middleware::from_fn(guard::headers),
        ));
    if secure {
        router.layer(SetResponseHeaderLayer::overriding(
            header::STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static("max-age=63072000; includeSubDomains"),
        ))
    } else {
        router
    }
}

/// What requests are known by. Drawn from our own generator, which asks the operating system for a seed now
/// and then, and not for each request.
#[derive(Clone, Copy)]
struct Numbers;

impl MakeRequestId for Numbers {
    fn make_request_id<B>(&mut self, _: &axum::http::Request<B>) -> Option<RequestId> {
        let mut bytes = [0; 16];
        SystemRng.fill(&mut bytes);
        let id = uuid::Builder::from_random_bytes(bytes).into_uuid();
        let mut text = uuid::Uuid::encode_buffer();
        HeaderValue::from_str(id.hyphenated().encode_lower(&mut text)).ok().map(RequestId::new)
    }
}

/// Makes pages small on their way. Events, which are sent one by one, are left as they are, and so are
/// files, which may hold many links: whoever sees how long a compressed answer is, and can have texts of
/// their own put into it, could guess at what else is in it (RFC 7457 section 2.6). A page shows a secret
/// once, to whoever made it or entered their password, and no text of others beside it.
fn compression() -> CompressionLayer<impl Predicate> {
    let when = DefaultPredicate::new()
        .and(SizeAbove::new(SMALL))
        .and(NotForContentType::const_new("text/csv"))
        .and(NotForContentType::const_new("application/x-ndjson"));
    CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(when)
}

/// Health and metrics alone, for a process that only works.
pub fn health_router(app: App, metrics: Metrics) -> Router {
    health::routes(app).route("/metrics", get(move || async move { metrics() }))
}

fn page_assets(site: &Site) -> ui::Assets {
    match site.names() {
        Some(names) => {
            ui::Assets { js: names.js.clone(), wasm: names.wasm.clone(), css: names.css.clone() }
        }
        None => ui::Assets { js: String::new(), wasm: String::new(), css: String::new() },
    }
}

/// What components and server functions find: the use cases, and a policy with this page's nonce.
pub(super) fn provide_page_context(app: App) {
    provide_context(app);
    let parts = use_context::<Parts>();
    if let Some(typed) =
        parts.as_ref().and_then(|parts| parts.extensions.get::<ui::Typed>().cloned())
    {
        provide_context(typed);
    }
    if let Some(visit) = parts.as_ref().and_then(relink::visit) {
        provide_context(visit);
        if let Some(response) = use_context::<ResponseOptions>() {
            relink::headers().for_each(|(name, value)| response.insert_header(name, value));
        }
    }
    if let (Some(nonce), Some(response)) =
        (leptos::nonce::use_nonce(), use_context::<ResponseOptions>())
    {
        if let Ok(policy) = HeaderValue::from_str(&guard::policy(Some(&nonce.to_string()))) {
            response.insert_header(header::CONTENT_SECURITY_POLICY, policy);
        }
        response.insert_header(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

/// A request in the log: its route, never its address, which may hold a one-time token or a code.
fn span(request: &Request) -> tracing::Span {
    let route = request.extensions().get::<MatchedPath>().map_or("(none)", MatchedPath::as_str);
    let id = request
        .headers()
        .get(HeaderName::from_static("x-request-id"))
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    tracing::info_span!("request", method = %request.method(), route, id)
}

fn panicked(_: Box<dyn std::any::Any + Send + 'static>) -> axum::response::Response {
    (StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong in Regrant. It was logged.")
        .into_response()
}

/// For tests: every route of the pages, as the interface declares them.
#[cfg(test)]
pub(crate) fn page_paths() -> Vec<String> {
    generate_route_list(ui::App).into_iter().map(|route| route.path().to_owned()).collect()
}
