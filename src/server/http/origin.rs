//! Where a request comes from, as the login limit counts. A proxy hides its clients behind its own
//! address and names them in a header, which anybody else can write too.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::HeaderMap,
    middleware::Next,
    response::Response,
};
use ipnet::IpNet;

use crate::server::app::session::Origin;

/// Puts the origin into the request.
pub async fn tell(
    State(trusted): State<Arc<[IpNet]>>,
    mut request: Request,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let address = match peer {
        Some(peer) => counted(origin(peer, request.headers(), &trusted)),
        None => "unknown".into(),
    };
    request.extensions_mut().insert(Origin { address });
    next.run(request).await
}

/// The last address in `X-Forwarded-For` that no proxy of ours wrote about another: each appends
/// whom it serves, so what stands further left was claimed by a stranger.
fn origin(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_proxy = |address: IpAddr| {
        address.is_loopback() || trusted.iter().any(|network| network.contains(&address))
    };
    let mut origin = peer.to_canonical();
    let told = headers.get_all("x-forwarded-for").iter().rev();
    for each in told.flat_map(|value| value.to_str().unwrap_or_default().rsplit(',')) {
        if !is_proxy(origin) {
            break;
        }
        let Ok(address) = each.trim().parse::<IpAddr>() else { break };
        origin = address.to_canonical();
    }
    origin
}

/// An IPv4 address, or an IPv6 network of 64 bits, which is what one subscriber has.
fn counted(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for each in forwarded {
            headers.append("x-forwarded-for", each.parse().unwrap());
        }
        let trusted: Vec<IpNet> = trusted.iter().map(|text| text.parse().unwrap()).collect();
        counted(origin(peer.parse().unwrap(), &headers, &trusted))
    }

    #[test]
    fn a_stranger_is_not_believed() {
        assert_eq!(told("203.0.113.7", &["198.51.100.1"], &[]), "203.0.113.7");
        assert_eq!(told("10.0.0.2", &["198.51.100.1"], &["10.1.0.0/16"]), "10.0.0.2");
    }

    #[test]
    fn a_proxy_is_believed_about_whom_it_serves_and_no_further() {
        let forwarded = &["198.51.100.1, 203.0.113.7"];
        assert_eq!(told("127.0.0.1", forwarded, &[]), "203.0.113.7");
        assert_eq!(told("10.0.0.2", forwarded, &["10.0.0.0/8"]), "203.0.113.7");
        assert_eq!(told("::ffff:10.0.0.2", forwarded, &["10.0.0.0/8"]), "203.0.113.7");
    }

    #[test]
    fn a_row_of_proxies_is_followed_to_its_end() {
        let forwarded = &["192.0.2.9, 203.0.113.7", "10.0.0.3"];
        assert_eq!(told("10.0.0.2", forwarded, &["10.0.0.0/8"]), "203.0.113.7");
        assert_eq!(told("10.0.0.2", &["nonsense"], &["10.0.0.0/8"]), "10.0.0.2");
    }

    #[test]
    fn one_subscriber_is_one_origin() {
        assert_eq!(told("2001:db8:1:2:3::4", &[], &[]), "2001:db8:1:2::/64");
    }
}
