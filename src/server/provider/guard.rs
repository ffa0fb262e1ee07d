//! The one way out.
//!
//! The addresses that Regrant calls come from admins and from providers' metadata, and the calls
//! carry secrets. So: https only, no address inside a private network unless the operator allows
//! it, the address that was vetted is the address that is connected to, no redirects, no proxy
//! from the environment, capped bodies, one deadline over everything.

mod unreached;

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use futures::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use super::{DEADLINE, Error};

/// A body longer than this is not read.
pub const BODY_LIMIT: usize = 1 << 20;

/// Where calls may go and how long they may take.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Lets calls into private networks, and http on loopback.
    pub allow_private_networks: bool,
    /// For the whole call.
    pub deadline: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self { allow_private_networks: false, deadline: DEADLINE }
    }
}

/// A name resolved to addresses.
type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>> + Send + Sync>;

/// A reqwest client that can't be used but through [`Client::send`].
#[derive(Clone)]
pub(super) struct Client {
    client: reqwest::Client,
    policy: Policy,
}

/// An answer, read to its end.
pub(super) struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The guard refused the address; nothing was sent.
    Blocked(String),
    /// No connection came about; nothing was sent.
    Connect(String),
    /// The request was sent, at least in part. With the status, if it came.
    Lost { what: &'static str, status: Option<u16> },
}

impl Client {
    pub fn new(policy: Policy) -> Result<Self, Error> {
        Self::with_lookup(policy, Arc::new(|name| Box::pin(system_lookup(name))))
    }

    fn with_lookup(policy: Policy, lookup: Lookup) -> Result<Self, Error> {
        let resolver = Vetted { allow_private: policy.allow_private_networks, lookup };
        let client = reqwest::Client::builder()
            .user_agent(concat!("Regrant/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .https_only(!policy.allow_private_networks)
            .dns_resolver(resolver)
            .timeout(policy.deadline)
            // Well inside the deadline, so that a timeout of the whole call means it was sent.
            .connect_timeout(policy.deadline / 3)
            // An idle connection that the server closes under a request leaves it in doubt.
            .pool_idle_timeout(Duration::from_secs(5))
            .build()
            .map_err(|error| Error::Client(chain(&error)))?;
        Ok(Self { client, policy })
    }

    /// Sends `request` and reads the answer to its end.
    pub async fn send(&self, request: reqwest::Request) -> Result<Answer, Failure> {
        vet(request.url(), self.policy.allow_private_networks).map_err(Failure::Blocked)?;
        let at = request.url().clone();
        let mut response =
            self.client.execute(request).await.map_err(|error| match blocked(&error) {
                Some(reason) => Failure::Blocked(reason),
                None if error.is_connect() || error.is_dns() || error.is_builder() => {
                    Failure::Connect(unreached::why(&at, &error.without_url()))
                }
                None if error.is_timeout() => {
                    Failure::Lost { what: "no answer within the deadline", status: None }
                }
                None => Failure::Lost { what: "the connection broke off", status: None },
            })?;
        let status = response.status().as_u16();
        let lost = |what| Failure::Lost { what, status: Some(status) };
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() > BODY_LIMIT => {
                    return Err(lost("the answer is too long"));
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(error) if error.is_timeout() => {
                    return Err(lost("the answer did not end within the deadline"));
                }
                Err(_) => return Err(lost("the answer was cut off")),
            }
        }
        Ok(Answer { status, headers: std::mem::take(response.headers_mut()), body })
    }
}

/// Whether `url` may be called at all, as far as its text tells.
pub(super) fn vet(url: &Url, allow_private: bool) -> Result<(), String> {
    let host = url.host().ok_or("the address has no host")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the address must hold no credentials".into());
    }
    match url.scheme() {
        "https" => {}
        "http" if allow_private && is_loopback_host(&host) => {}
        "http" => return Err(format!("{host} must be reached by https")),
        scheme => return Err(format!("{scheme} is not https")),
    }
    let address = match host {
        Host::Ipv4(address) => IpAddr::V4(address),
        Host::Ipv6(address) => IpAddr::V6(address),
        Host::Domain(_) => return Ok(()),
    };
    if allow_private && is_inside(address) || is_public(address) {
        return Ok(());
    }
    Err(format!("{address} is not a public address{}", way_out(allow_private, &[address])))
}

/// What lets Regrant call one of these addresses, if something does.
fn way_out(allow_private: bool, addresses: &[IpAddr]) -> &'static str {
    match !allow_private && addresses.iter().copied().any(is_inside) {
        true => "; REGRANT_ALLOW_PRIVATE_NETWORKS lets Regrant call private ones",
        false => "",
    }
}

/// Whether a browser may be sent to `url`.
pub(super) fn vet_link(url: &Url) -> Result<(), String> {
    let host = url.host().ok_or("the address has no host")?;
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback_host(&host) => Ok(()),
        _ => Err(format!("{host} must be reached by https")),
    }
}

fn is_loopback_host(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => is_localhost(name),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name == "localhost" || name.ends_with(".localhost")
}

/// Whether `address` is one of the internet at large (the registries of RFC 6890, and what carries
/// an IPv4 address inside an IPv6 one, judged by that).
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// Whether `address` may be called when private networks are allowed: a host's address, public or
/// not. Not "this host", multicast, broadcast or the link-local range where clouds keep their
/// metadata services.
fn is_inside(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [first, ..] = v4.octets();
            first != 0 && first < 224 && !v4.is_link_local()
        }
        IpAddr::V6(v6) => match embedded_v4(v6) {
            Some(v4) => is_inside(IpAddr::V4(v4)),
            None => !v6.is_unspecified() && !v6.is_multicast() && !v6.is_unicast_link_local(),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !matches!(
        (a, b, c),
        (0 | 10 | 127 | 224..=255, ..)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (192, 168, _)
            | (198, 18..=19, _)
            | (198, 51, 100)
            | (203, 0, 113)
    )
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(v4) = embedded_v4(address) {
        return is_public_v4(v4);
    }
    let [a, b, ..] = address.segments();
    // Only 2000::/3 is given out to the internet; within it, documentation, benchmarking, ORCHID,
    // Teredo and the rest of 2001::/23 are not.
    a & 0xe000 == 0x2000
        && !(a == 0x2001 && b < 0x0200)
        && !(a == 0x2001 && b == 0x0db8)
        && !(a == 0x3fff && b < 0x1000)
}

/// The IPv4 address inside a mapped, compatible, translated (NAT64) or 6to4 one.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let s = address.segments();
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match s {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] => Some(v4(high, low)),
        [0, 0, 0, 0, 0xffff, 0, high, low] => Some(v4(high, low)),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(v4(high, low)),
        [0x2002, high, low, ..] => Some(v4(high, low)),
        _ => None,
    }
}

/// Answers only with addresses that may be called; the connection is made to one of these.
struct Vetted {
    allow_private: bool,
    lookup: Lookup,
}

impl Resolve for Vetted {
    fn resolve(&self, name: Name) -> Resolving {
        let (allow_private, name) = (self.allow_private, name.as_str().to_owned());
        let looking = (self.lookup)(name.clone());
        Box::pin(async move {
            let found = looking.await?;
            let nothing = found.is_empty();
            let way_out = way_out(allow_private, &found);
            let local = is_localhost(&name);
            let vetted: Vec<_> = found
                .into_iter()
                .filter(|address| match allow_private {
                    // What was let through as loopback by its name must be loopback.
                    true if local => address.is_loopback(),
                    true => is_inside(*address),
                    false => is_public(*address),
                })
                .map(|address| SocketAddr::new(address, 0))
                .collect();
            if vetted.is_empty() && !nothing {
                let why = format!("{name} does not lead to a public address{way_out}");
                return Err(Blocked(why).into());
            }
            Ok(Box::new(vetted.into_iter()) as Addrs)
        })
    }
}

async fn system_lookup(name: String) -> std::io::Result<Vec<IpAddr>> {
    Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
}

#[derive(Debug)]
struct Blocked(String);

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Blocked {}

/// The resolver's refusal, wherever in the chain it stands.
fn blocked(error: &reqwest::Error) -> Option<String> {
    causes(error).find_map(|cause| cause.downcast_ref::<Blocked>()).map(|blocked| blocked.0.clone())
}

/// The innermost cause, which says most.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}

fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}

#[cfg(test)]
mod tests;
